"""Injectors that only some attempts to connect meet."""

from __future__ import annotations

from lab.faults import Fault, Label, at, counted, load_rules, matching
from lab.rig import Rig
from lab.software import Service


def syns_lost(rig: Rig, family: int, ip: str, per_cent: int) -> Fault:
    """A router drops a share of the SYNs to a server, and nothing else."""
    rule = f"{matching(family, ip)} tcp flags & (syn | ack) == syn numgen random mod 100 < {per_cent} counter drop"
    heal = load_rules(rig, "r2", "forward", rule)
    label = Label("packet_loss", ("syn_only",), destinations=((ip, None),), scope_kinds=("destination",))
    return Fault(label, heal, lambda: counted(rig, "r2"))


def _one_of_three(family: int) -> str:
    """Whoever's addresses and ports hash to the dead one of three."""
    ip = "ip" if family == 4 else "ip6"
    return f"jhash {ip} saddr . {ip} daddr . tcp sport . tcp dport mod 3 seed 0x2f1d == 1"


def backend_silent(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """One of three backends behind an address is silent: a third of the local ports never get an answer."""
    rule = f"{matching(family, ip)} tcp dport {port} {_one_of_three(family)} counter drop"
    heal = load_rules(rig, "r2", "forward", rule)
    return Fault(Label("load_balancer", ("backend_silent",), **at(ip, port)), heal, lambda: counted(rig, "r2"))


def path_member_dead(rig: Rig, family: int, destinations: list[tuple[str, int]]) -> Fault:
    """One of three parallel paths behind the first router swallows what is sent over it."""
    ip = "ip" if family == 4 else "ip6"
    networks = ", ".join(network.aggregate(family) for network in (rig.addresses.a, rig.addresses.b))
    heal = load_rules(rig, "r1", "forward", f"{ip} daddr {{ {networks} }} {_one_of_three(family)} counter drop")
    label = Label(
        "routing_failure", ("path_member",), scope_kinds=("path",), destinations=tuple(destinations)
    )  # fmt: skip
    return Fault(label, heal, lambda: counted(rig, "r1"))


def uplink_full(rig: Rig, destinations: list[tuple[str, int]], cause: str) -> Fault:
    """The first router's link onwards is slow, and something fills the queue before it."""
    rig.ip("r1", "link", "set", "up0", "txqueuelen", "1000")
    rig.run("r1", "tc qdisc add dev up0 root tbf rate 12mbit burst 16kb latency 250ms".split())
    label = Label(
        "latency_spike", (cause,), scope_kinds=("uplink", "path"), destinations=tuple(destinations),
        root_type="network_congestion",
    )  # fmt: skip
    return Fault(label, lambda: rig.run("r1", "tc qdisc del dev up0 root".split()) and None)


def service_limited(service: Service, ip: str, port: int, limit: int) -> Fault:
    """The service takes so many connections and ends what is beyond as soon as it has accepted it."""
    service.set_limit(limit)
    label = Label("connection_exhaustion", ("remote_limit",), **at(ip, port))
    return Fault(label, lambda: service.set_limit(None))


def translate(rig: Rig, family: int, ip: str, port: int, ports: int | None = None) -> None:
    """The first router sends on what goes to one port under its own address: from so many ports of its own, or from
    the ports that the clients chose.
    """
    sysctl = "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1 net.netfilter.nf_conntrack_tcp_timeout_close=1"
    rig.nft("r1", "table inet gateway\ndelete table inet gateway\n")
    own_ports = f" to :20000-{19999 + ports}" if ports else ""
    rule = f"{matching(family, ip)} tcp dport {port} masquerade{own_ports}"
    rig.nft("r1", f"table inet gateway {{ chain c {{ type nat hook postrouting priority 100\n{rule}\n}}\n}}\n")
    rig.run("r1", ["sysctl", "-qw", *sysctl.split()])


def gateway_out_of_ports(rig: Rig, family: int, ip: str, port: int, ports: int) -> Fault:
    """The gateway has only so many ports left: a connection beyond finds none, and its SYN goes no further."""
    translate(rig, family, ip, port, ports)
    label = Label(
        "connection_exhaustion", ("nat_ports_remote", "listen_backlog"), set_allowed=("packet_loss",), **at(ip, port)
    )  # fmt: skip
    return Fault(label, lambda: translate(rig, family, ip, port))
