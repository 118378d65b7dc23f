// SPDX-License-Identifier: Apache-2.0
// Connections that are reset while their client waits for an answer: by the peer, by somebody on the way, or
// by a middlebox that has forgotten them because they were idle. Pure.
#pragma once

#include <set>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

// Destinations whose connections are cut while their clients wait.
[[nodiscard]] std::vector<Finding> judge_resets(const Scene& scene, const std::set<DestinationKey>& suspects);

}  // namespace netwatch::diagnosis
