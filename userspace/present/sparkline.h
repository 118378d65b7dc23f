// SPDX-License-Identifier: Apache-2.0
// A series of seconds as one line of bars.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/time.h"
#include "model/view.h"

namespace netwatch::present {

using PointValue = std::function<std::optional<double>(const model::SeriesPoint&)>;

// The greatest value of each of `buckets` equal parts of the `span_s` seconds before `end`; empty where
// nothing was measured. Points outside the span are passed over.
[[nodiscard]] std::vector<std::optional<double>> bucketed(std::span<const model::SeriesPoint> series,
                                                          core::UtcNs end, std::size_t span_s,
                                                          std::size_t buckets, const PointValue& value);

// One cell a value: ▁ for zero to █ for `top` and above, a space where nothing was measured.
[[nodiscard]] std::string sparkline(std::span<const std::optional<double>> values, double top);

}  // namespace netwatch::present
