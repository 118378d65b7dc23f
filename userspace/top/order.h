// SPDX-License-Identifier: Apache-2.0
// The order of the table that people can read: rows of about the same traffic keep their places. Pure.
#pragma once

#include <span>
#include <vector>

#include "model/view.h"
#include "top/row_id.h"

namespace netwatch::top {

// `rows` is sorted worst first, then by traffic; `before` is the order that was shown last. A row passes
// another one that was above it only when it is graver, or equally grave with half as much traffic again.
[[nodiscard]] std::vector<const model::DestinationRow*>
calm_order(std::vector<const model::DestinationRow*> rows, std::span<const RowId> before);

}  // namespace netwatch::top
