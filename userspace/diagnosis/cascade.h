// SPDX-License-Identifier: Apache-2.0
// Cascades: what ails at something that a service calls shows at the service's own listener, too. The cause
// is what ails and calls nothing that does; the earliest where several could be. Part of the incident book.
#pragma once

#include <vector>

#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

// The evidence of a symptom that a service has passed on.
constexpr const char* passed_on_signal = "calls_what_fails";

// The own listener that connections to a destination come to, if this host has it: there, or behind NAT.
[[nodiscard]] std::vector<DestinationKey> listeners_of(const Scene& scene, const DestinationKey& key);

}  // namespace netwatch::diagnosis
