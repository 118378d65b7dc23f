// SPDX-License-Identifier: Apache-2.0
// Why connections cannot be made: refused, rejected, filtered, unroutable, unreachable, or silent.
// The rules and their nearest neighbours are in docs/diagnosis.md. Pure.
#pragma once

#include <set>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

// Judges the destinations with a run of failures; what a scan touches is none. One finding for each fault:
// failures that one cause explains are members of one finding.
[[nodiscard]] std::vector<Finding> judge_reachability(const Scene& scene,
                                                      const std::set<DestinationKey>& failing);

}  // namespace netwatch::diagnosis
