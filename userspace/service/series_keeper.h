// SPDX-License-Identifier: Apache-2.0
// Every second of every destination that was seen in full detail, from views taken less than two minutes
// apart. Bounded: beyond the limit the destinations that no incident was about go first, the least used ones
// before the others. One thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "core/time.h"
#include "model/view.h"

namespace netwatch::service {

// Views have to come at least this often: they carry the last two minutes.
constexpr std::uint64_t look_every_ns = 60 * core::ns_per_s;

class SeriesKeeper {
public:
    explicit SeriesKeeper(std::size_t most_points = 2'000'000) : most_points_(most_points) {}

    // Takes the seconds that are over, `final`: all.
    void look(const model::HostView& view, bool final = false);

    // A row of the last view, or of an earlier one where it is no longer there; its series is of all views.
    // Those that an incident was about first, then by attempts.
    [[nodiscard]] std::vector<model::DestinationRow> take();
    // Destinations whose seconds were let go.
    [[nodiscard]] std::size_t dropped() const { return dropped_; }

private:
    struct Key {
        model::Endpoint endpoint;
        model::Perspective perspective;
        std::uint32_t netns;
        auto operator<=>(const Key&) const = default;
    };
    struct Kept {
        model::DestinationRow row;
        bool in_incident = false;
    };
    void make_room();

    std::size_t most_points_;
    std::size_t points_ = 0;
    std::size_t dropped_ = 0;
    std::map<Key, Kept> kept_;
};

}  // namespace netwatch::service
