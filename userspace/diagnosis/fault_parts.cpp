// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/fault_parts.h"

#include <fmt/format.h>

#include <algorithm>

namespace netwatch::diagnosis::faults {

using model::FailureType;
using model::ScopeKind;
using model::Severity;

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
    finding.destination = leaves.front().destination->ref();

    const bool worked = any_worked(leaves);
    const bool all_harmless =
        std::ranges::all_of(leaves, [&](const Leaf& leaf) { return harmless(scene, leaf); });
    finding.severity = all_harmless ? Severity::info : worked ? Severity::critical : Severity::warning;
    return finding;
}

void single(Finding& finding, FailureType type, std::string cause, double probability) {
    finding.candidates = {{type, std::move(cause), probability, std::nullopt}};
}

void blame_address(Finding& finding) {
    if (finding.destination) finding.destination->endpoint.port = 0;
}

void widen(Finding& finding, const Scene& scene, const Leaves& leaves, ScopeKind beyond) {
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

void note_reached_otherwise(Finding& finding, const Scene& scene, const Leaf& leaf) {
    if (const auto other = other_port_answer(scene, leaf)) {
        note(finding, scene, "sibling_port_answers", other->port,
             fmt::format("{} answered on port {}{} {}", leaf.endpoint().ip.to_string(), other->port,
                         other->port == leaf.endpoint().port ? " over another protocol" : "",
                         scene.ago(other->at)));
    }
    if (flows_live(leaf)) {
        note(finding, scene, "established_flows_live", leaf.destination->flows,
             fmt::format("established connections to it moved data {}",
                         scene.ago(leaf.destination->last_progress_at)));
    }
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

}  // namespace netwatch::diagnosis::faults
