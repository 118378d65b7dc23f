// SPDX-License-Identifier: Apache-2.0
#include "present/sparkline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace netwatch::present {

std::vector<std::optional<double>> bucketed(std::span<const model::SeriesPoint> series, core::UtcNs end,
                                            std::size_t span_s, std::size_t buckets,
                                            const PointValue& value) {
    std::vector<std::optional<double>> values(buckets);
    const auto span_ns = static_cast<std::int64_t>(span_s * core::ns_per_s);
    for (const auto& point : series) {
        const std::int64_t offset_ns = point.at.ns - (end.ns - span_ns);
        if (offset_ns < 0 || offset_ns >= span_ns) continue;
        const auto bucket = static_cast<std::size_t>(
            static_cast<double>(offset_ns) / static_cast<double>(span_ns) * static_cast<double>(buckets));
        const auto measured = value(point);
        auto& kept = values[std::min(bucket, buckets - 1)];
        if (measured && (!kept || *measured > *kept)) kept = measured;
    }
    return values;
}

std::string sparkline(std::span<const std::optional<double>> values, double top) {
    static constexpr std::array<std::string_view, 8> bars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    std::string line;
    for (const auto& value : values) {
        if (!value) {
            line += ' ';
            continue;
        }
        const double share = top > 0 ? std::clamp(*value / top, 0.0, 1.0) : 0.0;
        line += bars[static_cast<std::size_t>(std::lround(share * static_cast<double>(bars.size() - 1)))];
    }
    return line;
}

double top_of_rtt(std::span<const std::optional<double>> values) {
    constexpr double calm_room = 4;
    std::vector<double> known;
    for (const auto& value : values) {
        if (value) known.push_back(*value);
    }
    if (known.empty()) return 0;
    std::ranges::sort(known);
    return std::max(known.back(), calm_room * known[known.size() / 2]);
}

std::optional<double> failed_share(const model::SeriesPoint& point) {
    if (point.attempts == 0) return std::nullopt;
    return std::min(1.0, static_cast<double>(point.failed) / point.attempts);
}

}  // namespace netwatch::present
