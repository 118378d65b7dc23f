// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/handshakes.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <vector>

#include "diagnosis/crowd.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t kept = 128;
constexpr std::uint64_t span_ns = 30 * core::ns_per_s;
constexpr std::uint64_t quiet_ns = 3 * core::ns_per_s;
constexpr double healed_chance = 1e-3;  // that so many in a row are answered with the fault still there
constexpr std::uint32_t enough_lost = 7;
constexpr std::size_t enough_seconds = 3;  // a burst overflows a queue for a moment
constexpr double some = 0.05;
constexpr double most = 0.95;
constexpr double sticky_chance = 1e-3;  // that so many retries are lost with the share of the first SYNs
constexpr std::uint32_t enough_again = 3;
constexpr std::uint64_t heard_ns = 1'500 * core::ns_per_ms;  // that a SYN sent again is lost
constexpr std::size_t between_kept = 32;
constexpr std::uint64_t between_ns = 10 * core::ns_per_s;
constexpr std::ptrdiff_t enough_between = 3;  // answered ones between lost ones: two short outages have few

// The log likelihood that one is answered where that share is lost.
double odds_of(double share) { return std::log1p(-std::clamp(share, some, most)); }

}  // namespace

Handshakes::Handshakes() : odds_(odds_of(0)) {}

double Handshakes::Summary::share() const {
    return attempts == 0 ? 0 : static_cast<double>(first_lost) / static_cast<double>(attempts);
}

bool Handshakes::Summary::sticky() const {
    return again_answered == 0 && again_lost >= enough_again && std::pow(share(), again_lost) < sticky_chance;
}

bool Handshakes::Summary::helped_by_retries() const {
    const bool outage = again_healed && again_lost >= enough_again;  // that is over
    return !outage && again_answered >= enough_again && 2 * again_answered >= again_lost;
}

void Handshakes::add_first(const First& first, core::BootNs at) {
    while (!firsts_.empty() && (firsts_.size() >= kept || firsts_.front().start + span_ns < at))
        firsts_.pop_front();
    // While all goes well nothing has to be remembered.
    if (first.lost || !firsts_.empty()) firsts_.push_back(first);
    test_.add(first.lost ? 1 : 0, 1, at);
    if (first.lost) {
        last_lost_ = at;
        odds_ = odds_of(summary().share());
        answered_since_ = 0;
        return;
    }
    ++answered_since_;
    if (is_enough(health(at).value_or(0))) forget_alarm();
}

bool Handshakes::is_enough(double health) { return health <= std::log(healed_chance); }

std::optional<double> Handshakes::health(core::BootNs now) const {
    if (last_lost_ + quiet_ns > now) return std::nullopt;
    return answered_since_ * odds_;
}

void Handshakes::forget_alarm() {
    test_.reset();
    firsts_ = {};
    again_ = {};
    between_ = {};
}

void Handshakes::add_again(bool answered, core::BootNs at) {
    while (!again_.empty() && (again_.size() >= kept || again_.front().at + span_ns < at)) again_.pop_front();
    again_.push_back({at, answered});
}

void Handshakes::add_answer(core::BootNs start, core::BootNs at, std::uint32_t retransmits,
                            std::uint32_t beside) {
    if (retransmits == 0) return add_first({start, false, beside}, at);
    add_again(true, at);
}

void Handshakes::add_silence(core::BootNs start, core::BootNs at, std::uint32_t nth, std::uint32_t beside) {
    if (nth <= 1) return add_first({start, true, beside}, at);
    add_again(false, at);
}

void Handshakes::add_between(core::BootNs start) {
    while (!between_.empty() && (between_.size() >= between_kept || between_.front() + between_ns < start))
        between_.pop_front();
    between_.push_back(start);
}

Handshakes::Between Handshakes::between(core::BootNs now) const {
    Between all;
    for (const core::BootNs start : between_) {
        if (start + between_ns < now) continue;
        if (all.count++ == 0) all.first = start;
        all.last = start;
    }
    return all;
}

Handshakes::Summary Handshakes::summary() const {
    Summary sum;
    for (const First& first : firsts_) {
        ++sum.attempts;
        sum.first_lost += first.lost ? 1U : 0U;
    }
    core::BootNs first_answer = 0;
    for (const Again& again : again_) {
        ++(again.answered ? sum.again_answered : sum.again_lost);
        if (again.answered && first_answer == 0) first_answer = again.at;
        if (first_answer != 0)
            sum.again_healed = again.answered ? sum.again_answered == 1 || sum.again_healed
                                              : sum.again_healed && again.at < first_answer + heard_ns;
    }
    return sum;
}

std::optional<double> Handshakes::crowding() const {
    std::vector<First> since;  // what is usual in a crowd without the fault says nothing
    std::ranges::copy_if(firsts_, std::back_inserter(since),
                         [&](const First& first) { return first.start >= onset(); });
    return diagnosis::crowding(since, &First::lost, &First::beside);
}

// In the order of their beginnings, those lost and those answered take turns as chance would have it (half as
// often at least: the runs test of Wald and Wolfowitz). An outage comes and goes once.
bool Handshakes::interleaved() const {
    std::vector<First> order(firsts_.begin(), firsts_.end());
    std::ranges::sort(order, {}, &First::start);
    const auto begin = std::ranges::find(order, true, &First::lost);
    const auto end =
        std::find_if(order.rbegin(), order.rend(), [](const First& first) { return first.lost; }).base();
    if (begin == order.end() ||
        std::count_if(begin, end, [](const First& first) { return !first.lost; }) < enough_between)
        return false;
    double lost = 0;
    double runs = order.empty() ? 0 : 1;
    for (std::size_t i = 0; i < order.size(); ++i) {
        lost += order[i].lost ? 1 : 0;
        runs += i > 0 && order[i].lost != order[i - 1].lost ? 1 : 0;
    }
    const auto all = static_cast<double>(order.size());
    return 2 * runs >= 2 * lost * (all - lost) / std::max(all, 1.0) + 1;
}

bool Handshakes::partly_lost(core::BootNs now) const {
    if (!alarms(now)) return false;
    const Summary sum = summary();
    std::set<std::uint64_t> seconds;
    for (const First& first : firsts_) {
        if (first.lost) seconds.insert(first.start / core::ns_per_s);
    }
    const bool partly = sum.share() >= some && sum.share() <= most;
    return sum.first_lost >= enough_lost && seconds.size() >= enough_seconds && partly && interleaved();
}

}  // namespace netwatch::diagnosis
