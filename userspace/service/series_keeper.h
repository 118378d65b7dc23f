// SPDX-License-Identifier: Apache-2.0
// What a recording says of its destinations, second by second, within bounds: beyond the limit the
// destinations that no incident was about go first, the least used ones before the others. Example:
//
//     keeper.add(second);  …  keeper.note(incident);  …
//     for (auto& history : keeper.take()) …
//
// One thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/incident.h"
#include "model/recorded.h"
#include "present/report.h"

namespace netwatch::service {

class SeriesKeeper {
public:
    explicit SeriesKeeper(std::size_t most_points = 1'500'000) : most_points_(most_points) {}

    void add(const model::DestinationSecond& second);
    // What it is about matters more than the rest.
    void note(const model::Incident& incident);

    // What matters first, then by attempts.
    [[nodiscard]] std::vector<present::History> take();
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
        present::History history;
        std::uint64_t attempts = 0;
    };
    [[nodiscard]] bool matters(const model::Endpoint& endpoint) const;
    void make_room();

    std::size_t most_points_;
    std::size_t points_ = 0;
    std::size_t dropped_ = 0;
    std::map<Key, Kept> kept_;
    std::set<std::string, std::less<>> named_;  // members of incidents: endpoints and addresses
};

}  // namespace netwatch::service
