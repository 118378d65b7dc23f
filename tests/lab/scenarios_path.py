"""Scenarios of paths that delay, lose, double or spoil packets, through the shim; and of healthy peers that look like it."""

from __future__ import annotations

from lab import faults_paths, world
from lab.faults import Fault
from lab.scenario import Scenario, fault, healthy
from lab.software import Service, Sink
from lab.world import Lab


def _lossy(causes: tuple[str, ...], forth: dict, back: dict):
    return lambda lab: faults_paths.impaired_loss(lab.rig, lab.family, lab.ip(lab.victim), causes, forth, back)


def _harmless(forth: dict, back: dict):
    return lambda lab: faults_paths.impaired(lab.rig, lab.family, lab.ip(lab.victim), None, forth, back)


def _ramp(lab: Lab) -> Fault:
    by_ms, ramp_s = lab.rng.uniform(110, 150), lab.rng.uniform(4.1, 6.3)
    return faults_paths.delayed(
        lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], by_ms, ramp_s=ramp_s, jitter_ms=by_ms / 8
    )


def _ship_load(lab: Lab) -> None:
    """Logs to a sink that never answers: its kernel delays its acknowledgements."""
    lab.nginx_on(*lab.others)
    Sink(lab.rig, lab.victim, lab.ports[0])
    lab.client("ship", [lab.at(lab.victim, lab.ports[0])], count=3, rate=lab.rate(2.3, 4.1))
    lab.background()


def _trickle_load(lab: Lab) -> None:
    """Answers that come by a few hundred bytes at a time, for as long as the run lasts."""
    lab.nginx_on(lab.victim, blob_rate="3k")
    lab.nginx_on(*lab.others)
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=3, rate=5.0, path="/blob", timeout=90)
    lab.client("curl", targets, rate=0.3, path="/blob", timeout=90, limit="2k")
    lab.client("connects", targets, rate=lab.rate(2.3, 4.1))
    lab.background()


def _idle_load(lab: Lab) -> None:
    """Pools of connections that rest after their first request, beside some in use."""
    lab.nginx_on(*lab.others)
    lab.nginx_on(lab.victim, keepalive_s=600)
    targets = [lab.at(lab.victim, port) for port in lab.ports]
    lab.client("idle", targets, count=31)
    lab.client("keep", targets, count=2, rate=0.4)
    lab.background()


def _last_word_load(lab: Lab) -> None:
    """Workers that have the last word, as the clients of HTTP/2 do, and rest for seconds all at once."""
    lab.nginx_on(*lab.others)
    lab.service = Service(lab.rig, lab.victim, lab.ports[:1])
    lab.client("last_word", [lab.at(lab.victim, lab.ports[0])], count=5, rate=0.13)
    lab.background()


def _nothing(_lab: Lab) -> None:
    """The load itself is the trial."""


PATHS: list[Scenario] = [
    *fault(
        "latency_ramp",
        11,
        "round trips grow by 130 ms within 5 s, with jitter",
        world.one_port,
        _ramp,
        deadline_s=20.0,
    ),
    *fault(
        "loss_bursty",
        None,
        "5 % loss in runs of four",
        world.upload_load,
        _lossy(("bursty",), {"loss": 0.05, "burst": 4}, {}),
    ),
    *fault(
        "loss_of_answers",
        16,
        "5 % loss on the way back",
        world.request_load,
        _lossy(("reverse",), {}, {"loss": 0.05}),
    ),
    *fault(
        "corruption",
        None,
        "3 % of the packets come spoiled",
        world.upload_load,
        _lossy(("forward",), {"corrupt": 0.03}, {}),
    ),
    healthy(
        "duplication",
        "5 % of the packets come twice",
        world.both_ways_load,
        _harmless({"duplicate": 0.05}, {"duplicate": 0.05}),
        watch_s=17.0,
    ),
    healthy(
        "jitter",
        "round trips between 0 and 4 ms, always in order",
        world.both_ways_load,
        _harmless({"delay_ms": 1, "jitter_ms": 1}, {"delay_ms": 1, "jitter_ms": 1}),
        watch_s=13.0,
    ),
    healthy(
        "longer_path",
        "packets come back with another TTL",
        world.one_port,
        _harmless({}, {"ttl": 47}),
        watch_s=9.0,
    ),
    healthy(
        "log_shipping",
        "one-way streams to a peer that delays its acknowledgements",
        _ship_load,
        _nothing,
        watch_s=15.0,
    ),
    healthy("trickle", "answers that trickle", _trickle_load, _nothing, watch_s=15.0),
    healthy(
        "last_word",
        "workers that thank for answers and then rest together",
        _last_word_load,
        _nothing,
        watch_s=17.0,
    ),
    healthy("idle_keepalive", "pools of connections at rest", _idle_load, _nothing, watch_s=15.0),
]
