"""The matrix as tests: each kernel is booted once and judged part by part."""

import shutil

import pytest

from kernels import judge, matrix
from kernels.judge import KERNELS

BUILD = matrix.image.REPOSITORY / "build" / "dev"


@pytest.fixture(scope="module")
def userland():
    if not shutil.which("qemu-system-x86_64"):
        pytest.skip("qemu-system-x86_64 is not installed: sudo tools/deps")
    return matrix.build_userland(BUILD)


@pytest.fixture(scope="module", params=KERNELS, ids=lambda kernel: kernel.name)
def booted(request, userland):
    return request.param, matrix.boot(request.param, userland)


def test_guest_came_to_its_end(booted):
    assert not judge.guest_faults(booted[1])


def test_kernel_log_is_clean(booted):
    assert not judge.log_faults(booted[1])


def test_every_planned_hook_is_attached(booted):
    assert not judge.hook_faults(*booted)


def test_failures_are_named_right(booted):
    assert not judge.verdict_faults(*booted)


def test_kernel_tests_pass(booted):
    assert not judge.kernel_test_faults(booted[1])
