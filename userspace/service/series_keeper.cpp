// SPDX-License-Identifier: Apache-2.0
#include "service/series_keeper.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace netwatch::service {
namespace {

// Within it a second may still grow: an attempt that ended is told a little later.
constexpr std::int64_t settle_ns = 2 * static_cast<std::int64_t>(core::ns_per_s);

}  // namespace

void SeriesKeeper::look(const model::HostView& view, bool final) {
    const core::UtcNs until{final ? view.at.ns + settle_ns : view.at.ns - settle_ns};
    for (const auto& row : view.destinations) {
        Kept& kept = kept_[{row.ref.endpoint, row.perspective, row.netns}];
        auto series = std::move(kept.row.series);
        const core::UtcNs after = series.empty() ? core::UtcNs{} : series.back().at;
        const std::size_t before = series.size();
        for (const auto& point : row.series) {
            if (point.at > after && point.at < until) series.push_back(point);
        }
        points_ += series.size() - before;
        kept.row = row;
        kept.row.series = std::move(series);
        kept.in_incident = kept.in_incident || row.incident;
    }
    if (points_ > most_points_) make_room();
}

void SeriesKeeper::make_room() {
    std::vector<decltype(kept_)::iterator> order;
    for (auto each = kept_.begin(); each != kept_.end(); ++each) order.push_back(each);
    std::ranges::sort(order, {}, [](const auto& each) {
        return std::tuple(each->second.in_incident, each->second.row.attempts, each->first);
    });
    for (const auto& each : order) {
        if (points_ <= most_points_ * 3 / 4) break;
        points_ -= each->second.row.series.size();
        if (!each->second.row.series.empty()) ++dropped_;
        kept_.erase(each);
    }
}

std::vector<model::DestinationRow> SeriesKeeper::take() {
    std::vector<Kept> order;
    for (auto& [key, kept] : std::exchange(kept_, {})) order.push_back(std::move(kept));
    points_ = 0;
    std::ranges::stable_sort(order, std::greater{}, [](const Kept& kept) {
        return std::tuple(kept.in_incident, kept.row.attempts);
    });
    std::vector<model::DestinationRow> rows;
    rows.reserve(order.size());
    for (auto& kept : order) rows.push_back(std::move(kept.row));
    return rows;
}

}  // namespace netwatch::service
