// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/path_mtu.h"

#include <fmt/format.h>

#include <algorithm>

namespace netwatch::diagnosis {
namespace {

using model::FailureType;

constexpr std::uint64_t in_flight_ns = 250 * core::ns_per_ms;

// Small packets have passed since the onset: a handshake, at any port of the address.
const Destination* reached_since(const Scene& scene, const AddressKey& key, const Address& address,
                                 core::BootNs since) {
    const Destination* latest = nullptr;
    for (const std::uint16_t port : address.ports) {
        const Destination* destination = scene.destinations.find(
            {{key.ip, port, model::Protocol::tcp}, model::Perspective::client, key.netns});
        const bool reached = destination != nullptr && destination->last_answered_syn > since + in_flight_ns;
        if (reached && (latest == nullptr || destination->last_success_at > latest->last_success_at))
            latest = destination;
    }
    return latest;
}

void note_reached(Finding& finding, const Scene& scene, const Destination& reached) {
    note(finding, scene, "small_packets_pass", static_cast<double>(reached.established),
         fmt::format("connections to it are made, the last one {}", scene.ago(reached.last_success_at)));
}

// What both directions share.
Finding finding_of(const Scene& scene, const AddressKey& key, const Address& address) {
    Finding finding;
    finding.family = Family::size;
    finding.group = fmt::format("size {} {}", key.ip.to_string(), key.netns);
    finding.confirmed = true;
    finding.severity = model::Severity::critical;
    finding.scope = {model::ScopeKind::destination, std::nullopt, {key.ip.to_string()}};
    for (const std::uint16_t port : address.ports) {
        const DestinationKey member{
            {key.ip, port, model::Protocol::tcp}, model::Perspective::client, key.netns};
        if (scene.destinations.find(member) != nullptr) finding.members.push_back(member);
    }
    finding.destination = model::DestinationRef{.endpoint = {key.ip, 0, model::Protocol::tcp}};
    return finding;
}

Finding swallowed(const Scene& scene, const AddressKey& key, const Address& address,
                  const Destination& reached) {
    const FullSegments& full = *address.full_segments;
    Finding finding = finding_of(scene, key, address);
    finding.candidates = {
        {FailureType::path_mtu_blackhole, "forward", full.shrunk() > 0 ? 0.97 : 0.92, std::nullopt}};
    finding.first_affected = full.onset();
    finding.flows = static_cast<std::int64_t>(full.stuck());
    note(finding, scene, "connections_stuck", static_cast<double>(full.stuck()),
         fmt::format("{} connections are stuck on segments of {} bytes, sent again and again; none was "
                     "acknowledged since",
                     full.stuck(), full.segment_bytes()));
    if (full.shrunk() > 0) {
        note(finding, scene, "smaller_segments_pass", static_cast<double>(full.shrunk()),
             fmt::format(
                 "{} connections went on once the kernel had made their segments {} bytes: nobody had told "
                 "it a smaller MTU",
                 full.shrunk(), full.shrunk_bytes()));
    }
    note_reached(finding, scene, reached);
    rule_out(finding, FailureType::packet_loss, "small packets are not lost");
    rule_out(finding, FailureType::firewall_block, "connections to the same port are made");
    rule_out(finding, FailureType::receiver_stalled, "its receive window is open");
    return finding;
}

// Ends of answers arrive without what comes before them, or nothing but small beginnings does.
Finding not_arriving(const Scene& scene, const AddressKey& key, const Address& address,
                     const Destination& reached) {
    const FullArrivals& full = *address.full_arrivals;
    Finding finding = finding_of(scene, key, address);
    finding.first_affected = full.onset();
    if (full.swallowed(scene.now)) {
        finding.candidates = {{FailureType::path_mtu_blackhole, "reverse", 0.92, std::nullopt}};
        finding.flows = static_cast<std::int64_t>(full.behind_holes());
        note(finding, scene, "ends_without_beginnings", static_cast<double>(full.behind_holes()),
             fmt::format(
                 "on {} connections the end of an answer has arrived and what comes before it has not, "
                 "however often it is sent again",
                 full.behind_holes()));
        rule_out(finding, FailureType::slow_service, "answers are sent: their ends arrive");
    } else {
        finding.candidates = {{FailureType::path_mtu_blackhole, "reverse", 0.66,
                               "a small answer comes, large ones stop at once"},
                              {FailureType::slow_service, "waiting", 0.28, "small answers stop midway, too"}};
        finding.flows = static_cast<std::int64_t>(full.midway());
        note(finding, scene, "answers_stop_midway", static_cast<double>(full.midway()),
             fmt::format("on {} connections a small beginning of an answer came, and then nothing more",
                         full.midway()));
        note(finding, scene, "no_full_segment_arrives", full.small_answers(),
             fmt::format("the latest {} arrivals were small; of those before, {:.0f} % were full segments",
                         full.small_answers(), full.usual_share() * 100));
    }
    note_reached(finding, scene, reached);
    rule_out(finding, FailureType::packet_loss, "small packets are not lost");
    rule_out(finding, FailureType::firewall_block, "connections to the same port are made");
    return finding;
}

// Small segments have been lost since then, and retransmissions may be: a hole that lasts is no proof that
// only full ones are.
bool loses_all_sizes(const Address& address, core::BootNs since, core::BootNs now) {
    constexpr double much = 0.05;
    if (!address.quality) return false;
    const auto window = address.quality->window(now, now - std::min(since, now) + core::ns_per_s);
    const auto resent = static_cast<double>(window.resent);
    const double there = window.loss_share().value_or(0);
    const double back = resent / std::max(static_cast<double>(window.segments_in) + resent, 1.0);
    return std::max(there, back) > much;
}

bool arrivals_missing(const Address& address, core::BootNs now) {
    const auto& arrivals = address.full_arrivals;
    return arrivals && (arrivals->swallowed(now) || arrivals->stops_midway(now));
}

}  // namespace

bool full_segments_missing(const Address& address, core::BootNs now) {
    return (address.full_segments && address.full_segments->swallowed(now)) || arrivals_missing(address, now);
}

bool full_segments_pass(const Address& address, bool from_there, core::BootNs now) {
    if (from_there) return address.full_arrivals && address.full_arrivals->pass();
    const auto& full = address.full_segments;
    return full && (full->pass() || full->worked_around(now));
}

std::vector<Finding> judge_path_mtu(const Scene& scene, const std::set<AddressKey>& suspects) {
    std::vector<Finding> findings;
    for (const AddressKey& key : suspects) {
        const Address* address = scene.destinations.find_address(key);
        if (address == nullptr) continue;
        const bool there = address->full_segments && address->full_segments->swallowed(scene.now);
        if (!there && !arrivals_missing(*address, scene.now)) continue;
        const core::BootNs onset = there ? address->full_segments->onset() : address->full_arrivals->onset();
        if (!there && loses_all_sizes(*address, onset, scene.now)) continue;
        const Destination* reached = reached_since(scene, key, *address, onset);
        if (reached == nullptr) continue;
        findings.push_back(there ? swallowed(scene, key, *address, *reached)
                                 : not_arriving(scene, key, *address, *reached));
    }
    return findings;
}

}  // namespace netwatch::diagnosis
