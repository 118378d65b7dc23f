// SPDX-License-Identifier: Apache-2.0
#include "service/series_keeper.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace netwatch::service {
namespace {

constexpr std::size_t most_named = 65'536;

model::SeriesPoint point_of(const model::DestinationSecond& second) {
    model::SeriesPoint point{.at = second.at, .attempts = second.attempts, .failed = second.failed};
    point.rtt_us = second.rtt_us;
    if (second.segments > 0)
        point.loss_share = std::min(1.0, static_cast<double>(second.lost) / second.segments);
    point.bytes = static_cast<double>(second.bytes_sent) + static_cast<double>(second.bytes_received);
    return point;
}

}  // namespace

void SeriesKeeper::add(const model::DestinationSecond& second) {
    Kept& kept = kept_[{second.ref.endpoint, second.perspective, second.netns}];
    kept.history.ref = second.ref;
    kept.history.perspective = second.perspective;
    kept.history.points.push_back(point_of(second));
    kept.attempts += second.attempts;
    if (++points_ > most_points_) make_room();
}

void SeriesKeeper::note(const model::Incident& incident) {
    if (named_.size() >= most_named) return;
    named_.insert(incident.scope.members.begin(), incident.scope.members.end());
    if (incident.destination) named_.insert(incident.destination->endpoint.to_string());
}

bool SeriesKeeper::matters(const model::Endpoint& endpoint) const {
    return named_.contains(endpoint.to_string()) || named_.contains(endpoint.ip.to_string());
}

void SeriesKeeper::make_room() {
    std::vector<std::tuple<bool, std::uint64_t, Key>> order;
    for (const auto& [key, kept] : kept_) order.emplace_back(matters(key.endpoint), kept.attempts, key);
    std::ranges::sort(order);
    for (const auto& [matters, attempts, key] : order) {
        if (points_ <= most_points_ * 3 / 4) break;
        const auto kept = kept_.find(key);
        points_ -= kept->second.history.points.size();
        ++dropped_;
        kept_.erase(kept);
    }
}

std::vector<present::History> SeriesKeeper::take() {
    std::vector<std::tuple<bool, std::uint64_t, present::History>> order;
    for (auto& [key, kept] : std::exchange(kept_, {}))
        order.emplace_back(matters(key.endpoint), kept.attempts, std::move(kept.history));
    points_ = 0;
    std::ranges::stable_sort(order, std::greater{},
                             [](const auto& one) { return std::pair(std::get<0>(one), std::get<1>(one)); });
    std::vector<present::History> histories;
    histories.reserve(order.size());
    for (auto& one : order) histories.push_back(std::move(std::get<2>(one)));
    return histories;
}

}  // namespace netwatch::service
