"""Several things at once: one the cause of the others, or two that have nothing to do with each other."""

from __future__ import annotations

import time
from dataclasses import replace

from lab import faults_filters, faults_paths, faults_routes, faults_services, world
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario, fault, healthy, nothing
from lab.world import Lab


def _blackholed(lab: Lab) -> Fault:
    destinations = [(lab.ip(server, "b"), lab.ports[0]) for server in SERVERS]
    return faults_routes.prefix_blackholed(lab.rig, lab.family, destinations)


def _database_slow(lab: Lab) -> Fault:
    delay_s = round(lab.rng.uniform(1.9, 2.6), 2)
    one = faults_services.service_slow(lab.service, lab.ip(lab.victim), lab.ports[0], delay_s, usual_s=0.005)
    return replace(one, label=replace(one.label, symptoms=True))


def _together(first: Fault, *others: Fault) -> Fault:
    """Several that have nothing to do with each other."""

    def heal() -> None:
        for one in (first, *others):
            one.heal()

    return Fault(replace(first.label, roots=1 + len(others), also=tuple(one.label for one in others)), heal)


def _drop_in_storm(lab: Lab) -> Fault:
    storm = faults_services.port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), lab.ports[0])
    time.sleep(lab.rng.uniform(2.1, 2.9))  # the storm is under way
    drop = faults_filters.firewall_drop(lab.rig, lab.family, "r2", lab.ip(lab.others[0]), lab.ports[2], stateful=False)
    return _together(drop, storm)


def _prefix_and_port(lab: Lab) -> Fault:
    port = faults_services.one_port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), lab.ports[2])
    return _together(_blackholed(lab), port)


def _filters_and_loss(lab: Lab) -> Fault:
    here, there = lab.others
    return _together(
        faults_paths.loss(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], lab.rng.randrange(47, 61), "forward"),
        faults_filters.firewall_drop(lab.rig, lab.family, "r1", lab.ip(here), lab.ports[2], stateful=False),
        faults_filters.firewall_drop(lab.rig, lab.family, "r2", lab.ip(there, "b"), lab.ports[2], stateful=False),
    )


def _region_blackholed(lab: Lab) -> Fault:
    one = _blackholed(lab)
    return replace(one, label=replace(one.label, scope_kinds=("region",), scope_values=("far",)))


# Several things at once, one of them the cause of the others, or none.
COMPOUND: list[Scenario] = [
    *fault(
        "slow_database", None, "a slow database makes API and web tier slow", world.tiers_load, _database_slow, hold_s=(7.1, 9.3)
    ),
    *fault(
        "exhausted_pool", None, "a slow database exhausts the API's pool, and the web tier refuses",
        world.refusing_tiers_load, _database_slow, hold_s=(7.1, 9.3),
    ),
    *fault(
        "fault_in_retry_storm", None, "a filter drops a port during a retry storm against another host",
        world.storm_and_siblings_load, _drop_in_storm, hold_s=(5.1, 6.7),
    ),
    *fault(
        "prefix_and_port", None, "a port refuses while a network is swallowed", world.prefix_and_port_load,
        _prefix_and_port, hold_s=(5.1, 6.7),
    ),
    *fault(
        "filters_and_loss", None, "two filters drop a port each while a third path loses packets",
        world.filters_and_loss_load, _filters_and_loss, hold_s=(17.0, 23.0),
    ),
    *fault(
        "region_blackholed", None, "one region is swallowed while another works", world.region_load, _region_blackholed,
        families=(4, 6),
    ),
    healthy("tiers_healthy", "an application in tiers at work", world.tiers_load, nothing, watch_s=9.0),
]  # fmt: skip
