"""Fetches, boots and keeps: one story for each kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kernels import image, machine
from kernels.judge import Kernel
from kernels.machine import Story

WORK = image.REPOSITORY / "build" / "kernels"
DEADLINE_S = 600


def boot(kernel: Kernel, userland: Path, cpus: int = 1, deadline_s: float = DEADLINE_S) -> Story:
    directory = WORK / kernel.name
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(Path(__file__).parent / "fetch"), kernel.suite, str(directory)], check=True)
    initramfs = image.join([userland, image.build_modules(directory, directory)], directory / "initramfs")
    return machine.boot(directory, initramfs, directory, cpus, deadline_s)


def build_userland(build: Path) -> Path:
    WORK.mkdir(parents=True, exist_ok=True)
    return image.build_userland(build / "netwatch", build / "tests/kernel/netwatch_kernel_tests", WORK)
