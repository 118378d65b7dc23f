// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/full_arrivals.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/socket_table.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t kept = 64;
constexpr std::size_t enough_behind_holes = 2;
constexpr std::size_t enough_midway = 3;
constexpr std::uint32_t enough_ended = 10;
constexpr double rarely = 0.02;
constexpr std::uint64_t lingering_ns = core::ns_per_s;
constexpr std::uint32_t remembered = 32;
constexpr double chance = 1e-6;                    // that so many answers are small by themselves
constexpr std::uint64_t look_ns = core::ns_per_s;  // the onset is known to a look
constexpr std::uint64_t lasting_ns = 2 * look_ns;  // a hole that a retransmission fills is gone by then
constexpr std::uint64_t quiet_ns = 10 * core::ns_per_s;

}  // namespace

// What is usual is learned while full segments come: those that are small meanwhile may be small for the
// fault.
void FullArrivals::learn() {
    for (std::uint32_t i = 0; i < std::min(small_since_full_, remembered); ++i)
        full_share_ -= weight() * full_share_;
    full_share_ += weight() * (1 - full_share_);
    small_since_full_ = 0;
}

double FullArrivals::weight() { return std::max(1.0 / remembered, 1.0 / ++looks_); }

void FullArrivals::add(const FlowChange& change, core::BootNs began) {
    const core::BootNs at = change.path.at;
    if (change.full_arrived) {
        full_at_ = at;
        behind_holes_.clear();
        midway_.clear();
        learn();
    } else if (change.bytes_received > 0) {
        ++small_since_full_;
    }
    if (change.lingered_ns && midway_.empty()) {
        ++ended_;
        lingered_ += *change.lingered_ns >= lingering_ns ? 1U : 0U;
    }
    const bool hole = change.hole_since != 0 && change.hole_since + lasting_ns <= at;
    if (!hole && !change.stopped_midway) return;
    const core::BootNs since = hole ? change.hole_since : change.stopped_since;
    if (since < full_at_) return;  // others' full segments have come since
    if ((behind_holes_.empty() && midway_.empty()) || stuck_at_ + quiet_ns < at) {
        behind_holes_.clear();
        midway_.clear();
        made_since_ = false;
        onset_ = since;
    }
    onset_ = std::min(onset_, since);
    made_since_ = made_since_ || began > onset_ + look_ns;
    stuck_at_ = at;
    auto& who = hole ? behind_holes_ : midway_;
    if (who.size() < kept) who.insert(change.path.sock);
}

bool FullArrivals::recent(core::BootNs now) const { return stuck_at_ + quiet_ns >= now; }

bool FullArrivals::swallowed(core::BootNs now) const {
    return behind_holes_.size() >= enough_behind_holes && made_since_ && recent(now);
}

bool FullArrivals::stops_midway(core::BootNs now) const {
    const bool prompt = ended_ >= enough_ended && lingered_ <= rarely * ended_;
    if (midway_.size() < enough_midway || !made_since_ || !recent(now) || !prompt) return false;
    return small_since_full_ * std::log1p(-std::min(full_share_, 0.99)) <= std::log(chance);
}

}  // namespace netwatch::diagnosis
