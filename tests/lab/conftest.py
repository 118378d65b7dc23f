"""Lab tests need root, for namespaces and filters; without it they are skipped, and say so."""

import os
from pathlib import Path

import pytest

from lab.agent import find_binary


def pytest_configure(config):
    config.addinivalue_line("markers", "lab: needs root; real namespaces and software")
    config.addinivalue_line("markers", "quick: the subset that tools/test runs")


def pytest_collection_modifyitems(items):
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason="the lab makes network namespaces and needs root"))


@pytest.fixture(scope="session")
def binary() -> Path:
    path = find_binary()
    if path is None:
        pytest.skip(
            "netwatch is not built: no binary under build/dev or build/release, and NETWATCH_BIN is not set"
        )
    return path
