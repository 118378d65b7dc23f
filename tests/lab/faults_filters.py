"""Filters, on the way and on this host: rules that drop, reject or reset, and state that they forget."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import replace
from typing import Callable

from lab import namespaces
from lab.faults import Fault, Label, at, counted, load_rules, matching
from lab.node import Node
from lab.rig import Rig


def firewall_drop(rig: Rig, family: int, router: str, ip: str, port: int, stateful: bool) -> Fault:
    """A router's filter drops one port, for new connections only when it is stateful."""
    state = "ct state new " if stateful else ""
    rule = f"{matching(family, ip)} tcp dport {port} {state}counter drop"
    heal = load_rules(rig, router, "forward", rule)
    causes = ("silent_drop", "new_flows_only") if stateful else ("silent_drop",)
    label = Label("firewall_block", causes, **at(ip, port))
    # Who watches the router, too, sees the rule at work: it is one of the host's own.
    own = replace(label, causes=("local_rule",))
    return Fault(label, heal, lambda: counted(rig, router), everywhere=own)


def no_endpoint(rig: Rig, node: Node, port: int, backend: tuple[str, int]) -> Fault:
    """A service address without an endpoint: the node rejects, as kube-proxy does."""
    rule = f"ip daddr {node.service} tcp dport {port} reject with icmp type port-unreachable"
    undo = [load_rules(rig, "cli", hook, rule, f"none_{hook}") for hook in ("forward", "output")]
    node.withdraw()

    def heal() -> None:
        node.serve(port, backend)
        for one in undo:
            one()

    causes = ("icmp_port_unreachable", "local_rule")
    return Fault(Label("firewall_block", causes, **at(node.service, port)), heal)


def dropped_on_node(rig: Rig, ip: str, port: int) -> Fault:
    """A rule of the node drops what its pods send to one port."""
    heal = load_rules(rig, "cli", "forward", f"{matching(4, ip)} tcp dport {port} counter drop")
    return Fault(Label("firewall_block", ("local_rule",), **at(ip, port)), heal, lambda: counted(rig, "cli"))


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
    heal = load_rules(rig, "r2", "forward", f"{matching(family, ip)} tcp dport {port} reject with {words}")
    offender = rig.addresses.of("r2", family) if words != "tcp reset" else None
    return Fault(Label(kind, causes, offender=offender, **at(ip, port)), heal)


def rejected_here(rig: Rig, family: int, ip: str, port: int, how: str) -> Fault:
    """A rule of this host rejects what leaves for one port of a server."""
    words, _ = REJECTS[family][how]
    heal = load_rules(rig, "cli", "output", f"{matching(family, ip)} tcp dport {port} reject with {words}")
    return Fault(Label("firewall_block", ("local_rule",), **at(ip, port)), heal)


def local_output_drop(rig: Rig, family: int, ip: str, port: int) -> Fault:
    heal = load_rules(rig, "cli", "output", f"{matching(family, ip)} tcp dport {port} counter drop")
    return Fault(
        Label("firewall_block", ("local_rule",), **at(ip, port)), heal, lambda: counted(rig, "cli")
    )


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
    label = Label("firewall_block", ("local_bpf",), **at(ip, port))
    return Fault(label, lambda: rig.run("cli", ["tc", "qdisc", "del", "dev", "eth0", "clsact"]) and None)


def answers_swallowed(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """What a server's port sends disappears on the way; what comes to it arrives. The server's end cannot know."""
    rule = f"{matching(family, ip, 'saddr')} tcp sport {port} counter drop"
    heal = load_rules(rig, "r2", "forward", rule)
    return Fault(Label("firewall_block", (), **at(ip, port)), heal)


def reset_in_flight(rig: Rig, family: int, ip: str, port: int) -> Fault:
    """A box on the way answers requests to one port with RST, in the server's name."""
    match = f"{matching(family, ip)} tcp dport {port}"
    rule = f"{match} ct state established meta length > 100 counter reject with tcp reset"
    heal = load_rules(rig, "r2", "forward", rule)
    label = Label("connection_reset", ("injected",), **at(ip, port))
    return Fault(label, heal)


def track_connections(rig: Rig) -> None:
    """The second router keeps a table of connections, as a stateful firewall does."""
    load_rules(rig, "r2", "forward", "ct state established counter accept", "tracked")


# What a stateful firewall does with segments of connections that it does not know.
_FORGOTTEN = {"reset": "reject with tcp reset", "silent": "drop"}
_LOOSE = "net.netfilter.nf_conntrack_tcp_loose"  # 1: it takes up connections in the middle


def _refuse_unknown(rig: Rig, family: int, ip: str, port: int, how: str) -> Callable[[], None]:
    rig.run("r2", ["sysctl", "-qw", f"{_LOOSE}=0"])
    ends = (f"{matching(family, ip)} tcp dport {port}", f"{matching(family, ip, 'saddr')} tcp sport {port}")
    there, back = (f"{end} ct state invalid counter" for end in ends)
    undo = load_rules(rig, "r2", "forward", f"{there} {_FORGOTTEN[how]}\n{back} drop")

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

    return Fault(Label("idle_timeout_drop", (how,), **at(ip, port)), heal)


def state_lost(rig: Rig, family: int, ip: str, port: int, how: str) -> Fault:
    """A firewall on the way forgets all its connections at once, as in a failover, and drops or resets them."""
    heal = _refuse_unknown(rig, family, ip, port, how)
    rig.run("r2", ["conntrack", "-F"])
    set_allowed = ("load_balancer",) if how == "silent" else ()
    label = Label("firewall_block", ("state_lost",), set_allowed=set_allowed, momentary=True, **at(ip, port))
    return Fault(label, heal)
