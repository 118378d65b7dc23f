"""Ways that are gone: routes, next hops, hosts that were unplugged, answers that come another way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Callable

from lab.faults import Fault, Label, at, load_rules, matching
from lab.rig import Rig


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
    label = Label("host_unreachable", ("icmp_host_unreachable",), offender=offender, **at(ip, None))
    return Fault(label, heal)


def host_down_on_link(rig: Rig, family: int) -> Fault:
    """The neighbour on the client's own link is gone."""
    heal = _unplug(rig, "r1", "lan0", "near")
    ip = rig.addresses.of("near", family)
    return Fault(Label("host_unreachable", ("neighbor_failed",), **at(ip, None)), heal)


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
    heal = load_rules(rig, "r1", "forward", "counter drop")
    label = Label(
        "routing_failure",
        (),
        scope_kinds=("path", "uplink", "host", "region"),
        destinations=tuple(destinations),
        set_allowed=("firewall_block", "host_unreachable"),
    )
    # Who watches the router, too, sees its rule at work.
    own = replace(label, type="firewall_block", causes=("local_rule",), set_allowed=())
    return Fault(label, heal, everywhere=own)


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


def routing_loop(rig: Rig, family: int, destinations: list[tuple[str, int]]) -> Fault:
    """The second router sends network b back to the first: packets go in a circle until their time is over."""
    network = rig.addresses.b
    halves = (
        [f"{network.v4_prefix}.0/25", f"{network.v4_prefix}.128/25"]
        if family == 4
        else [f"{network.v6_prefix}::/65", f"{network.v6_prefix}:0:8000::/65"]
    )
    back = rig.addresses.core.host(1, family)
    for half in halves:
        rig.ip("r2", "route", "add", half, "via", back)
    # Over IPv6 the kernel keeps only the errno of the error, which a missing route shares.
    label = _prefix_label(rig, family, destinations, "ttl_exceeded")
    if family == 6:
        label = replace(label, causes=())

    def heal() -> None:
        for half in halves:
            rig.ip("r2", "route", "del", half)

    return Fault(label, heal)


def answers_from_elsewhere(rig: Rig, destinations: list[tuple[str, int]]) -> Fault:
    """What network b answers comes back over a second link, on which the client's rp_filter is strict."""
    client, network = rig.addresses.of("cli", 4), rig.addresses.b.v4
    rig.ip("r1", "link", "add", "alt0", "type", "veth", "peer", "name", "alt0", "netns", rig.namespace("cli"))
    rig.run("cli", ["sysctl", "-qw", "net.ipv4.conf.alt0.rp_filter=1"])
    for host in ("cli", "r1"):
        rig.ip(host, "link", "set", "alt0", "up")
    link = json.loads(rig.ip("cli", "-j", "link", "show", "alt0"))[0]["address"]
    rig.ip("r1", "neigh", "replace", client, "lladdr", link, "dev", "alt0", "nud", "permanent")
    rig.ip("r1", "route", "add", f"{client}/32", "dev", "alt0", "table", "88")
    rig.ip("r1", "rule", "add", "from", network, "iif", "up0", "lookup", "88")
    label = _prefix_label(rig, 4, destinations, "rp_filter")

    def heal() -> None:
        rig.ip("r1", "rule", "del", "from", network, "iif", "up0", "lookup", "88")
        rig.ip("r1", "link", "del", "alt0")

    return Fault(label, heal)


def flows_rejected(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """A router answers established connections, too, that there is no way to one address any more."""
    single = f"{ip}/{32 if family == 4 else 128}"
    rig.ip("r1", "route", "add", "unreachable", single)
    where = {"destinations": ((ip, port),), "scope_kinds": ("destination", "prefix")}
    label = Label(
        "routing_failure", (), set_allowed=("host_unreachable",), offender=None, **where
    )  # fmt: skip
    return Fault(label, lambda: rig.ip("r1", "route", "del", "unreachable", single))


def port_elsewhere(rig: Rig, family: int, ip: str, port: int, real_ip: str) -> Callable[[], None]:
    """The second router leads one port of a server to another host, farther away."""
    version = "ip" if family == 4 else "ip6"
    target = real_ip if family == 4 else f"[{real_ip}]"
    rig.nft(
        "r2",
        f"""table {version} elsewhere {{
chain there {{
type nat hook prerouting priority dstnat
{matching(family, ip)} tcp dport {port} dnat to {target}:{port}
}}
chain back {{
type nat hook postrouting priority srcnat
{version} daddr {real_ip} ct status dnat masquerade
}}
}}
""",
    )
    return lambda: rig.nft("r2", f"delete table {version} elsewhere")
