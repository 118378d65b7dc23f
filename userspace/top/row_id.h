// SPDX-License-Identifier: Apache-2.0
// What tells one row from all others, whatever its place in the table. Plain values; any thread.
#pragma once

#include <cstdint>

#include "model/view.h"

namespace netwatch::top {

struct RowId {
    model::Endpoint endpoint;
    std::uint32_t netns = 0;
    model::Perspective perspective = model::Perspective::client;
    auto operator<=>(const RowId&) const = default;
};

[[nodiscard]] inline RowId id_of(const model::DestinationRow& row) {
    return {row.ref.endpoint, row.netns, row.perspective};
}

}  // namespace netwatch::top
