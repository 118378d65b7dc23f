"""The scenarios: for each, the software and the load on the observed host, and what happens to them.

Rates, ports, counts, timeouts, delays and who is hit come from the seed.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Callable

from lab import faults
from lab.faults import Fault
from lab.rig import SERVERS, Rig
from lab.software import Client, Iperf3Server, Nginx, Service, endpoint, start_client


class Lab:
    """One run's world: the rig, its software, and whom the fault will hit."""

    def __init__(self, rig: Rig, seed: int, family: int):
        self.rig, self.family = rig, family
        self.rng = random.Random(f"scenario {seed}")
        self.victim, *self.others = self.rng.sample(SERVERS, 3)
        self.ports = self.rng.sample(range(2001, 9999), 3)
        self.timeout = round(self.rng.uniform(2.1, 4.9), 2)
        self.nginx: dict[str, Nginx] = {}
        self.service: Service | None = None
        self.clients: list[Client] = []

    def ip(self, host: str, network: str = "a") -> str:
        return self.rig.addresses.of(host, self.family, network)

    def at(self, host: str, port: int, network: str = "a") -> str:
        return endpoint(self.ip(host, network), port)

    def nginx_on(self, *hosts: str, **settings) -> None:
        for host in hosts:
            self.nginx[host] = Nginx(self.rig, host, self.ports, **settings)

    def client(self, mode: str, targets: list[str], **options) -> Client:
        options = {"timeout": self.timeout} | options
        self.clients.append(start_client(self.rig, mode, targets, **options))
        return self.clients[-1]

    def rate(self, low: float, high: float) -> float:
        return round(self.rng.uniform(low, high), 3)

    def background(self) -> None:
        """The healthy rest of the host's traffic: other servers, new and kept connections."""
        targets = [self.at(host, port) for host in self.others for port in self.ports[:2]]
        self.client("connects", targets, rate=self.rate(2.3, 4.1))
        self.client("keep", targets, count=3, rate=self.rate(0.7, 1.9))

    def stop_clients(self) -> None:
        for client in self.clients:
            client.stop()


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    kind: str  # "fault" or "healthy"
    prepare: Callable[[Lab], None]
    happen: Callable[[Lab], Fault | None]
    number: int | None = None  # of the list of faults in the acceptance's terms
    family: int = 4
    quick: bool = False
    late_s: float = 0.0  # the agent starts this long after the onset
    bar_s: float | None = None  # the aim for the time to detect, reported
    deadline_s: float = 15.0  # the bound for the time to detect, asserted
    watch_s: float = 7.0  # healthy scenarios: how long to look on afterwards


# --- loads ---------------------------------------------------------------------------------------------------


def _web_load(lab: Lab, ports: int = 1, kept: bool = True) -> None:
    """Open-loop connects, curl and kept connections to the first ports of the victim's nginx."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, port) for port in lab.ports[:ports]]
    lab.client("connects", targets, rate=lab.rate(4.3, 7.1))
    lab.client("curl", targets, rate=lab.rate(1.3, 2.3))
    if kept:
        lab.client("keep", targets, count=2, rate=lab.rate(1.1, 2.7))
    lab.background()


def _one_port(lab: Lab) -> None:
    _web_load(lab)


def _three_ports(lab: Lab) -> None:
    _web_load(lab, ports=3)


def _port_with_siblings(lab: Lab) -> None:
    """One port will be filtered; the others of the same host stay in use. Kept flows only on those."""
    _web_load(lab, ports=1, kept=False)
    siblings = [lab.at(lab.victim, port) for port in lab.ports[1:]]
    lab.client("connects", siblings, rate=lab.rate(2.3, 3.7))
    lab.client("keep", siblings, count=2, rate=lab.rate(1.1, 2.7))


def _two_ports(lab: Lab) -> None:
    _web_load(lab, ports=2)


def _neighbor_load(lab: Lab) -> None:
    lab.nginx_on("near", *SERVERS)
    targets = [lab.at("near", port) for port in lab.ports[:2]]
    lab.client("connects", targets, rate=lab.rate(3.1, 5.3))
    lab.client("keep", targets, count=2, rate=lab.rate(1.1, 2.7))
    lab.background()


def _prefix_load(lab: Lab) -> None:
    """All three servers by their addresses in network b, where the fault will be, and in network a."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(server, lab.ports[0], "b") for server in SERVERS]
    lab.client("connects", targets, rate=lab.rate(6.1, 9.7))
    lab.client("curl", targets, rate=lab.rate(1.3, 2.3))
    lab.client("keep", targets, count=3, rate=lab.rate(0.7, 1.3))
    lab.background()


def _upload_load(lab: Lab) -> None:
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    size = 1024 * lab.rng.randrange(97, 163)
    lab.client("keep", targets, count=4, rate=lab.rate(2.3, 3.7), size=size, timeout=7.3)
    lab.client("connects", targets, rate=lab.rate(3.1, 5.3), timeout=7.3)
    lab.background()


def _download_load(lab: Lab) -> None:
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=2, rate=lab.rate(1.3, 2.3), path="/blob", timeout=9.7)
    lab.client("curl", targets, rate=lab.rate(0.7, 1.3), path="/blob", timeout=9.7)
    lab.background()


def _service_load(lab: Lab) -> None:
    lab.nginx_on(*lab.others)
    lab.service = Service(lab.rig, lab.victim, lab.ports[:1])
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=3, rate=lab.rate(1.3, 2.3), timeout=9.7)
    lab.client("connects", targets, rate=lab.rate(2.3, 3.9), timeout=9.7)
    lab.background()


def _plain_load(lab: Lab) -> None:
    lab.nginx_on(*SERVERS)
    lab.background()


def _short_keepalive_load(lab: Lab) -> None:
    """A server that closes kept connections soon and often, and a client that opens some ahead of need."""
    lab.nginx_on(lab.victim, keepalive_s=1, keepalive_requests=3)
    lab.nginx_on(*lab.others)
    targets = [lab.at(lab.victim, port) for port in lab.ports]
    lab.client("keep", targets, count=11, rate=lab.rate(0.9, 2.1))
    lab.client("speculative", targets, rate=lab.rate(2.3, 4.7))
    lab.background()


def _dead_health_check_load(lab: Lab) -> None:
    """A backend that was never up, asked at strict intervals since before the agent came."""
    _plain_load(lab)
    dead = lab.at(lab.victim, lab.rng.randrange(10001, 10999))
    lab.client("periodic", [dead], rate=lab.rate(0.9, 1.7))


# --- what happens --------------------------------------------------------------------------------------------


def _port_closed(lab: Lab) -> Fault:
    return faults.port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), lab.ports[0])


def _one_port_closed(lab: Lab) -> Fault:
    port = lab.rng.choice(lab.ports)
    return faults.one_port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), port)


def _firewall_drop(lab: Lab) -> Fault:
    router, stateful = lab.rng.choice(("r1", "r2")), lab.rng.random() < 0.5
    return faults.firewall_drop(lab.rig, lab.family, router, lab.ip(lab.victim), lab.ports[0], stateful)


def _on_victim_port(injector) -> Callable[[Lab], Fault]:
    return lambda lab: injector(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0])


def _b_destinations(lab: Lab) -> list[tuple[str, int]]:
    return [(lab.ip(server, "b"), lab.ports[0]) for server in SERVERS]


def _no_route_here(lab: Lab) -> Fault:
    cause = lab.rng.choice(sorted(faults.LOCAL_ROUTES))
    return faults.no_route_here(lab.rig, lab.family, _b_destinations(lab), cause)


def _loss(injector, low: int, high: int) -> Callable[[Lab], Fault]:
    return lambda lab: injector(lab.rig, lab.family, lab.ip(lab.victim), lab.rng.randint(low, high))


def _service_slow(lab: Lab) -> Fault:
    delay_s = round(lab.rng.uniform(1.7, 2.6), 2)
    return faults.service_slow(lab.service, lab.ip(lab.victim), lab.ports[0], delay_s)


def _restart(lab: Lab) -> None:
    nginx = lab.nginx[lab.victim]
    nginx.stop()
    time.sleep(lab.rng.uniform(0.71, 0.89))  # the restart's own length; starting takes the rest of the second
    nginx.start()


def _scan(lab: Lab) -> None:
    ports = lab.rng.sample(range(11000, 30000), 199)
    targets = [lab.at(server, port) for server in lab.others for port in ports]
    lab.client("scan", targets, rate=67.0, timeout=1.3).wait(20)


def _bulk(lab: Lab) -> None:
    port = lab.rng.randrange(5201, 5399)
    Iperf3Server(lab.rig, lab.victim, port)
    lab.client("idle", [lab.at(server, lab.ports[0]) for server in SERVERS], count=23)
    argv = ["iperf3", "-c", lab.ip(lab.victim), "-p", str(port), "-t", "7"]
    lab.rig.run("cli", argv)
    lab.rig.run("cli", [*argv, "-R"])


def _burst(lab: Lab) -> None:
    lab.client("burst", [lab.at(lab.victim, lab.ports[0])], count=503).wait(20)


def _nothing(_lab: Lab) -> None:
    """The load itself is the trial."""


# --- the list ------------------------------------------------------------------------------------------------


def _fault(name, number, title, prepare, happen, families=(4,), quick=(), **more) -> list[Scenario]:
    return [
        Scenario(
            name if family == 4 else f"{name}_ipv6",
            title if family == 4 else f"{title}, IPv6",
            "fault",
            prepare,
            happen,
            number,
            family,
            quick=family in quick,
            **more,
        )
        for family in families
    ]


def _healthy(name, title, prepare, happen, quick=False, **more) -> Scenario:
    return Scenario(name, title, "healthy", prepare, happen, quick=quick, **more)


_REJECT_UNREACHABLE = _on_victim_port(faults.reject_port_unreachable)
_ADMIN_PROHIBITED = _on_victim_port(faults.admin_prohibited)
_LOCAL_DROP = _on_victim_port(faults.local_output_drop)
_LOSS_FORWARD = _loss(faults.loss_forward, 45, 57)

SCENARIOS: list[Scenario] = [
    *_fault(
        "port_closed",
        8,
        "port closed: nginx stopped",
        _one_port,
        _port_closed,
        families=(4, 6),
        quick=(4,),
        bar_s=2.0,
    ),
    *_fault("one_port_closed", 9, "one of three ports closed", _three_ports, _one_port_closed, bar_s=2.0),
    *_fault(
        "firewall_drop",
        27,
        "a router drops one port",
        _port_with_siblings,
        _firewall_drop,
        families=(4, 6),
        quick=(4,),
        bar_s=2.3,
    ),
    *_fault(
        "reject_port_unreachable",
        28,
        "REJECT, port-unreachable",
        _port_with_siblings,
        _REJECT_UNREACHABLE,
        bar_s=1.0,
    ),
    *_fault(
        "admin_prohibited",
        29,
        "REJECT, admin-prohibited",
        _port_with_siblings,
        _ADMIN_PROHIBITED,
        families=(4, 6),
        quick=(6,),
        bar_s=1.0,
    ),
    *_fault(
        "local_output_drop", 31, "a rule of this host drops", _port_with_siblings, _LOCAL_DROP, bar_s=2.3
    ),
    *_fault(
        "host_down_routed",
        6,
        "host down behind a router",
        _two_ports,
        lambda lab: faults.host_down_routed(lab.rig, lab.family, lab.victim),
    ),
    *_fault(
        "host_down_on_link",
        7,
        "host down on the local link",
        _neighbor_load,
        lambda lab: faults.host_down_on_link(lab.rig, lab.family),
    ),
    *_fault(
        "net_unreachable",
        18,
        "a router says net-unreachable for a prefix",
        _prefix_load,
        lambda lab: faults.net_unreachable(lab.rig, lab.family, _b_destinations(lab)),
        quick=(4,),
        bar_s=1.0,
    ),
    *_fault(
        "prefix_blackholed",
        19,
        "a router swallows a prefix",
        _prefix_load,
        lambda lab: faults.prefix_blackholed(lab.rig, lab.family, _b_destinations(lab)),
    ),
    *_fault(
        "no_route_here",
        20,
        "this host's route is gone or refuses",
        _prefix_load,
        _no_route_here,
        families=(4, 6),
        quick=(6,),
        bar_s=1.0,
    ),
    *_fault("loss_forward", 15, "5 % loss towards a server", _upload_load, _LOSS_FORWARD, quick=(4,)),
    *_fault(
        "loss_forward_small", 14, "1 % loss towards a server", _upload_load, _loss(faults.loss_forward, 9, 13)
    ),
    *_fault(
        "loss_reverse",
        46,
        "5 % loss towards us on a download",
        _download_load,
        _loss(faults.loss_reverse, 45, 57),
    ),
    *_fault(
        "slow_service", 40, "service slow by 2 s, network healthy", _service_load, _service_slow, quick=(4,)
    ),
    *_fault("late_port_closed", 8, "port closed, agent 20 s late", _one_port, _port_closed, late_s=20.0),
    *_fault(
        "late_firewall_drop",
        27,
        "a router drops one port, agent 20 s late",
        _port_with_siblings,
        _firewall_drop,
        late_s=20.0,
    ),
    *_fault("late_loss_forward", 15, "5 % loss, agent 20 s late", _upload_load, _LOSS_FORWARD, late_s=20.0),
    _healthy("restart", "a service restarts within a second", _one_port, _restart, quick=True),
    _healthy("port_scan", "a port scan from this host", _plain_load, _scan),
    _healthy("bulk_transfer", "bulk at full cwnd beside idle keepalive", _plain_load, _bulk, watch_s=3.0),
    _healthy("burst", "503 connections at once", _plain_load, _burst),
    _healthy(
        "short_keepalive",
        "the server closes kept connections; speculative ones close unused",
        _short_keepalive_load,
        _nothing,
        watch_s=13.0,
    ),
    _healthy(
        "dead_health_check",
        "health checks to a backend that was never up",
        _dead_health_check_load,
        _nothing,
        watch_s=13.0,
    ),
]

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
