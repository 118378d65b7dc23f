// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/round_trips.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t slot_ns = 250 * core::ns_per_ms;
constexpr std::size_t kept = 120;
constexpr std::uint32_t remembered = 4'096;  // a quarter of an hour and more
// Chances below 10^-6. Of the newest, so many above the 95th percentile of a hundred or more before them; or
// all of them above the largest of fewer (one order of n + m in n out of n + m).
constexpr std::size_t many_before = 100;
constexpr std::array<std::pair<std::size_t, std::size_t>, 4> enough_of{{{8, 6}, {10, 7}, {20, 9}, {30, 11}}};
// A path that wanders by a quarter within minutes brings six of eight above that, and by luck above the felt
// bound too. So many leave a chance below 1 in 250 that the median is not: for a rise that is less than
// double.
constexpr std::array<std::pair<std::size_t, std::size_t>, 4> nearly_all_of{
    {{8, 8}, {12, 11}, {20, 17}, {30, 23}}};
constexpr std::array<std::pair<std::size_t, std::size_t>, 4> all_after{
    {{6, 40}, {8, 20}, {10, 15}, {12, 12}}};
constexpr std::size_t known_samples = 12;
// Smoothed round trips take their time to rise: what lies between before and now is neither.
constexpr std::uint64_t transition_ns = 5 * core::ns_per_s;
constexpr std::size_t few_before = 3;
constexpr std::size_t few_since = 2;
constexpr double mean_weight = 1.0 / 64;
constexpr double floor_us = 5'000;
constexpr double floor_share = 0.5;
constexpr double doubled = 1;
constexpr std::uint64_t lasting_ns = 3 * core::ns_per_s;
constexpr std::size_t newest_judged = 8;
constexpr std::size_t healed_samples = 6;  // of the newest eight

double median_of(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

}  // namespace

bool RoundTrips::known() const { return latest_.size() + older_us_.count() >= known_samples; }

std::optional<RoundTrips::Usual> RoundTrips::usual_before(std::size_t newest) const {
    if (shift_) return frozen_;
    if (older_us_.count() >= many_before) {
        return Usual{*older_us_.quantile(0.5), *older_us_.quantile(0.95), older_us_.count()};
    }
    std::size_t before = latest_.size() - newest;
    const core::BootNs begin = latest_[before].at;
    while (before > 0 && latest_[before - 1].at + transition_ns > begin) --before;
    if (before < known_samples) return std::nullopt;
    std::vector<double> values;
    for (std::size_t i = 0; i < before; ++i) values.push_back(latest_[i].us);
    std::ranges::sort(values);
    const std::size_t top = before >= many_before ? (before - 1) * 95 / 100 : before - 1;
    return Usual{values[before / 2], values[top], before};
}

RoundTrips::Trend RoundTrips::trend(core::BootNs onset) const {
    if (shift_) return Trend::slower;
    std::vector<double> before;
    std::vector<Sample> since;
    for (const Sample& sample : latest_) {
        if (sample.at + transition_ns < onset)
            before.push_back(sample.us);
        else if (sample.at >= onset)
            since.push_back(sample);
    }
    if (since.empty()) return Trend::unknown;
    Usual usual;
    if (before.size() >= few_before) {
        usual.high_us = std::ranges::max(before);
        usual.median_us = median_of(std::move(before));
    } else if (older_us_.count() > 0) {
        usual = {*older_us_.quantile(0.5), *older_us_.quantile(0.95), older_us_.count()};
    } else {
        return Trend::unknown;
    }
    if (!exceeds(since.back(), usual, floor_share)) return Trend::quick;
    const bool all =
        std::ranges::all_of(since, [&](const Sample& s) { return exceeds(s, usual, floor_share); });
    return all && since.size() >= few_since ? Trend::slower : Trend::unknown;
}

bool RoundTrips::exceeds(const Sample& sample, const Usual& usual, double share) const {
    const double felt = std::max(floor_us, share * usual.median_us);
    return sample.us > usual.high_us + slack_us_ && sample.us > usual.median_us + felt + slack_us_;
}

// The newest `of` samples against those before them: at least `least` raised, and the last one.
std::optional<RoundTrips::Shift> RoundTrips::shift_of(std::size_t of, std::size_t least, double share,
                                                      const Usual& usual) const {
    std::vector<double> raised;
    core::BootNs since = 0;
    for (auto sample = latest_.end() - static_cast<std::ptrdiff_t>(of); sample != latest_.end(); ++sample) {
        if (!exceeds(*sample, usual, share)) continue;
        if (raised.empty()) since = sample->at;
        raised.push_back(sample->us);
    }
    if (raised.size() < least || !exceeds(latest_.back(), usual, share)) return std::nullopt;
    return Shift{since, usual.median_us, median_of(std::move(raised)), false};
}

std::optional<RoundTrips::Shift> RoundTrips::find_shift() {
    const auto attempt = [this](std::size_t of, std::size_t least, double share, std::size_t least_before,
                                std::size_t most_before) -> std::optional<Shift> {
        if (latest_.size() < of) return std::nullopt;
        const auto usual = usual_before(of);
        if (!usual || usual->samples < least_before || usual->samples >= most_before) return std::nullopt;
        auto found = shift_of(of, least, share, *usual);
        if (found) frozen_ = *usual;
        return found;
    };
    for (const auto& [of, least] : enough_of) {
        if (auto found = attempt(of, least, doubled, many_before, SIZE_MAX)) return found;
    }
    for (const auto& [of, least] : nearly_all_of) {
        if (auto found = attempt(of, least, floor_share, many_before, SIZE_MAX)) return found;
    }
    for (const auto& [of, before] : all_after) {
        if (auto found = attempt(of, of, floor_share, before, many_before)) return found;
    }
    return std::nullopt;
}

void RoundTrips::follow_shift() {
    const std::size_t judged = std::min(latest_.size(), newest_judged);
    std::vector<double> raised;
    for (auto sample = latest_.end() - static_cast<std::ptrdiff_t>(judged); sample != latest_.end();
         ++sample) {
        if (exceeds(*sample, frozen_, floor_share)) raised.push_back(sample->us);
    }
    if (judged - raised.size() >= healed_samples) {
        // What was measured meanwhile is not what is usual.
        shift_.reset();
        latest_.remove_if([this](const Sample& sample) { return exceeds(sample, frozen_, floor_share); });
        return;
    }
    if (!raised.empty()) shift_->now_us = median_of(std::move(raised));
    const bool now =
        exceeds(latest_.back(), frozen_, floor_share) && latest_.back().at >= shift_->since + lasting_ns;
    shift_->lasts = shift_->lasts || now;
}

void RoundTrips::add(double us, core::BootNs at) {
    const bool crowded = latest_.size() >= at_once_ && at < latest_[latest_.size() - at_once_].at + slot_ns;
    if (crowded) return;
    latest_.push_back({at, us});
    if (latest_.size() > kept) {
        if (!shift_) older_us_.add(latest_.front().us);
        if (older_us_.count() >= remembered) older_us_.decay();
        latest_.pop_front();
    }
    // Most samples are nothing new, and need no test.
    mean_us_ += (us - mean_us_) * (latest_.size() == 1 ? 1 : mean_weight);
    if (!shift_ && us > mean_us_ + floor_us + slack_us_) shift_ = find_shift();
    if (shift_) follow_shift();
}

}  // namespace netwatch::diagnosis
