"""The injectors: each puts one fault into the rig with the means of an operator, none of them netwatch's.

An injector returns a `Fault`: what is true now, in the terms of the incident contract, and how to heal it. The
label is written here and nowhere else.
"""

from __future__ import annotations

import ipaddress
import json
import os
import resource
import signal
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

from lab import namespaces
from lab.impair import Impaired
from lab.node import Node
from lab.rig import Rig
from lab.software import Client, Nginx, Postgres, Redis, Service, endpoint


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
    label = Label("firewall_block", causes, **_at(ip, port))
    # Who watches the router, too, sees the rule at work: it is one of the host's own.
    own = replace(label, causes=("local_rule",))
    return Fault(label, heal, lambda: _counted(rig, router), everywhere=own)


def backend_dead(nginx: Nginx, service: tuple[str, int], backend: tuple[str, int]) -> Fault:
    """The one backend of a service address refuses; the clients know the address only."""
    ports = list(nginx.ports)
    nginx.reload([port for port in ports if port != backend[1]])
    label = Label("port_blocked", ("closed_port",), real=backend, **_at(*service))
    return Fault(label, lambda: nginx.reload(ports))


def no_endpoint(rig: Rig, node: Node, port: int, backend: tuple[str, int]) -> Fault:
    """A service address without an endpoint: the node rejects, as kube-proxy does."""
    rule = f"ip daddr {node.service} tcp dport {port} reject with icmp type port-unreachable"
    undo = [_filter(rig, "cli", hook, rule, f"none_{hook}") for hook in ("forward", "output")]
    node.withdraw()

    def heal() -> None:
        node.serve(port, backend)
        for one in undo:
            one()

    causes = ("icmp_port_unreachable", "local_rule")
    return Fault(Label("firewall_block", causes, **_at(node.service, port)), heal)


def dropped_on_node(rig: Rig, ip: str, port: int) -> Fault:
    """A rule of the node drops what its pods send to one port."""
    heal = _filter(rig, "cli", "forward", f"{_match(4, ip)} tcp dport {port} counter drop")
    return Fault(Label("firewall_block", ("local_rule",), **_at(ip, port)), heal, lambda: _counted(rig, "cli"))


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


_DROPPER = """
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int drop(struct __sk_buff *skb) {
    unsigned int end = skb->protocol == bpf_htons(ETH_P_IP) ? 16 : 36; /* of the destination, its last four bytes */
    __be32 tail;
    unsigned int at = ETH_HLEN + (skb->protocol == bpf_htons(ETH_P_IP) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
    struct tcphdr tcp;

    if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6)) return TC_ACT_OK;
    if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp))) return TC_ACT_OK;
    if (bpf_skb_load_bytes(skb, ETH_HLEN + end, &tail, sizeof(tail))) return TC_ACT_OK;
    return tcp.dest == bpf_htons(PORT) && tail == bpf_htonl(TAIL) ? TC_ACT_SHOT : TC_ACT_OK;
}
char LICENSE[] SEC("license") = "GPL";
"""


def program_drops(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """A BPF program of tc on this host's interface drops what leaves for one port."""
    built = rig.directory / "dropper.o"
    include = f"/usr/include/{os.uname().machine}-linux-gnu"
    tail = int.from_bytes(ipaddress.ip_address(ip).packed[-4:])
    namespaces.run(
        None,
        ["clang", "-O2", "-g", "-target", "bpf", f"-DPORT={port}", f"-DTAIL={tail:#x}", f"-I{include}", "-x", "c", "-", "-c", "-o", str(built)],
        stdin=_DROPPER,
    )
    rig.run("cli", ["tc", "qdisc", "add", "dev", "eth0", "clsact"])
    rig.run("cli", ["tc", "filter", "add", "dev", "eth0", "egress", "bpf", "direct-action", "obj", str(built), "sec", "tc"])
    label = Label("firewall_block", ("local_bpf",), **_at(ip, port))
    return Fault(label, lambda: rig.run("cli", ["tc", "qdisc", "del", "dev", "eth0", "clsact"]) and None)


def flows_rejected(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """A router answers established connections, too, that there is no way to one address any more."""
    single = f"{ip}/{32 if family == 4 else 128}"
    rig.ip("r1", "route", "add", "unreachable", single)
    where = {"destinations": ((ip, port),), "scope_kinds": ("destination", "prefix")}
    label = Label(
        "routing_failure", (), set_allowed=("host_unreachable",), offender=None, **where
    )  # fmt: skip
    return Fault(label, lambda: rig.ip("r1", "route", "del", "unreachable", single))


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
    label = Label("connection_reset", ("injected",), **_at(ip, port))
    return Fault(label, heal)


def track_connections(rig: Rig) -> None:
    """The second router keeps a table of connections, as a stateful firewall does."""
    _filter(rig, "r2", "forward", "ct state established counter accept", "tracked")


# What a stateful firewall does with segments of connections that it does not know.
_FORGOTTEN = {"reset": "reject with tcp reset", "silent": "drop"}
_LOOSE = "net.netfilter.nf_conntrack_tcp_loose"  # 1: it takes up connections in the middle


def _refuse_unknown(rig: Rig, family: int, ip: str, port: int, how: str) -> Callable[[], None]:
    rig.run("r2", ["sysctl", "-qw", f"{_LOOSE}=0"])
    ends = (f"{_match(family, ip)} tcp dport {port}", f"{_match(family, ip, 'saddr')} tcp sport {port}")
    there, back = (f"{end} ct state invalid counter" for end in ends)
    undo = _filter(rig, "r2", "forward", f"{there} {_FORGOTTEN[how]}\n{back} drop")

    def heal() -> None:
        undo()
        rig.run("r2", ["sysctl", "-qw", f"{_LOOSE}=1"])

    return heal


def idle_forgotten(rig: Rig, family: int, ip: str, port: int, after_s: int, how: str) -> Fault:
    """A firewall on the way forgets connections that rest; when they are used again it resets or drops."""
    setting = "net.netfilter.nf_conntrack_tcp_timeout_established"
    usual = rig.run("r2", ["sysctl", "-n", setting]).strip()
    rig.run("r2", ["sysctl", "-qw", f"{setting}={after_s}"])
    know_again = _refuse_unknown(rig, family, ip, port, how)

    def heal() -> None:
        know_again()
        rig.run("r2", ["sysctl", "-qw", f"{setting}={usual}"])

    return Fault(Label("idle_timeout_drop", (how,), **_at(ip, port)), heal)


def state_lost(rig: Rig, family: int, ip: str, port: int, how: str) -> Fault:
    """A firewall on the way forgets all its connections at once, as in a failover, and drops or resets them."""
    heal = _refuse_unknown(rig, family, ip, port, how)
    rig.run("r2", ["conntrack", "-F"])
    set_allowed = ("load_balancer",) if how == "silent" else ()
    label = Label("firewall_block", ("state_lost",), set_allowed=set_allowed, momentary=True, **_at(ip, port))
    return Fault(label, heal)


def peer_restarted(rig: Rig, nginx: Nginx, ip: str, port: int) -> Fault:
    """The server's host starts anew: its connections are gone without a word, its service is there again."""
    mute = _filter(rig, nginx.host, "output", f"tcp sport {port} drop")
    nginx.stop()
    rig.run(nginx.host, ["ss", "-K", "-tn", "sport", "=", f":{port}"])
    mute()
    nginx.start()
    return Fault(Label("connection_reset", ("half_open",), momentary=True, **_at(ip, port)), lambda: None)


def port_elsewhere(rig: Rig, family: int, ip: str, port: int, real_ip: str) -> Callable[[], None]:
    """The second router leads one port of a server to another host, farther away."""
    version = "ip" if family == 4 else "ip6"
    target = real_ip if family == 4 else f"[{real_ip}]"
    rig.nft(
        "r2",
        f"""table {version} elsewhere {{
chain there {{
type nat hook prerouting priority dstnat
{_match(family, ip)} tcp dport {port} dnat to {target}:{port}
}}
chain back {{
type nat hook postrouting priority srcnat
{version} daddr {real_ip} ct status dnat masquerade
}}
}}
""",
    )
    return lambda: rig.nft("r2", f"delete table {version} elsewhere")


def full_answers_swallowed(rig: Rig, family: int, ip: str, longest: int) -> Fault:
    """A router takes no packets from a server that are longer than that, and does not say so."""
    heal = _filter(rig, "r2", "forward", f"{_match(family, ip, 'saddr')} meta length > {longest} counter drop")
    label = Label(
        "path_mtu_blackhole", ("reverse",), destinations=((ip, None),), scope_kinds=("destination",),
    )  # fmt: skip
    return Fault(label, heal, lambda: _counted(rig, "r2"))


def full_segments_swallowed(rig: Rig, family: int, ip: str, longest: int, probing: bool = False) -> Fault:
    """A router takes no packets to a server that are longer than that, and does not say so."""
    rig.run("cli", ["sysctl", "-qw", f"net.ipv4.tcp_mtu_probing={int(probing)}"])
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
    return Fault(label, lambda: service.hang(False), at_server=there, everywhere=there)


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


def rule_loaded_here(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """A process on this host loads a rule that drops what leaves for one port: its name and pid are known."""
    rules = f"{_match(family, ip)} tcp dport {port} counter drop"
    chain = f"type filter hook output priority 0\n{rules}\n"
    process = rig.spawn("cli", ["nft", "-f", "-"], stdin=subprocess.PIPE, text=True)
    process.communicate(f"table inet fault {{\nchain c {{\n{chain}}}\n}}\n", timeout=10)
    if process.returncode != 0:
        raise RuntimeError(f"nft ended with {process.returncode}")
    changed = ("nft ruleset loaded", f"nft[{process.pid}]")
    label = Label("firewall_block", ("local_rule",), changed=changed, **_at(ip, port))
    return Fault(label, lambda: rig.nft("cli", "delete table inet fault"), lambda: _counted(rig, "cli"))


def route_changed_here(rig: Rig, family: int, destinations: list[tuple[str, int]], cause: str) -> Fault:
    """As `no_route_here`; the change is to be named. Netlink does not tell who made it."""
    fault = no_route_here(rig, family, destinations, cause)
    prefix = rig.addresses.b.aggregate(family)
    words = f"route {prefix} via" if cause == "no_route" else f"{LOCAL_ROUTES[cause]} route {prefix}"
    return replace(fault, label=replace(fault.label, changed=(words, "unknown")))


def _link_label(cause: str, changed: tuple[str, str | None]) -> Label:
    return Label("link_down", (cause,), scope_kinds=("uplink",), scope_values=("eth0",), changed=changed)


def link_set_down(rig: Rig, family: int) -> Fault:
    """This host's own link is taken down; with it go its routes, and its IPv6 addresses."""
    routes = json.loads(rig.ip("cli", f"-{family}", "-j", "route", "show", "dev", "eth0"))
    addresses = json.loads(rig.ip("cli", "-6", "-j", "addr", "show", "dev", "eth0", "scope", "global"))
    rig.ip("cli", "link", "set", "eth0", "down")

    def heal() -> None:
        rig.ip("cli", "link", "set", "eth0", "up")
        for info in (i for entry in addresses for i in entry.get("addr_info", []) if "local" in i):
            rig.ip("cli", "addr", "replace", f"{info['local']}/{info['prefixlen']}", "dev", "eth0", "nodad")
        for route in (r for r in routes if "gateway" in r):
            rig.ip("cli", "route", "replace", route["dst"], "via", route["gateway"])

    return Fault(_link_label("admin", ("link eth0 set down", "unknown")), heal)


def carrier_lost(rig: Rig) -> Fault:
    """The switch port that this host's link leads to goes down."""
    rig.ip("r1", "link", "set", "cli", "down")
    label = _link_label("carrier", ("link eth0 lost its carrier", None))
    return Fault(label, lambda: rig.ip("r1", "link", "set", "cli", "up"))


def gateway_mute(rig: Rig) -> Fault:
    """The gateway takes no part in address resolution any more."""
    rig.ip("r1", "link", "set", "lan0", "arp", "off")
    label = Label("neighbor_failure", ("gateway",), scope_kinds=("uplink",), scope_values=("eth0",))
    return Fault(label, lambda: rig.ip("r1", "link", "set", "lan0", "arp", "on"))


def spare_link(rig: Rig) -> None:
    """A link of this host with an address and a route that nobody uses."""
    rig.ip("cli", "link", "add", "spare0", "type", "veth", "peer", "name", "spare1")
    rig.ip("cli", "link", "set", "spare0", "up")
    rig.ip("cli", "link", "set", "spare1", "up")
    rig.ip("cli", "addr", "add", "198.51.100.1/24", "dev", "spare0")
    rig.ip("cli", "route", "add", "203.0.113.0/24", "via", "198.51.100.2")


def container_comes_and_goes(rig: Rig, number: int) -> None:
    """What a container's start and end do on its host: a pair of links, an address, a route."""
    name, peer = f"veth{number}a", f"veth{number}b"
    rig.ip("cli", "link", "add", name, "type", "veth", "peer", "name", peer)
    rig.ip("cli", "link", "set", name, "up")
    rig.ip("cli", "link", "set", peer, "up")
    rig.ip("cli", "addr", "add", f"172.31.{number}.1/24", "dev", name)
    rig.ip("cli", "route", "add", f"172.30.{number}.0/24", "via", f"172.31.{number}.2")
    rig.ip("cli", "link", "del", name)


def harmless_ruleset(rig: Rig, number: int) -> None:
    """A ruleset is loaded anew, as a controller does; it counts and drops nothing."""
    chain = "type filter hook output priority 10\ncounter accept\n"
    table = f"table inet harmless {{\nchain c {{\n{chain}}}\n}}\n"
    rig.nft("cli", (f"delete table inet harmless\n{table}" if number else table))


def routes_refreshed(rig: Rig, family: int) -> None:
    """Each route is put in place again as it is, and once with another attribute that moves no packet elsewhere."""
    gateway = rig.addresses.lan.host(1, family)
    for network in (rig.addresses.a, rig.addresses.b):
        prefix = network.aggregate(family)
        congestion = ("congctl", rig.congestion_control)
        rig.ip("cli", "route", "replace", prefix, "via", gateway, *congestion)
        rig.ip("cli", "route", "replace", prefix, "via", gateway, *congestion, "realm", "7")


_EVERY_PORT = "32768 60999"


def few_local_ports(rig: Rig, count: int) -> None:
    """The client's host has that many ports for its connections, and leaves the other ways to reuse them."""
    _local_ports(rig, f"40000 {40000 + count - 1}")


def _local_ports(rig: Rig, ports: str) -> None:
    rig.run("cli", ["sysctl", "-qw", f"net.ipv4.ip_local_port_range={ports}"])


def ports_taken(rig: Rig, ip: str, port: int, taker: Client, cause: str) -> Fault:
    """A client takes all local ports for one destination: it holds them, or leaves them in TIME_WAIT."""

    def heal() -> None:
        _local_ports(rig, _EVERY_PORT)
        taker.stop()

    return Fault(Label("connection_exhaustion", (cause,), **_at(ip, port)), heal)


def never_closed(leaker: Client) -> Fault:
    """A process closes none of its connections, though its peers have."""
    pid = leaker.process.pid
    comm = Path(f"/proc/{pid}/comm").read_text().strip()
    label = Label(
        "connection_exhaustion", ("close_wait_leak",), scope_kinds=("process",), scope_values=(f"{comm}[{pid}]",),
        process=comm,
    )  # fmt: skip
    return Fault(label, leaker.stop)


def own_queue_drops(rig: Rig, rate: str) -> Fault:
    """The client's own uplink gets a queue of two packets before a limit of its rate."""
    queue = ["root", "tbf", "rate", rate, "burst", "3000", "limit", "3000"]
    rig.run("cli", ["tc", "qdisc", "add", "dev", "eth0", *queue])
    label = Label("packet_loss", ("local_queue",), scope_kinds=("uplink",), scope_values=("eth0",))
    return Fault(label, lambda: rig.run("cli", ["tc", "qdisc", "del", "dev", "eth0", "root"]))


def track_connections_here(rig: Rig) -> int:
    """The client's own host keeps a table of connections; how many it may hold."""
    _filter(rig, "cli", "output", "ct state established counter accept", "tracked")
    return int(rig.run("cli", ["sysctl", "-n", "net.netfilter.nf_conntrack_max"]))


def fill_table(rig: Rig, first: int, last: int) -> None:
    """Puts so many connections into the client's table as if they were established: none of them is evicted."""
    path = rig.directory / f"entries-{first}"
    ways = ((f"198.18.{i >> 8 & 255}.{i & 255}", 1024 + (i >> 16)) for i in range(first, last))
    path.write_text(
        "".join(
            f"-A -p tcp -s 198.19.0.1 -d {far} -r {far} -q 198.19.0.1 --sport {port} --dport 443"
            f" --reply-port-src 443 --reply-port-dst {port} --state ESTABLISHED -u SEEN_REPLY,ASSURED -t 600\n"
            for far, port in ways
        )
    )
    loading = rig.spawn("cli", ["conntrack", "-R", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    loading.wait(100)  # it ends where there is no room


def table_full(rig: Rig, held: int, limit: int, destinations: list[tuple[str, int]]) -> Fault:
    """The client's table fills up, and whatever is freed is taken at once by others."""
    fill_table(rig, held, limit + 3000)
    again = rig.directory / f"entries-{held}"
    tail = again.with_name("entries-more")
    tail.write_text("".join(again.read_text().splitlines(keepends=True)[-6000:]))
    loop = f"while sleep 0.2; do conntrack -R {tail}; done"
    process = rig.spawn("cli", ["sh", "-c", loop], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def heal() -> None:
        namespaces.stop(process)
        rig.run("cli", ["conntrack", "-F"])

    label = Label(
        "connection_exhaustion", ("conntrack_full",), scope_kinds=("host",), destinations=tuple(destinations)
    )
    return Fault(label, heal)


def agent_asleep(pid: int) -> Fault:
    """The agent itself is stopped for a while."""
    os.kill(pid, signal.SIGSTOP)
    return Fault(None, lambda: os.kill(pid, signal.SIGCONT))
