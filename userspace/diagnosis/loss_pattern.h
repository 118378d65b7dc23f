// SPDX-License-Identifier: Apache-2.0
// How the losses on a path fall: one by one, in runs, or only where more is sent than somebody lets pass.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace netwatch::diagnosis {

// How unevenly losses are spread over looks at connections: the variance of their number to its mean (the
// index of dispersion). 1 where each packet is lost by itself, the length of a run where they come in runs.
class Scatter {
public:
    // A look found so many of so many segments lost.
    void add(std::int64_t lost, std::uint64_t sent);
    Scatter& operator+=(const Scatter& other);
    // Nothing while there are too few to tell.
    [[nodiscard]] std::optional<double> index() const;
    [[nodiscard]] bool empty() const { return looks_ == 0; }

private:
    std::int64_t lost_ = 0;
    std::uint64_t sent_ = 0;
    double squares_ = 0;  // of the losses, each over what was sent
    std::uint32_t looks_ = 0;
};

// What went out in one second, and what of it was lost.
struct LossSecond {
    std::uint64_t segments = 0;
    std::int64_t lost = 0;
};

// Losses that keep to the busy seconds: a policer's, which drops what comes faster than its rate.
struct RateLimit {
    std::uint64_t knee = 0;   // segments a second from which on there is loss
    std::uint64_t below = 0;  // segments in slower seconds
    std::uint64_t lost_below = 0;
    double expected_lost = 0;  // of those, if they fared as the others do
    std::uint32_t spells = 0;  // busy ones with loss, apart from each other
};
[[nodiscard]] std::optional<RateLimit> rate_limit(std::span<const LossSecond> seconds);

}  // namespace netwatch::diagnosis
