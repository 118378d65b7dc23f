// SPDX-License-Identifier: Apache-2.0
// The eight rungs for one destination, each with its passive evidence. Pure.
#pragma once

#include "diagnosis/scene.h"
#include "model/incident.h"

namespace netwatch::diagnosis {

// `incident`: the open one that explains the target, or null. `key.endpoint.port` 0 stands for all ports.
[[nodiscard]] model::LadderSteps ladder_of(const Scene& scene, const DestinationKey& key,
                                           const model::Incident* incident);

// What the rungs come to.
[[nodiscard]] model::LadderVerdict verdict_of(const model::LadderSteps& steps,
                                              const model::Incident* incident);

// The rung at which a failure of that type shows.
[[nodiscard]] model::Rung failing_rung(model::FailureType type);

}  // namespace netwatch::diagnosis
