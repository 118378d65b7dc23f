"""The injectors: each puts one fault into the rig with the means of an operator, none of them netwatch's.

An injector returns a `Fault`: what is true now, in the terms of the incident contract, and how to heal it. The
label is written here and nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Callable

from lab.rig import Rig
from lab.software import Nginx, Service, endpoint


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
    set_allowed: tuple[
        str, ...
    ] = ()  # types that may stand first where one end cannot know, the truth in the set


@dataclass
class Fault:
    label: Label
    heal: Callable[[], None]
    truth: Callable[[], dict] = field(default=lambda: {})  # what the injector itself has counted


def _at(ip: str, port: int | None) -> dict:
    members = (f"{endpoint(ip, port)}/tcp",) if port else ()
    return {"destinations": ((ip, port),), "members": members, "scope_kinds": ("destination",)}


def _nft_reject(family: int, reason4: str, reason6: str) -> str:
    return f"reject with icmp type {reason4}" if family == 4 else f"reject with icmpv6 type {reason6}"


def _match(family: int, ip: str, direction: str = "daddr") -> str:
    return f"{'ip' if family == 4 else 'ip6'} {direction} {ip}"


def _filter(rig: Rig, host: str, hook: str, rule: str) -> Callable[[], None]:
    """Loads one rule into a table of its own; the returned function takes the table away."""
    chain = f"type filter hook {hook} priority 0\n{rule}\n"
    rig.nft(host, f"table inet fault {{\nchain c {{\n{chain}}}\n}}\n")
    return lambda: rig.nft(host, "delete table inet fault")


def _counted(rig: Rig, host: str) -> dict:
    document = json.loads(rig.run(host, ["nft", "-j", "list", "table", "inet", "fault"]))
    expressions = [e for item in document["nftables"] if "rule" in item for e in item["rule"]["expr"]]
    counters = [e["counter"] for e in expressions if "counter" in e]
    return {"seen": counters[0]["packets"], "dropped": counters[-1]["packets"]}


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


def reject_port_unreachable(rig: Rig, family: int, ip: str, port: int) -> Fault:
    verdict = _nft_reject(family, "port-unreachable", "port-unreachable")
    heal = _filter(rig, "r2", "forward", f"{_match(family, ip)} tcp dport {port} {verdict}")
    offender = rig.addresses.of("r2", family)
    return Fault(
        Label("firewall_block", ("icmp_port_unreachable",), offender=offender, **_at(ip, port)), heal
    )


def admin_prohibited(rig: Rig, family: int, ip: str, port: int) -> Fault:
    verdict = _nft_reject(family, "admin-prohibited", "admin-prohibited")
    heal = _filter(rig, "r2", "forward", f"{_match(family, ip)} tcp dport {port} {verdict}")
    offender = rig.addresses.of("r2", family)
    return Fault(Label("firewall_block", ("admin_prohibited",), offender=offender, **_at(ip, port)), heal)


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


def _loss(rig: Rig, family: int, ip: str, direction: str, per_mille: int, cause: str) -> Fault:
    match = _match(family, ip, direction)
    rule = f"{match} counter\n{match} numgen random mod 1000 < {per_mille} counter drop"
    heal = _filter(rig, "r2", "forward", rule)
    label = Label("packet_loss", (cause,), destinations=((ip, None),), scope_kinds=("destination",))
    return Fault(label, heal, lambda: _counted(rig, "r2"))


def loss_forward(rig: Rig, family: int, ip: str, per_mille: int) -> Fault:
    """A share of the packets to a server disappears; nothing that comes back does."""
    return _loss(rig, family, ip, "daddr", per_mille, "forward")


def loss_reverse(rig: Rig, family: int, ip: str, per_mille: int) -> Fault:
    """A share of the packets from a server disappears; nothing that goes there does."""
    return _loss(rig, family, ip, "saddr", per_mille, "reverse")


def service_slow(service: Service, ip: str, port: int, delay_s: float) -> Fault:
    """The application answers late; the network and the server's kernel are as quick as ever."""
    service.set_delay(delay_s)
    label = Label("slow_service", ("waiting", "slow"), **_at(ip, port))
    return Fault(label, lambda: service.set_delay(0.0))
