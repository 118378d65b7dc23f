// SPDX-License-Identifier: Apache-2.0
// What the host's own counters tell of: a full connection table, no memory for TCP, a queue of this host that
// drops what it sends. And what they say of the findings of others. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

[[nodiscard]] std::vector<Finding> judge_host(const Scene& scene, const std::set<DestinationKey>& failing);

// What a finding of judge_host() of that group said is over.
[[nodiscard]] bool host_healed(const Scene& scene, const std::string& group);

// Adds what the counters of its namespaces say to a finding, and lowers or holds back what was timed while
// this host had no chance to be on time.
void weigh_counters(const Scene& scene, Finding& finding);

}  // namespace netwatch::diagnosis
