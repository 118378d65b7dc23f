"""The injectors: each puts one fault into the rig with the means of an operator, none of them netwatch's.

An injector returns a `Fault`: what is true now, in the terms of the incident contract, and how to heal it. The
label is written here and nowhere else.
"""

from __future__ import annotations

import json
import os
import resource
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

from lab import namespaces
from lab.impair import Impaired
from lab.rig import Rig
from lab.software import Nginx, Postgres, Redis, Service, endpoint


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
    process: str | None = None  # the source's name
    roots: int = 1  # two faults at once are two incidents
    set_allowed: tuple[
        str, ...
    ] = ()  # types that may stand first where one end cannot know, the truth in the set


@dataclass
class Fault:
    """`label` is what the client's end can know, `at_server` the server's. None: nothing above info is right."""

    label: Label | None
    heal: Callable[[], None]
    truth: Callable[[], dict] = field(default=lambda: {})  # what the injector itself has counted
    at_server: Label | None = None


def _at(ip: str, port: int | None) -> dict:
    members = (f"{endpoint(ip, port)}/tcp",) if port else ()
    return {"destinations": ((ip, port),), "members": members, "scope_kinds": ("destination",)}


def _match(family: int, ip: str, direction: str = "daddr") -> str:
    return f"{'ip' if family == 4 else 'ip6'} {direction} {ip}"


def _filter(rig: Rig, host: str, hook: str, rules: str, table: str = "fault") -> Callable[[], None]:
    """Loads rules into a table of their own; the returned function takes the table away."""
    chain = f"type filter hook {hook} priority 0\n{rules}\n"
    rig.nft(host, f"table inet {table} {{\nchain c {{\n{chain}}}\n}}\n")
    return lambda: rig.nft(host, f"delete table inet {table}")


def _counters(rig: Rig, host: str, table: str = "fault") -> list[int]:
    """The packets that each counter of the table has seen, in order."""
    document = json.loads(rig.run(host, ["nft", "-j", "list", "table", "inet", table]))
    expressions = [e for item in document["nftables"] if "rule" in item for e in item["rule"]["expr"]]
    return [e["counter"]["packets"] for e in expressions if "counter" in e]


def _counted(rig: Rig, host: str) -> dict:
    return {"dropped": _counters(rig, host)[-1]}


def port_closed(nginx: Nginx, ip: str, port: int) -> Fault:
    """The server process ends; the kernel answers for its port with RST."""
    nginx.stop()
    return Fault(Label("port_blocked", ("closed_port",), **_at(ip, port)), nginx.start)


def one_port_closed(nginx: Nginx, ip: str, port: int) -> Fault:
    """One of several ports is taken out of a running server's configuration."""
    ports = list(nginx.ports)
    nginx.reload([p for p in ports if p != port])
    return Fault(Label("port_blocked", ("closed_port",), **_at(ip, port)), lambda: nginx.reload(ports))


def firewall_drop(rig: Rig, family: int, router: str, ip: str, port: int, stateful: bool) -> Fault:
    """A router's filter drops one port, for new connections only when it is stateful."""
    state = "ct state new " if stateful else ""
    rule = f"{_match(family, ip)} tcp dport {port} {state}counter drop"
    heal = _filter(rig, router, "forward", rule)
    causes = ("silent_drop", "new_flows_only") if stateful else ("silent_drop",)
    return Fault(Label("firewall_block", causes, **_at(ip, port)), heal, lambda: _counted(rig, router))


_FILTERED = ("firewall_block", ("admin_prohibited",))
_UNNAMED = ("firewall_block", ())  # the code names another thing than a filter; that others answer gives it away
# What a REJECT rule can say: nftables' words for it, and what a right verdict makes of it.
REJECTS: dict[int, dict[str, tuple[str, tuple[str, tuple[str, ...]]]]] = {
    4: {
        "port_unreachable": ("icmp type port-unreachable", ("firewall_block", ("icmp_port_unreachable",))),
        "admin_prohibited": ("icmp type admin-prohibited", _FILTERED),
        "host_prohibited": ("icmp type host-prohibited", _FILTERED),
        "net_prohibited": ("icmp type net-prohibited", _FILTERED),
        "host_unreachable": ("icmp type host-unreachable", _UNNAMED),
        "net_unreachable": ("icmp type net-unreachable", _UNNAMED),
        "protocol_unreachable": ("icmp type prot-unreachable", _UNNAMED),
        "reset": ("tcp reset", ("firewall_block", ("reset_by_middlebox",))),
    },
    6: {
        "port_unreachable": ("icmpv6 type port-unreachable", ("firewall_block", ("icmp_port_unreachable",))),
        "admin_prohibited": ("icmpv6 type admin-prohibited", _FILTERED),
        "policy_fail": ("icmpv6 type policy-fail", _FILTERED),
        "reject_route": ("icmpv6 type reject-route", _FILTERED),
        "host_unreachable": ("icmpv6 type addr-unreachable", _UNNAMED),
        "net_unreachable": ("icmpv6 type no-route", _UNNAMED),
        "reset": ("tcp reset", ("firewall_block", ("reset_by_middlebox",))),
    },
}  # fmt: skip


def rejected(rig: Rig, family: int, ip: str, port: int, how: str) -> Fault:
    """A router answers for one port of a server, in one of the ways that REJECT has."""
    words, (kind, causes) = REJECTS[family][how]
    heal = _filter(rig, "r2", "forward", f"{_match(family, ip)} tcp dport {port} reject with {words}")
    offender = rig.addresses.of("r2", family) if words != "tcp reset" else None
    return Fault(Label(kind, causes, offender=offender, **_at(ip, port)), heal)


def rejected_here(rig: Rig, family: int, ip: str, port: int, how: str) -> Fault:
    """A rule of this host rejects what leaves for one port of a server."""
    words, _ = REJECTS[family][how]
    heal = _filter(rig, "cli", "output", f"{_match(family, ip)} tcp dport {port} reject with {words}")
    return Fault(Label("firewall_block", ("local_rule",), **_at(ip, port)), heal)


def local_output_drop(rig: Rig, family: int, ip: str, port: int) -> Fault:
    heal = _filter(rig, "cli", "output", f"{_match(family, ip)} tcp dport {port} counter drop")
    return Fault(
        Label("firewall_block", ("local_rule",), **_at(ip, port)), heal, lambda: _counted(rig, "cli")
    )


def _unplug(rig: Rig, router: str, bridge: str, host: str) -> Callable[[], None]:
    """Takes a host's switch port down and forgets its neighbour entry on the router."""
    rig.ip(router, "link", "set", host, "down")
    rig.ip(router, "neigh", "flush", "dev", bridge)
    return lambda: rig.ip(router, "link", "set", host, "up")


def host_down_routed(rig: Rig, family: int, server: str) -> Fault:
    """A server behind a router is gone: silence, then ICMP from the router that cannot resolve its address."""
    heal = _unplug(rig, "r2", "dc0", server)
    ip = rig.addresses.of(server, family)
    offender = rig.addresses.of("r2", family)
    label = Label("host_unreachable", ("icmp_host_unreachable",), offender=offender, **_at(ip, None))
    return Fault(label, heal)


def host_down_on_link(rig: Rig, family: int) -> Fault:
    """The neighbour on the client's own link is gone."""
    heal = _unplug(rig, "r1", "lan0", "near")
    ip = rig.addresses.of("near", family)
    return Fault(Label("host_unreachable", ("neighbor_failed",), **_at(ip, None)), heal)


def _prefix_label(rig: Rig, family: int, destinations: list[tuple[str, int]], cause: str, **more) -> Label:
    network = rig.addresses.b
    return Label(
        "routing_failure",
        (cause,),
        scope_kinds=("prefix",),
        scope_values=(network.aggregate(family), f"{network.v6_prefix}::/64")
        if family == 6
        else (network.v4,),
        destinations=tuple(destinations),
        **more,
    )


def net_unreachable(rig: Rig, family: int, destinations: list[tuple[str, int]]) -> Fault:
    """The first router loses its route to network b and says so."""
    prefix = rig.addresses.b.aggregate(family)
    gateway = rig.addresses.core.host(2, family)
    rig.ip("r1", "route", "del", prefix)
    label = _prefix_label(
        rig, family, destinations, "icmp_net_unreachable", offender=rig.addresses.of("r1", family)
    )
    return Fault(label, lambda: rig.ip("r1", "route", "add", prefix, "via", gateway))


def prefix_blackholed(rig: Rig, family: int, destinations: list[tuple[str, int]]) -> Fault:
    """The first router swallows network b in silence, established connections too."""
    prefix = rig.addresses.b.aggregate(family)
    gateway = rig.addresses.core.host(2, family)
    rig.ip("r1", "route", "replace", "blackhole", prefix)
    label = _prefix_label(rig, family, destinations, "prefix_silent", set_allowed=("firewall_block",))
    return Fault(label, lambda: rig.ip("r1", "route", "replace", prefix, "via", gateway))


LOCAL_ROUTES = {
    "no_route": None,
    "local_blackhole": "blackhole",
    "local_unreachable": "unreachable",
    "local_prohibit": "prohibit",
}


def no_route_here(rig: Rig, family: int, destinations: list[tuple[str, int]], cause: str) -> Fault:
    """This host's own route to network b is removed, or replaced by one that refuses."""
    prefix = rig.addresses.b.aggregate(family)
    gateway = rig.addresses.lan.host(1, family)
    if kind := LOCAL_ROUTES[cause]:
        rig.ip("cli", "route", "replace", kind, prefix)
    else:
        rig.ip("cli", "route", "del", prefix)
    label = _prefix_label(rig, family, destinations, cause)
    return Fault(label, lambda: rig.ip("cli", "route", "replace", prefix, "via", gateway))


def all_silent(rig: Rig, family: int, destinations: list[tuple[str, int]]) -> Fault:
    """The uplink behind the first router swallows everything; only the neighbour on the own link answers."""
    heal = _filter(rig, "r1", "forward", "counter drop")
    label = Label(
        "routing_failure",
        (),
        scope_kinds=("path", "uplink", "host", "region"),
        destinations=tuple(destinations),
        set_allowed=("firewall_block", "host_unreachable"),
    )
    return Fault(label, heal)


def prefix_refused(rig: Rig, family: int, destinations: list[tuple[str, int]], kind: str) -> Fault:
    """The first router's route to network b answers: `unreachable` or `prohibit`."""
    prefix = rig.addresses.b.aggregate(family)
    gateway = rig.addresses.core.host(2, family)
    rig.ip("r1", "route", "replace", kind, prefix)
    offender = rig.addresses.of("r1", family)
    label = _prefix_label(rig, family, destinations, "icmp_net_unreachable", offender=offender)
    if kind == "prohibit":  # the same words as a filter's: a policy either way
        label = replace(label, type="firewall_block", causes=("admin_prohibited",))
    return Fault(label, lambda: rig.ip("r1", "route", "replace", prefix, "via", gateway))


def host_route(rig: Rig, family: int, ip: str, kind: str) -> Fault:
    """The first router has a route of its own for one address: `blackhole`, `unreachable` or `prohibit`."""
    single = f"{ip}/{32 if family == 4 else 128}"
    rig.ip("r1", "route", "add", kind, single)
    offender = None if kind == "blackhole" else rig.addresses.of("r1", family)
    kinds = ("destination", "prefix")  # a prefix of one address is that address
    where = {"destinations": ((ip, None),), "scope_kinds": kinds, "offender": offender}
    label = {
        "blackhole": Label(
            "routing_failure", (), set_allowed=("host_unreachable", "firewall_block"), **where
        ),
        "unreachable": Label("routing_failure", (), set_allowed=("host_unreachable",), **where),
        "prohibit": Label("firewall_block", ("admin_prohibited",), **where),
    }[kind]
    return Fault(label, lambda: rig.ip("r1", "route", "del", kind, single))


def ports_closed(nginxes: list[Nginx], destinations: list[tuple[str, int]]) -> Fault:
    """Several servers' processes end at once: each of their addresses in use refuses, others of the network go on."""
    for nginx in nginxes:
        nginx.stop()

    def heal() -> None:
        for nginx in nginxes:
            nginx.start()

    label = Label(
        "port_blocked",
        ("closed_port",),
        scope_kinds=("destination", "prefix"),
        destinations=tuple(destinations),
        roots=len({ip for ip, _ in destinations}),
    )
    return Fault(label, heal)


def answers_swallowed(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """What a server's port sends disappears on the way; what comes to it arrives. The server's end cannot know."""
    rule = f"{_match(family, ip, 'saddr')} tcp sport {port} counter drop"
    heal = _filter(rig, "r2", "forward", rule)
    return Fault(Label("firewall_block", (), **_at(ip, port)), heal)


# A bare acknowledgement with its timestamps. (With SACK blocks it is longer: they come where the other way loses.)
_BARE = {4: 52, 6: 72}


def _loss_rules(family: int, ip: str, direction: str, per_mille: int) -> str:
    """Counts what passes, and what is dropped that its sender has to repeat (data, FIN) and that not."""
    match = _match(family, ip, direction)
    return "\n".join(
        (
            f"{match} counter",
            f"{match} numgen random mod 1000 < {per_mille} meta mark set 7",
            f"meta mark 7 meta length > {_BARE[family]} counter drop",
            "meta mark 7 tcp flags & (fin | psh) != 0x0 counter drop",
            "meta mark 7 counter drop",
        )
    )


def _counted_loss(rig: Rig, table: str = "fault") -> dict:
    seen, data, last, bare = _counters(rig, "r2", table)
    return {"seen": seen, "dropped": data + last + bare, "dropped_data": data + last}


def _at_server(ip: str, port: int, client: str, cause: str) -> Label:
    return Label(
        "packet_loss", (cause,), scope_kinds=("destination",), destinations=((ip, port),), members=(client,),
        perspective="server", process="nginx",
    )  # fmt: skip


def loss(rig: Rig, family: int, ip: str, port: int, per_mille: int, cause: str) -> Fault:
    """A share of the packets to a server (`forward`), from it (`reverse`) or both ways disappears."""
    directions = {"forward": ["daddr"], "reverse": ["saddr"], "both": ["daddr", "saddr"]}[cause]
    heals = [
        _filter(rig, "r2", "forward", _loss_rules(family, ip, direction, per_mille), f"fault_{direction}")
        for direction in directions
    ]

    def heal() -> None:
        for one in heals:
            one()

    def truth() -> dict:
        counts = [_counted_loss(rig, f"fault_{direction}") for direction in directions]
        return {key: sum(c[key] for c in counts) for key in counts[0]}

    label = Label("packet_loss", (cause,), destinations=((ip, None),), scope_kinds=("destination",))
    seen_there = {"forward": "reverse", "reverse": "forward", "both": "both"}[cause]
    there = _at_server(ip, port, rig.addresses.of("cli", family), seen_there)
    return Fault(label, heal, truth, at_server=there)


def impaired(rig: Rig, family: int, ip: str, label: Label | None, forth: dict, back: dict) -> Fault:
    """The shim on the way to and from a server, with its options for each direction."""
    path = Impaired(rig, "r2", [family], forth, back, ip, seed=rig.rng.randrange(1 << 32))
    return Fault(label, path.remove, path.counts)


def reordered(rig: Rig, family: int, ip: str, share: float, late_ms: float) -> Fault:
    """Some packets to and from a server are overtaken by those behind them."""
    both = {"reorder": share, "reorder_ms": late_ms}
    return impaired(rig, family, ip, None, both, both)


def delayed(rig: Rig, family: int, ip: str, port: int, by_ms: float, **more: float) -> Fault:
    """All round trips to a server take that much longer, at once or (`ramp_s`) by and by."""
    label = Label("latency_spike", ("path",), **_at(ip, port))
    both = {"delay_ms": by_ms / 2} | more
    fault = impaired(rig, family, ip, label, both, both)
    return replace(fault, truth=lambda: fault.truth() | {"by_ms": by_ms})


def impaired_loss(rig: Rig, family: int, ip: str, causes: tuple[str, ...], forth: dict, back: dict) -> Fault:
    """Losses by the shim: in bursts, of answers only, by corruption."""
    label = Label("packet_loss", causes, destinations=((ip, None),), scope_kinds=("destination",))
    fault = impaired(rig, family, ip, label, forth, back)

    def truth() -> dict:
        counts = fault.truth()
        way = counts["forth"] if forth else counts["back"]
        return {
            "seen": way["seen"],
            "dropped": way["lost"] + way["corrupted"],
            "dropped_data": way["lost_data"] + way["corrupted_data"],
        }

    return replace(fault, truth=truth)


def reset_in_flight(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """A box on the way answers requests to one port with RST, in the server's name."""
    match = f"{_match(family, ip)} tcp dport {port}"
    rule = f"{match} ct state established meta length > 100 counter reject with tcp reset"
    heal = _filter(rig, "r2", "forward", rule)
    label = Label("connection_reset", ("injected", "by_peer"), **_at(ip, port))
    return Fault(label, heal)


def track_connections(rig: Rig) -> None:
    """The second router keeps a table of connections, as a stateful firewall does."""
    _filter(rig, "r2", "forward", "ct state established counter accept", "tracked")


def idle_forgotten(rig: Rig, family: int, ip: str, port: int, after_s: int) -> Fault:
    """A firewall on the way forgets connections that rest, and resets them when they are used again."""
    setting = "net.netfilter.nf_conntrack_tcp_timeout_established"
    usual = rig.run("r2", ["sysctl", "-n", setting]).strip()
    rig.run("r2", ["sysctl", "-qw", f"{setting}={after_s}", "net.netfilter.nf_conntrack_tcp_loose=0"])
    match = f"{_match(family, ip)} tcp dport {port}"
    undo = _filter(rig, "r2", "forward", f"{match} ct state invalid counter reject with tcp reset")

    def heal() -> None:
        undo()
        rig.run("r2", ["sysctl", "-qw", f"{setting}={usual}", "net.netfilter.nf_conntrack_tcp_loose=1"])

    return Fault(Label("idle_timeout_drop", ("reset",), **_at(ip, port)), heal)


def full_segments_swallowed(rig: Rig, family: int, ip: str, longest: int) -> Fault:
    """A router takes no packets to a server that are longer than that, and does not say so."""
    heal = _filter(rig, "r2", "forward", f"{_match(family, ip)} meta length > {longest} counter drop")
    label = Label(
        "path_mtu_blackhole", ("forward",), destinations=((ip, None),), scope_kinds=("destination",),
        set_allowed=("host_unreachable", "firewall_block", "routing_failure"),  # until a connection is made
    )  # fmt: skip
    return Fault(label, heal, lambda: _counted(rig, "r2"))


def service_slow(service: Service, ip: str, port: int, delay_s: float, usual_s: float = 0.0) -> Fault:
    """The application answers late; the network and the server's kernel are as quick as ever."""
    service.set_delay(delay_s)
    label = Label("slow_service", ("waiting", "slow"), **_at(ip, port))
    return Fault(label, lambda: service.set_delay(usual_s))


def service_mute(service: Service, ip: str, port: int) -> Fault:
    """The application takes requests and never answers one."""
    service.set_delay(None)
    label = Label("slow_service", ("waiting",), **_at(ip, port))
    return Fault(label, lambda: service.set_delay(0.0))


def service_hung(service: Service, ip: str, port: int) -> Fault:
    """The server's process stands still; its kernel accepts and acknowledges."""
    service.hang(True)
    label = Label("slow_service", ("waiting",), **_at(ip, port))
    return Fault(label, lambda: service.hang(False))


def service_reads_nothing(service: Service, ip: str, port: int) -> Fault:
    """The server's process stands still amid large requests: its kernel's window shuts."""
    service.hang(True)
    label = Label("receiver_stalled", ("zero_window",), **_at(ip, port))
    return Fault(label, lambda: service.hang(False))


def backlog_full(service: Service, ip: str, port: int) -> Fault:
    """The process does not accept and its short queue overflows: from outside, SYNs go unanswered."""
    service.hang(True)
    where = _at(ip, port) | {"scope_kinds": ("destination", "process", "host")}
    label = Label(
        "connection_exhaustion", ("listen_backlog",), set_allowed=("slow_service", "firewall_block"), **where
    )
    there = Label(
        "connection_exhaustion", ("listen_backlog",), destinations=((ip, port),), scope_kinds=("destination",),
        perspective="server", process="python3",
    )  # fmt: skip
    return Fault(label, lambda: service.hang(False), at_server=there)


def descriptors_gone(pid: int) -> Fault:
    """A process may open no more files than it has open at rest: socket() fails."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, hard))
    comm = Path(f"/proc/{pid}/comm").read_text().strip()
    label = Label(
        "connection_exhaustion", ("file_descriptors",), scope_kinds=("process",), scope_values=(f"{comm}[{pid}]",),
        process=comm,
    )  # fmt: skip
    return Fault(label, lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard)))


def postgres_locked(postgres: Postgres, ip: str, port: int, held_s: float) -> Fault:
    """A session holds the table that all queries want, over and over. The network carries their questions as ever."""
    postgres.lock_accounts(held_s)
    return Fault(Label("slow_service", ("waiting", "slow"), **_at(ip, port)), postgres.unlock_accounts)


def redis_stalled(redis: Redis, ip: str, port: int, seconds: float) -> Fault:
    """Somebody's command takes seconds, over and over, and the server has but one thread."""
    slow = redis.stall(seconds)
    return Fault(Label("slow_service", ("waiting", "slow"), **_at(ip, port)), lambda: namespaces.stop(slow))


def redis_killed(redis: Redis, ip: str, port: int) -> Fault:
    redis.stop()
    return Fault(Label("port_blocked", ("closed_port",), **_at(ip, port)), redis.start)


def agent_asleep(pid: int) -> Fault:
    """The agent itself is stopped for a while."""
    os.kill(pid, signal.SIGSTOP)
    return Fault(None, lambda: os.kill(pid, signal.SIGCONT))
