"""Services that are late, hung, or out of what they need."""

from __future__ import annotations

from typing import Callable

from lab import faults_host, faults_services, world
from lab.faults import Fault
from lab.scenario import Scenario
from lab.scenario import fault as _fault
from lab.world import Lab


def _on_service(injector) -> Callable[[Lab], Fault]:
    return lambda lab: injector(lab.service, lab.ip(lab.victim), lab.ports[0])


def _service_sluggish(lab: Lab) -> Fault:
    delay_s = round(lab.rng.uniform(0.33, 0.41), 3)
    return faults_services.service_slow(lab.service, lab.ip(lab.victim), lab.ports[0], delay_s, usual_s=0.005)


def _service_slow(lab: Lab) -> Fault:
    delay_s = round(lab.rng.uniform(1.7, 2.6), 2)
    return faults_services.service_slow(lab.service, lab.ip(lab.victim), lab.ports[0], delay_s)


SERVICES: list[Scenario] = [
    *_fault(
        "slow_service", 40, "service slow by 2 s, network healthy", world.service_load, _service_slow, quick=(4,)
    ),
    *_fault(
        "slow_service",
        40,
        "service slow by 2 s, network healthy",
        world.service_load,
        _service_slow,
        families=(6,),
    ),
    *_fault(
        "sluggish_service",
        None,
        "a service answers in 300 ms instead of 5",
        world.quick_service_load,
        _service_sluggish,
    ),
    *_fault(
        "mute_service",
        40,
        "a service takes requests and never answers",
        world.service_load,
        _on_service(faults_services.service_mute),
    ),
    *_fault(
        "hung_service",
        40,
        "a service's process stands still",
        world.service_load,
        _on_service(faults_services.service_hung),
    ),
    *_fault(
        "peer_reads_nothing",
        39,
        "a service stops reading its uploads",
        world.large_request_load,
        _on_service(faults_services.service_reads_nothing),
    ),
    *_fault(
        "backlog_full",
        23,
        "the accept queue overflows",
        world.short_backlog_load,
        _on_service(faults_services.backlog_full),
    ),
    *_fault(
        "descriptors_gone",
        22,
        "a process may open no more files",
        world.one_process_load,
        lambda lab: faults_host.descriptors_gone(lab.clients[0].process.pid),
        bar_s=2.0,
    ),
]
