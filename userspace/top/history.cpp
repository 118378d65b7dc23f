// SPDX-License-Identifier: Apache-2.0
#include "top/history.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace netwatch::top {
namespace {

constexpr float not_measured = std::numeric_limits<float>::quiet_NaN();
// A second is told anew while it lasts, and its stamp moves when the clock is set; two seconds are no nearer.
constexpr std::int64_t same_second_ns = 500'000'000;
// For the estimate: texts of usual length, and what an allocation costs.
constexpr std::size_t who_bytes = 400;
constexpr std::size_t incident_bytes = 8192;
constexpr std::size_t status_bytes = 8192;

float packed(const std::optional<double>& value) { return value ? static_cast<float>(*value) : not_measured; }

std::optional<double> unpacked(float value) {
    return value == value ? std::optional<double>(value) : std::nullopt;
}

core::UtcNs earlier(core::UtcNs at, std::uint64_t by_ns) {
    return {at.ns - static_cast<std::int64_t>(by_ns)};
}

}  // namespace

void History::keep(model::HostView view) {
    if (!is_empty() && view.at == last()) drop_last();
    // The clock was set back: what was seen before has no place on the new time axis.
    if (!is_empty() && view.at < last()) clear();
    Moment moment;
    keep_incidents(std::exchange(view.incidents, {}), moment);
    for (auto& row : std::exchange(view.destinations, {}))
        moment.rows.push_back(kept(std::move(row), view.at));
    moment.rest = std::move(view);
    moment.bytes += status_bytes + moment.rows.size() * sizeof(KeptRow);
    moment_bytes_ += moment.bytes;
    moments_.push_back(std::move(moment));
    forget();
}

void History::drop_last() {
    moment_bytes_ -= moments_.back().bytes;
    moments_.pop_back();
}

void History::clear() {
    moments_.clear();
    tracks_.clear();
    moment_bytes_ = points_ = 0;
}

void History::keep_incidents(std::vector<model::Incident> incidents, Moment& moment) const {
    for (auto& incident : incidents) {
        std::shared_ptr<const model::Incident> known;
        if (!is_empty()) {
            const auto& before = moments_.back().incidents;
            const auto found =
                std::ranges::find(before, incident.id, [](const auto& each) { return each->id; });
            if (found != before.end() && **found == incident) known = *found;
        }
        if (!known) {
            known = std::make_shared<const model::Incident>(std::move(incident));
            moment.bytes += incident_bytes;
        }
        moment.incidents.push_back(std::move(known));
    }
}

History::KeptRow History::kept(model::DestinationRow row, core::UtcNs at) {
    Track& track = tracks_[id_of(row)];
    track.seen_at = at;
    extend(track, row.series);
    // A member added to DestinationRow does not compile until it is kept here and comes back in restored().
    auto& [ref, perspective, netns, processes, attempts, established, failed, abandoned, attempts_per_s,
           ok_share, flows, rtt_us, rtt_p99_us, loss_share, loss_in_share, sent, received, last_success_at,
           last_failure_at, severity, type, incident, judged, series] = row;
    Who who{std::move(ref), perspective, netns, std::move(processes), judged};
    if (!track.who || *track.who != who) track.who = std::make_shared<const Who>(std::move(who));
    return {track.who,
            std::move(incident),
            attempts,
            established,
            failed,
            abandoned,
            last_success_at,
            last_failure_at,
            flows,
            static_cast<float>(attempts_per_s),
            packed(ok_share),
            packed(rtt_us),
            packed(rtt_p99_us),
            packed(loss_share),
            packed(loss_in_share),
            static_cast<float>(sent),
            static_cast<float>(received),
            severity,
            type};
}

model::DestinationRow History::restored(const KeptRow& row) {
    return {row.who->ref,
            row.who->perspective,
            row.who->netns,
            row.who->processes,
            row.attempts,
            row.established,
            row.failed,
            row.abandoned,
            row.attempts_per_s,
            unpacked(row.ok_share),
            row.flows,
            unpacked(row.rtt_us),
            unpacked(row.rtt_p99_us),
            unpacked(row.loss_share),
            unpacked(row.loss_in_share),
            row.bytes_sent_per_s,
            row.bytes_received_per_s,
            row.last_success_at,
            row.last_failure_at,
            row.severity,
            row.type,
            row.incident,
            row.who->judged,
            {}};
}

// The newest telling of a second is the true one: from the first second told on, the old ones go.
void History::extend(Track& track, const std::vector<model::SeriesPoint>& series) {
    if (series.empty()) return;
    points_ -= track.points.size();
    while (!track.points.empty() && track.points.back().at.ns > series.front().at.ns - same_second_ns)
        track.points.pop_back();
    for (const auto& point : series) {
        track.points.push_back({point.at, point.attempts, point.failed, packed(point.rtt_us),
                                packed(point.loss_share), static_cast<float>(point.bytes)});
    }
    points_ += track.points.size();
}

void History::forget() {
    while (moments_.size() > 1 && (moments_.size() > limits_.moments || bytes() > limits_.bytes)) {
        moment_bytes_ -= moments_.front().bytes;
        moments_.pop_front();
    }
    const core::UtcNs oldest = earlier(first(), series_span_s * core::ns_per_s);
    for (auto track = tracks_.begin(); track != tracks_.end();) {
        auto& points = track->second.points;
        while (!points.empty() && points.front().at < oldest) points.pop_front(), --points_;
        if (track->second.seen_at >= first()) {
            ++track;
            continue;
        }
        points_ -= points.size();
        track = tracks_.erase(track);
    }
}

std::size_t History::bytes() const {
    return moment_bytes_ + points_ * sizeof(KeptPoint) + tracks_.size() * who_bytes;
}

std::deque<History::Moment>::const_iterator History::find(core::UtcNs at) const {
    const auto after =
        std::ranges::upper_bound(moments_, at, {}, [](const Moment& moment) { return moment.rest.at; });
    return after == moments_.begin() ? after : std::prev(after);
}

core::UtcNs History::moment(core::UtcNs at, std::ptrdiff_t steps) const {
    const std::ptrdiff_t index = find(at) - moments_.begin() + steps;
    const auto last = static_cast<std::ptrdiff_t>(moments_.size()) - 1;
    return moments_[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(index, 0, last))].rest.at;
}

core::UtcNs History::nearest(core::UtcNs at) const { return find(at)->rest.at; }

model::HostView History::view(core::UtcNs at) const {
    const Moment& moment = *find(at);
    model::HostView view = moment.rest;
    for (const auto& incident : moment.incidents) view.incidents.push_back(*incident);
    for (const auto& row : moment.rows) view.destinations.push_back(restored(row));
    return view;
}

std::vector<model::SeriesPoint> History::series(const RowId& row, core::UtcNs until) const {
    std::vector<model::SeriesPoint> series;
    const auto track = tracks_.find(row);
    if (track == tracks_.end()) return series;
    for (const auto& point : track->second.points) {
        if (point.at > until) break;
        series.push_back({point.at, point.attempts, point.failed, unpacked(point.rtt_us),
                          unpacked(point.loss_share), point.bytes});
    }
    return series;
}

}  // namespace netwatch::top
