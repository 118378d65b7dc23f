"""The client as a node: two pods, a service address and masquerade, all of it the observed host."""

from __future__ import annotations

from dataclasses import replace

from lab import faults_filters, faults_routes, faults_services, world
from lab.faults import Fault
from lab.scenario import Scenario, fault, healthy, nothing
from lab.world import Lab


def _pods_peer_refuses(lab: Lab) -> Fault:
    one = faults_services.one_port_closed(lab.nginx[lab.victim], lab.ip(lab.victim), lab.ports[2])
    return replace(one, label=replace(one.label, netns=lab.rig.netns_inode("pod1")))


def _backend_dead(lab: Lab) -> Fault:
    service, backend = (lab.node.service, lab.ports[1]), (lab.ip(lab.victim), lab.ports[0])
    return faults_services.backend_dead(lab.nginx[lab.victim], service, backend)


def _uplink_silent(lab: Lab) -> Fault:
    destinations = [(lab.ip(server, network), lab.ports[0]) for server in lab.others for network in ("a", "b")]
    destinations += [(lab.node.service, lab.ports[1]), (lab.ip(lab.victim), lab.ports[2])]
    return faults_routes.all_silent(lab.rig, lab.family, destinations)


def _no_endpoint(lab: Lab) -> Fault:
    return faults_filters.no_endpoint(lab.rig, lab.node, lab.ports[1], (lab.ip(lab.victim), lab.ports[0]))


def _node_drops(lab: Lab) -> Fault:
    one = faults_filters.dropped_on_node(lab.rig, lab.ip(lab.victim), lab.ports[2])
    return replace(one, label=replace(one.label, netns=lab.rig.netns_inode("pod1")))


# A node: the host's namespace and its pods', a service address and masquerade.
ON_NODE: list[Scenario] = [
    *fault("node_peer_refuses", None, "a pod's peer refuses", world.node_load, _pods_peer_refuses, node=True),
    *fault(
        "node_backend_dead", None, "the backend of a service address is gone", world.node_load, _backend_dead, node=True
    ),
    *fault("node_uplink_silent", None, "the node's uplink swallows everything", world.node_load, _uplink_silent, node=True),
    *fault("node_no_endpoint", None, "a service address has no endpoint", world.node_load, _no_endpoint, node=True),
    *fault("node_rule_drops", None, "a rule of the node drops what a pod sends", world.node_load, _node_drops, node=True),
    healthy("node_healthy", "nothing is wrong on a node", world.node_load, nothing, watch_s=9.0, node=True),
]
