// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/fault_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace netwatch::diagnosis::faults {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;

void rule_out_all_but_neighbor(Finding& finding) {
    rule_out(finding, FailureType::firewall_block,
             "packets never left this host: the next hop has no link address");
    rule_out(finding, FailureType::port_blocked, "no RST was received");
}

// What all of them are reached over.
const Link* blame_uplink(Finding& finding, const Scene& scene, const Leaves& leaves) {
    finding.scope.kind = ScopeKind::uplink;
    finding.destination.reset();
    const Leaf& first = leaves.front();
    const auto way = scene.network.way_to(first.destination->netns, first.endpoint().ip);
    const Link* link = way ? scene.network.link(first.destination->netns, way->ifindex) : nullptr;
    if (link != nullptr && !link->name.empty()) finding.scope.value = link->name;
    return link;
}

// Who holds the local ports of the destination: connections that are over and wait for their time, or live
// ones. A port in TIME_WAIT is one of its namespace, whatever it was connected to.
bool time_waits(const Scene& scene, const Leaves& leaves) {
    constexpr double most = 0.8;
    constexpr double half = 0.5;
    const Destination& destination = *leaves.front().destination;
    const auto waiting = scene.counters.value(destination.netns, NETWATCH_COUNTER_TIME_WAITS);
    const auto ports = scene.counters.value(destination.netns, NETWATCH_COUNTER_LOCAL_PORTS);
    if (!waiting || !ports) return false;
    const auto all = static_cast<double>(*ports);
    return static_cast<double>(*waiting) >= most * all && destination.flows < half * all;
}

void note_ports(Finding& finding, const Scene& scene, const Leaves& leaves) {
    const Destination& destination = *leaves.front().destination;
    const auto waiting = scene.counters.value(destination.netns, NETWATCH_COUNTER_TIME_WAITS);
    const auto ports = scene.counters.value(destination.netns, NETWATCH_COUNTER_LOCAL_PORTS);
    if (!waiting || !ports) return;
    note(finding, scene, "time_wait", static_cast<double>(*waiting),
         fmt::format("{} connections to it are open and {} of all are in TIME_WAIT; there are {} local ports",
                     destination.flows, *waiting, *ports));
}

std::uint64_t dropped_from(const Scene& scene, const Leaves& leaves, LocalDrop who) {
    std::map<AddressKey, std::uint64_t> drops;
    for (const Leaf& leaf : leaves)
        drops[leaf.address()] =
            scene.destinations.find_address(leaf.address())->inbound_drops->count(who).packets;
    std::uint64_t packets = 0;
    for (const auto& [address, dropped] : drops) packets += dropped;
    return packets;
}

}  // namespace

Finding unresolved_neighbor(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::host_unreachable, "neighbor_failed");
    blame_address(finding);
    explain_answer(finding, scene, leaves, "neighbor_failed",
                   "the address does not answer address resolution on the local link");
    rule_out_all_but_neighbor(finding);
    return finding;
}

Finding dead_link(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    const Link& link = *blame_uplink(finding, scene, leaves);
    const std::string_view cause = link.cause(scene.now);
    single(finding, FailureType::link_down, std::string(cause));
    const std::string since =
        link.down_since == 0 ? "since before netwatch watched it" : scene.ago(link.down_since);
    const std::string_view what = cause == "admin"     ? "was set down"
                                  : cause == "carrier" ? "lost its carrier"
                                                       : "was removed";
    explain_answer(finding, scene, leaves, "link_down", fmt::format("link {} {} {}", link.name, what, since));
    rule_out(finding, FailureType::neighbor_failure, "the link itself is down: no neighbour could answer");
    rule_out(finding, FailureType::host_unreachable, "no packet leaves over a link that is down");
    rule_out(finding, FailureType::firewall_block, "no packet leaves that a filter could drop");
    return finding;
}

Finding unresolved_gateway(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::neighbor_failure, "gateway");
    blame_uplink(finding, scene, leaves);
    explain_answer(finding, scene, leaves, "neighbor_failed",
                   "the next hop does not answer address resolution");
    rule_out_all_but_neighbor(finding);
    return finding;
}

Finding local_filter(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    const bool bpf = leaves.front().cls == OutcomeClass::local_bpf;
    single(finding, FailureType::firewall_block, bpf ? "local_bpf" : "local_rule");
    if (leaves.size() > 1) widen(finding, scene, leaves);
    const LocalDrop who = bpf ? LocalDrop::program : LocalDrop::netfilter;
    std::uint64_t drops = 0;
    std::uint32_t elsewhere = 0;  // a namespace on the way that is not the socket's own
    for (const Leaf& leaf : leaves) {
        const Detail* detail = leaf.destination->detail.get();
        if (detail == nullptr || detail->local_drops.count(who).packets == 0) continue;
        drops += detail->local_drops.count(who).packets;
        if (detail->dropped_netns != leaf.destination->netns) elsewhere = detail->dropped_netns;
    }
    const bool forbidden = bpf && drops == 0;
    explain_answer(finding, scene, leaves,
                   forbidden ? "connect_eperm"
                   : bpf     ? "local_program_drop"
                             : "local_filter_drop",
                   forbidden ? "connect() failed with EPERM before a packet was made"
                   : bpf     ? "a BPF program or tc filter of this host dropped the packets"
                             : "this host's own packet filter dropped or rejected the packets");
    if (drops > 0) {
        note(finding, scene, bpf ? "program_drop" : "netfilter_drop", static_cast<double>(drops),
             fmt::format("{} packets to it dropped by {} on this host{}", drops,
                         bpf ? "a BPF program or tc filter" : "netfilter",
                         elsewhere != 0 ? fmt::format(", in network namespace {}", elsewhere) : ""));
    }
    if (bpf && drops > 0 &&
        leaves.front().destination->detail->local_drops.count(LocalDrop::netfilter).packets == 0)
        finding.evidence.back().text += ", none by netfilter";
    rule_out(finding, FailureType::host_unreachable, "the packets never left this host");
    rule_out(finding, FailureType::routing_failure, "a route was found; the packets were dropped after it");
    return finding;
}

Finding local_route(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    struct Words {
        std::string_view cause;
        std::string_view text;
    };
    const Words words = [&]() -> Words {
        switch (leaves.front().cls) {
            case OutcomeClass::local_blackhole:
                return {"local_blackhole", "connect() fails with EINVAL: a blackhole route"};
            case OutcomeClass::local_unreachable:
                return {"local_unreachable",
                        "connect() fails with EHOSTUNREACH at once: an unreachable route"};
            case OutcomeClass::local_prohibit:
                return {"local_prohibit", "connect() fails with EACCES: a prohibit route"};
            default: return {"no_route", "connect() fails with ENETUNREACH: this host has no route to it"};
        }
    }();
    const bool masked =
        std::ranges::all_of(leaves, [&](const Leaf& leaf) { return leaf.run().masked(scene.now); });
    single(finding, FailureType::routing_failure, masked ? "ipv6_broken" : std::string(words.cause));
    widen(finding, scene, leaves);
    explain_answer(finding, scene, leaves, "connect_failed_locally", words.text);
    rule_out(finding, FailureType::host_unreachable, "no packet was sent: the error is this host's own");
    rule_out(finding, FailureType::firewall_block, "no packet was made that a filter could have dropped");
    return finding;
}

Finding ports_exhausted(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    finding.severity = Severity::critical;
    const auto waiting = time_waits(scene, leaves);
    single(finding, FailureType::connection_exhaustion, waiting ? "time_wait" : "ephemeral_ports");
    explain_answer(finding, scene, leaves, "connect_eaddrnotavail",
                   "connect() fails with EADDRNOTAVAIL: no local port is free for this destination");
    note_ports(finding, scene, leaves);
    rule_out(finding, FailureType::routing_failure, "a source address was found; only the port was missing");
    rule_out(finding, FailureType::firewall_block, "no packet was made that a filter could have dropped");
    return finding;
}

// Answers come in at another interface than this host's route back to their sender leads to.
Finding reverse_path_filter(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::routing_failure, "rp_filter");
    if (leaves.size() > 1 && distinct_addresses(leaves) == 1) blame_address(finding);
    widen(finding, scene, leaves);
    const std::uint64_t packets = dropped_from(scene, leaves, LocalDrop::reverse_path);
    note(finding, scene, "reverse_path_drop", static_cast<double>(packets),
         fmt::format(
             "{} packets from it dropped by the reverse path filter (rp_filter) on this host: they came "
             "in at another interface than the route to it leaves by",
             packets));
    note_silence(finding, scene, leaves);
    rule_out(finding, FailureType::host_unreachable, "it answers: its packets reach this host");
    rule_out(finding, FailureType::firewall_block, "it is the routes that disagree; no rule dropped them");
    return finding;
}

Finding local_input_filter(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    const LocalDrop who = *answers_dropped_here(scene, leaves.front());
    single(finding, FailureType::firewall_block, who == LocalDrop::program ? "local_bpf" : "local_rule");
    if (leaves.size() > 1) widen(finding, scene, leaves);
    const std::uint64_t packets = dropped_from(scene, leaves, who);
    note(finding, scene, who == LocalDrop::program ? "program_drop_inbound" : "netfilter_drop_inbound",
         static_cast<double>(packets),
         fmt::format("{} packets from it dropped by {} on this host", packets,
                     who == LocalDrop::program ? "a BPF program or tc filter" : "netfilter"));
    note_silence(finding, scene, leaves);
    rule_out(finding, FailureType::host_unreachable, "it answers: its packets reach this host");
    rule_out(finding, FailureType::routing_failure, "packets get there and come back");
    return finding;
}

}  // namespace netwatch::diagnosis::faults
