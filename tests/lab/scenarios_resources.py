"""Scenarios of what the observed host itself runs out of, and of what only comes near to it."""

from __future__ import annotations

from lab import faults_host, world
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario, fault, healthy
from lab.world import Lab

_FEW_PORTS = 500


def _few_ports(lab: Lab) -> None:
    """Few local ports, enough of them for a client that closes first."""
    faults_host.few_local_ports(lab.rig, _FEW_PORTS)
    world.web_load(lab)
    lab.client("leaves", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(4.3, 7.1))


def _left_in_time_wait(lab: Lab) -> Fault:
    taker = lab.client("leaves", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(131.0, 173.0))
    return faults_host.ports_taken(lab.rig, lab.ip(lab.victim), lab.ports[0], taker, "time_wait")


def _held_open(lab: Lab) -> Fault:
    taker = lab.client("idle", [lab.at(lab.victim, lab.ports[0])], count=2 * _FEW_PORTS, timeout=1.1)
    return faults_host.ports_taken(lab.rig, lab.ip(lab.victim), lab.ports[0], taker, "ephemeral_ports")


def _leak(lab: Lab) -> Fault:
    leaker = lab.client("leaks", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(1.3, 2.3))
    return faults_host.never_closed(leaker)


def _few_left_open(lab: Lab) -> None:
    """A pool whose server closes what rests: a few connections wait for their owner, and no more than that."""
    lab.nginx_on(*SERVERS, keepalive_s=1)
    lab.client("idle", [lab.at(lab.victim, port) for port in lab.ports], count=7)
    lab.background()


def _tracked(share: float):
    """The table of this host holds a share of what it may."""

    def prepare(lab: Lab) -> None:
        world.web_load(lab)
        lab.table_limit = faults_host.track_connections_here(lab.rig)
        lab.table_held = int(share * lab.table_limit)
        faults_host.fill_table(lab.rig, 0, lab.table_held)

    return prepare


def _table_full(lab: Lab) -> Fault:
    everywhere = [(lab.ip(server), port) for server in SERVERS for port in lab.ports]
    return faults_host.table_full(lab.rig, lab.table_held, lab.table_limit, everywhere)


def _many_in_time_wait(lab: Lab) -> None:
    world.web_load(lab)
    lab.client("leaves", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(67.0, 89.0))


def _shaped(lab: Lab) -> None:
    """Uploads through a shaper with a queue of the usual length."""
    queue = ["root", "tbf", "rate", "40mbit", "burst", "10000", "limit", "150000"]
    lab.rig.run("cli", ["tc", "qdisc", "add", "dev", "eth0", *queue])
    world.upload_load(lab)


def _nothing(_lab: Lab) -> None:
    """The load itself is the trial."""


RESOURCES: list[Scenario] = [
    *fault("ports_in_time_wait", 21, "all local ports rest in TIME_WAIT", _few_ports, _left_in_time_wait),
    *fault("ports_held", 21, "all local ports are held by open connections", _few_ports, _held_open),
    *fault("connections_leaked", None, "a process never closes", world.plain_load, _leak, deadline_s=60.0),
    *fault("table_full", 45, "the table of connections of this host is full", _tracked(0.6), _table_full),
    *fault(
        "own_queue_drops",
        None,
        "a short queue on this host's own uplink drops",
        world.upload_load,
        lambda lab: faults_host.own_queue_drops(lab.rig, "8mbit"),
    ),
    healthy("table_at_60_percent", "the table of connections is well used", _tracked(0.6), _nothing, watch_s=9.0),
    healthy("time_wait_with_room", "many connections in TIME_WAIT, ports left", _many_in_time_wait, _nothing, watch_s=13.0),
    healthy("few_left_open", "a few connections in CLOSE_WAIT", _few_left_open, _nothing, watch_s=45.0),
    healthy("shaped_uplink", "uploads through a shaper", _shaped, _nothing, watch_s=17.0),
]
