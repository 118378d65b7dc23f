// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/full_segments.h"

#include "diagnosis/socket_table.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t kept = 64;
constexpr std::size_t enough_stuck = 2;
constexpr std::uint64_t quiet_ns = 10 * core::ns_per_s;
constexpr std::uint64_t look_ns = core::ns_per_s;  // the onset is known to a look

}  // namespace

void FullSegments::add(const FlowChange& change, core::BootNs began) {
    if (change.full_acknowledged) {
        acknowledged_at_ = change.path.at;
        stuck_.clear();
        return;
    }
    if (!change.stuck) return;
    if (stuck_.empty() || stuck_at_ + quiet_ns < change.path.at) {
        stuck_.clear();
        made_since_ = false;
        onset_ = change.stuck_since;
    }
    made_since_ = made_since_ || began > onset_ + look_ns;
    stuck_at_ = change.path.at;
    segment_bytes_ = change.segment_bytes;
    if (stuck_.size() < kept) stuck_.insert(change.path.sock);
}

bool FullSegments::swallowed(core::BootNs now) const {
    return stuck_.size() >= enough_stuck && made_since_ && stuck_at_ + quiet_ns >= now;
}

}  // namespace netwatch::diagnosis
