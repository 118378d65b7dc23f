// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/fault.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnosis/fault_parts.h"

namespace netwatch::diagnosis {
namespace {

using model::Candidate;

constexpr double sure_unproven = 0.8;  // no earlier success, and too short a watch for that to mean anything

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
        candidate.probability =
            std::min(candidate.probability, sure_unproven * candidate.probability / faults::sure);
    }
    std::erase_if(finding.candidates, [](const Candidate& c) { return c.probability < 0.05; });
}

Finding finding_of(const Scene& scene, Fault fault, const Leaves& leaves) {
    switch (fault) {
        case Fault::refused: return faults::refused(scene, leaves);
        case Fault::refused_by_box: return faults::refused_by_box(scene, leaves);
        case Fault::rejected: return faults::rejected(scene, leaves);
        case Fault::prohibited: return faults::prohibited(scene, leaves);
        case Fault::unroutable: return faults::unroutable(scene, leaves);
        case Fault::dead: return faults::dead_host(scene, leaves);
        case Fault::neighbor: return faults::unresolved_neighbor(scene, leaves);
        case Fault::gateway: return faults::unresolved_gateway(scene, leaves);
        case Fault::link: return faults::dead_link(scene, leaves);
        case Fault::local_filter:
        case Fault::local_bpf: return faults::local_filter(scene, leaves);
        case Fault::local_route: return faults::local_route(scene, leaves);
        case Fault::local_input:
            return answers_dropped_here(scene, leaves.front()) == LocalDrop::reverse_path
                       ? faults::reverse_path_filter(scene, leaves)
                       : faults::local_input_filter(scene, leaves);
        case Fault::ports_exhausted: return faults::ports_exhausted(scene, leaves);
        case Fault::silent: return faults::silent_address(scene, leaves);
        case Fault::silent_block:
        case Fault::silent_region:
        case Fault::silent_path: return faults::silent_networks(scene, leaves);
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
