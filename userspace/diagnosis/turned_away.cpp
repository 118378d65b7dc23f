// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/turned_away.h"

#include <algorithm>

#include "diagnosis/crowd.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t kept = 128;
constexpr std::uint64_t span_ns = 60 * core::ns_per_s;
constexpr std::uint64_t quiet_ns = 3 * core::ns_per_s;
constexpr std::uint32_t enough_served = 10;

}  // namespace

bool TurnedAway::add(bool away, std::uint32_t beside, core::BootNs at) {
    while (!ended_.empty() && (ended_.size() >= kept || ended_.front().at + span_ns < at)) ended_.pop_front();
    if (away || !ended_.empty()) ended_.push_back({at, away, beside});
    test_.add(away ? 1 : 0, 1, at);
    if (away) {
        limit_ = last_away_ == 0 ? beside : std::min(limit_, beside);
        last_away_ = at;
        served_since_ = 0;
        return false;
    }
    // One that was served beside few says nothing of a limit.
    if (last_away_ == 0 || beside < limit_) return false;
    if (++served_since_ < enough_served || last_away_ + quiet_ns > at) return false;
    const bool limit = crowding().value_or(1) >= crowded;
    test_.reset();
    last_away_ = 0;
    ended_ = {};
    return limit;
}

std::uint32_t TurnedAway::count() const {
    return static_cast<std::uint32_t>(std::ranges::count_if(ended_, &Ended::away));
}

std::uint32_t TurnedAway::served() const {
    const auto first = std::ranges::find_if(ended_, &Ended::away);
    return static_cast<std::uint32_t>(std::ranges::distance(first, ended_.end())) - count();
}

std::optional<double> TurnedAway::crowding() const {
    const auto first = std::ranges::find_if(ended_, &Ended::away);
    const auto after =
        std::ranges::find_if(first, ended_.end(), [this](const Ended& one) { return one.at > last_away_; });
    return diagnosis::crowding(std::ranges::subrange(first, after), &Ended::away, &Ended::beside);
}

}  // namespace netwatch::diagnosis
