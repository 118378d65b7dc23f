// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/resets.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "diagnosis/partial.h"

namespace netwatch::diagnosis {
namespace {

using model::Candidate;
using model::FailureType;

constexpr std::size_t enough_cuts = 3;
constexpr std::size_t enough_busy = 2;
// Those that survive show themselves when they are used next.
constexpr std::uint64_t survivors_wait_ns = 2 * core::ns_per_s;

enum class Pattern : std::uint8_t {
    none,
    after_a_rest,  // only connections that had rested
    all_before,    // all that were made before some moment
    a_share,       // resets, whatever the connection's age or rest
};

Pattern pattern_of(const Cuts& cuts, const Cuts::Tally& tally, core::BootNs now) {
    const bool beside_live_ones = cuts.count() >= enough_cuts && cuts.new_ones_live();
    if (cuts.idle_limit_ns() != 0 && (cuts.alarms(now) || (tally.silent >= enough_cuts && beside_live_ones)))
        return Pattern::after_a_rest;
    const bool one_by_one = tally.silent > 0 || tally.moments >= enough_cuts;
    const bool all_before = beside_live_ones && one_by_one && tally.busy >= enough_busy && tally.young == 0 &&
                            tally.old_answers == 0 && tally.first_at + survivors_wait_ns <= now;
    if (all_before) return Pattern::all_before;
    return cuts.alarms(now) ? Pattern::a_share : Pattern::none;
}

bool mostly_silent(const Cuts& cuts, const Cuts::Tally& tally) { return 2 * tally.silent > cuts.count(); }

bool by_others(const Cuts& cuts, const Cuts::Tally& tally) { return 2 * tally.from_others > cuts.count(); }

bool by_peer(const Cuts& cuts, const Cuts::Tally& tally) { return 2 * tally.from_peer > cuts.count(); }

// Whoever forgets what is idle goes on doing so; a restart does it once.
std::vector<Candidate> of_rested(const Cuts& cuts, const Cuts::Tally& tally) {
    const bool silent = mostly_silent(cuts, tally);
    const std::string cause = silent ? "silent" : "reset";
    const std::string again = "a connection made since that rests as long and is answered: then no timeout";
    const bool goes_on = tally.young > 0 || tally.old_answers > 0;
    if (silent && 2 * tally.keepalive > tally.silent) {
        return {
            {FailureType::idle_timeout_drop, cause, 0.56, again},
            {FailureType::connection_reset, "half_open", 0.36, "whether its host was restarted or replaced"}};
    }
    if (goes_on || (!silent && by_others(cuts, tally)))
        return {{FailureType::idle_timeout_drop, cause, 0.93, std::nullopt}};
    if (silent) {
        return {{FailureType::idle_timeout_drop, cause, 0.72, again},
                {FailureType::firewall_block, "state_lost", 0.23, "connections in use that died with them"}};
    }
    return {{FailureType::idle_timeout_drop, cause, 0.72, again},
            {FailureType::connection_reset, "half_open", 0.23, "whether its host was restarted or replaced"}};
}

std::vector<Candidate> of_all_before(const Cuts& cuts, const Cuts::Tally& tally) {
    constexpr std::size_t beyond_chance =
        4;  // connections of a balancer that all lead to one of two backends
    if (mostly_silent(cuts, tally)) {
        if (cuts.count() > beyond_chance)
            return {{FailureType::firewall_block, "state_lost", 0.92, std::nullopt}};
        return {
            {FailureType::firewall_block, "state_lost", 0.7, "other destinations behind the same firewall"},
            {FailureType::load_balancer, "backend_silent", 0.23, "the backends behind the address"}};
    }
    const std::string ttl = "the TTL of the RSTs against that of the host's other segments";
    if (by_others(cuts, tally)) return {{FailureType::firewall_block, "state_lost", 0.92, std::nullopt}};
    if (by_peer(cuts, tally)) return {{FailureType::connection_reset, "half_open", 0.92, std::nullopt}};
    return {{FailureType::connection_reset, "half_open", 0.62, ttl},
            {FailureType::firewall_block, "state_lost", 0.3, ttl}};
}

std::vector<Candidate> of_share(const Cuts& cuts, const Cuts::Tally& tally) {
    if (by_others(cuts, tally)) return {{FailureType::connection_reset, "injected", 0.93, std::nullopt}};
    if (by_peer(cuts, tally)) {
        return {{FailureType::connection_reset, "by_peer", 0.91, std::nullopt},
                {FailureType::connection_reset, "injected", 0.06,
                 "a capture before the host: if it sends none of the RSTs"}};
    }
    return {{FailureType::connection_reset, "by_peer", 0.62, "its TTL is that of the peer's other packets"},
            {FailureType::connection_reset, "injected", 0.3,
             "its TTL differs from that of the peer's other packets"}};
}

void note_senders(Finding& finding, const Scene& scene, const Cuts::Tally& tally) {
    if (tally.from_others > 0) {
        note(finding, scene, "resets_from_others", static_cast<double>(tally.from_others),
             fmt::format(
                 "{} of the RSTs are not the peer's: another TTL than its SYN-ACKs, sooner than it can "
                 "answer, or it went on sending",
                 tally.from_others));
    }
    if (tally.from_peer > 0) {
        note(finding, scene, "resets_from_peer", static_cast<double>(tally.from_peer),
             fmt::format("{} of the RSTs arrived with the TTL of the peer's SYN-ACKs", tally.from_peer));
    }
}

void note_cuts(Finding& finding, const Scene& scene, const Cuts& cuts, const Cuts::Tally& tally) {
    if (const std::size_t resets = cuts.count() - tally.silent; resets > 0) {
        note(finding, scene, "resets_instead_of_answers", static_cast<double>(resets),
             fmt::format(
                 "{} connections were reset in the last minute while their client waited for an answer",
                 resets));
        note_senders(finding, scene, tally);
    }
    if (tally.silent > 0) {
        note(finding, scene, "connections_silent", static_cast<double>(tally.silent),
             fmt::format("{} connections got no answer any more while new ones were made", tally.silent));
    }
}

void note_pattern(Finding& finding, const Scene& scene, Pattern pattern, const Cuts& cuts,
                  const Cuts::Tally& tally) {
    if (pattern == Pattern::after_a_rest) {
        const std::uint64_t limit = cuts.idle_limit_ns();
        note(finding, scene, "idle_limit_s", static_cast<double>(limit) / 1e9,
             fmt::format("all had rested for {} or more before the request; rests of up to {} are survived",
                         core::to_duration(limit), core::to_duration(cuts.survived_ns())));
    } else if (pattern == Pattern::all_before) {
        note(finding, scene, "cut_in_use", static_cast<double>(tally.busy),
             fmt::format("{} of them were in use; none made before is answered, those made since are",
                         tally.busy));
    }
}

void rule_out_others(Finding& finding, Pattern pattern) {
    const FailureType type = finding.type();
    if (pattern == Pattern::after_a_rest)
        rule_out(finding, FailureType::packet_loss, "connections in use are answered");
    else if (pattern == Pattern::all_before)
        rule_out(finding, FailureType::idle_timeout_drop, "connections in use died, too");
    if (type == FailureType::idle_timeout_drop && finding.candidates.size() == 1)
        rule_out(finding, FailureType::connection_reset, "connections in use are not reset");
    rule_out(finding, FailureType::port_blocked, "connections are accepted first");
    rule_out(finding, FailureType::host_unreachable, "new connections are made");
}

Finding cut(const Scene& scene, const Destination& destination, Pattern pattern) {
    const Cuts& cuts = destination.detail->cuts;
    const Cuts::Tally tally = cuts.tally();
    Finding finding = finding_at(destination, Family::service, "cut");
    finding.first_affected = cuts.onset();
    finding.flows = static_cast<std::int64_t>(cuts.count());
    finding.candidates = pattern == Pattern::after_a_rest ? of_rested(cuts, tally)
                         : pattern == Pattern::all_before ? of_all_before(cuts, tally)
                                                          : of_share(cuts, tally);
    note_cuts(finding, scene, cuts, tally);
    note_pattern(finding, scene, pattern, cuts, tally);
    rule_out_others(finding, pattern);
    return finding;
}

bool is_lost_state(const Finding& finding) { return finding.cause() == "state_lost"; }

// The network that all members lie in, else this host and all that it reaches.
void widen(Finding& finding) {
    const model::Prefix block = model::Prefix::sibling_block(finding.members.front().endpoint.ip);
    const bool one_block = std::ranges::all_of(
        finding.members, [&](const DestinationKey& key) { return block.contains(key.endpoint.ip); });
    finding.scope.kind = one_block ? model::ScopeKind::prefix : model::ScopeKind::host;
    finding.scope.value = one_block ? std::optional(block.to_string()) : std::nullopt;
}

// What forgot the connections of several destinations in one moment stands before all of them.
void merge_lost_state(std::vector<Finding>& findings) {
    constexpr std::uint64_t one_moment_ns = 5 * core::ns_per_s;
    const auto first = std::ranges::find_if(findings, is_lost_state);
    if (first == findings.end()) return;
    Finding merged = *first;
    const auto joins = [moment = first->first_affected](const Finding& other) {
        return is_lost_state(other) && other.first_affected <= moment + one_moment_ns &&
               moment <= other.first_affected + one_moment_ns;
    };
    for (auto other = std::next(first); other != findings.end(); ++other) {
        if (!joins(*other)) continue;
        merged.members.insert(merged.members.end(), other->members.begin(), other->members.end());
        merged.scope.members.insert(merged.scope.members.end(), other->scope.members.begin(),
                                    other->scope.members.end());
        merged.flows += other->flows;
        merged.first_affected = std::min(merged.first_affected, other->first_affected);
    }
    if (merged.members.size() == 1) return;
    std::ranges::sort(merged.scope.members);
    merged.group = "state lost";
    merged.candidates = {{FailureType::firewall_block, "state_lost", 0.95, std::nullopt}};
    widen(merged);
    std::erase_if(findings, joins);
    findings.push_back(std::move(merged));
}

}  // namespace

std::vector<Finding> judge_resets(const Scene& scene, const std::set<DestinationKey>& suspects) {
    std::vector<Finding> findings;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->detail) continue;
        const Cuts& cuts = destination->detail->cuts;
        if (cuts.count() == 0) continue;
        if (is_limited(scene, *destination) || may_be_limited(scene, *destination)) continue;
        const Pattern pattern = pattern_of(cuts, cuts.tally(), scene.now);
        if (pattern != Pattern::none) findings.push_back(cut(scene, *destination, pattern));
    }
    merge_lost_state(findings);
    return findings;
}

}  // namespace netwatch::diagnosis
