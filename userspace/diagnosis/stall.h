// SPDX-License-Identifier: Apache-2.0
// Peers that take no data: their host answers, their receive window stays shut. Pure.
#pragma once

#include <set>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"
#include "diagnosis/socket_table.h"

namespace netwatch::diagnosis {

// Takes one look at a connection into its destination's account. True while its window is shut.
bool add_window(Detail& detail, const FlowChange& change);

// Destinations whose connections hold data back for seconds because the peer reads none of it.
[[nodiscard]] std::vector<Finding> judge_stalls(const Scene& scene, const std::set<DestinationKey>& suspects);

// For so long that whoever waits for its answers waits because of that.
[[nodiscard]] bool is_stalled(const Scene& scene, const Destination& destination);

// No window is shut, and one that was has taken data again, or the destination has otherwise.
[[nodiscard]] bool windows_open(const Destination& destination);

}  // namespace netwatch::diagnosis
