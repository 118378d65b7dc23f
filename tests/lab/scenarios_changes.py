"""What changes on the observed host itself."""

from __future__ import annotations

import time

from lab import faults_host, faults_routes, world
from lab.faults import Fault
from lab.scenario import Scenario, b_destinations
from lab.scenario import fault as _fault
from lab.scenario import healthy as _healthy
from lab.world import Lab


def _rule_loaded(lab: Lab) -> Fault:
    """Amid what else happens on a busy host: containers that come and go, another ruleset loaded before."""
    for number in range(3):
        faults_host.harmless_ruleset(lab.rig, number)
        faults_host.container_comes_and_goes(lab.rig, number)
    time.sleep(lab.rng.uniform(0.7, 2.9))
    return faults_host.rule_loaded_here(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0])


def _route_changed(lab: Lab) -> Fault:
    for number in range(3):
        faults_host.container_comes_and_goes(lab.rig, number)
    cause = lab.rng.choice(sorted(faults_routes.LOCAL_ROUTES))
    return faults_host.route_changed_here(lab.rig, lab.family, b_destinations(lab), cause)


def _containers(lab: Lab) -> None:
    for number in range(9):
        faults_host.container_comes_and_goes(lab.rig, number)
        time.sleep(lab.rng.uniform(0.1, 0.5))


def _rulesets(lab: Lab) -> None:
    for number in range(5):
        faults_host.harmless_ruleset(lab.rig, number)
        time.sleep(lab.rng.uniform(0.3, 1.1))


def _spare_link_down(lab: Lab) -> None:
    lab.rig.ip("cli", "link", "set", "spare0", "down")


def _spare_link_load(lab: Lab) -> None:
    faults_host.spare_link(lab.rig)
    world.port_with_siblings(lab)


CHANGES: list[Scenario] = [
    *_fault("rule_loaded", 48, "a process here loads a rule that drops", world.port_with_siblings, _rule_loaded),
    *_fault(
        "route_changed", 48, "this host's route is gone or refuses, amid other changes", world.prefix_load, _route_changed
    ),
    *_fault(
        "link_set_down",
        43,
        "this host's link is set down",
        world.two_ports,
        lambda lab: faults_host.link_set_down(lab.rig, lab.family),
    ),
    *_fault(
        "carrier_lost", 43, "this host's link loses its carrier", world.two_ports, lambda lab: faults_host.carrier_lost(lab.rig)
    ),
    *_fault(
        "gateway_mute",
        42,
        "the gateway answers no address resolution",
        world.two_ports,
        lambda lab: faults_host.gateway_mute(lab.rig),
    ),
    _healthy("containers", "containers' links and addresses come and go", world.port_with_siblings, _containers),
    _healthy("rulesets", "a ruleset that drops nothing is loaded again and again", world.port_with_siblings, _rulesets),
    _healthy(
        "spare_link_down",
        "a link that nobody uses is set down",
        _spare_link_load,
        _spare_link_down,
    ),
    _healthy(
        "routes_refreshed",
        "routes are put in place again",
        world.prefix_load,
        lambda lab: faults_host.routes_refreshed(lab.rig, lab.family),
    ),
]
