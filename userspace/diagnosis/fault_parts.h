// SPDX-License-Identifier: Apache-2.0
// The parts of fault.cpp: what is said of each fault, by who tells of it, and what they have in common.
#pragma once

#include <string>
#include <string_view>

#include "diagnosis/finding.h"
#include "diagnosis/leaf.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis::faults {

inline constexpr double sure = 0.97;

// Somebody answered: with RST, or with an ICMP error.
[[nodiscard]] Finding refused(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding refused_by_box(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding rejected(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding prohibited(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding unroutable(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding dead_host(const Scene& scene, const Leaves& leaves);

// This host itself knows: its links, neighbours, routes, ports, and what it dropped.
[[nodiscard]] Finding unresolved_neighbor(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding dead_link(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding unresolved_gateway(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding local_filter(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding local_route(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding ports_exhausted(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding reverse_path_filter(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding local_input_filter(const Scene& scene, const Leaves& leaves);

// Nobody answers.
[[nodiscard]] Finding silent_address(const Scene& scene, const Leaves& leaves);
[[nodiscard]] Finding silent_networks(const Scene& scene, const Leaves& leaves);

// What all findings of this kind share: members, onset, severity, what worked before.
[[nodiscard]] Finding start(const Scene& scene, Leaves leaves);
void single(Finding& finding, model::FailureType type, std::string cause, double probability = sure);
// The address stands for its ports when they fail together.
void blame_address(Finding& finding);
// The block that fails; one address alone where its neighbours answer; `beyond` where it is more than a
// block; the region where the fault may lie beyond this host and has all of it.
void widen(Finding& finding, const Scene& scene, const Leaves& leaves,
           model::ScopeKind beyond = model::ScopeKind::host);
[[nodiscard]] std::string from_offender(const Finding& finding);
void explain_answer(Finding& finding, const Scene& scene, const Leaves& leaves, std::string signal,
                    std::string_view what);
// What contradicts that there is no way to the host.
void note_reached_otherwise(Finding& finding, const Scene& scene, const Leaf& leaf);
void note_silence(Finding& finding, const Scene& scene, const Leaves& leaves);

}  // namespace netwatch::diagnosis::faults
