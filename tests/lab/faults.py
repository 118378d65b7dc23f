"""A fault in the rig: its label, and what the injectors (`faults_*`) have in common.

An injector puts one fault in with the means of an operator, none of them netwatch's. It returns a `Fault`: what is
true now, in the terms of the incident contract, and how to heal it. The label is written by it and nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Callable

from lab.rig import Rig
from lab.software import endpoint


@dataclass(frozen=True)
class Label:
    """What a right verdict says. An empty tuple or None means that the field is not judged."""

    type: str
    causes: tuple[str, ...]
    scope_kinds: tuple[str, ...]
    scope_values: tuple[str, ...] = ()
    destinations: tuple[
        tuple[str, int | None], ...
    ] = ()  # (ip, port), port None: the host, whatever the port
    members: tuple[str, ...] = ()  # each must be among the scope's members
    offender: str | None = None
    perspective: str = "client"
    root_type: str | None = None  # the root cause's type where it is another than the incident's
    process: str | None = None  # the source's name
    changed: tuple[str, str | None] | None = None  # the change named as the cause: its words, and who made it
    netns: int | None = None  # the source's
    cgroup: str | None = None  # the source's
    real: tuple[str, int] | None = None  # the peer behind NAT
    symptoms: bool = False  # the fault spoils what stands above it, too: there must be some
    momentary: bool = False  # it has happened and is over: those hurt make new connections, whatever the heal does
    roots: int = 1  # two faults at once are two incidents
    also: tuple["Label", ...] = ()  # the others'
    set_allowed: tuple[
        str, ...
    ] = ()  # types that may stand first where one end cannot know, the truth in the set


@dataclass
class Fault:
    """`label` is what the client's end can know, `at_server` the server's. None: nothing above info is right.

    `everywhere`: what an agent knows that sees client, routers and server, where that is more than `label`.
    """

    label: Label | None
    heal: Callable[[], None]
    truth: Callable[[], dict] = field(default=lambda: {})  # what the injector itself has counted
    at_server: Label | None = None
    everywhere: Label | None = None

    def as_seen(self, watch: str) -> Label | None:
        """The label for who watches: "client", "server", or "all" of the rig."""
        if watch == "server":
            return self.at_server
        return (self.everywhere or self.label) if watch == "all" else self.label


def at(ip: str, port: int | None) -> dict:
    members = (f"{endpoint(ip, port)}/tcp",) if port else ()
    return {"destinations": ((ip, port),), "members": members, "scope_kinds": ("destination",)}


def matching(family: int, ip: str, direction: str = "daddr") -> str:
    return f"{'ip' if family == 4 else 'ip6'} {direction} {ip}"


def load_rules(rig: Rig, host: str, hook: str, rules: str, table: str = "fault") -> Callable[[], None]:
    """Loads rules into a table of their own; the returned function takes the table away."""
    chain = f"type filter hook {hook} priority 0\n{rules}\n"
    rig.nft(host, f"table inet {table} {{\nchain c {{\n{chain}}}\n}}\n")
    return lambda: rig.nft(host, f"delete table inet {table}")


def counters(rig: Rig, host: str, table: str = "fault") -> list[int]:
    """The packets that each counter of the table has seen, in order."""
    document = json.loads(rig.run(host, ["nft", "-j", "list", "table", "inet", table]))
    expressions = [e for item in document["nftables"] if "rule" in item for e in item["rule"]["expr"]]
    return [e["counter"]["packets"] for e in expressions if "counter" in e]


def counted(rig: Rig, host: str) -> dict:
    return {"dropped": counters(rig, host)[-1]}
