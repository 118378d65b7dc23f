"""Nothing is wrong, or nobody is hurt."""

from __future__ import annotations

import time
from dataclasses import replace

from lab import faults_host, faults_paths, faults_routes, world
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario
from lab.scenario import healthy as _healthy
from lab.scenario import nothing as _nothing
from lab.software import Iperf3Server
from lab.world import Lab


def _reordered(lab: Lab) -> Fault:
    share, late_ms = lab.rng.uniform(0.045, 0.057), lab.rng.uniform(0.7, 3.1)
    return faults_paths.reordered(lab.rig, lab.family, lab.ip(lab.victim), share, late_ms)


def _agent_asleep(lab: Lab) -> None:
    fault = faults_host.agent_asleep(lab.agent.pid)
    time.sleep(3.1)
    fault.heal()


def _ipv6_swallowed(lab: Lab) -> Fault:
    """IPv6 to one server is dead; every client wins by IPv4."""
    fault = faults_routes.host_route(lab.rig, 6, lab.rig.addresses.of(lab.victim, 6), "blackhole")
    return replace(fault, label=None)


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


HEALTHY: list[Scenario] = [
    _healthy("restart", "a service restarts within a second", world.one_port, _restart, quick=True),
    _healthy("port_scan", "a port scan from this host", world.plain_load, _scan),
    _healthy("bulk_transfer", "bulk at full cwnd beside idle keepalive", world.plain_load, _bulk, watch_s=3.0),
    _healthy("burst", "503 connections at once", world.plain_load, _burst),
    _healthy(
        "short_keepalive",
        "the server closes kept connections; speculative ones close unused",
        world.short_keepalive_load,
        _nothing,
        watch_s=13.0,
    ),
    _healthy(
        "dead_health_check",
        "health checks to a backend that was never up",
        world.dead_health_check_load,
        _nothing,
        watch_s=13.0,
    ),
    _healthy("reordering", "5 % of the packets are overtaken", world.both_ways_load, _reordered, watch_s=17.0),
    _healthy(
        "happy_eyeballs",
        "IPv6 dead, IPv4 wins every race",
        world.dual_stack_load,
        _ipv6_swallowed,
        watch_s=13.0,
    ),
    _healthy(
        "resets_after_answers",
        "a service that ends connections with RST once it has answered",
        world.resetting_load,
        _nothing,
        watch_s=13.0,
    ),
    _healthy(
        "idle_resets",
        "a service that resets connections at rest; its clients make new ones",
        world.idle_resets_load,
        _nothing,
        watch_s=17.0,
    ),
    _healthy(
        "slow_reader",
        "a service that reads its uploads slowly",
        world.slow_reader_load,
        _nothing,
        watch_s=17.0,
    ),
    _healthy(
        "busy_reader",
        "requests of two segments to a service that is slow to read them",
        world.busy_reader_load,
        _nothing,
        watch_s=17.0,
    ),
    _healthy("heavy_udp", "much UDP, some to nobody", world.udp_load, _nothing, watch_s=9.0),
    _healthy(
        "agent_asleep",
        "the agent itself stands still for three seconds",
        world.both_ways_load,
        _agent_asleep,
        watch_s=9.0,
    ),
]
