// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/path_quality.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace netwatch::diagnosis {
namespace {

// A clean veth path shows 0.05 % residual forward loss after the correction; needless retransmissions reach
// 0.2 %.
constexpr double forward_good = 0.001;
constexpr double forward_bad = 0.01;
constexpr double worst_bad = 0.9;  // of a share of 1 no success could tell
constexpr double needless_good = 0.004;
constexpr double needless_bad = 0.03;
constexpr double arrivals_good = 0.001;
constexpr double arrivals_bad = 0.01;
// One hole puts up to a flight of segments out of order; an eighth of the arrivals is a lower bound of the
// holes (a 5 % loss of 6,200 segments gave 1,332 arrivals behind 312 holes).
constexpr double arrivals_per_hole = 8;

constexpr std::int64_t enough_losses = 10;
constexpr std::uint32_t enough_flow_seconds = 3;
// What one instant lost is over, and so is what an outage swallowed: it all shows when it ends, within the
// timeouts that run then.
constexpr std::uint64_t enough_span_ns = 900 * core::ns_per_ms;
constexpr double reordering_share = 0.7;  // of the retransmissions that were needless
constexpr std::uint64_t reordering_span_ns = 10 * core::ns_per_s;
constexpr std::uint64_t judged_span_ns = 30 * core::ns_per_s;
constexpr std::uint64_t quiet_ns = 3 * core::ns_per_s;
constexpr double healthy_share = needless_good;  // all kinds together
constexpr double healed_odds =
    6.9;  // ln 1000: the chance of such a clean stretch under the share before is 0.1 %

}  // namespace

ShareTest::ShareTest(double good, double bad)
    : hit_(std::log(bad / good)),
      miss_(std::log((1 - bad) / (1 - good))) {}

void ShareTest::add(double hits, double trials, core::BootNs at) {
    if (value_ == 0) since_ = at;
    if (value_ == 0 && hits <= 0) return;  // as most are
    const double misses = std::max(trials - hits, 0.0);
    value_ = std::clamp(value_ + hits * hit_ + misses * miss_, 0.0, 2 * alarm);
    if (value_ < alarm) return;
    if (!alarms(at)) onset_ = since_;
    alarmed_at_ = at;
}

PathQuality::PathQuality()
    : forward_(forward_good, forward_bad),
      needless_(needless_good, needless_bad),
      arrivals_(arrivals_good, arrivals_bad) {}

void PathQuality::add(const FlowDelta& delta) {
    const std::uint32_t out_of_order = delta.resent ? 0 : delta.out_of_order;
    const double lost_in = delta.resent ? *delta.resent : out_of_order / arrivals_per_hole;
    const core::BootNs start = delta.at - delta.at % core::ns_per_s;
    if (seconds_.empty() || seconds_.back().at < start) {
        if (last_loss_at_ + seconds_kept * core::ns_per_s >= start) rate_limit_ = look_for_limit();
        seconds_.push_back({.at = start, .sum = {}, .scatter = {}, .passed = 0});
        if (seconds_.size() > seconds_kept) seconds_.pop_front();
    }
    ++looks_;
    if (delta.passive) ++passive_looks_;
    Window& sum = seconds_.back().sum;
    sum.segments += delta.segments;
    sum.segments_in += delta.segments_in;
    sum.lost += delta.lost;
    seconds_.back().scatter.add(delta.lost,
                                delta.segments + static_cast<std::uint64_t>(std::max(delta.lost, 0)));
    sum.needless += delta.needless;
    sum.out_of_order += out_of_order;
    sum.resent += delta.resent.value_or(0);
    sum.disproved += delta.disproved;
    sum.overtaken += delta.overtaken ? 1 : 0;
    sum.lossy_flow_seconds += delta.lost > 0 ? 1 : 0;
    sum.lossy_in_flow_seconds += lost_in > 0 || delta.needless > 0 ? 1 : 0;
    if (delta.lost > 0 || lost_in > 0 || delta.needless > 0) {
        if (sum.first_loss == 0) sum.first_loss = delta.at;
        sum.last_loss = delta.at;
    }
    sum.open_holes += delta.hole_open ? 1 : 0;
    sum.queue_full_flow_seconds += delta.queue_full && delta.lost > 0 ? 1 : 0;

    forward_.add(delta.lost, delta.segments + static_cast<double>(std::max(delta.lost, 0)), delta.at);
    needless_.add(delta.needless, delta.segments, delta.at);
    arrivals_.add(lost_in, delta.segments_in + lost_in, delta.at);

    if (delta.lost > 0 || lost_in > 0 || (delta.needless > 0 && needless_.alarms(delta.at))) {
        last_loss_at_ = delta.at;
        const double share = std::max(sum.loss_share().value_or(0), sum.loss_in_share().value_or(0));
        if (share >= healthy_share) unhealthy_at_ = delta.at;
        const Window recent = window(delta.at, judged_span_ns);
        last_share_ = std::max(recent.loss_share().value_or(0), recent.loss_in_share().value_or(0));
    }
    const double bad = std::clamp(last_share_, forward_bad, worst_bad);
    const double hits = std::max<double>(delta.lost, 0) + delta.needless + lost_in;
    seconds_.back().passed += std::max(static_cast<double>(delta.segments) + delta.segments_in - hits, 0.0);
    const double misses = would_show() ? std::exchange(seconds_.back().passed, 0.0) : 0;
    if (hits == 0 && recovery_ == healed_odds) return;  // as most are
    recovery_ += misses * std::log((1 - healthy_share) / (1 - bad)) - hits * std::log(bad / healthy_share);
    recovery_ = std::clamp(recovery_, 0.0, healed_odds);
}

PathQuality::Window PathQuality::window(core::BootNs now, std::uint64_t span_ns) const {
    Window total;
    for (auto second = seconds_.rbegin(); second != seconds_.rend() && second->at + span_ns >= now;
         ++second) {
        total.segments += second->sum.segments;
        total.segments_in += second->sum.segments_in;
        total.lost += second->sum.lost;
        total.needless += second->sum.needless;
        total.out_of_order += second->sum.out_of_order;
        total.resent += second->sum.resent;
        total.disproved += second->sum.disproved;
        total.overtaken += second->sum.overtaken;
        if (second->sum.first_loss != 0) {
            total.first_loss = second->sum.first_loss;
            total.last_loss = std::max(total.last_loss, second->sum.last_loss);
        }
        total.lossy_flow_seconds += second->sum.lossy_flow_seconds;
        total.lossy_in_flow_seconds += second->sum.lossy_in_flow_seconds;
        total.open_holes += second->sum.open_holes;
        total.queue_full_flow_seconds += second->sum.queue_full_flow_seconds;
    }
    return total;
}

std::optional<double> PathQuality::Window::loss_share() const {
    const double sent = static_cast<double>(segments) + static_cast<double>(std::max<std::int64_t>(lost, 0));
    if (sent == 0) return std::nullopt;
    return std::clamp(static_cast<double>(lost) / sent, 0.0, 1.0);
}

bool PathQuality::Window::lasts() const { return last_loss >= first_loss + enough_span_ns; }

double PathQuality::Window::lost_in() const {
    return static_cast<double>(resent) + static_cast<double>(out_of_order) / arrivals_per_hole;
}

std::optional<double> PathQuality::Window::loss_in_share() const {
    if (segments_in == 0 && segments == 0) return std::nullopt;
    const double holes = lost_in();
    const double arrivals = segments_in == 0 ? 0 : holes / (static_cast<double>(segments_in) + holes);
    const double acknowledgements =
        segments == 0 ? 0 : static_cast<double>(needless) / static_cast<double>(segments);
    return std::clamp(std::max(arrivals, acknowledgements), 0.0, 1.0);
}

bool PathQuality::holds(const ShareTest& test, core::BootNs now) const {
    const bool any = forward_.alarms(now) || needless_.alarms(now) || arrivals_.alarms(now);
    return any && last_loss_at_ + judged_span_ns >= now && test.alarms(std::min(now, last_loss_at_));
}

bool PathQuality::forward_alarms(core::BootNs now) const {
    if (!holds(forward_, now)) return false;
    const core::BootNs then = std::min(now, last_loss_at_);
    const Window recent = window(then, judged_span_ns);
    if (!recent.lasts() || recent.lossy_flow_seconds < enough_flow_seconds) return false;
    // Where answers and acknowledgements are lost, too, they lengthen the round trips.
    const bool queue = recent.queue_full_flow_seconds * 2 > recent.lossy_flow_seconds && !reverse_alarms(now);
    // Where most is sent again for having been overtaken, not each needless retransmission is disproved: one
    // acknowledgement has room for the latest of them.
    const Window latest = window(then, reordering_span_ns);
    const double again = static_cast<double>(latest.lost) + static_cast<double>(latest.disproved);
    const bool overtaken =
        latest.overtaken > 0 && static_cast<double>(latest.disproved) >= reordering_share * again;
    return !queue && !overtaken && recent.lost >= enough_losses;
}

bool PathQuality::reverse_alarms(core::BootNs now) const {
    if (!holds(arrivals_, now) && !holds(needless_, now)) return false;
    const Window recent = window(std::min(now, last_loss_at_), judged_span_ns);
    if (!recent.lasts() || recent.lossy_in_flow_seconds < enough_flow_seconds) return false;
    const auto enough = static_cast<std::uint64_t>(enough_losses);
    const bool holes = holds(arrivals_, now) &&
                       (recent.resent >= enough || (recent.open_holes > 0 && recent.out_of_order >= enough));
    const bool acknowledgements = holds(needless_, now) && recent.needless >= enough;
    return holes || acknowledgements;
}

double PathQuality::round_trip_loss(core::BootNs now) const {
    const auto since = [&](core::BootNs start) { return window(now, now - start + start % core::ns_per_s); };
    const double there = since(forward_.excursion(now)).loss_share().value_or(0);
    const double back =
        since(std::min(needless_.excursion(now), arrivals_.excursion(now))).loss_in_share().value_or(0);
    return 1 - (1 - there) * (1 - back);
}

core::BootNs PathQuality::onset(core::BootNs now) const {
    core::BootNs earliest = now;
    for (const ShareTest* test : {&forward_, &needless_, &arrivals_}) {
        if (test->alarms(now)) earliest = std::min(earliest, test->onset());
    }
    return earliest;
}

std::optional<double> PathQuality::scatter(core::BootNs now) const {
    std::int64_t lost = 0;
    std::int64_t lossy = 0;
    for (const Second& second : seconds_) {
        if (second.at + judged_span_ns < now || second.sum.lost <= 0) continue;
        lost += second.sum.lost;
        ++lossy;
    }
    // From the first loss to the last. A single one that is lost long before or after the others is no part
    // of a run.
    constexpr std::int64_t stray = 10;
    Scatter all;
    Scatter since_loss;
    for (const Second& second : seconds_) {
        if (second.at + judged_span_ns < now) continue;
        if (second.sum.lost > 0 && second.sum.lost * stray * lossy >= lost) {
            all += since_loss;
            since_loss = second.scatter;
        } else if (!since_loss.empty()) {
            since_loss += second.scatter;
        }
    }
    return all.index();
}

std::optional<RateLimit> PathQuality::look_for_limit() const {
    if (last_loss_at_ == 0) return std::nullopt;
    std::vector<LossSecond> since;
    for (const Second& second : seconds_) {
        if (since.empty() && second.sum.lost <= 0) continue;
        since.push_back({second.sum.segments, second.sum.lost});
    }
    return diagnosis::rate_limit(since);
}

bool PathQuality::healed(core::BootNs now) const {
    if (unhealthy_at_ + quiet_ns > now) return false;
    return recovery_ >= healed_odds;
}

void PathQuality::forget_alarm() {
    forward_.reset();
    needless_.reset();
    arrivals_.reset();
    last_share_ = 0;
}

}  // namespace netwatch::diagnosis
