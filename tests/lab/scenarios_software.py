"""Scenarios around real servers: PostgreSQL, Redis and haproxy, with their own clients."""

from __future__ import annotations

import subprocess

from lab import faults_filters, faults_services
from lab.faults import Fault
from lab.scenario import Scenario, fault, healthy
from lab.software import Haproxy, Nginx, Postgres, Redis
from lab.world import Lab


def _postgres_load(lab: Lab) -> None:
    """A pool of pgbench's in use all the time, sessions of psql that come and go, and the host's exporter."""
    lab.nginx_on(*lab.others)
    exporter = Nginx(lab.rig, lab.victim, lab.ports[1:2])
    lab.postgres = Postgres(lab.rig, lab.victim, lab.ports[0])
    ip = lab.ip(lab.victim)
    argv = ["pgbench", "-n", "-c", "5", "-R", str(lab.rate(13, 23)), "-T", "600", "-h", ip, "-p", str(lab.ports[0])]
    lab.rig.spawn("cli", [*argv, "-U", "lab", "postgres"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.client("psql", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(1.3, 2.1))
    lab.client("connects", [lab.at(lab.victim, port) for port in exporter.ports], rate=lab.rate(1.3, 2.1))
    lab.background()


def _redis_load(lab: Lab) -> None:
    """A connection that is in use all the time, and commands on connections of their own."""
    lab.nginx_on(*lab.others)
    lab.redis = Redis(lab.rig, lab.victim, lab.ports[0])
    for name in ("first", "second"):
        _redis_cli(lab, "-r", "-1", "-i", "0.07", "INCR", name)
    lab.client("redis", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(3.1, 5.3))
    lab.background()


def _redis_cli(lab: Lab, *arguments: str) -> None:
    argv = ["redis-cli", "-h", lab.ip(lab.victim), "-p", str(lab.ports[0]), *arguments]
    lab.rig.spawn("cli", argv, stdout=subprocess.DEVNULL)


def _queue_load(lab: Lab) -> None:
    """Workers that wait at the server for the next job, most of them in vain, beside prompt commands."""
    _redis_load(lab)
    for _ in range(4):
        _redis_cli(lab, "-r", "-1", "BLPOP", "jobs", "5")
    _redis_cli(lab, "-r", "-1", "-i", "1.7", "RPUSH", "jobs", "a job")


def _haproxy_load(lab: Lab) -> None:
    """wrk at full speed in pauses, and clients whose kept connections the server closes."""
    lab.nginx_on(*lab.others)
    Haproxy(lab.rig, lab.victim, lab.ports[0])
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=5, rate=lab.rate(0.4, 0.9))
    lab.client("curl", targets, rate=lab.rate(1.3, 2.3))
    lab.background()


def _wrk(lab: Lab) -> None:
    url = f"http://{lab.at(lab.victim, lab.ports[0])}/"
    lab.rig.run("cli", ["wrk", "-t", "1", "-c", "17", "-d", "4s", url])


def _postgres_locked(lab: Lab) -> Fault:
    return faults_services.postgres_locked(lab.postgres, lab.ip(lab.victim), lab.ports[0], lab.rate(1.7, 2.3))


def _postgres_filtered(lab: Lab) -> Fault:
    return faults_filters.firewall_drop(lab.rig, lab.family, "r2", lab.ip(lab.victim), lab.ports[0], stateful=False)


def _redis_stalled(lab: Lab) -> Fault:
    return faults_services.redis_stalled(lab.redis, lab.ip(lab.victim), lab.ports[0], lab.rate(2.1, 2.9))


def _redis_killed(lab: Lab) -> Fault:
    return faults_services.redis_killed(lab.redis, lab.ip(lab.victim), lab.ports[0])


def _nothing(_lab: Lab) -> None:
    """The load itself is the trial."""


SOFTWARE: list[Scenario] = [
    *fault(
        "postgres_locked",
        None,
        "PostgreSQL: a lock makes all queries wait for two seconds",
        _postgres_load,
        _postgres_locked,
    ),
    *fault("postgres_filtered", 27, "PostgreSQL: a router drops its port", _postgres_load, _postgres_filtered),
    *fault("redis_stalled", None, "Redis: one command makes the others wait", _redis_load, _redis_stalled),
    *fault("redis_killed", 8, "Redis: the server is killed", _redis_load, _redis_killed),
    healthy(
        "postgres_busy",
        "PostgreSQL: a pool in use and sessions that come and go",
        _postgres_load,
        _nothing,
        watch_s=13.0,
    ),
    healthy(
        "redis_queue",
        "Redis: workers that wait for jobs beside prompt commands",
        _queue_load,
        _nothing,
        watch_s=15.0,
    ),
    healthy("haproxy_wrk", "haproxy under wrk at full speed", _haproxy_load, _wrk, watch_s=3.0),
]
