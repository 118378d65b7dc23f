// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/resets.h"

#include <fmt/format.h>

namespace netwatch::diagnosis {
namespace {

using model::FailureType;

Finding cut(const Scene& scene, const Destination& destination) {
    const Cuts& cuts = destination.detail->cuts;
    Finding finding = finding_at(destination, Family::service, "cut");
    finding.first_affected = cuts.onset();
    finding.flows = static_cast<std::int64_t>(cuts.count());
    note(finding, scene, "resets_instead_of_answers", static_cast<double>(cuts.count()),
         fmt::format("{} connections were reset in the last minute while their client waited for an answer",
                     cuts.count()));
    if (const std::uint64_t limit = cuts.idle_limit_ns(); limit != 0) {
        finding.candidates = {{FailureType::idle_timeout_drop, "reset", 0.9, std::nullopt}};
        note(finding, scene, "idle_limit_s", static_cast<double>(limit) / 1e9,
             fmt::format("all had rested for {} or more before the request; rests of up to {} are survived",
                         core::to_duration(limit), core::to_duration(cuts.survived_ns())));
        rule_out(finding, FailureType::connection_reset, "connections in use are not reset");
    } else {
        finding.candidates = {
            {FailureType::connection_reset, "by_peer", 0.62, "its TTL is that of the peer's other packets"},
            {FailureType::connection_reset, "injected", 0.3,
             "its TTL differs from that of the peer's other packets"}};
    }
    rule_out(finding, FailureType::port_blocked, "connections are accepted first");
    rule_out(finding, FailureType::packet_loss, "the resets arrive");
    return finding;
}

}  // namespace

std::vector<Finding> judge_resets(const Scene& scene, const std::set<DestinationKey>& suspects) {
    std::vector<Finding> findings;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination != nullptr && destination->detail && destination->detail->cuts.alarms(scene.now))
            findings.push_back(cut(scene, *destination));
    }
    return findings;
}

}  // namespace netwatch::diagnosis
