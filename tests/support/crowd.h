// SPDX-License-Identifier: Apache-2.0
// A service with a limit, as a story: it ends the connections that are too many.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "support/story.h"

namespace netwatch::support {

// Connections come and go beside a pool, now up to `most` at a time, now half as many; beyond `limit` the
// service ends them as soon as they are made. `asks`: after a request.
inline void crowd(Story& story, double from, double to_s, std::string_view to, std::uint32_t limit,
                  std::uint32_t most, bool asks, Who who = {}) {
    struct Open {
        Flow flow;
        double until;
    };
    std::vector<Open> open;
    std::mt19937 random(3);
    std::uniform_real_distribution<double> draw(0, 1);
    const auto finish = [&](Open& one, double at) {
        one.flow.receives(2);
        one.flow.since(0.2, 0.1);
        story.close(at, one.flow);
    };
    for (double at = from; at < to_s; at += 0.1) {
        std::erase_if(open, [&](Open& one) {
            if (one.until > at) return false;
            finish(one, one.until);
            return true;
        });
        const std::uint32_t wanted = std::sin(at / 2) > 0 ? most : most / 2;
        if (open.size() >= wanted) continue;
        auto made = story.flow(at, to, who);
        if (asks) made.sends(1);
        if (open.size() < limit) {
            open.push_back({made, at + 1 + draw(random)});
            continue;
        }
        made.since(0.001, 5);
        story.close(at + 0.003, made, true);
    }
    for (Open& one : open) finish(one, to_s + 0.1);
}

}  // namespace netwatch::support
