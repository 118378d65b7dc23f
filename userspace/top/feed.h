// SPDX-License-Identifier: Apache-2.0
// Where the live view gets what it shows: an agent's socket or an agent inside the same process.
#pragma once

#include "core/result.h"
#include "model/incident.h"
#include "model/view.h"

namespace netwatch::top {

// Called by one thread, about once a second, between two frames: it answers at once (at worst within a
// quarter of a second) from what is there. An error is shown above what was seen before, and asked again.
class Feed {
public:
    virtual ~Feed() = default;
    [[nodiscard]] virtual core::Result<model::HostView> view() = 0;
    [[nodiscard]] virtual core::Result<model::Ladder> ladder(const model::Endpoint& target) = 0;
};

}  // namespace netwatch::top
