"""Boots a kernel under plain emulation and brings back what its guest said: no KVM, no network, no disk."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

# What guest-init writes into the kernel's log when everything has run: the log is whole up to there.
END_MARK = "guest: end"
SPLATS = re.compile(
    r"BUG:|WARNING:|Oops|kernel BUG at|general protection fault|Kernel panic|Call Trace:|stall(ed|s) (on|detected)|"
    r"soft lockup|hung_task|blocked for more than|UBSAN|KASAN|refcount_t|use-after-free|scheduling while atomic"
)


# The guest's time passes with its instructions, 4 ns each, and skips what it would wait: a busy machine makes a run
# longer, not different. One processor only.
CLOCK = ("-icount", "shift=2,sleep=off")


@dataclass
class Story:
    """What one guest said, and what its kernel logged."""

    release: str
    console: str
    told: dict[str, dict] = field(default_factory=dict)
    took_s: float = 0.0
    ended: bool = True  # False: stopped at the deadline

    def splats(self) -> list[str]:
        return [line.strip() for line in self.console.splitlines() if SPLATS.search(line)]

    def log_is_whole(self) -> bool:
        return f"Linux version {self.release}" in self.console and END_MARK in self.console


def boot(kernel: Path, initramfs: Path, work: Path, cpus: int = 1, deadline_s: float = 600) -> Story:
    console, results = work / "console.log", work / "results.jsonl"
    for path in (console, results):
        path.unlink(missing_ok=True)
    argv = [
        "qemu-system-x86_64", "-accel", "tcg", *(CLOCK if cpus == 1 else ()), "-cpu", "max", "-smp", str(cpus), "-m", "1024",
        "-nodefaults", "-no-reboot", "-display", "none", "-kernel", str(kernel / "vmlinuz"), "-initrd", str(initramfs),
        "-append", "console=ttyS0 panic=-1 rdinit=/init", "-serial", f"file:{console}", "-serial", f"file:{results}",
    ]  # fmt: skip
    release = (kernel / "release").read_text().strip()
    begin = time.monotonic()
    machine = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        machine.wait(deadline_s)
        ended = True
    except subprocess.TimeoutExpired:
        ended = False
    finally:
        machine.kill()
        machine.wait()
    story = Story(release, read(console), took_s=time.monotonic() - begin, ended=ended)
    for line in read(results).splitlines():
        if line.startswith("{") and line.endswith("}"):
            said = json.loads(line)
            story.told[said.pop("what")] = said
    return story


def read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
