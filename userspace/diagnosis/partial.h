// SPDX-License-Identifier: Apache-2.0
// Destinations that only some attempts to connect reach: SYNs that get lost where data does not, queues and
// tables that are full, and backends or paths that are dead for those who are sent there. Pure.
#pragma once

#include <set>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

// Destinations that end connections beyond a limit as soon as they have accepted them.
[[nodiscard]] std::vector<Finding> judge_limits(const Scene& scene, const std::set<DestinationKey>& suspects);
// It ends some at once, and whether those are beyond a limit will be known.
[[nodiscard]] bool may_be_limited(const Scene& scene, const Destination& destination);
[[nodiscard]] bool is_limited(const Scene& scene, const Destination& destination);

// Several addresses lose some attempts for good and make others: the largest share. 0: they do not.
[[nodiscard]] double share_lost_for_good(const Scene& scene, const std::set<DestinationKey>& suspects);
// The share that several addresses lose together between attempts that are answered, where each by itself has
// too few to tell. 0: they do not.
[[nodiscard]] double share_lost_between(const Scene& scene, const std::set<DestinationKey>& suspects);

[[nodiscard]] std::vector<Finding> judge_handshakes(const Scene& scene,
                                                    const std::set<DestinationKey>& suspects);

}  // namespace netwatch::diagnosis
