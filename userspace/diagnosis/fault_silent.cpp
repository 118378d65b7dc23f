// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/fault_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnosis/quality.h"

namespace netwatch::diagnosis::faults {
namespace {

using model::Candidate;
using model::FailureType;
using model::ScopeKind;

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

}  // namespace

// An address of which nothing answers, or one port of which nobody knows another.
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

}  // namespace netwatch::diagnosis::faults
