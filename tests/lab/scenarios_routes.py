"""Hosts, networks and next hops that cannot be reached."""

from __future__ import annotations

from typing import Callable

from lab import faults_routes, world
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario, b_destinations, on_victim_port
from lab.scenario import fault as _fault
from lab.world import Lab


def _no_route_here(lab: Lab) -> Fault:
    cause = lab.rng.choice(sorted(faults_routes.LOCAL_ROUTES))
    return faults_routes.no_route_here(lab.rig, lab.family, b_destinations(lab), cause)


def _host_down(lab: Lab) -> Fault:
    return faults_routes.host_down_routed(lab.rig, lab.family, lab.victim)


def _neighbor_down(lab: Lab) -> Fault:
    return faults_routes.host_down_on_link(lab.rig, lab.family)


def _prefix_blackholed(lab: Lab) -> Fault:
    return faults_routes.prefix_blackholed(lab.rig, lab.family, b_destinations(lab))


def _all_silent(lab: Lab) -> Fault:
    destinations = [(lab.ip(s, n), lab.ports[0]) for s in SERVERS for n in ("a", "b")]
    return faults_routes.all_silent(lab.rig, lab.family, destinations)


def _prefix_refused(kind: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults_routes.prefix_refused(lab.rig, lab.family, b_destinations(lab), kind)


def _host_route(kind: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults_routes.host_route(lab.rig, lab.family, lab.ip(lab.victim), kind)


ROUTES: list[Scenario] = [
    *_fault(
        "host_down_routed",
        6,
        "host down behind a router",
        world.two_ports,
        _host_down,
    ),
    *_fault(
        "host_down_on_link",
        7,
        "host down on the local link",
        world.neighbor_load,
        _neighbor_down,
    ),
    *_fault(
        "net_unreachable",
        18,
        "a router says net-unreachable for a prefix",
        world.prefix_load,
        lambda lab: faults_routes.net_unreachable(lab.rig, lab.family, b_destinations(lab)),
        quick=(4,),
        bar_s=1.0,
    ),
    *_fault(
        "prefix_blackholed",
        19,
        "a router swallows a prefix",
        world.prefix_load,
        _prefix_blackholed,
    ),
    *_fault(
        "no_route_here",
        20,
        "this host's route is gone or refuses",
        world.prefix_load,
        _no_route_here,
        families=(4, 6),
        quick=(6,),
        bar_s=1.0,
    ),
    *_fault(
        "prefix_unreachable",
        None,
        "a router's route to a prefix says unreachable",
        world.prefix_load,
        _prefix_refused("unreachable"),
    ),
    *_fault(
        "prefix_prohibited",
        None,
        "a router's route to a prefix says prohibited",
        world.prefix_load,
        _prefix_refused("prohibit"),
    ),
    *_fault("prefix_blackholed", 19, "a router swallows a prefix", world.prefix_load, _prefix_blackholed, families=(6,)),
    *(
        scenario
        for kind in ("blackhole", "unreachable", "prohibit")
        for scenario in _fault(
            f"host_route_{kind}",
            None,
            f"a router's route to one address says {kind}",
            world.three_ports,
            _host_route(kind),
        )
    ),
    *_fault("host_down_routed", 6, "host down behind a router", world.two_ports, _host_down, families=(6,)),
    *_fault(
        "host_down_on_link", 7, "host down on the local link", world.neighbor_load, _neighbor_down, families=(6,)
    ),
    *_fault("all_silent", None, "the uplink swallows everything", world.everything_load, _all_silent),
    *_fault(
        "routing_loop",
        None,
        "two routers send a prefix back and forth",
        world.prefix_load,
        lambda lab: faults_routes.routing_loop(lab.rig, lab.family, b_destinations(lab)),
        families=(4, 6),
    ),
    *_fault(
        "answers_from_elsewhere",
        None,
        "answers come in at another interface, and rp_filter drops them",
        world.prefix_load,
        lambda lab: faults_routes.answers_from_elsewhere(lab.rig, b_destinations(lab)),
    ),
    *_fault(
        "flows_rejected",
        None,
        "a router answers established connections with ICMP",
        world.kept_only_load,
        on_victim_port(faults_routes.flows_rejected),
        families=(4, 6),
    ),
]
