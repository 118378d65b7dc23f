"""Names through stubs, in containers, over TCP and from software of other kinds; and strangers on ports 53 and 443."""

from __future__ import annotations

from dataclasses import replace

from lab import faults_dns, faults_filters
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario, fault, healthy, nothing
from lab.scenarios_dns import resolving_load, zone_names
from lab.software_dns import BACK_PORT, Unbound
from lab.stubs import Container, Dnsmasq, Embedded, Resolved, start_strangers
from lab.world import Lab

# glibc asks over TCP alone.
_OVER_TCP = "use-vc timeout:2 attempts:2"


def _begin(lab: Lab) -> str:
    """Servers, names, a background; the resolver's address."""
    lab.nginx_on(*SERVERS)
    lab.names = zone_names(lab)
    lab.background()
    return lab.ip(lab.victim)


def _dnsmasq(lab: Lab) -> None:
    """dnsmasq is the resolver and holds the names itself."""
    ip = _begin(lab)
    lab.dnsmasq = Dnsmasq(lab.rig, lab.victim, ip, lab.names)
    resolving_load(lab, [ip])


def _dnsmasq_stub(lab: Lab) -> None:
    """dnsmasq on this host passes on to unbound elsewhere."""
    ip = _begin(lab)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names)
    lab.dnsmasq = Dnsmasq(lab.rig, "cli", "127.0.0.1", {}, upstream=ip)
    resolving_load(lab, [lab.dnsmasq.ip])


def _resolved(lab: Lab) -> None:
    """systemd-resolved passes on to unbound elsewhere, which asks a second one on its host."""
    ip = _begin(lab)
    lab.back = Unbound(lab.rig, lab.victim, lab.names, port=BACK_PORT)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names, forwards=True)
    lab.resolved = Resolved(lab.rig, "cli", ip)
    resolving_load(lab, [lab.resolved.ip])


def _container(lab: Lab) -> None:
    """A container with docker's resolver on 127.0.0.11; its node asks the same resolver by itself."""
    ip = _begin(lab)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names)
    lab.embedded = Embedded(lab.rig, "pod1", ip)
    lab.container = Container(lab.rig, "names")
    resolving_load(lab, [lab.embedded.ip], modes=("getent",), host="pod1", inside=lab.container.inside)
    resolving_load(lab, [ip])


def _over_tcp(lab: Lab) -> None:
    ip = _begin(lab)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names)
    resolving_load(lab, [ip], _OVER_TCP, modes=("getent", "curl"))


def _large(lab: Lab) -> None:
    """Names with so many addresses that answers over UDP are cut off, or come in fragments."""
    lab.nginx_on(*SERVERS)
    lab.background()
    names = {f"many{n}.lab.example": [f"198.51.{100 + n}.{i}" for i in range(1, 121)] for n in range(3)}
    lab.names = names
    lab.unbound = Unbound(
        lab.rig, lab.victim, names, settings="max-udp-size: 4096\nedns-buffer-size: 4096\nminimal-responses: yes"
    )
    resolving_load(lab, [lab.ip(lab.victim)], modes=("getent", "dig", "large"))


def _stub_closed(stub: Dnsmasq | Resolved) -> Fault:
    stub.stop()
    return Fault(faults_dns.label("resolver_refused", stub.ip), stub.start)


def _knows_nothing(lab: Lab) -> Fault:
    """dnsmasq is set up anew, without its names and with nobody to ask: it refuses whatever is asked."""
    lab.dnsmasq.restart({})
    return Fault(faults_dns.label("refused_by_policy", lab.dnsmasq.ip), lab.dnsmasq.restart)


def _upstream_silent(lab: Lab) -> Fault:
    ip = lab.ip(lab.victim)
    if lab.rng.random() < 0.5:
        return faults_dns.resolver_hangs(lab.unbound, ip)
    return faults_dns.resolver_cut_off(lab.rig, lab.family, ip)


def _container_stub_closed(lab: Lab) -> Fault:
    one = _stub_closed(lab.embedded)
    here = {"netns": lab.rig.netns_inode("pod1"), "cgroup": lab.container.name, "process": "getent"}
    return replace(one, label=replace(one.label, **here))


def _tcp_dropped(lab: Lab) -> Fault:
    """A router drops port 53 over TCP: whoever is told to ask again over TCP is not answered."""
    return faults_filters.firewall_drop(lab.rig, lab.family, "r2", lab.ip(lab.victim), 53, stateful=False)


def _tcp_closed(lab: Lab) -> Fault:
    return faults_dns.tcp_closed(lab.unbound, lab.ip(lab.victim))


def _strangers(lab: Lab) -> None:
    """Noise, an SSH server, plain HTTP and malformed DNS on ports 53 and 443, beside a resolver that is well."""
    ip = _begin(lab)
    lab.unbound = Unbound(lab.rig, lab.victim, lab.names)
    resolving_load(lab, [ip])
    for host in lab.others:
        lab.clients.append(start_strangers(lab.rig, host, lab.ip(host), lab.rate(3.1, 5.3)))


STUBS: list[Scenario] = [
    *fault("dnsmasq_killed", 1, "dnsmasq as the resolver is killed", _dnsmasq, lambda lab: _stub_closed(lab.dnsmasq), families=(4, 6)),
    *fault("dnsmasq_refuses", None, "dnsmasq has lost its names and has nobody to ask", _dnsmasq, _knows_nothing),
    *fault("stub_upstream_silent", 2, "behind dnsmasq on this host the resolver is silent", _dnsmasq_stub, _upstream_silent),
    *fault("stub_killed", None, "dnsmasq on this host is killed", _dnsmasq_stub, lambda lab: _stub_closed(lab.dnsmasq)),
    *fault("resolved_upstream_silent", 2, "behind systemd-resolved the resolver is silent", _resolved, _upstream_silent),
    *fault(
        "resolved_upstream_servfail", 3, "behind systemd-resolved the resolver answers SERVFAIL", _resolved,
        lambda lab: faults_dns.validation_broken(lab.unbound, lab.ip(lab.victim)),
    ),
    *fault("resolved_killed", None, "systemd-resolved is killed", _resolved, lambda lab: _stub_closed(lab.resolved)),
    *fault(
        "container_upstream_silent", 2, "behind a container's stub the resolver is silent", _container, _upstream_silent,
        node=True,
    ),
    *fault("container_stub_killed", None, "a container's stub is gone", _container, _container_stub_closed, node=True),
    *fault(
        "tcp_resolver_killed", 1, "glibc asks over TCP; the resolver is killed", _over_tcp,
        lambda lab: faults_dns.resolver_killed(lab.unbound, lab.ip(lab.victim)), families=(4, 6),
    ),
    *fault("tcp_resolver_silent", 2, "glibc asks over TCP; the resolver hangs", _over_tcp,
           lambda lab: faults_dns.resolver_hangs(lab.unbound, lab.ip(lab.victim))),
    *fault("dns_tcp_dropped", None, "answers are cut off, and port 53 over TCP is dropped", _large, _tcp_dropped),
    *fault("dns_tcp_closed", None, "answers are cut off, and port 53 over TCP is closed", _large, _tcp_closed),
    healthy("dnsmasq_healthy", "dnsmasq on this host before unbound", _dnsmasq_stub, nothing, watch_s=9.0),
    healthy("resolved_healthy", "systemd-resolved before unbound", _resolved, nothing, watch_s=9.0),
    healthy("container_names", "a container's stub as docker has it", _container, nothing, watch_s=9.0, node=True),
    healthy("dns_over_tcp", "glibc asks over TCP", _over_tcp, nothing, watch_s=9.0),
    healthy("dns_large_answers", "answers that are cut off or come in fragments", _large, nothing, watch_s=9.0),
    healthy("strangers_on_ports", "noise, SSH, HTTP and malformed messages on ports 53 and 443", _strangers, nothing, watch_s=13.0),
]  # fmt: skip
