// SPDX-License-Identifier: Apache-2.0
// The seconds that the live view has seen, so that it can step back through them. Example:
//
//     history.keep(std::move(view));
//     auto earlier = history.view(history.moment(history.last(), -1));
//
// What repeats is kept once: who a destination is, an incident while nothing about it changes, each second of
// a series. When the limits are reached the oldest moments go. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "model/view.h"
#include "top/row_id.h"

namespace netwatch::top {

class History {
public:
    struct Limits {
        std::size_t moments = 900;      // a quarter of an hour at one view a second
        std::size_t bytes = 48U << 20;  // estimated
    };
    static constexpr std::size_t series_span_s = 120;  // what a view tells

    History() = default;
    explicit History(const Limits& limits) : limits_(limits) {}

    // A view of the same moment as the last one takes its place.
    void keep(model::HostView view);

    [[nodiscard]] bool is_empty() const { return moments_.empty(); }
    [[nodiscard]] std::size_t size() const { return moments_.size(); }
    [[nodiscard]] std::size_t bytes() const;
    [[nodiscard]] core::UtcNs first() const { return moments_.front().rest.at; }
    [[nodiscard]] core::UtcNs last() const { return moments_.back().rest.at; }

    // The moment that lies `steps` before (negative) or after the one of `at`; the first or last one beyond.
    [[nodiscard]] core::UtcNs moment(core::UtcNs at, std::ptrdiff_t steps) const;
    // The last moment not after `at`; the first one where all are.
    [[nodiscard]] core::UtcNs nearest(core::UtcNs at) const;
    // The view of nearest(at) as it was given, without series.
    [[nodiscard]] model::HostView view(core::UtcNs at) const;
    // One row's seconds before `until`, all that any view has told and that are kept.
    [[nodiscard]] std::vector<model::SeriesPoint> series(const RowId& row, core::UtcNs until) const;

private:
    struct Who {
        model::DestinationRef ref;
        model::Perspective perspective;
        std::uint32_t netns;
        std::vector<std::string> processes;
        bool judged;
        bool operator==(const Who&) const = default;
    };
    struct KeptRow {
        std::shared_ptr<const Who> who;
        std::optional<std::string> incident;
        std::uint64_t attempts;
        std::uint64_t established;
        std::uint64_t failed;
        std::uint64_t abandoned;
        std::optional<core::UtcNs> last_success_at;
        std::optional<core::UtcNs> last_failure_at;
        std::uint32_t flows;
        float attempts_per_s;
        float ok_share;
        float rtt_us;
        float rtt_p99_us;
        float loss_share;
        float loss_in_share;
        float bytes_sent_per_s;
        float bytes_received_per_s;
        std::optional<model::Severity> severity;
        std::optional<model::FailureType> type;
    };
    struct KeptPoint {
        core::UtcNs at;
        std::uint32_t attempts = 0;
        std::uint32_t failed = 0;
        float rtt_us = 0; /* NaN: not measured */
        float loss_share = 0;
        float bytes = 0;
    };
    struct Track {
        std::shared_ptr<const Who> who;
        std::deque<KeptPoint> points;
        core::UtcNs seen_at;
    };
    struct Moment {
        model::HostView rest; /* without incidents and destinations */
        std::vector<std::shared_ptr<const model::Incident>> incidents;
        std::vector<KeptRow> rows;
        std::size_t bytes = 0;
    };

    [[nodiscard]] KeptRow kept(model::DestinationRow row, core::UtcNs at);
    [[nodiscard]] static model::DestinationRow restored(const KeptRow& row);
    void extend(Track& track, const std::vector<model::SeriesPoint>& series);
    void keep_incidents(std::vector<model::Incident> incidents, Moment& moment) const;
    void drop_last();
    void clear();
    void forget();
    [[nodiscard]] std::deque<Moment>::const_iterator find(core::UtcNs at) const;

    Limits limits_;
    std::deque<Moment> moments_;
    std::map<RowId, Track> tracks_;
    std::size_t moment_bytes_ = 0;
    std::size_t points_ = 0;
};

}  // namespace netwatch::top
