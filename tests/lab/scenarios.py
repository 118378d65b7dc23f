"""The scenarios: for each, the software and the load on the observed host, and what happens to them.

Magnitudes, delays and causes come from the seed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Callable

from lab import faults, world
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario
from lab.scenario import fault as _fault
from lab.scenario import healthy as _healthy
from lab.scenario import nothing as _nothing
from lab.scenarios_attempts import ATTEMPTS
from lab.scenarios_compound import COMPOUND
from lab.scenarios_node import ON_NODE
from lab.scenarios_path import PATHS
from lab.scenarios_resources import RESOURCES
from lab.scenarios_software import SOFTWARE
from lab.software import Iperf3Server
from lab.world import Lab


# --- what happens --------------------------------------------------------------------------------------------


def _port_closed(lab: Lab) -> Fault:
    return faults.port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), lab.ports[0])


def _one_port_closed(lab: Lab) -> Fault:
    port = lab.rng.choice(lab.ports)
    return faults.one_port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), port)


def _firewall_drop(lab: Lab) -> Fault:
    router, stateful = lab.rng.choice(("r1", "r2")), lab.rng.random() < 0.5
    return faults.firewall_drop(lab.rig, lab.family, router, lab.ip(lab.victim), lab.ports[0], stateful)


def _on_victim_port(injector) -> Callable[[Lab], Fault]:
    return lambda lab: injector(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0])


def _b_destinations(lab: Lab) -> list[tuple[str, int]]:
    return [(lab.ip(server, "b"), lab.ports[0]) for server in SERVERS]


def _no_route_here(lab: Lab) -> Fault:
    cause = lab.rng.choice(sorted(faults.LOCAL_ROUTES))
    return faults.no_route_here(lab.rig, lab.family, _b_destinations(lab), cause)


def _rejected(how: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults.rejected(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], how)


def _rejected_here(how: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults.rejected_here(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], how)


def _idle_forgotten(how: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults.idle_forgotten(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], 9, how)


def _state_lost(how: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults.state_lost(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], how)


def _peer_restarted(lab: Lab) -> Fault:
    return faults.peer_restarted(lab.rig, lab.nginx[lab.victim], lab.ip(lab.victim), lab.ports[0])


def _port_elsewhere_closed(lab: Lab) -> Fault:
    return faults.port_closed(lab.nginx["near"], lab.ip(lab.victim), lab.ports[0])


def _new_flows_dropped(lab: Lab) -> Fault:
    return faults.firewall_drop(lab.rig, lab.family, "r1", lab.ip(lab.victim), lab.ports[0], stateful=True)


def _host_down(lab: Lab) -> Fault:
    return faults.host_down_routed(lab.rig, lab.family, lab.victim)


def _neighbor_down(lab: Lab) -> Fault:
    return faults.host_down_on_link(lab.rig, lab.family)


def _prefix_blackholed(lab: Lab) -> Fault:
    return faults.prefix_blackholed(lab.rig, lab.family, _b_destinations(lab))


def _all_silent(lab: Lab) -> Fault:
    destinations = [(lab.ip(s, n), lab.ports[0]) for s in SERVERS for n in ("a", "b")]
    return faults.all_silent(lab.rig, lab.family, destinations)


def _prefix_refused(kind: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults.prefix_refused(lab.rig, lab.family, _b_destinations(lab), kind)


def _host_route(kind: str) -> Callable[[Lab], Fault]:
    return lambda lab: faults.host_route(lab.rig, lab.family, lab.ip(lab.victim), kind)


def _two_of_three_closed(lab: Lab) -> Fault:
    other = lab.others[0]  # the background uses its address in network a, too
    addresses = [lab.ip(lab.victim, "b"), lab.ip(other, "b"), lab.ip(other, "a")]
    closed = [lab.nginx[server] for server in (lab.victim, other)]
    return faults.ports_closed(closed, [(ip, lab.ports[0]) for ip in addresses])


def _loss(cause: str, low: int, high: int) -> Callable[[Lab], Fault]:
    return lambda lab: faults.loss(
        lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], lab.rng.randint(low, high), cause
    )


def _reordered(lab: Lab) -> Fault:
    share, late_ms = lab.rng.uniform(0.045, 0.057), lab.rng.uniform(0.7, 3.1)
    return faults.reordered(lab.rig, lab.family, lab.ip(lab.victim), share, late_ms)


def _on_service(injector) -> Callable[[Lab], Fault]:
    return lambda lab: injector(lab.service, lab.ip(lab.victim), lab.ports[0])


def _service_sluggish(lab: Lab) -> Fault:
    delay_s = round(lab.rng.uniform(0.29, 0.37), 3)
    return faults.service_slow(lab.service, lab.ip(lab.victim), lab.ports[0], delay_s, usual_s=0.005)


def _delayed(least_ms: float, most_ms: float) -> Callable[[Lab], Fault]:
    return lambda lab: faults.delayed(
        lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], lab.rng.uniform(least_ms, most_ms)
    )


def _agent_asleep(lab: Lab) -> None:
    fault = faults.agent_asleep(lab.agent.pid)
    time.sleep(3.1)
    fault.heal()


def _ipv6_swallowed(lab: Lab) -> Fault:
    """IPv6 to one server is dead; every client wins by IPv4."""
    fault = faults.host_route(lab.rig, 6, lab.rig.addresses.of(lab.victim, 6), "blackhole")
    return replace(fault, label=None)


def _service_slow(lab: Lab) -> Fault:
    delay_s = round(lab.rng.uniform(1.7, 2.6), 2)
    return faults.service_slow(lab.service, lab.ip(lab.victim), lab.ports[0], delay_s)


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


# --- the list ------------------------------------------------------------------------------------------------


_LOCAL_DROP = _on_victim_port(faults.local_output_drop)
_LOSS_FORWARD = _loss("forward", 45, 57)
_LOSS_REVERSE = _loss("reverse", 45, 57)

CORE: list[Scenario] = [
    *_fault(
        "port_closed",
        8,
        "port closed: nginx stopped",
        world.one_port,
        _port_closed,
        families=(4, 6),
        quick=(4,),
        bar_s=2.0,
    ),
    *_fault("one_port_closed", 9, "one of three ports closed", world.three_ports, _one_port_closed, bar_s=2.0),
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
        lambda lab: faults.net_unreachable(lab.rig, lab.family, _b_destinations(lab)),
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
    *_fault(
        "slow_service", 40, "service slow by 2 s, network healthy", world.service_load, _service_slow, quick=(4,)
    ),
    *_fault("late_port_closed", 8, "port closed, agent 20 s late", world.one_port, _port_closed, late_s=20.0),
    *_fault(
        "late_firewall_drop",
        27,
        "a router drops one port, agent 20 s late",
        world.port_with_siblings,
        _firewall_drop,
        late_s=20.0,
    ),
    *_fault("late_loss_forward", 15, "5 % loss, agent 20 s late", world.upload_load, _LOSS_FORWARD, late_s=20.0),
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
]

# The same mechanisms in other clothes, and their nearest neighbours.
VARIANTS: list[Scenario] = [
    *(
        scenario
        for family, done in ((4, ("port_unreachable", "admin_prohibited")), (6, ("admin_prohibited",)))
        for how in faults.REJECTS[family]
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
        for how in faults.REJECTS[family]
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
        "two_of_three_closed",
        None,
        "a port closed on two of three hosts of a prefix",
        world.prefix_load,
        _two_of_three_closed,
    ),
    *_fault(
        "restart_of_3_s", None, "a service restarts within three seconds", world.one_port, _port_closed, length_s=3.1
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
    *_fault("retry_storm", None, "a port closed in a busy loop of retries", world.storm_load, _port_closed),
    *_fault("loss_both", None, "5 % loss both ways", world.both_ways_load, _loss("both", 45, 57)),
    *_fault(
        "loss_of_requests",
        None,
        "2 to 3 % loss under small requests on kept connections",
        world.request_load,
        _loss("forward", 21, 31),
    ),
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
        _on_service(faults.service_mute),
    ),
    *_fault(
        "hung_service",
        40,
        "a service's process stands still",
        world.service_load,
        _on_service(faults.service_hung),
    ),
    *_fault(
        "peer_reads_nothing",
        39,
        "a service stops reading its uploads",
        world.large_request_load,
        _on_service(faults.service_reads_nothing),
    ),
    *_fault(
        "backlog_full",
        23,
        "the accept queue overflows",
        world.short_backlog_load,
        _on_service(faults.backlog_full),
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
        "reset_in_flight",
        41,
        "a box on the way resets connections with a request",
        world.one_port,
        _on_victim_port(faults.reset_in_flight),
        families=(4, 6),
    ),
    *_fault(
        "path_mtu_forward",
        38,
        "full segments disappear on the way there",
        world.upload_load,
        lambda lab: faults.full_segments_swallowed(
            lab.rig, lab.family, lab.ip(lab.victim), lab.rng.choice((1280, 1400, 1460))
        ),
        families=(4, 6),
    ),
    *_fault(
        "path_mtu_forward_probing",
        38,
        "full segments disappear on the way there, and the kernel probes for smaller ones",
        world.new_uploads_load,
        lambda lab: faults.full_segments_swallowed(
            lab.rig, lab.family, lab.ip(lab.victim), lab.rng.choice((1280, 1400, 1460)), probing=True
        ),
    ),
    *_fault(
        "path_mtu_reverse",
        47,
        "full segments disappear on the way here, requests pass",
        world.answers_load,
        lambda lab: faults.full_answers_swallowed(
            lab.rig, lab.family, lab.ip(lab.victim), lab.rng.choice((1280, 1400, 1460))
        ),
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
        "port_elsewhere_closed",
        None,
        "a port closed that leads to another host than the other ports of the address",
        world.elsewhere_load,
        _port_elsewhere_closed,
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
        "routing_loop",
        None,
        "two routers send a prefix back and forth",
        world.prefix_load,
        lambda lab: faults.routing_loop(lab.rig, lab.family, _b_destinations(lab)),
        families=(4, 6),
    ),
    *_fault(
        "answers_from_elsewhere",
        None,
        "answers come in at another interface, and rp_filter drops them",
        world.prefix_load,
        lambda lab: faults.answers_from_elsewhere(lab.rig, _b_destinations(lab)),
    ),
    *_fault(
        "program_drops",
        None,
        "a BPF program of this host drops one port",
        world.port_with_siblings,
        _on_victim_port(faults.program_drops),
        families=(4, 6),
    ),
    *_fault(
        "flows_rejected",
        None,
        "a router answers established connections with ICMP",
        world.kept_only_load,
        _on_victim_port(faults.flows_rejected),
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
        "peer_restarted",
        None,
        "a server's host starts anew and knows its connections no more",
        world.pool_load,
        _peer_restarted,
        families=(4, 6),
    ),
    *_fault(
        "descriptors_gone",
        22,
        "a process may open no more files",
        world.one_process_load,
        lambda lab: faults.descriptors_gone(lab.clients[0].process.pid),
        bar_s=2.0,
    ),
    *_fault(
        "answers_swallowed",
        None,
        "a server's answers are swallowed on their way",
        world.port_with_siblings,
        _on_victim_port(faults.answers_swallowed),
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
    _healthy("heavy_udp", "much UDP, some to nobody", world.udp_load, _nothing, watch_s=9.0),
    _healthy(
        "agent_asleep",
        "the agent itself stands still for three seconds",
        world.both_ways_load,
        _agent_asleep,
        watch_s=9.0,
    ),
]

def _rule_loaded(lab: Lab) -> Fault:
    """Amid what else happens on a busy host: containers that come and go, another ruleset loaded before."""
    for number in range(3):
        faults.harmless_ruleset(lab.rig, number)
        faults.container_comes_and_goes(lab.rig, number)
    time.sleep(lab.rng.uniform(0.7, 2.9))
    return faults.rule_loaded_here(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0])


def _route_changed(lab: Lab) -> Fault:
    for number in range(3):
        faults.container_comes_and_goes(lab.rig, number)
    cause = lab.rng.choice(sorted(faults.LOCAL_ROUTES))
    return faults.route_changed_here(lab.rig, lab.family, _b_destinations(lab), cause)


def _containers(lab: Lab) -> None:
    for number in range(9):
        faults.container_comes_and_goes(lab.rig, number)
        time.sleep(lab.rng.uniform(0.1, 0.5))


def _rulesets(lab: Lab) -> None:
    for number in range(5):
        faults.harmless_ruleset(lab.rig, number)
        time.sleep(lab.rng.uniform(0.3, 1.1))


def _spare_link_down(lab: Lab) -> None:
    lab.rig.ip("cli", "link", "set", "spare0", "down")


def _spare_link_load(lab: Lab) -> None:
    faults.spare_link(lab.rig)
    world.port_with_siblings(lab)


# What changes on this host itself.
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
        lambda lab: faults.link_set_down(lab.rig, lab.family),
    ),
    *_fault(
        "carrier_lost", 43, "this host's link loses its carrier", world.two_ports, lambda lab: faults.carrier_lost(lab.rig)
    ),
    *_fault(
        "gateway_mute",
        42,
        "the gateway answers no address resolution",
        world.two_ports,
        lambda lab: faults.gateway_mute(lab.rig),
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
        lambda lab: faults.routes_refreshed(lab.rig, lab.family),
    ),
]

# The agent in the server's namespace: what that end can know, and silence about what it cannot.
AT_SERVER: list[Scenario] = [
    replace(
        scenario,
        name=f"server_{scenario.name}",
        title=f"{scenario.title}; seen by the server",
        end="server",
        quick=False,
    )
    for scenario in (*CORE, *VARIANTS)
    if scenario.name
    in (
        "port_closed",
        "firewall_drop",
        "prefix_blackholed",
        "answers_swallowed",
        "backlog_full",
        "loss_forward",
        "loss_reverse",
        "loss_both",
        "slow_service",
        "restart",
        "burst",
        "bulk_transfer",
        "short_keepalive",
        "reordering",
    )
]


def _again(names: tuple[str, ...], suffix: str, title: str, **how) -> list[Scenario]:
    """Scenarios of above under other circumstances."""
    return [
        replace(s, name=f"{s.name}_{suffix}", title=f"{s.title}, {title}", quick=False, **how)
        for s in (*CORE, *VARIANTS, *SOFTWARE)
        if s.name in names
    ]


# What is a matter of time must not depend on how far away servers are.
FAR: list[Scenario] = [
    *_again(
        ("firewall_drop", "loss_forward", "loss_reverse", "bulk_transfer", "reordering"), "rtt10", "10 ms away",
        rtt_ms=10,
    ),
    *_again(
        ("port_closed", "firewall_drop", "net_unreachable", "loss_forward", "loss_reverse", "slow_service",
         "latency_step", "restart", "burst", "bulk_transfer"),
        "rtt80", "80 ms away", rtt_ms=80,
    ),
]  # fmt: skip

OVER_IPV6: list[Scenario] = _again(
    ("one_port_closed", "net_unreachable", "backlog_full", "peer_reads_nothing", "descriptors_gone",
     "postgres_filtered", "redis_killed", "restart", "burst", "bulk_transfer"),
    "ipv6", "IPv6", family=6,
)  # fmt: skip

SCENARIOS = [
    *CORE, *VARIANTS, *PATHS, *ATTEMPTS, *RESOURCES, *SOFTWARE, *ON_NODE, *COMPOUND, *FAR, *OVER_IPV6, *CHANGES,
    *AT_SERVER,
]  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
