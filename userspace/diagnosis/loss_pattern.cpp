// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/loss_pattern.h"

#include <algorithm>
#include <set>
#include <vector>

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t enough_sent = 16;  // in a look: a run of losses fits into it
constexpr std::uint32_t enough_looks = 20;
constexpr std::int64_t enough_lost = 40;
constexpr std::uint32_t enough_spells = 2;  // of loss, with slower seconds between
constexpr double enough_expected = 12;
constexpr double hardly_any = 0.1;
constexpr std::size_t counted_late = 2;  // seconds: a loss counts when the connection has moved on

// What the slower seconds lost, and would have lost if they fared as the busy ones did.
RateLimit split(std::span<const LossSecond> seconds, const std::vector<std::uint64_t>& busiest,
                std::uint64_t knee) {
    RateLimit limit{.knee = knee};
    double lost = 0;
    double sent = 0;
    bool was_slow = true;
    for (std::size_t i = 0; i < seconds.size(); ++i) {
        const auto losses = static_cast<std::uint64_t>(std::max<std::int64_t>(seconds[i].lost, 0));
        const bool slow = busiest[i] < knee;
        if (slow) {
            limit.below += seconds[i].segments;
            limit.lost_below += losses;
        } else {
            lost += static_cast<double>(losses);
            sent += static_cast<double>(seconds[i].segments);
            limit.spells += was_slow && losses > 0 ? 1U : 0U;
        }
        was_slow = slow || (was_slow && losses == 0);
    }
    limit.expected_lost = lost == 0 ? 0 : static_cast<double>(limit.below) * lost / (lost + sent);
    return limit;
}

}  // namespace

void Scatter::add(std::int64_t lost, std::uint64_t sent) {
    if (sent < enough_sent) return;
    lost_ += lost;
    sent_ += sent;
    squares_ += static_cast<double>(lost) * static_cast<double>(lost) / static_cast<double>(sent);
    ++looks_;
}

Scatter& Scatter::operator+=(const Scatter& other) {
    lost_ += other.lost_;
    sent_ += other.sent_;
    squares_ += other.squares_;
    looks_ += other.looks_;
    return *this;
}

std::optional<double> Scatter::index() const {
    if (looks_ < enough_looks || lost_ < enough_lost) return std::nullopt;
    const auto lost = static_cast<double>(lost_);
    const auto sent = static_cast<double>(sent_);
    const double share = lost / sent;
    if (share >= 1) return std::nullopt;
    const double chi_squared = (squares_ - 2 * share * lost + share * share * sent) / (share * (1 - share));
    return chi_squared / (looks_ - 1);
}

std::optional<RateLimit> rate_limit(std::span<const LossSecond> seconds) {
    std::vector<std::uint64_t> busiest;  // of this second and those before in which what is lost now was sent
    for (std::size_t i = 0; i < seconds.size(); ++i) {
        const auto latest = seconds.subspan(i - std::min(i, counted_late), std::min(i, counted_late) + 1);
        busiest.push_back(std::ranges::max(latest, {}, &LossSecond::segments).segments);
    }
    std::optional<RateLimit> best;
    for (const std::uint64_t knee : std::set(busiest.begin(), busiest.end())) {
        const RateLimit limit = split(seconds, busiest, knee);
        const bool clear = limit.spells >= enough_spells && limit.expected_lost >= enough_expected &&
                           static_cast<double>(limit.lost_below) <= hardly_any * limit.expected_lost;
        if (clear && (!best || limit.expected_lost > best->expected_lost)) best = limit;
    }
    return best;
}

}  // namespace netwatch::diagnosis
