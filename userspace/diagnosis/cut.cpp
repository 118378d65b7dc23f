// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/cut.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnosis/scene.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;

constexpr std::size_t kept = 64;
constexpr std::uint64_t span_ns = 60 * core::ns_per_s;
constexpr std::uint64_t shortest_limit_ns = 5 * core::ns_per_s;  // no middlebox forgets sooner
constexpr std::uint64_t quiet_ns = 5 * core::ns_per_s;
constexpr std::uint32_t enough_answers = 3;

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

void Cuts::add_activity(std::uint64_t idled_ns, bool answered, core::BootNs at) {
    while (!latest_.empty() && latest_.front().at + span_ns < at) latest_.pop_front();
    if (!answered) return;
    survived_ns_ = std::max(survived_ns_, idled_ns);
    survived_since_ = std::max(survived_since_, idled_ns);
    ++answered_since_;
}

void Cuts::add_end(bool cut, std::uint64_t idled_ns, core::BootNs at) {
    test_.add(cut ? 1 : 0, 1, at);
    if (!cut) return;
    if (latest_.empty()) survived_ns_ = 0;  // what was survived before nothing was cut says nothing of now
    latest_.push_back({at, idled_ns});
    if (latest_.size() > kept) latest_.pop_front();
    answered_since_ = 0;
    survived_since_ = 0;
}

std::uint64_t Cuts::idle_limit_ns() const {
    if (latest_.empty()) return 0;
    const std::uint64_t least = std::ranges::min(latest_, {}, &Cut::idled_ns).idled_ns;
    return least >= shortest_limit_ns && survived_ns_ < least ? least : 0;
}

bool Cuts::healed(core::BootNs now) const {
    if (latest_.empty()) return true;
    const bool quiet = latest_.back().at + quiet_ns <= now && answered_since_ >= enough_answers;
    // What is cut only when idle has healed when something idle is not.
    return quiet && (idle_limit_ns() == 0 || survived_since_ >= idle_limit_ns());
}

std::vector<Finding> judge_cuts(const Scene& scene, const std::set<DestinationKey>& suspects) {
    std::vector<Finding> findings;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination != nullptr && destination->detail && destination->detail->cuts.alarms(scene.now))
            findings.push_back(cut(scene, *destination));
    }
    return findings;
}

}  // namespace netwatch::diagnosis
