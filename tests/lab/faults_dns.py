"""Resolvers and names: what keeps a name from being resolved."""

from __future__ import annotations

import signal

from lab.faults import Fault, Label, at, counted, load_rules, matching
from lab.rig import Rig
from lab.software import endpoint
from lab.software_dns import Relay, Unbound


def label(cause: str, ip: str, **more) -> Label:
    return Label(
        "dns_failure", (cause,), scope_kinds=("destination",), destinations=((ip, 53),),
        members=(f"{endpoint(ip, 53)}/udp",), **more,
    )  # fmt: skip


def resolver_killed(unbound: Unbound, ip: str) -> Fault:
    """The resolver's process ends; its host answers that the port is shut."""
    unbound.stop()
    return Fault(label("resolver_refused", ip), unbound.start)


def resolver_hangs(unbound: Unbound, ip: str) -> Fault:
    """The resolver's process is stopped where it is; what comes waits unread."""
    unbound.process.send_signal(signal.SIGSTOP)
    return Fault(label("resolver_silent", ip), lambda: unbound.process.send_signal(signal.SIGCONT))


def resolver_cut_off(rig: Rig, family: int, ip: str) -> Fault:
    """A router drops questions to it."""
    heal = load_rules(rig, "r2", "forward", f"{matching(family, ip)} udp dport 53 counter drop")
    return Fault(label("resolver_silent", ip), heal, lambda: counted(rig, "r2"))


def validation_broken(unbound: Unbound, ip: str) -> Fault:
    """The resolver begins to validate with a key that is not the zone's: it answers SERVFAIL."""
    unbound.restart(validates=True)
    return Fault(label("servfail", ip), unbound.restart)


def refused(unbound: Unbound, ip: str) -> Fault:
    """The resolver's access list no longer has this client."""
    unbound.restart("refuse")
    return Fault(label("refused_by_policy", ip), lambda: unbound.restart("allow"))


def questions_lost(rig: Rig, family: int, ip: str, per_cent: int) -> Fault:
    """A router drops a share of questions and of answers alike."""
    one_way = per_cent / 2
    rules = "".join(
        f"{matching(family, ip, direction)} udp {port} 53 numgen random mod 1000 < {int(10 * one_way)} counter drop\n"
        for direction, port in (("daddr", "dport"), ("saddr", "sport"))
    )
    heal = load_rules(rig, "r2", "forward", rules)
    return Fault(label("lossy", ip), heal, lambda: counted(rig, "r2"))


def answers_late(relay: Relay, ip: str, delay_s: float) -> Fault:
    relay.set(delay_s=delay_s)
    return Fault(label("slow", ip), lambda: relay.set(delay_s=0.0))


def pairs_race(relay: Relay, ip: str) -> Fault:
    """Of two questions sent together the later one is dropped."""
    relay.set(race=True)
    return Fault(label("pair_race", ip), lambda: relay.set(race=False))


def ipv6_names_dropped(relay: Relay, ip: str) -> Fault:
    """Whatever is asked for IPv6 addresses goes unanswered; IPv4 addresses are told."""
    relay.set(aaaa="drop")
    return Fault(label("lossy", ip), lambda: relay.set(aaaa=""))


def name_removed(unbound: Unbound, ip: str, name: str) -> Fault:
    """Somebody removes a record that is in use."""
    unbound.remove(name)
    what = Label(
        "dns_failure", ("name_gone",), scope_kinds=("name",), destinations=((ip, 53),), members=(name,),
    )  # fmt: skip
    return Fault(what, lambda: unbound.add(name))


def endpoint_replaced(rig: Rig, family: int, service: str, old: str, new: str, old_host: str) -> Fault:
    """The service address of the resolver leads to another host, but for the flows that NAT remembers."""
    translate(rig, family, service, new, replace=True)
    heal = load_rules(rig, old_host, "input", "udp dport 53 drop")
    what = Label(
        "load_balancer", ("stale_endpoint",), scope_kinds=("destination",), destinations=((service, 53),),
    )  # fmt: skip
    return Fault(what, heal)


def address_dead(rig: Rig, family: int, ip: str, port: int, host: str) -> Fault:
    """Nothing that is sent to one address of the host comes in."""
    heal = load_rules(rig, host, "input", f"{matching(family, ip)} drop")
    what = Label("load_balancer", ("address_dead",), **at(ip, port))
    return Fault(what, heal)


def translate(rig: Rig, family: int, service: str, to: str, replace: bool = False) -> None:
    """A service address of the resolver, made at r1."""
    if replace:
        rig.nft("r1", "delete table inet resolver")
    how = f"{matching(family, service)} udp dport 53 dnat {'ip' if family == 4 else 'ip6'} to {to}"
    rig.nft("r1", f"table inet resolver {{\nchain c {{\ntype nat hook prerouting priority -100\n{how}\n}}\n}}\n")


def tcp_closed(unbound: Unbound, ip: str) -> Fault:
    """The resolver is set up anew, and answers over UDP alone."""
    settings = unbound.settings
    unbound.restart(settings=f"{settings}\ndo-tcp: no")
    return Fault(
        Label("port_blocked", ("closed_port",), **at(ip, 53)), lambda: unbound.restart(settings=settings)
    )
