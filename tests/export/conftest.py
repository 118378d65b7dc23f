"""What netwatch exports of recordings that are stories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Callable

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def build() -> Path:
    return Path(os.environ.get("NETWATCH_BUILD", ROOT / "build/dev"))


@pytest.fixture(scope="session")
def binary(build: Path) -> Path:
    return build / "netwatch"


@pytest.fixture(scope="session")
def recorded(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The recording of a story, made once."""
    directory = tmp_path_factory.mktemp("recordings")

    def record(story: str) -> Path:
        path = directory / f"{story}.db"
        if not path.exists():
            subprocess.run([build / "tests/browser/netwatch_stories", story, path], check=True)
        return path

    return record


@pytest.fixture(scope="session")
def exported(binary: Path, recorded, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """A story in a format, made once."""
    directory = tmp_path_factory.mktemp("exports")

    def export(story: str, form: str) -> Path:
        out = directory / f"{story}.{form}"
        if not out.exists():
            subprocess.run([binary, "export", recorded(story), "--format", form, "-o", out], check=True)
        return out

    return export


@pytest.fixture(scope="session")
def dumped(binary: Path, recorded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump of a story."""
    out = tmp_path_factory.mktemp("dumps") / "dump.db"
    subprocess.run([binary, "dump", "--file", recorded("blocked"), "-o", out], check=True)
    return out
