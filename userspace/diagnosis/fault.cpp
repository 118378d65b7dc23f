// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "diagnosis/quality.h"
#include "diagnosis/refusal.h"

namespace netwatch::diagnosis {
namespace {

using model::Candidate;
using model::FailureType;
using model::ScopeKind;
using model::Severity;

constexpr double sure = 0.97;
constexpr double sure_unproven = 0.8;  // no earlier success, and too short a watch for that to mean anything

// What all findings of this kind share: members, onset, severity, what worked before.
Finding start(const Scene& scene, Leaves leaves) {
    std::ranges::stable_sort(leaves, std::greater{},
                             [](const Leaf& l) { return l.run().attempts + l.run().pending; });
    Finding finding;
    finding.confirmed = std::ranges::any_of(leaves, &Leaf::confirmed);
    finding.first_affected = first_onset(leaves);
    std::vector<std::string> names;
    for (const Leaf& leaf : leaves) {
        finding.members.push_back(leaf.destination->key);
        names.push_back(leaf.endpoint().to_string());
        finding.flows += leaf.run().stalled_rtos > 0 ? leaf.destination->flows : 0;
        if (!finding.offender) finding.offender = leaf.run().offender;
    }
    std::ranges::sort(names);
    finding.scope = {ScopeKind::destination, std::nullopt, std::move(names)};
    const Destination& first = *leaves.front().destination;
    finding.destination = model::DestinationRef{
        .endpoint = first.key.endpoint, .real = first.other_names().real, .asked = first.other_names().asked};

    const bool worked = any_worked(leaves);
    const bool all_harmless =
        std::ranges::all_of(leaves, [&](const Leaf& leaf) { return harmless(scene, leaf); });
    finding.severity = all_harmless ? Severity::info : worked ? Severity::critical : Severity::warning;
    return finding;
}

void finish(Finding& finding, const Scene& scene, const Leaves& leaves) {
    const Destination& first = *leaves.front().destination;
    if (any_worked(leaves)) {
        if (first.last_success_at != 0) {
            note(finding, scene, "worked_before", static_cast<double>(first.established),
                 fmt::format("{} connects to {} succeeded before, the last one {}", first.established,
                             first.key.endpoint.to_display(), scene.ago(first.last_success_at)));
        }
        return;
    }
    note(finding, scene, "no_earlier_success", static_cast<double>(scene.now - scene.watching_since) / 1e9,
         fmt::format("no success was seen in the {} since netwatch started: it may never have worked",
                     core::to_duration(scene.now - scene.watching_since)));
    for (Candidate& candidate : finding.candidates) {
        candidate.probability = std::min(candidate.probability, sure_unproven * candidate.probability / sure);
    }
    std::erase_if(finding.candidates, [](const Candidate& c) { return c.probability < 0.05; });
}

void single(Finding& finding, FailureType type, std::string cause, double probability = sure) {
    finding.candidates = {{type, std::move(cause), probability, std::nullopt}};
}

// The address stands for its ports when they fail together.
void blame_address(Finding& finding) {
    if (finding.destination) finding.destination->endpoint.port = 0;
}

// The block that fails; one address alone where its neighbours answer; `beyond` where it is more than a
// block; the region where the fault may lie beyond this host and has all of it.
void widen(Finding& finding, const Scene& scene, const Leaves& leaves, ScopeKind beyond = ScopeKind::host) {
    const model::IpAddress& ip = leaves.front().endpoint().ip;
    const bool neighbors_answer =
        !scene.destinations.answering_siblings(leaves.front().address(), first_onset(leaves) + in_flight_ns)
             .empty();
    const model::Prefix block = neighbors_answer && distinct_addresses(leaves) == 1
                                    ? model::Prefix::of(ip, ip.is_v4() ? 32 : 128)
                                    : model::Prefix::sibling_block(ip);
    const bool one_block =
        std::ranges::all_of(leaves, [&](const Leaf& leaf) { return block.contains(leaf.endpoint().ip); });
    finding.scope.kind = one_block ? ScopeKind::prefix : beyond;
    finding.scope.value = one_block ? std::optional(block.to_string()) : std::nullopt;
    const auto region = beyond == ScopeKind::host ? std::nullopt : failed_region(scene, leaves);
    if (!region) return;
    finding.scope.kind = ScopeKind::region;
    finding.scope.value = region;
}

std::string from_offender(const Finding& finding) {
    return finding.offender ? " from " + finding.offender->to_string() : std::string();
}

void explain_answer(Finding& finding, const Scene& scene, const Leaves& leaves, std::string signal,
                    std::string_view what) {
    const std::uint32_t count = total(leaves, &FailureRun::attempts) + total(leaves, &FailureRun::pending);
    if (count == 0) {
        const std::uint32_t seen = total(leaves, &FailureRun::flow_observations);
        return note(finding, scene, std::move(signal), seen,
                    fmt::format("established connections are stuck for {}, and were told {} times: {}{}",
                                core::to_duration(scene.now - first_onset(leaves)), seen, what,
                                from_offender(finding)));
    }
    note(finding, scene, std::move(signal), count,
         fmt::format("{} attempts in {}, none succeeded: {}{}", count,
                     core::to_duration(scene.now - first_onset(leaves)), what, from_offender(finding)));
}

// What contradicts that there is no way to the host.
void note_reached_otherwise(Finding& finding, const Scene& scene, const Leaf& leaf) {
    if (const auto other = other_port_answer(scene, leaf)) {
        note(finding, scene, "sibling_port_answers", other->port,
             fmt::format("{} answered on port {} {}", leaf.endpoint().ip.to_string(), other->port,
                         scene.ago(other->at)));
    }
    if (flows_live(leaf)) {
        note(finding, scene, "established_flows_live", leaf.destination->flows,
             fmt::format("established connections to it moved data {}",
                         scene.ago(leaf.destination->last_progress_at)));
    }
}

Finding refused(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    explain_answer(finding, scene, leaves, "reset_received", "the host answered the SYN with RST");
    note_refuser(finding, scene, leaves.front());
    rule_out(finding, FailureType::host_unreachable, "the host answered, with RST");
    rule_out(finding, FailureType::routing_failure, "packets reach the host and come back");
    if (refuser_of(scene, leaves.front()) == Refuser::host) {
        single(finding, FailureType::port_blocked, "closed_port");
        rule_out(finding, FailureType::firewall_block,
                 "the RSTs come from where the address's SYN-ACKs come from");
    } else {
        finding.candidates = {{FailureType::port_blocked, "closed_port", 0.88,
                               "a SYN-ACK of the address with the same TTL as the RSTs"},
                              {FailureType::firewall_block, "reset_by_middlebox", 0.09,
                               "a SYN-ACK of the address with another TTL than the RSTs"}};
    }
    return finding;
}

// Somebody refuses in the host's name.
Finding refused_by_box(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    explain_answer(finding, scene, leaves, "reset_received", "a RST answered the SYN");
    note_refuser(finding, scene, leaves.front());
    rule_out(finding, FailureType::host_unreachable, "something on the way or on the host answered at once");
    const Refuser refuser = refuser_of(scene, leaves.front());
    if (refuser == Refuser::likely_box) {
        finding.candidates = {
            {FailureType::firewall_block, "reset_by_middlebox", 0.72,
             "the rules of the firewall before the host"},
            {FailureType::port_blocked, "closed_port", 0.23,
             "whether the host leads the port on to a container or another host that is gone"}};
    } else if (refuser == Refuser::box) {
        single(finding, FailureType::firewall_block, "reset_by_middlebox", 0.95);
        rule_out(finding, FailureType::port_blocked,
                 "the RSTs are not from the host that accepted connections on the port");
    } else {
        finding.candidates = {
            {FailureType::firewall_block, "reset_by_middlebox", 0.58,
             "whether the port leads to the same host as the others of the address: then a box"},
            {FailureType::port_blocked, "closed_port", 0.37,
             "a listener on the port's own host: if there is none, a closed port"}};
    }
    return finding;
}

Finding rejected(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    const OutcomeClass cls = leaves.front().cls;
    if (cls == OutcomeClass::icmp_port_unreachable) {
        single(finding, FailureType::firewall_block, "icmp_port_unreachable");
        explain_answer(finding, scene, leaves, "icmp_port_unreachable",
                       "ICMP port unreachable instead of a RST");
        rule_out(finding, FailureType::host_unreachable,
                 "something on the way or on the host answered at once");
    } else {
        single(finding, FailureType::firewall_block, "admin_prohibited");
        const bool host = cls == OutcomeClass::icmp_host_unreachable;
        explain_answer(finding, scene, leaves, host ? "icmp_host_unreachable" : "icmp_net_unreachable",
                       host ? "ICMP host unreachable" : "ICMP network unreachable");
        note_reached_otherwise(finding, scene, leaves.front());
        rule_out(finding, FailureType::host_unreachable, "the host is reached otherwise");
        rule_out(finding, FailureType::routing_failure,
                 "the same address is reached otherwise: the ICMP error is a rule's word, not a route's");
    }
    rule_out(finding, FailureType::port_blocked, "a closed TCP port answers with RST; none was received");
    return finding;
}

Finding prohibited(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::firewall_block, "admin_prohibited");
    if (leaves.size() > 1) {
        if (distinct_addresses(leaves) == 1) blame_address(finding);
        widen(finding, scene, leaves);
    }
    explain_answer(finding, scene, leaves, "icmp_admin_prohibited", "ICMP administratively prohibited");
    rule_out(finding, FailureType::port_blocked, "a closed TCP port answers with RST; none was received");
    rule_out(finding, FailureType::routing_failure, "the router names a policy, not a missing route");
    return finding;
}

Finding unroutable(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    const OutcomeClass cls = leaves.front().cls;
    if (leaves.size() > 1 && distinct_addresses(leaves) == 1) blame_address(finding);
    widen(finding, scene, leaves, ScopeKind::path);
    if (cls == OutcomeClass::icmp_ttl_exceeded) {
        single(finding, FailureType::routing_failure, "ttl_exceeded");
        explain_answer(finding, scene, leaves, "icmp_ttl_exceeded",
                       "ICMP time exceeded: packets go in a circle");
    } else if (cls == OutcomeClass::icmp_net_unreachable || distinct_addresses(leaves) > 1) {
        single(finding, FailureType::routing_failure, "icmp_net_unreachable");
        explain_answer(finding, scene, leaves, "icmp_net_unreachable", "ICMP network unreachable");
    } else {
        finding.candidates = {
            {FailureType::routing_failure, "icmp_net_unreachable", 0.6,
             "a second address of the same network failing the same way"},
            {FailureType::host_unreachable, "icmp_host_unreachable", 0.25,
             "another address of the same network answering"},
            {FailureType::firewall_block, "admin_prohibited", 0.1, "another port of the address answering"}};
        explain_answer(finding, scene, leaves, "icmp_host_unreachable", "ICMP host unreachable, at once");
    }
    rule_out(finding, FailureType::port_blocked, "no RST was received");
    rule_out(finding, FailureType::firewall_block, "the ICMP code names a route, not a policy");
    if (finding.candidates.size() > 1) finding.ruled_out.pop_back();
    return finding;
}

Finding dead_host(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::host_unreachable, "icmp_host_unreachable");
    blame_address(finding);
    explain_answer(
        finding, scene, leaves, "icmp_host_unreachable",
        fmt::format(
            "ICMP host unreachable, the first after {}: the time in which address resolution gives up",
            core::to_duration(leaves.front().run().answer_delay_ns)));
    rule_out(finding, FailureType::routing_failure, "a missing route is answered at once, not after seconds");
    rule_out(finding, FailureType::port_blocked, "no RST was received");
    return finding;
}

void rule_out_all_but_neighbor(Finding& finding) {
    rule_out(finding, FailureType::firewall_block,
             "packets never left this host: the next hop has no link address");
    rule_out(finding, FailureType::port_blocked, "no RST was received");
}

Finding unresolved_neighbor(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::host_unreachable, "neighbor_failed");
    blame_address(finding);
    explain_answer(finding, scene, leaves, "neighbor_failed",
                   "the address does not answer address resolution on the local link");
    rule_out_all_but_neighbor(finding);
    return finding;
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

void note_silence(Finding& finding, const Scene& scene, const Leaves& leaves) {
    const std::uint32_t attempts = total(leaves, &FailureRun::attempts) + total(leaves, &FailureRun::pending);
    const std::uint32_t syns = total(leaves, &FailureRun::silent_syns);
    const std::uint32_t stalls = total(leaves, &FailureRun::stalled_rtos);
    if (syns > 0) {
        note(finding, scene, "syn_unanswered", attempts,
             fmt::format("{} attempts unanswered in {}; {} SYN retransmissions left this host", attempts,
                         core::to_duration(scene.now - first_onset(leaves)), syns));
    }
    if (stalls > 0) {
        note(finding, scene, "established_stalled", stalls,
             fmt::format(
                 "established connections got no acknowledgement for {} retransmission timeouts in a row",
                 stalls));
    }
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

// What a stateful filter does to new connections, a listener does whose queue is full.
std::vector<Candidate> filter_or_full_queue(bool hangs) {
    std::vector<Candidate> candidates = {
        {FailureType::firewall_block, "new_flows_only", 0.62,
         "the listener's queue on its host: if it is not full, a filter"},
        {FailureType::connection_exhaustion, "listen_backlog", 0.32,
         "the listener's queue on its host: Recv-Q above Send-Q in ss -ltn"}};
    if (!hangs) return candidates;
    std::ranges::reverse(candidates);
    std::swap(candidates[0].probability, candidates[1].probability);
    return candidates;
}

// Established connections live, or another port answers.
Finding silent_port_of_live_host(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    note_silence(finding, scene, leaves);
    note_reached_otherwise(finding, scene, leaves.front());
    const Destination& first = *leaves.front().destination;
    const std::size_t waiting = first.detail ? requests_waiting(first.detail->answers) : 0;
    if (waiting > 0) {
        note(finding, scene, "requests_waiting", static_cast<double>(waiting),
             fmt::format("{} requests on connections made before wait for an answer", waiting));
    }
    if (waiting > 0 || flows_live(leaves.front())) {
        finding.candidates = filter_or_full_queue(waiting > 0);
    } else {
        single(finding, FailureType::firewall_block, "silent_drop", 0.95);
    }
    rule_out(finding, FailureType::host_unreachable, "the host answers elsewhere");
    rule_out(finding, FailureType::port_blocked, "a closed port answers with RST; none was received");
    rule_out(finding, FailureType::routing_failure, "the same address is reached otherwise");
    return finding;
}

// An address of which nothing answers, or one port of which nobody knows another.
// Nothing speaks for silence but connections that are stuck on full segments: small ones may pass.
bool stuck_on_full_segments(const Scene& scene, const Leaves& leaves) {
    const Address* address = scene.destinations.find_address(leaves.front().address());
    const bool tried = total(leaves, &FailureRun::silent_syns) + total(leaves, &FailureRun::pending) > 0;
    return !tried && address != nullptr && address->full_segments && address->full_segments->stuck() > 0;
}

// One more possibility takes its share from the others.
void add_candidate(Finding& finding, Candidate candidate) {
    for (Candidate& other : finding.candidates) other.probability *= 1 - candidate.probability;
    finding.candidates.push_back(std::move(candidate));
    std::ranges::stable_sort(finding.candidates, std::greater{}, &Candidate::probability);
}

Finding silent_address(const Scene& scene, const Leaves& leaves) {
    if (other_port_answer(scene, leaves.front()) || flows_live(leaves.front()))
        return silent_port_of_live_host(scene, leaves);
    Finding finding = start(scene, leaves);
    note_silence(finding, scene, leaves);
    const auto siblings = scene.destinations.answering_siblings(
        leaves.front().address(), leaves.front().run().first_start_ns + in_flight_ns);
    const bool all_ports = leaves.size() > 1;
    if (all_ports || !siblings.empty()) blame_address(finding);
    rule_out(finding, FailureType::port_blocked, "a closed port answers with RST; none was received");
    if (!siblings.empty()) {
        note(finding, scene, "neighbors_answer", static_cast<double>(siblings.size()),
             fmt::format("{} other addresses of {} answered, {} among them", siblings.size(),
                         leaves.front().block().to_string(), siblings.front().to_string()));
    }
    const std::string other_port = "an answer from another port of the address: then a filter";
    const std::string other_host = "another address of the same network: if it answers, not the route";
    const std::string icmp = "an ICMP host unreachable from the last router: then the host is down";
    const std::string last_hop = "the route to that one address at the routers before it";
    if (all_ports && !siblings.empty()) {
        finding.candidates = {{FailureType::host_unreachable, "silent", 0.75, icmp},
                              {FailureType::firewall_block, "silent_drop", 0.12, other_port},
                              {FailureType::routing_failure, "prefix_silent", 0.08, last_hop}};
    } else if (!siblings.empty()) {
        finding.candidates = {{FailureType::host_unreachable, "silent", 0.62, icmp},
                              {FailureType::firewall_block, "silent_drop", 0.31, other_port}};
    } else if (all_ports) {
        finding.candidates = {{FailureType::host_unreachable, "silent", 0.6, icmp},
                              {FailureType::routing_failure, "prefix_silent", 0.25, other_host},
                              {FailureType::firewall_block, "silent_drop", 0.12, other_port}};
    } else {
        finding.candidates = {{FailureType::firewall_block, "silent_drop", 0.42, other_port},
                              {FailureType::host_unreachable, "silent", 0.34, icmp},
                              {FailureType::routing_failure, "prefix_silent", 0.2, other_host}};
    }
    if (stuck_on_full_segments(scene, leaves)) {
        add_candidate(finding,
                      {FailureType::path_mtu_blackhole, "forward", 0.2,
                       "a new connection: if it is made and gets stuck, only full segments are lost"});
    }
    return finding;
}

Finding silent_networks(const Scene& scene, const Leaves& leaves) {
    Finding finding = start(scene, leaves);
    single(finding, FailureType::routing_failure, "prefix_silent", 0.93);
    widen(finding, scene, leaves, ScopeKind::path);
    note_silence(finding, scene, leaves);
    const std::size_t addresses = distinct_addresses(leaves);
    const std::string where =
        finding.scope.value.value_or(fmt::format("{} networks", distinct_blocks(leaves)));
    note(finding, scene, "addresses_silent", static_cast<double>(addresses),
         fmt::format("{} addresses of {} fell silent, none answers", addresses, where));
    rule_out(finding, FailureType::host_unreachable, "several hosts fell silent together");
    rule_out(finding, FailureType::port_blocked, "a closed port answers with RST; none was received");
    return finding;
}

Finding finding_of(const Scene& scene, Fault fault, const Leaves& leaves) {
    switch (fault) {
        case Fault::refused: return refused(scene, leaves);
        case Fault::refused_by_box: return refused_by_box(scene, leaves);
        case Fault::rejected: return rejected(scene, leaves);
        case Fault::prohibited: return prohibited(scene, leaves);
        case Fault::unroutable: return unroutable(scene, leaves);
        case Fault::dead: return dead_host(scene, leaves);
        case Fault::neighbor: return unresolved_neighbor(scene, leaves);
        case Fault::gateway: return unresolved_gateway(scene, leaves);
        case Fault::link: return dead_link(scene, leaves);
        case Fault::local_filter:
        case Fault::local_bpf: return local_filter(scene, leaves);
        case Fault::local_route: return local_route(scene, leaves);
        case Fault::local_input:
            return answers_dropped_here(scene, leaves.front()) == LocalDrop::reverse_path
                       ? reverse_path_filter(scene, leaves)
                       : local_input_filter(scene, leaves);
        case Fault::ports_exhausted: return ports_exhausted(scene, leaves);
        case Fault::silent: return silent_address(scene, leaves);
        case Fault::silent_block:
        case Fault::silent_region:
        case Fault::silent_path: return silent_networks(scene, leaves);
    }
    return {};
}

}  // namespace

Finding describe(const Scene& scene, Fault fault, std::string_view where, const Leaves& leaves) {
    Finding finding = finding_of(scene, fault, leaves);
    finding.group = fmt::format("{} {}", static_cast<int>(fault), where);
    finish(finding, scene, leaves);
    return finding;
}

}  // namespace netwatch::diagnosis
