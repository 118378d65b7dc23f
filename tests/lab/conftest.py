"""Lab tests need root, for namespaces and filters; without it they are skipped, and say so."""

import os

import pytest


def pytest_configure(config):
    config.addinivalue_line("markers", "lab: needs root; real namespaces and software")
    config.addinivalue_line("markers", "quick: the subset that tools/test runs")


def pytest_collection_modifyitems(items):
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason="the lab makes network namespaces and needs root"))
