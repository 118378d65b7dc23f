"""Paths that lose, delay, or take no long packets."""

from __future__ import annotations

from typing import Callable

from lab import faults_paths, world
from lab.faults import Fault
from lab.scenario import Scenario, b_destinations
from lab.scenario import fault as _fault
from lab.world import Lab


def _loss(cause: str, low: int, high: int) -> Callable[[Lab], Fault]:
    return lambda lab: faults_paths.loss(
        lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], lab.rng.randint(low, high), cause
    )


def _delayed(least_ms: float, most_ms: float) -> Callable[[Lab], Fault]:
    return lambda lab: faults_paths.delayed(
        lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], lab.rng.uniform(least_ms, most_ms)
    )


_LOSS_FORWARD = _loss("forward", 45, 57)
_LOSS_REVERSE = _loss("reverse", 45, 57)

QUALITY: list[Scenario] = [
    *_fault("loss_forward", 15, "5 % loss towards a server", world.upload_load, _LOSS_FORWARD, quick=(4,)),
    *_fault(
        "loss_forward_small", 14, "1 % loss towards a server", world.upload_load, _loss("forward", 9, 13)
    ),
    *_fault(
        "loss_reverse",
        46,
        "5 % loss towards us on a download",
        world.download_load,
        _LOSS_REVERSE,
    ),
    *_fault("late_loss_forward", 15, "5 % loss, agent 20 s late", world.upload_load, _LOSS_FORWARD, late_s=20.0),
    *_fault("loss_both", None, "5 % loss both ways", world.both_ways_load, _loss("both", 45, 57)),
    *_fault(
        "loss_of_requests",
        None,
        "2 to 3 % loss under small requests on kept connections",
        world.request_load,
        _loss("forward", 21, 31),
    ),
    *_fault(
        "loss_heavy_both",
        None,
        "30 % loss both ways under short connections",
        world.short_load,
        _loss("both", 280, 320),
    ),
    *_fault(
        "rate_limited",
        None,
        "a policer drops what comes faster than its rate",
        world.bursts_load,
        lambda lab: faults_paths.rate_limited(
            lab.rig, lab.family, lab.ip(lab.victim), lab.rng.randint(230, 370), lab.rng.randint(60, 110)
        ),
        families=(4, 6),
        deadline_s=30.0,
    ),
    *_fault(
        "loss_of_network",
        None,
        "5 % loss towards one network of two",
        world.uploads_everywhere_load,
        lambda lab: faults_paths.loss_of_network(lab.rig, lab.family, lab.rng.randint(45, 57), b_destinations(lab)),
        families=(4, 6),
    ),
    *_fault("loss_of_bursts", None, "5 % loss under bursts", world.bursts_load, _LOSS_FORWARD),
    *_fault(
        "loss_long",
        15,
        "5 % loss towards a server, long enough to compare the estimate",
        world.upload_load,
        _LOSS_FORWARD,
        hold_s=(17.0, 23.0),
    ),
    *_fault("loss_forward", 15, "5 % loss towards a server", world.upload_load, _LOSS_FORWARD, families=(6,)),
    *_fault(
        "loss_reverse", 46, "5 % loss towards us on a download", world.download_load, _LOSS_REVERSE, families=(6,)
    ),
    *_fault("latency_step", 10, "round trips 80 ms longer", world.one_port, _delayed(60, 110), families=(4, 6)),
    *_fault(
        "latency_step_kept",
        10,
        "round trips 80 ms longer on kept connections",
        world.request_load,
        _delayed(70, 110),
    ),
    *_fault("latency_step_far", None, "round trips 500 ms longer", world.service_load, _delayed(400, 600)),
    *_fault(
        "path_mtu_forward",
        38,
        "full segments disappear on the way there",
        world.upload_load,
        lambda lab: faults_paths.full_segments_swallowed(
            lab.rig, lab.family, lab.ip(lab.victim), lab.rng.choice((1280, 1400, 1460))
        ),
        families=(4, 6),
    ),
    *_fault(
        "path_mtu_forward_probing",
        38,
        "full segments disappear on the way there, and the kernel probes for smaller ones",
        world.new_uploads_load,
        lambda lab: faults_paths.full_segments_swallowed(
            lab.rig, lab.family, lab.ip(lab.victim), lab.rng.choice((1280, 1400, 1460)), probing=True
        ),
    ),
    *_fault(
        "path_mtu_reverse",
        47,
        "full segments disappear on the way here, requests pass",
        world.answers_load,
        lambda lab: faults_paths.full_answers_swallowed(
            lab.rig, lab.family, lab.ip(lab.victim), lab.rng.choice((1280, 1400, 1460))
        ),
        families=(4, 6),
    ),
]
