"""Filters that drop, reject, reset or forget, on the way and here."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

from lab import faults_filters, world
from lab.faults import Fault
from lab.scenario import Scenario, on_victim_port
from lab.scenario import fault as _fault
from lab.world import Lab


def _firewall_drop(lab: Lab) -> Fault:
    router, stateful = lab.rng.choice(("r1", "r2")), lab.rng.random() < 0.5
    return faults_filters.firewall_drop(lab.rig, lab.family, router, lab.ip(lab.victim), lab.ports[0], stateful)


def _rejected(how: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults_filters.rejected(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], how)


def _rejected_here(how: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults_filters.rejected_here(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], how)


def _idle_forgotten(how: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults_filters.idle_forgotten(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], 9, how)


def _state_lost(how: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults_filters.state_lost(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], how)


def _new_flows_dropped(lab: Lab) -> Fault:
    return faults_filters.firewall_drop(lab.rig, lab.family, "r1", lab.ip(lab.victim), lab.ports[0], stateful=True)


_LOCAL_DROP = on_victim_port(faults_filters.local_output_drop)

FILTERS: list[Scenario] = [
    *_fault(
        "firewall_drop",
        27,
        "a router drops one port",
        world.port_with_siblings,
        _firewall_drop,
        families=(4, 6),
        quick=(4,),
        bar_s=2.3,
    ),
    *_fault(
        "reject_port_unreachable",
        28,
        "REJECT, port-unreachable",
        world.port_with_siblings,
        _rejected("port_unreachable"),
        bar_s=1.0,
    ),
    *_fault(
        "admin_prohibited",
        29,
        "REJECT, admin-prohibited",
        world.port_with_siblings,
        _rejected("admin_prohibited"),
        families=(4, 6),
        quick=(6,),
        bar_s=1.0,
    ),
    *_fault(
        "local_output_drop", 31, "a rule of this host drops", world.port_with_siblings, _LOCAL_DROP, bar_s=2.3
    ),
    *_fault(
        "late_firewall_drop",
        27,
        "a router drops one port, agent 20 s late",
        world.port_with_siblings,
        _firewall_drop,
        late_s=20.0,
    ),
    *(
        scenario
        for family, done in ((4, ("port_unreachable", "admin_prohibited")), (6, ("admin_prohibited",)))
        for how in faults_filters.REJECTS[family]
        if how not in (*done, "reset")
        for scenario in _fault(
            f"reject_{how}",
            None,
            f"REJECT, {how.replace('_', '-')}",
            world.port_with_siblings,
            _rejected(how),
            families=(family,),
        )
    ),
    *(
        scenario
        for family in (4, 6)
        for how in faults_filters.REJECTS[family]
        for scenario in _fault(
            f"local_reject_{how}",
            None,
            f"a rule of this host rejects, {how.replace('_', '-')}",
            world.port_with_siblings,
            _rejected_here(how),
            families=(family,),
        )
    ),
    *_fault(
        "local_output_drop",
        31,
        "a rule of this host drops",
        world.port_with_siblings,
        _LOCAL_DROP,
        families=(6,),
    ),
    *_fault(
        "new_flows_dropped",
        27,
        "a stateful filter drops new flows of one port while old ones go on",
        world.kept_port_with_siblings,
        _new_flows_dropped,
        families=(4, 6),
    ),
    *_fault(
        "impatient_clients",
        27,
        "a silent drop; clients give up after half a second",
        world.impatient_load,
        _firewall_drop,
    ),
    *_fault(
        "retry_loop",
        27,
        "a silent drop; one process tries every five seconds",
        world.retry_loop_load,
        _firewall_drop,
        deadline_s=25.0,
    ),
    *_fault(
        "one_sequential_client",
        27,
        "a silent drop; one sequential client",
        world.one_sequential_client,
        _firewall_drop,
    ),
    *_fault(
        "reset_in_flight",
        41,
        "a box on the way resets connections with a request",
        world.one_port,
        on_victim_port(faults_filters.reset_in_flight),
        families=(4, 6),
    ),
    *_fault(
        "reject_reset",
        30,
        "REJECT, with a RST in the host's name",
        world.port_with_siblings,
        _rejected("reset"),
        families=(4, 6),
    ),
    *_fault(
        "idle_forgotten",
        None,
        "a firewall forgets connections that rest for 9 s, and resets them",
        world.resting_load,
        _idle_forgotten("reset"),
        deadline_s=75.0,
    ),
    *_fault(
        "program_drops",
        None,
        "a BPF program of this host drops one port",
        world.port_with_siblings,
        on_victim_port(faults_filters.program_drops),
        families=(4, 6),
    ),
    *_fault(
        "idle_forgotten_silent",
        None,
        "a firewall forgets connections that rest for 9 s, and drops what comes on them",
        world.resting_load,
        _idle_forgotten("silent"),
        families=(4, 6),
        deadline_s=75.0,
    ),
    *_fault(
        "state_lost",
        None,
        "a firewall loses its state, and drops what it does not know",
        world.pool_load,
        _state_lost("silent"),
        families=(4, 6),
    ),
    *_fault(
        "state_lost_reset",
        None,
        "a firewall loses its state, and resets what it does not know",
        world.pool_load,
        _state_lost("reset"),
    ),
    *_fault(
        "answers_swallowed",
        None,
        "a server's answers are swallowed on their way",
        world.port_with_siblings,
        on_victim_port(faults_filters.answers_swallowed),
    ),
]
