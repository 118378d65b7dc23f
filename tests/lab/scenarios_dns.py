"""Names: resolvers that fail in all their ways, names that go, and what only looks like it."""

from __future__ import annotations

from typing import Callable

from lab import faults_dns, faults_host
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario, fault, healthy, nothing
from lab.software_dns import BACK_PORT, ZONE, Relay, Unbound, resolver_file, start_resolving
from lab.world import Lab

# Short enough that a run need not wait for glibc's five seconds, and still a real client's.
_OPTIONS = "timeout:2 attempts:2"


def zone_names(lab: Lab) -> dict[str, list[str]]:
    words = lab.rng.sample(("web", "api", "db", "auth", "pay", "mail", "shop", "feed", "log", "img"), 7)
    return {
        f"{word}.{ZONE}": [lab.rig.addresses.of(server, family) for family in (4, 6)]
        for word, server in zip(words, SERVERS * 3)
    }


_RATES = {"getent": (2.3, 3.7), "dig": (0.7, 1.3), "large": (0.7, 1.3), "curl": (0.9, 1.7)}


def resolving_load(
    lab: Lab, servers: list[str], options: str = _OPTIONS, search: str = "", typos: float = 0.0,
    modes: tuple[str, ...] = ("getent", "dig", "curl"), host: str = "cli", inside: Callable = list,
) -> None:  # fmt: skip
    """getent, dig and curl, which also connects to what it has resolved."""
    conf = resolver_file(lab.rig, host, servers, options, search)
    names = list(lab.names)
    for mode in modes:
        rate = lab.rate(*_RATES[mode])
        lab.clients.append(
            start_resolving(
                lab.rig, conf, names, host, inside, mode=mode, rate=rate, port=lab.ports[0], typos=typos
            )
        )


def _prepare(lab: Lab, **options) -> None:
    lab.nginx_on(*SERVERS)
    lab.names = zone_names(lab)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names)
    resolving_load(lab, [lab.ip(lab.victim)], **options)
    lab.background()


def _forwarding(lab: Lab) -> None:
    """The resolver holds nothing itself: it asks a second one on its host."""
    lab.nginx_on(*SERVERS)
    lab.names = zone_names(lab)
    lab.back = Unbound(lab.rig, lab.victim, lab.names, port=BACK_PORT)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names, forwards=True)
    resolving_load(lab, [lab.ip(lab.victim)])
    lab.background()


def _relayed(lab: Lab, options: str = _OPTIONS) -> None:
    lab.nginx_on(*SERVERS)
    lab.names = zone_names(lab)
    lab.back = Unbound(lab.rig, lab.victim, lab.names, port=BACK_PORT)
    lab.relay = Relay(lab.rig, lab.victim, lab.ip(lab.victim))
    resolving_load(lab, [lab.ip(lab.victim)], options)
    lab.background()


def _two(lab: Lab) -> None:
    lab.nginx_on(*SERVERS)
    lab.names = zone_names(lab)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names)
    Unbound(lab.rig, lab.others[0], lab.names)
    resolving_load(lab, [lab.ip(lab.victim), lab.ip(lab.others[0])], "timeout:1 attempts:2")
    lab.background()


def _two_families(lab: Lab) -> None:
    """One resolver by its IPv6 address first and by its IPv4 address then."""
    lab.nginx_on(*SERVERS)
    lab.names = zone_names(lab)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names)
    addresses = [lab.rig.addresses.of(lab.victim, family) for family in (6, 4)]
    resolving_load(lab, addresses, "timeout:1 attempts:2")
    lab.background()


def _held(lab: Lab) -> None:
    """The resolver has a service address; one process asks from one port for as long as it lives."""
    lab.nginx_on(*SERVERS)
    lab.names = zone_names(lab)
    lab.service_ip = lab.ip(lab.others[1], "b")
    for server in (lab.victim, lab.others[0]):
        Unbound(lab.rig, server, lab.names)
    faults_dns.translate(lab.rig, lab.family, lab.service_ip, lab.ip(lab.victim))
    resolving_load(lab, [lab.service_ip])
    conf = resolver_file(lab.rig, "held", [lab.service_ip])
    rate = lab.rate(1.1, 1.9)
    lab.clients.append(
        start_resolving(lab.rig, conf, list(lab.names), mode="held", server=lab.service_ip, rate=rate, timeout=2.1)
    )
    lab.background()


def _three_addresses(lab: Lab) -> None:
    """A name with three addresses; each client picks one of them."""
    lab.nginx_on(*SERVERS)
    lab.names = {f"shop.{ZONE}": [lab.ip(server, "b") for server in SERVERS]}
    lab.unbound = Unbound(lab.rig, lab.others[0], lab.names)
    resolving_load(lab, [lab.ip(lab.others[0])])
    lab.client("connects", b_destinations_text(lab), rate=lab.rate(9.1, 13.7))
    lab.background()


def b_destinations_text(lab: Lab) -> list[str]:
    return [lab.at(server, lab.ports[0], "b") for server in SERVERS]


def _address_dead(lab: Lab) -> Fault:
    """The server's address in network b is gone."""
    return faults_dns.address_dead(lab.rig, lab.family, lab.ip(lab.victim, "b"), lab.ports[0], lab.victim)


def _silent(lab: Lab) -> Fault:
    ip = lab.ip(lab.victim)
    if lab.rng.random() < 0.5:
        return faults_dns.resolver_hangs(lab.unbound, ip)
    return faults_dns.resolver_cut_off(lab.rig, lab.family, ip)


def _storm(lab: Lab) -> None:
    """Kubernetes' way: five dots asked for, three domains to search, so that each name fails three times first."""
    _prepare(lab, options=f"ndots:5 {_OPTIONS}", search="default.svc.cluster.lab svc.cluster.lab cluster.lab")


def _block_lists(lab: Lab) -> None:
    """A mail server's questions: of a hundred addresses one is listed, and later it is not."""
    _prepare(lab)
    listed = f"2.0.0.127.bl.{ZONE}"
    lab.unbound.names[listed] = ["127.0.0.2"]
    lab.unbound.add(listed)
    conf = resolver_file(lab.rig, "mail", [lab.ip(lab.victim)])
    names = [listed] + [f"{n}.0.113.203.bl.{ZONE}" for n in range(2, 250)]
    lab.clients.append(start_resolving(lab.rig, conf, names, mode="dig", rate=lab.rate(5.3, 8.1)))


def _delisted(lab: Lab) -> None:
    lab.unbound.remove(f"2.0.0.127.bl.{ZONE}")


DNS: list[Scenario] = [
    *fault(
        "resolver_killed", 1, "the resolver's process is killed", _prepare,
        lambda lab: faults_dns.resolver_killed(lab.unbound, lab.ip(lab.victim)), families=(4, 6), quick=(4,),
    ),
    *fault("resolver_silent", 2, "the resolver answers nothing", _prepare, _silent, families=(4, 6)),
    *fault(
        "resolver_servfail", 3, "the resolver validates with a wrong key: SERVFAIL", _forwarding,
        lambda lab: faults_dns.validation_broken(lab.unbound, lab.ip(lab.victim)), families=(4, 6),
    ),
    *fault(
        "resolver_refuses", None, "the resolver's access list shuts this host out", _prepare,
        lambda lab: faults_dns.refused(lab.unbound, lab.ip(lab.victim)),
    ),
    *fault(
        "dns_loss", 4, "30 % of questions and answers are lost", _prepare,
        lambda lab: faults_dns.questions_lost(lab.rig, lab.family, lab.ip(lab.victim), 30), families=(4, 6),
    ),
    *fault(
        "dns_slow", 5, "the resolver answers two seconds late", lambda lab: _relayed(lab, "timeout:5 attempts:2"),
        lambda lab: faults_dns.answers_late(lab.relay, lab.ip(lab.victim), lab.rate(1.7, 2.3)), families=(4, 6),
    ),
    *fault(
        "name_gone", None, "a name in use is removed", _prepare,
        lambda lab: faults_dns.name_removed(lab.unbound, lab.ip(lab.victim), lab.rng.choice(list(lab.names))),
        families=(4, 6),
    ),
    *fault("one_of_two_resolvers", None, "the first of two resolvers is silent", _two, _silent),
    *fault(
        "resolver_by_two_families", None, "over IPv6 the resolver is silent, over IPv4 it is not", _two_families,
        lambda lab: faults_dns.resolver_cut_off(lab.rig, 6, lab.rig.addresses.of(lab.victim, 6)),
    ),
    *fault(
        "dns_ipv6_names_dropped", None, "questions for IPv6 addresses are not answered",
        lambda lab: _relayed(lab, "timeout:2 attempts:2"),
        lambda lab: faults_dns.ipv6_names_dropped(lab.relay, lab.ip(lab.victim)),
    ),
    *fault(
        "dns_pair_race", None, "of A and AAAA asked together the later question is dropped",
        lambda lab: _relayed(lab, "timeout:2 attempts:3"),
        lambda lab: faults_dns.pairs_race(lab.relay, lab.ip(lab.victim)),
    ),
    *fault(
        "dns_stale_flow", None, "NAT leads one old socket's questions to a resolver that is gone", _held,
        lambda lab: faults_dns.endpoint_replaced(
            lab.rig, lab.family, lab.service_ip, lab.ip(lab.victim), lab.ip(lab.others[0]), lab.victim
        ),
    ),
    *fault("address_dead", 26, "one of three addresses of a name is dead", _three_addresses, _address_dead),
    *fault(
        "dns_behind_dead_link", None, "names do not resolve because the uplink is down", _prepare,
        lambda lab: faults_host.link_set_down(lab.rig, lab.family),
    ),
    healthy("dns_search_storm", "ndots:5 and a search list: three NXDOMAINs before each answer", _storm, nothing, watch_s=13.0),
    healthy(
        "dns_ipv6_servfail", "questions for IPv6 addresses are answered with SERVFAIL, IPv4 addresses are told",
        lambda lab: _relayed(lab), lambda lab: lab.relay.set(aaaa="servfail"), watch_s=13.0,
    ),
    healthy("dns_typos", "every third name is one that nobody has", lambda lab: _prepare(lab, typos=0.33), nothing, watch_s=13.0),
    healthy("dns_block_lists", "a mail server's block lists, and an address that is delisted", _block_lists, _delisted, watch_s=13.0),
]  # fmt: skip
