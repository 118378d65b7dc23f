"""Chromium as a person would use it, on pages that netwatch made. Without Chromium the tests are skipped."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest

from browser.page import Browser, Page

ROOT = Path(__file__).resolve().parents[2]


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: needs Chromium")
    config.addinivalue_line("markers", "quick: the subset that tools/test runs")


@pytest.fixture(scope="session")
def build() -> Path:
    return Path(os.environ.get("NETWATCH_BUILD", ROOT / "build/dev"))


@pytest.fixture(scope="session")
def made(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The report of a story, made once."""
    directory = tmp_path_factory.mktemp("reports")

    def make(story: str) -> Path:
        page = directory / f"{story}.html"
        if not page.exists():
            recording = directory / f"{story}.db"
            subprocess.run([build / "tests/browser/netwatch_stories", story, recording], check=True)
            subprocess.run([build / "netwatch", "report", recording, "-o", page], check=True)
        return page

    return make


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    pytest.importorskip("selenium", reason="python3-selenium is missing: sudo tools/deps")
    if not Path("/usr/bin/chromedriver").exists():
        pytest.skip("chromium-driver is missing: sudo tools/deps")
    with tempfile.TemporaryDirectory(prefix="netwatch-chromium-") as profile:
        started = Browser(Path(profile))
        yield started
        started.quit()


@pytest.fixture
def opened(browser: Browser, made: Callable[[str], Path]) -> Callable[..., Page]:
    def open_story(story: str, **how) -> Page:
        return browser.open(made(story), **how)

    return open_story
