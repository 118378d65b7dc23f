"""Network namespaces by name, and processes inside them.

Names are `nwlab-<pid>-<random>-<host>`: the pid is that of the process that made them, so that `sweep` can tell
the leftovers of a dead run from a rig in use. A child started here dies with its parent (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

NETNS_DIR = Path("/run/netns")
NAME_PATTERN = re.compile(r"^nwlab-(\d+)-[0-9a-f]+-[a-z0-9]+$")

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def inode(name: str) -> int:
    """The number by which the kernel and `lsns` know this namespace."""
    return os.stat(NETNS_DIR / name).st_ino


def _enter(fd: int | None):
    """What a child does between fork and exec: join the namespace, and die with the parent."""

    def prepare() -> None:
        if fd is not None and _libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    return prepare


def spawn(name: str | None, argv: list[str], **options) -> subprocess.Popen:
    """Starts a process in namespace `name`, or in the caller's own when it is None."""
    if name is None:
        return subprocess.Popen(argv, preexec_fn=_enter(None), **options)
    fd = os.open(NETNS_DIR / name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return subprocess.Popen(argv, preexec_fn=_enter(fd), **options)
    finally:
        os.close(fd)


def run(
    name: str | None, argv: list[str], stdin: str | None = None, check: bool = True, timeout: float = 30.0
) -> str:
    """Runs a command to its end in namespace `name` and returns what it printed."""
    process = spawn(
        name, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except BaseException:
        process.kill()
        process.wait()
        raise
    if check and process.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} in {name}: exit {process.returncode}: {err.strip()}")
    return out


def stop(process: subprocess.Popen, grace_s: float = 3.0) -> int:
    """Ends a process that `spawn` started and returns its exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


def remove(name: str) -> None:
    """Kills whatever still runs in a namespace of the lab, and removes it."""
    if not NAME_PATTERN.match(name):
        raise ValueError(f"{name} is not a namespace of the lab")
    for pid in run(None, ["ip", "netns", "pids", name], check=False).split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    run(None, ["ip", "netns", "del", name], check=False)


def existing() -> list[str]:
    if not NETNS_DIR.is_dir():
        return []
    return sorted(entry.name for entry in NETNS_DIR.iterdir() if NAME_PATTERN.match(entry.name))


def sweep() -> list[str]:
    """Removes what dead runs have left behind and returns the namespaces' names."""
    removed = [name for name in existing() if _orphaned(name)]
    for name in removed:
        remove(name)
    for directory in Path(tempfile.gettempdir()).glob("nwlab-*"):
        if directory.is_dir() and _orphaned(directory.name):
            shutil.rmtree(directory, ignore_errors=True)
    return removed


def _orphaned(name: str) -> bool:
    """Is the process gone that made what has this name?"""
    owner = name.split("-")[1]
    return owner.isdigit() and not Path(f"/proc/{owner}").exists()
