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

// What a full bar stands for, so that bars stay low while all is well: four times the usual round trip, or
// the greatest one that was met; one segment in fifty lost.
[[nodiscard]] double top_of_rtt(std::span<const std::optional<double>> values);
constexpr double top_of_loss = 0.02;

// The share of a second's attempts that failed; empty where nothing was attempted.
[[nodiscard]] std::optional<double> failed_share(const model::SeriesPoint& point);

}  // namespace netwatch::present
