// SPDX-License-Identifier: Apache-2.0
// Round trips that have become longer than they were: on one path, or on all of them at once. Pure.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

// By how much the round trips to a destination have become longer; nothing where they have not, or nobody has
// measured them lately.
[[nodiscard]] std::optional<RoundTrips::Shift> slower_by(const Destination& destination, core::BootNs now);
// They were measured lately, and are as they usually are.
[[nodiscard]] bool as_quick_as_usual(const Destination& destination, core::BootNs now);

// Destinations whose round trips have become longer, together where they share it.
[[nodiscard]] std::vector<Finding> judge_latency(const Scene& scene,
                                                 const std::set<DestinationKey>& suspects);

}  // namespace netwatch::diagnosis
