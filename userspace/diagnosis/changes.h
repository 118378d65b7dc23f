// SPDX-License-Identifier: Apache-2.0
// Which changes of this host belong to an incident, and which of them brings about what it says. Pure.
#pragma once

#include <set>
#include <vector>

#include "diagnosis/destination.h"
#include "diagnosis/scene.h"
#include "model/incident.h"

namespace netwatch::diagnosis {

// Newest first, at most eight: those from a minute before the onset to two seconds after it, what bears on
// the incident before what was there besides. `incident` has its type, cause and perspective.
[[nodiscard]] std::vector<model::Change> changes_around(const Scene& scene, const model::Incident& incident,
                                                        const std::set<DestinationKey>& members,
                                                        core::BootNs onset);

}  // namespace netwatch::diagnosis
