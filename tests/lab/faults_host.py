"""What the observed host itself does or runs out of: its links, routes and rulesets, ports, descriptors, tables."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from lab import namespaces
from lab.faults import Fault, Label, at, counted, load_rules, matching
from lab.faults_routes import LOCAL_ROUTES, no_route_here
from lab.rig import Rig
from lab.software import Client


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


def rule_loaded_here(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """A process on this host loads a rule that drops what leaves for one port: its name and pid are known."""
    rules = f"{matching(family, ip)} tcp dport {port} counter drop"
    chain = f"type filter hook output priority 0\n{rules}\n"
    process = rig.spawn("cli", ["nft", "-f", "-"], stdin=subprocess.PIPE, text=True)
    process.communicate(f"table inet fault {{\nchain c {{\n{chain}}}\n}}\n", timeout=10)
    if process.returncode != 0:
        raise RuntimeError(f"nft ended with {process.returncode}")
    changed = ("nft ruleset loaded", f"nft[{process.pid}]")
    label = Label("firewall_block", ("local_rule",), changed=changed, **at(ip, port))
    return Fault(label, lambda: rig.nft("cli", "delete table inet fault"), lambda: counted(rig, "cli"))


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

    return Fault(Label("connection_exhaustion", (cause,), **at(ip, port)), heal)


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
    load_rules(rig, "cli", "output", "ct state established counter accept", "tracked")
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
