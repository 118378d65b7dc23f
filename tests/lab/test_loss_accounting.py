"""Loss, proven: in an overrun made on purpose, seen = emitted + filtered + dropped for every record kind."""

import os
import signal
import threading

import pytest

from lab.agent import Agent
from lab.rig import Rig
from lab.software import Service, start_client

pytestmark = [pytest.mark.lab, pytest.mark.quick]

RING_BYTES = 4096
CONNECTS = 3001
PORT = 7919


def test_a_full_ring_is_counted(binary):
    with Rig(seed=23) as rig:
        Service(rig, "cli", [PORT])
        agent = Agent(binary, rig.directory, rig.netns_path("cli"), "--ring-size", str(RING_BYTES))
        try:
            agent.start(follow=False)
            os.kill(agent.pid, signal.SIGSTOP)
            try:
                burst = [
                    start_client(rig, "burst", [f"127.0.0.1:{PORT}"], count=CONNECTS // 7) for _ in range(7)
                ]
                for client in burst:
                    client.wait(60)
            finally:
                os.kill(agent.pid, signal.SIGCONT)
            accounts = settled_accounts(agent)
        finally:
            agent.stop()
        outcomes = [outcome for client in burst for outcome in client.outcomes()]
    made = sum(outcome["what"] == "connect" and outcome["result"] == "ok" for outcome in outcomes)
    assert made > 2000
    connects = accounts["connect"]
    assert connects["seen"] >= made
    assert sum(row["dropped"] for row in accounts.values()) > 0
    assert connects["dropped"] > 0
    for kind, row in accounts.items():
        assert row["seen"] == row["emitted"] + row["filtered"] + row["dropped"], (kind, row)


def settled_accounts(agent: Agent) -> dict[str, dict]:
    """The accounts by kind, once they show the burst and the agent has caught up."""
    before: dict[str, dict] = {}
    for _ in range(20):
        observer = agent.view()["observer"]
        now = {row["kind"]: row for row in observer["accounts"]}
        if now == before and observer["lost_records"] > 0:
            break
        before = now
        threading.Event().wait(1.2)
    return before
