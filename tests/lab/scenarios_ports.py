"""Ports that refuse: closed, restarted, led elsewhere."""

from __future__ import annotations

from lab import faults_services, world
from lab.faults import Fault
from lab.scenario import Scenario
from lab.scenario import fault as _fault
from lab.world import Lab


def _port_closed(lab: Lab) -> Fault:
    return faults_services.port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), lab.ports[0])


def _one_port_closed(lab: Lab) -> Fault:
    port = lab.rng.choice(lab.ports)
    return faults_services.one_port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), port)


def _peer_restarted(lab: Lab) -> Fault:
    return faults_services.peer_restarted(lab.rig, lab.nginx[lab.victim], lab.ip(lab.victim), lab.ports[0])


def _port_elsewhere_closed(lab: Lab) -> Fault:
    return faults_services.port_closed(lab.nginx["near"], lab.ip(lab.victim), lab.ports[0])


def _two_of_three_closed(lab: Lab) -> Fault:
    other = lab.others[0]  # the background uses its address in network a, too
    addresses = [lab.ip(lab.victim, "b"), lab.ip(other, "b"), lab.ip(other, "a")]
    closed = [lab.nginx[server] for server in (lab.victim, other)]
    return faults_services.ports_closed(closed, [(ip, lab.ports[0]) for ip in addresses])


PORTS: list[Scenario] = [
    *_fault(
        "port_closed",
        8,
        "port closed: nginx stopped",
        world.one_port,
        _port_closed,
        families=(4, 6),
        quick=(4,),
        bar_s=2.0,
    ),
    *_fault("one_port_closed", 9, "one of three ports closed", world.three_ports, _one_port_closed, bar_s=2.0),
    *_fault("late_port_closed", 8, "port closed, agent 20 s late", world.one_port, _port_closed, late_s=20.0),
    *_fault(
        "two_of_three_closed",
        None,
        "a port closed on two of three hosts of a prefix",
        world.prefix_load,
        _two_of_three_closed,
    ),
    *_fault(
        "restart_of_3_s", None, "a service restarts within three seconds", world.one_port, _port_closed, length_s=3.1
    ),
    *_fault("retry_storm", None, "a port closed in a busy loop of retries", world.storm_load, _port_closed),
    *_fault(
        "port_elsewhere_closed",
        None,
        "a port closed that leads to another host than the other ports of the address",
        world.elsewhere_load,
        _port_elsewhere_closed,
        families=(4, 6),
    ),
    *_fault(
        "peer_restarted",
        None,
        "a server's host starts anew and knows its connections no more",
        world.pool_load,
        _peer_restarted,
        families=(4, 6),
    ),
]
