"""One scenario: what runs on the observed host, and what happens to it. `scenarios` and its neighbours list them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from lab.faults import Fault
from lab.rig import SERVERS
from lab.world import Lab


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    kind: str  # "fault" or "healthy"
    prepare: Callable[[Lab], None]
    happen: Callable[[Lab], Fault | None]
    number: int | None = None  # of the list of faults in the acceptance's terms
    family: int = 4
    end: str = "client"  # or "server": whose namespace the agent watches
    node: bool = False  # the client is a node with pods: all of it is the observed host
    quick: bool = False
    rtt_ms: float = 0.0  # how far away the servers are
    late_s: float = 0.0  # the agent starts this long after the onset
    bar_s: float | None = None  # the aim for the time to detect, reported
    deadline_s: float = 15.0  # the bound for the time to detect, asserted
    length_s: float | None = None  # the fault lasts so long, named or not
    hold_s: tuple[float, float] = (3.1, 4.7)  # how long it goes on once it is named
    missed: str | None = None  # why netwatch is known not to see it: it counts against it all the same
    watch_s: float = 7.0  # where nothing is to be said: how long to look on


def fault(name, number, title, prepare, happen, families=(4,), quick=(), **more) -> list[Scenario]:
    """A fault over each of the families; `quick` names those that are in the everyday subset."""
    return [
        Scenario(
            name if family == 4 else f"{name}_ipv6",
            title if family == 4 else f"{title}, IPv6",
            "fault",
            prepare,
            happen,
            number,
            family,
            quick=family in quick,
            **more,
        )
        for family in families
    ]


def healthy(name, title, prepare, happen, quick=False, **more) -> Scenario:
    return Scenario(name, title, "healthy", prepare, happen, quick=quick, **more)


def nothing(_lab: Lab) -> None:
    """The load itself is the trial."""


def on_victim_port(injector) -> Callable[[Lab], Fault]:
    return lambda lab: injector(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0])


def b_destinations(lab: Lab) -> list[tuple[str, int]]:
    return [(lab.ip(server, "b"), lab.ports[0]) for server in SERVERS]
