// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/path_mtu.h"

#include <fmt/format.h>

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

Finding swallowed(const Scene& scene, const AddressKey& key, const Address& address,
                  const Destination& reached) {
    const FullSegments& full = *address.full_segments;
    Finding finding;
    finding.family = Family::size;
    finding.group = fmt::format("size {} {}", key.ip.to_string(), key.netns);
    finding.confirmed = true;
    finding.candidates = {{FailureType::path_mtu_blackhole, "forward", 0.92, std::nullopt}};
    finding.severity = model::Severity::critical;
    finding.scope = {model::ScopeKind::destination, std::nullopt, {key.ip.to_string()}};
    for (const std::uint16_t port : address.ports) {
        const DestinationKey member{
            {key.ip, port, model::Protocol::tcp}, model::Perspective::client, key.netns};
        if (scene.destinations.find(member) != nullptr) finding.members.push_back(member);
    }
    finding.destination = model::DestinationRef{.endpoint = {key.ip, 0, model::Protocol::tcp}};
    finding.first_affected = full.onset();
    finding.flows = static_cast<std::int64_t>(full.stuck());
    note(finding, scene, "connections_stuck", static_cast<double>(full.stuck()),
         fmt::format("{} connections are stuck on segments of {} bytes, sent again and again; none was "
                     "acknowledged since",
                     full.stuck(), full.segment_bytes()));
    note(finding, scene, "small_packets_pass", static_cast<double>(reached.established),
         fmt::format("connections to it are made, the last one {}", scene.ago(reached.last_success_at)));
    rule_out(finding, FailureType::packet_loss, "small packets are not lost");
    rule_out(finding, FailureType::firewall_block, "connections to the same port are made");
    rule_out(finding, FailureType::receiver_stalled, "its receive window is open");
    return finding;
}

}  // namespace

std::vector<Finding> judge_path_mtu(const Scene& scene, const std::set<AddressKey>& suspects) {
    std::vector<Finding> findings;
    for (const AddressKey& key : suspects) {
        const Address* address = scene.destinations.find_address(key);
        if (address == nullptr || !address->full_segments || !address->full_segments->swallowed(scene.now))
            continue;
        const Destination* reached = reached_since(scene, key, *address, address->full_segments->onset());
        if (reached != nullptr) findings.push_back(swallowed(scene, key, *address, *reached));
    }
    return findings;
}

}  // namespace netwatch::diagnosis
