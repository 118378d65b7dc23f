// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/reachability.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace netwatch::diagnosis {
namespace {

using model::Candidate;
using model::FailureType;
using model::ScopeKind;
using model::Severity;

// An answer fixes the class, three fix the incident. Where failures were common before, as many more as a
// one-in-a- million chance asks for (Wald's bound under the share seen before).
constexpr double chance = 1e-6;
constexpr std::uint32_t fewest = 3;
constexpr std::uint32_t most = 30;
// A service restarts in less: refusals count from then on.
constexpr std::uint64_t restart_ns = 1'200 * core::ns_per_ms;
constexpr std::uint64_t remembered_ns = 60 * core::ns_per_s;  // an unconfirmed run older than this is over
// Answers that were on the way when the fault came arrive after it.
constexpr std::uint64_t in_flight_ns = 250 * core::ns_per_ms;
// ARP and neighbour discovery give up after three probes a second apart. IPv6 errors inside connect() surface
// with the next SYN, so a delay of one second says nothing there.
constexpr std::uint64_t resolution_v4_ns = 900 * core::ns_per_ms;
constexpr std::uint64_t resolution_v6_ns = 2'500 * core::ns_per_ms;
constexpr std::size_t prefix_members = 3;
constexpr double sure = 0.97;
constexpr double sure_unproven = 0.8;  // no earlier success, and too short a watch for that to mean anything

constexpr double steady_beat_ns = 0.4e9;

struct Leaf {
    const Destination* destination = nullptr;
    OutcomeClass cls = OutcomeClass::silent;
    bool confirmed = false;
    [[nodiscard]] const FailureRun& run() const { return *destination->run; }
    [[nodiscard]] const model::Endpoint& endpoint() const { return destination->key.endpoint; }
    [[nodiscard]] AddressKey address() const { return {endpoint().ip, destination->key.netns}; }
};
using Leaves = std::vector<Leaf>;

std::uint32_t needed(const Destination& destination) {
    const double share = std::clamp(static_cast<double>(destination.background_failure_share), 0.01, 0.9);
    return std::clamp(static_cast<std::uint32_t>(std::ceil(std::log(chance) / std::log(share))), fewest,
                      most);
}

std::optional<Leaf> leaf_of(const Scene& scene, const Destination& destination) {
    const FailureRun& run = *destination.run;
    if (run.last_at_ns + remembered_ns < scene.now) return std::nullopt;
    Leaf leaf{.destination = &destination, .cls = destination.dominant()};
    const bool flows_live = destination.last_progress_at > run.first_start_ns;
    const std::uint32_t stalls = flows_live ? 0 : run.stalled_rtos;
    const std::uint32_t units = destination.overdue_syns(scene.now) + stalls + run.observations;
    const std::uint32_t enough = needed(destination);
    if (units + 1 < enough || units < 2) return std::nullopt;
    const bool restart = leaf.cls == OutcomeClass::refused && run.last_at_ns - run.first_at_ns < restart_ns;
    leaf.confirmed = units >= enough && !restart;
    return leaf;
}

bool slow_answer(const FailureRun& run) {
    return run.max_delay_ns >= (run.is_v4 ? resolution_v4_ns : resolution_v6_ns);
}

// A health check of something that was never up: one process, a steady beat slower than a client's retries.
bool beats_steadily(const FailureRun& run) {
    if (!run.single_process || run.latest.size() < 3) return false;
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 1; i < run.latest.size(); ++i) {
        const core::BootNs start = run.latest[i].start;
        const double gap = static_cast<double>(start - std::min(start, run.latest[i - 1].start));
        sum += gap;
        squares += gap * gap;
    }
    const double n = static_cast<double>(run.latest.size() - 1);
    const double mean = sum / n;
    const double deviation = std::sqrt(std::max(0.0, squares / n - mean * mean));
    return mean >= steady_beat_ns && deviation < 0.1 * mean;
}

// One process touched many destinations that never answered. The run of the first of them began before that
// was known.
bool scanned(const Scene& scene, const FailureRun& run) {
    const Process* process = run.single_process ? scene.processes.find(run.process) : nullptr;
    return process != nullptr && process->scans(run.last_at_ns);
}

// Nobody is hurt: a fallback works, or nothing ever was there.
bool harmless(const Scene& scene, const Leaf& leaf) {
    const FailureRun& run = leaf.run();
    if (run.masked(scene.now)) return true;
    if (leaf.destination->ever_worked()) return false;
    return beats_steadily(run) || !scene.watched_briefly();
}

bool any_worked(const Leaves& leaves) {
    return std::ranges::any_of(leaves, [](const Leaf& leaf) { return leaf.destination->ever_worked(); });
}

core::BootNs onset(const Leaves& leaves) {
    return std::ranges::min(leaves, {}, [](const Leaf& l) { return l.run().first_start_ns; })
        .run()
        .first_start_ns;
}

// All of them fail from here on.
core::BootNs last_onset(const Leaves& leaves) {
    return std::ranges::max(leaves, {}, [](const Leaf& l) { return l.run().first_start_ns; })
        .run()
        .first_start_ns;
}

std::string name_of(model::Endpoint endpoint) { return endpoint.to_display(); }

void note(Finding& finding, const Scene& scene, std::string signal, double value, std::string text) {
    finding.evidence.push_back({std::move(signal), value, std::move(text), scene.anchor.utc(scene.now)});
}

void rule_out(Finding& finding, FailureType type, std::string because) {
    finding.ruled_out.push_back({type, std::move(because)});
}

std::uint32_t total(const Leaves& leaves, std::uint32_t FailureRun::* field) {
    std::uint32_t sum = 0;
    for (const Leaf& leaf : leaves) sum += leaf.run().*field;
    return sum;
}

// What all findings of this kind share: members, onset, severity, what worked before.
Finding start(const Scene& scene, std::string group, Leaves leaves) {
    std::ranges::stable_sort(leaves, std::greater{},
                             [](const Leaf& l) { return l.run().attempts + l.run().pending; });
    Finding finding;
    finding.group = std::move(group);
    finding.confirmed = std::ranges::any_of(leaves, &Leaf::confirmed);
    finding.first_affected = onset(leaves);
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
    finding.destination =
        model::DestinationRef{.endpoint = first.key.endpoint, .real = first.real, .asked = first.asked};

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
                             name_of(first.key.endpoint), scene.ago(first.last_success_at)));
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

std::size_t distinct_addresses(const Leaves& leaves) {
    std::set<AddressKey> addresses;
    for (const Leaf& leaf : leaves) addresses.insert(leaf.address());
    return addresses.size();
}

// The block that fails; one address alone where its neighbours answer.
void widen(Finding& finding, const Scene& scene, const Leaves& leaves) {
    const model::IpAddress& ip = leaves.front().endpoint().ip;
    const bool neighbors_answer =
        !scene.destinations.answering_siblings(leaves.front().address(), onset(leaves) + in_flight_ns)
             .empty();
    const model::Prefix block = neighbors_answer && distinct_addresses(leaves) == 1
                                    ? model::Prefix::of(ip, ip.is_v4() ? 32 : 128)
                                    : model::Prefix::sibling_block(ip);
    const bool one_block =
        std::ranges::all_of(leaves, [&](const Leaf& leaf) { return block.contains(leaf.endpoint().ip); });
    finding.scope.kind = one_block ? ScopeKind::prefix : ScopeKind::host;
    finding.scope.value = one_block ? std::optional(block.to_string()) : std::nullopt;
}

std::string from_offender(const Finding& finding) {
    return finding.offender ? " from " + finding.offender->to_string() : std::string();
}

void explain_answer(Finding& finding, const Scene& scene, const Leaves& leaves, std::string signal,
                    std::string_view what) {
    const std::uint32_t count = total(leaves, &FailureRun::attempts) + total(leaves, &FailureRun::pending);
    note(finding, scene, std::move(signal), count,
         fmt::format("{} attempts in {}, none succeeded: {}{}", count,
                     core::to_duration(scene.now - onset(leaves)), what, from_offender(finding)));
}

Finding refused(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    single(finding, FailureType::port_blocked, "closed_port");
    explain_answer(finding, scene, leaves, "reset_received", "the host answered the SYN with RST");
    rule_out(finding, FailureType::host_unreachable, "the host answered, with RST");
    rule_out(finding, FailureType::firewall_block,
             "no ICMP error and no silence: a RST is what a closed port sends");
    rule_out(finding, FailureType::routing_failure, "packets reach the host and come back");
    return finding;
}

Finding rejected_by_port_unreachable(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    single(finding, FailureType::firewall_block, "icmp_port_unreachable");
    explain_answer(finding, scene, leaves, "icmp_port_unreachable", "ICMP port unreachable instead of a RST");
    rule_out(finding, FailureType::port_blocked, "a closed TCP port answers with RST; none was received");
    rule_out(finding, FailureType::host_unreachable, "something on the way or on the host answered at once");
    return finding;
}

Finding prohibited(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    single(finding, FailureType::firewall_block, "admin_prohibited");
    if (leaves.size() > 1) widen(finding, scene, leaves);
    explain_answer(finding, scene, leaves, "icmp_admin_prohibited", "ICMP administratively prohibited");
    rule_out(finding, FailureType::port_blocked, "a closed TCP port answers with RST; none was received");
    rule_out(finding, FailureType::routing_failure, "the router names a policy, not a missing route");
    return finding;
}

Finding unroutable(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    const OutcomeClass cls = leaves.front().cls;
    widen(finding, scene, leaves);
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

Finding dead_host(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    single(finding, FailureType::host_unreachable, "icmp_host_unreachable");
    blame_address(finding);
    std::uint64_t delay = 0;
    for (const Leaf& leaf : leaves) delay = std::max(delay, leaf.run().max_delay_ns);
    explain_answer(
        finding, scene, leaves, "icmp_host_unreachable",
        fmt::format("ICMP host unreachable after up to {}, the time in which address resolution gives up",
                    core::to_duration(delay)));
    rule_out(finding, FailureType::routing_failure, "a missing route is answered at once, not after seconds");
    rule_out(finding, FailureType::port_blocked, "no RST was received");
    return finding;
}

Finding unresolved_neighbor(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    const bool gateway = finding.group.starts_with("gateway");
    if (gateway) {
        single(finding, FailureType::neighbor_failure, "gateway");
        finding.scope.kind = ScopeKind::uplink;
        finding.destination.reset();
        explain_answer(finding, scene, leaves, "neighbor_failed",
                       "the next hop does not answer address resolution");
    } else {
        single(finding, FailureType::host_unreachable, "neighbor_failed");
        blame_address(finding);
        explain_answer(finding, scene, leaves, "neighbor_failed",
                       "the address does not answer address resolution on the local link");
    }
    rule_out(finding, FailureType::firewall_block,
             "packets never left this host: the next hop has no link address");
    rule_out(finding, FailureType::port_blocked, "no RST was received");
    return finding;
}

Finding local_filter(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    const bool bpf = leaves.front().cls == OutcomeClass::local_bpf;
    single(finding, FailureType::firewall_block, bpf ? "local_bpf" : "local_rule");
    if (leaves.size() > 1) widen(finding, scene, leaves);
    explain_answer(finding, scene, leaves, bpf ? "connect_eperm" : "local_filter_drop",
                   bpf ? "connect() failed with EPERM before a packet was made"
                       : "this host's own packet filter dropped or rejected the packets");
    std::uint64_t drops = 0;
    for (const Leaf& leaf : leaves)
        drops += leaf.destination->detail ? leaf.destination->detail->netfilter_drops : 0;
    if (drops > 0) {
        note(finding, scene, "netfilter_drop", static_cast<double>(drops),
             fmt::format("{} packets to it dropped by netfilter on this host", drops));
    }
    rule_out(finding, FailureType::host_unreachable, "the packets never left this host");
    rule_out(finding, FailureType::routing_failure, "a route was found; the packets were dropped after it");
    return finding;
}

Finding local_route(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
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

Finding ports_exhausted(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    finding.severity = Severity::critical;
    single(finding, FailureType::connection_exhaustion, "ephemeral_ports");
    explain_answer(finding, scene, leaves, "connect_eaddrnotavail",
                   "connect() fails with EADDRNOTAVAIL: no local port is free for this destination");
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
                         core::to_duration(scene.now - onset(leaves)), syns));
    }
    if (stalls > 0) {
        note(finding, scene, "established_stalled", stalls,
             fmt::format(
                 "established connections got no acknowledgement for {} retransmission timeouts in a row",
                 stalls));
    }
}

// This host's netfilter drops what comes back from it.
bool answers_dropped_here(const Scene& scene, const Leaf& leaf) {
    const Address* address = scene.destinations.find_address(leaf.address());
    return address != nullptr && address->inbound_drop_at >= leaf.run().first_start_ns &&
           address->inbound_drops >= 3;
}

Finding local_input_filter(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    single(finding, FailureType::firewall_block, "local_rule");
    if (leaves.size() > 1) widen(finding, scene, leaves);
    std::map<AddressKey, std::uint64_t> drops;
    for (const Leaf& leaf : leaves)
        drops[leaf.address()] = scene.destinations.find_address(leaf.address())->inbound_drops;
    std::uint64_t packets = 0;
    for (const auto& [address, dropped] : drops) packets += dropped;
    note(finding, scene, "netfilter_drop_inbound", static_cast<double>(packets),
         fmt::format("{} packets from it dropped by netfilter on this host", packets));
    note_silence(finding, scene, leaves);
    rule_out(finding, FailureType::host_unreachable, "it answers: its packets reach this host");
    rule_out(finding, FailureType::routing_failure, "packets get there and come back");
    return finding;
}

Finding silent_port(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    note_silence(finding, scene, leaves);
    const Destination& first = *leaves.front().destination;
    const FailureRun& run = leaves.front().run();
    const Address* address = scene.destinations.find_address(leaves.front().address());
    // What answered before the onset, or was on the way then, may have fallen silent with it.
    const core::BootNs since = run.first_start_ns + in_flight_ns;

    std::optional<Address::Answer> other;
    if (address != nullptr) {
        for (const auto& answer : address->answers) {
            DestinationKey sibling = first.key;
            sibling.endpoint.port = answer.port;
            const Destination* neighbor = scene.destinations.find(sibling);
            const bool failing = neighbor == nullptr || neighbor->run != nullptr;
            if (!failing && answer.at > since && (!other || answer.at > other->at)) other = answer;
        }
    }
    const bool flows_live = first.last_progress_at > since;
    if (other || flows_live) {
        single(finding, FailureType::firewall_block, flows_live && !other ? "new_flows_only" : "silent_drop",
               other ? 0.95 : 0.9);
        if (other) {
            note(finding, scene, "sibling_port_answers", other->port,
                 fmt::format("{} answered on port {} {}", first.key.endpoint.ip.to_string(), other->port,
                             scene.ago(other->at)));
        }
        if (flows_live) {
            note(finding, scene, "established_flows_live", first.flows,
                 fmt::format("established connections to it moved data {}",
                             scene.ago(first.last_progress_at)));
        }
        rule_out(finding, FailureType::host_unreachable, "the host answers elsewhere");
        rule_out(finding, FailureType::port_blocked, "a closed port answers with RST; none was received");
        rule_out(finding, FailureType::routing_failure, "the same address is reached otherwise");
        return finding;
    }
    const auto siblings = scene.destinations.answering_siblings(leaves.front().address(), since);
    const bool all_ports = leaves.size() > 1;
    if (all_ports || !siblings.empty()) blame_address(finding);
    rule_out(finding, FailureType::port_blocked, "a closed port answers with RST; none was received");
    if (!siblings.empty()) {
        note(finding, scene, "neighbors_answer", static_cast<double>(siblings.size()),
             fmt::format("{} other addresses of {} answered, {} among them", siblings.size(),
                         model::Prefix::sibling_block(first.key.endpoint.ip).to_string(),
                         siblings.front().to_string()));
        rule_out(finding, FailureType::routing_failure, "other addresses of the same network answer");
    }
    const std::string other_port = "an answer from another port of the address: then a filter";
    const std::string other_host = "another address of the same network: if it answers, not the route";
    const std::string icmp = "an ICMP host unreachable from the last router: then the host is down";
    if (all_ports && !siblings.empty()) {
        single(finding, FailureType::host_unreachable, "silent", 0.92);
    } else if (!siblings.empty()) {
        finding.candidates = {{FailureType::host_unreachable, "silent", 0.62, icmp},
                              {FailureType::firewall_block, "silent_drop", 0.33, other_port}};
    } else if (all_ports) {
        finding.candidates = {{FailureType::host_unreachable, "silent", 0.6, icmp},
                              {FailureType::routing_failure, "prefix_silent", 0.25, other_host},
                              {FailureType::firewall_block, "silent_drop", 0.12, other_port}};
    } else {
        finding.candidates = {{FailureType::firewall_block, "silent_drop", 0.42, other_port},
                              {FailureType::host_unreachable, "silent", 0.34, icmp},
                              {FailureType::routing_failure, "prefix_silent", 0.2, other_host}};
    }
    return finding;
}

Finding silent_block(const Scene& scene, std::string group, const Leaves& leaves) {
    Finding finding = start(scene, std::move(group), leaves);
    single(finding, FailureType::routing_failure, "prefix_silent", 0.93);
    widen(finding, scene, leaves);
    note_silence(finding, scene, leaves);
    const std::size_t addresses = distinct_addresses(leaves);
    note(finding, scene, "addresses_silent", static_cast<double>(addresses),
         fmt::format("{} addresses of {} fell silent, none answers", addresses, *finding.scope.value));
    rule_out(finding, FailureType::host_unreachable, "several hosts of one network fell silent together");
    rule_out(finding, FailureType::port_blocked, "a closed port answers with RST; none was received");
    return finding;
}

// The next hop that does not resolve: the address itself on the local link, otherwise its gateway.
std::string neighbor_group(const Scene& scene, const Leaf& leaf) {
    const std::uint32_t netns = leaf.destination->netns;
    if (!scene.failed_neighbors.contains({netns, leaf.endpoint().ip})) {
        for (const auto& [where, failure] : scene.failed_neighbors) {
            const bool same_family = where.second.is_v4() == leaf.endpoint().ip.is_v4();
            if (where.first == netns && same_family && failure.at >= leaf.run().first_start_ns) {
                return fmt::format("gateway {} {}", netns, where.second.to_string());
            }
        }
    }
    return "neighbor " + leaf.endpoint().ip.to_string();
}

std::string group_of(const Scene& scene, const Leaf& leaf) {
    const std::string ip = leaf.endpoint().ip.to_string();
    const std::string netns = std::to_string(leaf.destination->key.netns);
    const std::string block = model::Prefix::sibling_block(leaf.endpoint().ip).to_string();
    const std::string offender = leaf.run().offender ? leaf.run().offender->to_string() : "-";
    switch (leaf.cls) {
        case OutcomeClass::refused: return "refused " + ip + " " + netns;
        case OutcomeClass::icmp_port_unreachable:
            return "rejected " + leaf.endpoint().to_string() + " " + netns;
        case OutcomeClass::icmp_admin_prohibited: return "prohibited " + offender + " " + block;
        case OutcomeClass::icmp_net_unreachable:
        case OutcomeClass::icmp_ttl_exceeded: return "unroutable " + offender + " " + block;
        case OutcomeClass::icmp_host_unreachable:
            return slow_answer(leaf.run()) ? "dead " + ip + " " + netns
                                           : "unroutable " + offender + " " + block;
        case OutcomeClass::neighbor_failed: return neighbor_group(scene, leaf);
        case OutcomeClass::local_filter: return "local_filter";
        case OutcomeClass::local_bpf: return "local_bpf";
        case OutcomeClass::no_route:
        case OutcomeClass::local_blackhole:
        case OutcomeClass::local_unreachable:
        case OutcomeClass::local_prohibit:
            return fmt::format("route {} {}", static_cast<int>(leaf.cls),
                               leaf.run().masked(scene.now) ? "masked" : "");
        case OutcomeClass::ephemeral_ports: return "ports " + leaf.endpoint().to_string();
        default: return answers_dropped_here(scene, leaf) ? "local_input" : "silent " + ip + " " + netns;
    }
}

Finding judge_group(const Scene& scene, const std::string& group, const Leaves& leaves) {
    switch (leaves.front().cls) {
        case OutcomeClass::refused: return refused(scene, group, leaves);
        case OutcomeClass::icmp_port_unreachable: return rejected_by_port_unreachable(scene, group, leaves);
        case OutcomeClass::icmp_admin_prohibited: return prohibited(scene, group, leaves);
        case OutcomeClass::icmp_net_unreachable:
        case OutcomeClass::icmp_ttl_exceeded: return unroutable(scene, group, leaves);
        case OutcomeClass::icmp_host_unreachable:
            return group.starts_with("dead") ? dead_host(scene, group, leaves)
                                             : unroutable(scene, group, leaves);
        case OutcomeClass::neighbor_failed: return unresolved_neighbor(scene, group, leaves);
        case OutcomeClass::local_filter:
        case OutcomeClass::local_bpf: return local_filter(scene, group, leaves);
        case OutcomeClass::no_route:
        case OutcomeClass::local_blackhole:
        case OutcomeClass::local_unreachable:
        case OutcomeClass::local_prohibit: return local_route(scene, group, leaves);
        case OutcomeClass::ephemeral_ports: return ports_exhausted(scene, group, leaves);
        default: break;
    }
    if (group == "local_input") return local_input_filter(scene, group, leaves);
    return group.starts_with("block") ? silent_block(scene, group, leaves)
                                      : silent_port(scene, group, leaves);
}

// A router answers only so often (ICMP rate limits): silence beside its word for the same block is the same
// fault.
void join_rate_limited(std::map<std::string, Leaves>& groups) {
    for (auto& [group, leaves] : groups) {
        if (!group.starts_with("unroutable ")) continue;
        const model::Prefix block = model::Prefix::sibling_block(leaves.front().endpoint().ip);
        std::erase_if(groups, [&, &into = leaves](const auto& other) {
            const bool same =
                other.first.starts_with("silent ") && block.contains(other.second.front().endpoint().ip);
            if (same) into.insert(into.end(), other.second.begin(), other.second.end());
            return same;
        });
    }
}

// Silence at several addresses of one block, while none of it answers, is one fault of the route.
void merge_silent_blocks(const Scene& scene, std::map<std::string, Leaves>& groups) {
    std::map<model::Prefix, Leaves> blocks;
    for (const auto& [group, leaves] : groups) {
        if (!group.starts_with("silent ")) continue;
        for (const Leaf& leaf : leaves)
            blocks[model::Prefix::sibling_block(leaf.endpoint().ip)].push_back(leaf);
    }
    for (auto& [block, leaves] : blocks) {
        if (distinct_addresses(leaves) < prefix_members) continue;
        const AddressKey whole_block{block.network, leaves.front().destination->key.netns};
        if (!scene.destinations.answering_siblings(whole_block, last_onset(leaves) + in_flight_ns).empty())
            continue;
        std::erase_if(groups, [&](const auto& entry) {
            return entry.first.starts_with("silent ") && block.contains(entry.second.front().endpoint().ip);
        });
        groups["block " + block.to_string()] = leaves;
    }
}

}  // namespace

std::vector<Finding> judge_reachability(const Scene& scene, const std::set<DestinationKey>& failing) {
    std::map<std::string, Leaves> groups;
    for (const DestinationKey& key : failing) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->run) continue;
        if (!destination->ever_worked() && scanned(scene, *destination->run)) continue;
        if (const auto leaf = leaf_of(scene, *destination)) groups[group_of(scene, *leaf)].push_back(*leaf);
    }
    join_rate_limited(groups);
    merge_silent_blocks(scene, groups);
    std::vector<Finding> findings;
    for (const auto& [group, leaves] : groups) {
        Finding finding = judge_group(scene, group, leaves);
        finish(finding, scene, leaves);
        findings.push_back(std::move(finding));
    }
    return findings;
}

}  // namespace netwatch::diagnosis
