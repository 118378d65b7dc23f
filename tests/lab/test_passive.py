"""Passive, proven: in a silent namespace the transmit counter stays where it was while netwatch runs."""

import os
import secrets
import threading

import pytest

from lab import namespaces
from lab.agent import Agent

pytestmark = [pytest.mark.lab, pytest.mark.quick]

HERE, THERE = "192.0.2.17", "192.0.2.18"
RUN_S = 6.0


class SilentPair:
    """Two namespaces and a link on which nothing speaks by itself: no IPv6, neighbours permanent."""

    def __init__(self):
        prefix = f"nwlab-{os.getpid()}-{secrets.token_hex(3)}"
        self.here, self.there = f"{prefix}-here", f"{prefix}-there"
        self._ip("netns", "add", self.here)
        self._ip("netns", "add", self.there)
        for name in (self.here, self.there):
            off = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]
            namespaces.run(name, ["sysctl", "-q", "-w", *off])
        self._ip(
            "link",
            "add",
            "eth0",
            "netns",
            self.here,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            self.there,
        )
        macs = {HERE: "02:00:00:00:00:11", THERE: "02:00:00:00:00:12"}
        for name, own, other in ((self.here, HERE, THERE), (self.there, THERE, HERE)):
            self._ip("-n", name, "link", "set", "eth0", "address", macs[own], "up")
            self._ip("-n", name, "link", "set", "lo", "up")
            self._ip("-n", name, "addr", "add", f"{own}/24", "dev", "eth0")
            self._ip(
                "-n", name, "neigh", "add", other, "lladdr", macs[other], "dev", "eth0", "nud", "permanent"
            )

    def close(self) -> None:
        namespaces.remove(self.here)
        namespaces.remove(self.there)

    def transmitted(self) -> int:
        lines = namespaces.run(self.here, ["cat", "/proc/net/dev"]).splitlines()
        fields = next(line for line in lines if line.strip().startswith("eth0:")).split(":")[1].split()
        return int(fields[9])

    @staticmethod
    def _ip(*arguments: str) -> None:
        namespaces.run(None, ["ip", *arguments])


@pytest.fixture
def pair():
    pair = SilentPair()
    yield pair
    pair.close()


def test_the_counter_would_show_one_packet(pair):
    before = pair.transmitted()
    namespaces.run(pair.here, ["ping", "-c", "1", "-W", "1", THERE])
    assert pair.transmitted() == before + 1


def test_the_agent_sends_nothing(pair, binary, tmp_path):
    before = pair.transmitted()
    agent = Agent(binary, tmp_path, namespaces.NETNS_DIR / pair.here)
    try:
        agent.start()
        ask_everything(agent)
        threading.Event().wait(RUN_S)
        ask_everything(agent)
        assert agent.alive()
    finally:
        status = agent.stop()
    assert status == 0
    assert pair.transmitted() == before


def ask_everything(agent: Agent) -> None:
    agent.ask("why", f"{THERE}:443")
    agent.ask("why", THERE)
    agent.ask("top", "--once")
    agent.ask("incidents", "--all", "--json")
    agent.ask("check", allowed=(0, 3, 4))
