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
    // Smaller segments that pass say nothing of those that do not.
    if (change.full_acknowledged && (stuck_.empty() || change.segment_bytes >= segment_bytes_)) {
        acknowledged_at_ = change.path.at;
        stuck_.clear();
        shrunk_.clear();
        return;
    }
    if (change.shrunk && change.progress && !stuck_.empty() && shrunk_.size() < kept) {
        shrunk_.insert(change.path.sock);
        shrunk_bytes_ = change.segment_bytes;
    }
    if (!change.stuck || (shrunk_.contains(change.path.sock) && change.segment_bytes < segment_bytes_))
        return;
    // Others' full segments have been acknowledged since: it waits for its next timeout.
    if (change.asked_at != 0 && change.asked_at + look_ns < acknowledged_at_) return;
    if (stuck_.empty() || stuck_at_ + quiet_ns < change.path.at) {
        stuck_.clear();
        shrunk_.clear();
        made_since_ = false;
        onset_ = change.stuck_since;
    }
    made_since_ = made_since_ || began > onset_ + look_ns;
    stuck_at_ = change.path.at;
    segment_bytes_ = change.segment_bytes;
    if (stuck_.size() < kept) stuck_.insert(change.path.sock);
}

bool FullSegments::swallowed(core::BootNs now) const {
    const bool small_pass = made_since_ || shrunk_.size() >= enough_stuck;
    return stuck_.size() >= enough_stuck && small_pass && stuck_at_ + quiet_ns >= now;
}

bool FullSegments::worked_around(core::BootNs now) const {
    return !shrunk_.empty() && stuck_at_ + quiet_ns < now;
}

}  // namespace netwatch::diagnosis
