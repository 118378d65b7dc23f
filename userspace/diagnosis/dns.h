// SPDX-License-Identifier: Apache-2.0
// Names that do not resolve: what the tries at each resolver come to. Judged by what a process wanted
// (retries within a second are one observation), never by the packet. Pure.
#pragma once

#include <string>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"
#include "model/incident.h"

namespace netwatch::diagnosis {

[[nodiscard]] std::vector<Finding> judge_dns(const Scene& scene);

// Whether what the incident of that group was about works again.
[[nodiscard]] bool names_healed(const Scene& scene, const model::Incident& incident,
                                const std::string& group);

// The evidence of the dns rung for a destination.
[[nodiscard]] model::LadderStep dns_step(const Scene& scene, const DestinationKey& key);

}  // namespace netwatch::diagnosis
