"""Least privilege: once its programs are attached, no thread of the agent holds what observing does not need."""

from pathlib import Path

import pytest

from lab import namespaces
from lab.agent import Agent
from lab.test_passive import SilentPair

pytestmark = [pytest.mark.lab, pytest.mark.quick]

# linux/capability.h
KEPT = {"chown": 0, "dac_read_search": 2, "net_admin": 12, "sys_ptrace": 19, "sys_admin": 21, "perfmon": 38, "bpf": 39}


def effective(status: Path) -> set[int]:
    line = next(line for line in status.read_text().splitlines() if line.startswith("CapEff:"))
    mask = int(line.split()[1], 16)
    return {number for number in range(64) if mask >> number & 1}


def test_no_thread_keeps_what_it_does_not_need(binary, tmp_path):
    pair = SilentPair()
    agent = Agent(binary, tmp_path, namespaces.NETNS_DIR / pair.here)
    try:
        agent.start()
        threads = list(Path(f"/proc/{agent.pid}/task").glob("*/status"))
        assert len(threads) > 1
        for thread in threads:
            assert effective(thread) <= set(KEPT.values()), thread
        assert agent.view()["observer"]["last_walk_at"] is not None
    finally:
        agent.stop()
        pair.close()
