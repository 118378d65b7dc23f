"""Scenarios in which some attempts fail, or all take longer, while others go on."""

from __future__ import annotations

import subprocess
from dataclasses import replace

from lab import faults_attempts as faults
from lab import world
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario, fault
from lab.software import Iperf3Server
from lab.world import Lab


def _all_destinations(lab: Lab) -> list[tuple[str, int]]:
    return [(lab.ip(s, n), lab.ports[0]) for s in SERVERS for n in ("a", "b")]


def _bulk_from(lab: Lab, host: str, cause: str) -> Fault:
    port = lab.rng.randrange(5201, 5399)
    Iperf3Server(lab.rig, lab.victim, port)
    full = faults.uplink_full(lab.rig, _all_destinations(lab), cause)
    argv = ["iperf3", "-c", lab.ip(lab.victim), "-p", str(port), "-t", "60", "-P", "4"]
    upload = lab.rig.spawn(host, argv, stdout=subprocess.DEVNULL)

    def heal() -> None:
        upload.terminate()
        upload.wait()
        full.heal()

    return replace(full, heal=heal)


ATTEMPTS: list[Scenario] = [
    *fault(
        "syns_lost",
        17,
        "a quarter of the SYNs to a server are lost, and nothing else",
        world.syn_load,
        lambda lab: faults.syns_lost(lab.rig, lab.family, lab.ip(lab.victim), lab.rng.randint(23, 37)),
        families=(4, 6),
        deadline_s=20.0,
    ),
    *fault(
        "backend_silent",
        24,
        "one of three backends behind an address is silent",
        world.syn_load,
        lambda lab: faults.backend_silent(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0]),
        families=(4, 6),
        deadline_s=20.0,
    ),
    *fault(
        "path_member_dead",
        None,
        "one of three parallel paths is dead",
        world.parallel_paths_load,
        lambda lab: faults.path_member_dead(lab.rig, lab.family, _all_destinations(lab)),
        families=(4, 6),
        deadline_s=20.0,
    ),
    *fault(
        "service_limited",
        None,
        "a service ends connections beyond a limit at once",
        world.crowd_load,
        lambda lab: faults.service_limited(lab.service, lab.ip(lab.victim), lab.ports[0], lab.rng.randint(7, 9)),
        deadline_s=20.0,
    ),
    *fault(
        "gateway_out_of_ports",
        None,
        "a gateway on the way has no port left in a crowd",
        world.translated_crowd_load,
        lambda lab: faults.gateway_out_of_ports(
            lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], lab.rng.randint(7, 9)
        ),
        deadline_s=20.0,
    ),
    *fault(
        "uplink_full",
        12,
        "somebody else's upload fills the queue of the uplink",
        world.everything_load,
        lambda lab: _bulk_from(lab, "near", "uplink_queue"),
    ),
    *fault(
        "own_upload",
        13,
        "this host's own upload fills the queue of the uplink",
        world.everything_load,
        lambda lab: _bulk_from(lab, "cli", "self_induced"),
    ),
]
