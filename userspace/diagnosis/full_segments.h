// SPDX-License-Identifier: Apache-2.0
// Do full segments to an address disappear? One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "core/time.h"

namespace netwatch::diagnosis {

struct FlowChange;

// What becomes of the full segments to one address.
class FullSegments {
public:
    // A look at a connection to it that began at `began`; 0: before the agent.
    void add(const FlowChange& change, core::BootNs began);

    // Connections are stuck on full segments, and smaller ones pass: one of them was made since the first one
    // is, or they went on once the kernel had made their segments smaller.
    [[nodiscard]] bool swallowed(core::BootNs now) const;
    // Full segments are acknowledged again.
    [[nodiscard]] bool pass() const { return acknowledged_at_ > stuck_at_; }
    // All go on with smaller segments, and have done so for a while.
    [[nodiscard]] bool worked_around(core::BootNs now) const;
    [[nodiscard]] core::BootNs onset() const { return onset_; }
    [[nodiscard]] core::BootNs stuck_at() const { return stuck_at_; }
    [[nodiscard]] std::size_t stuck() const { return stuck_.size(); }
    [[nodiscard]] std::uint32_t segment_bytes() const { return segment_bytes_; }
    // Connections that went on once the kernel had made their segments smaller.
    [[nodiscard]] std::size_t shrunk() const { return shrunk_.size(); }
    [[nodiscard]] std::uint32_t shrunk_bytes() const { return shrunk_bytes_; }

private:
    std::set<std::uint64_t> stuck_;   // connections since the onset, at most 64
    std::set<std::uint64_t> shrunk_;  // the same
    bool made_since_ = false;         // one of them began after it
    core::BootNs onset_ = 0;
    core::BootNs stuck_at_ = 0;         // the latest look that found one stuck
    core::BootNs acknowledged_at_ = 0;  // a full segment last was
    std::uint32_t segment_bytes_ = 0;   // of those that are stuck
    std::uint32_t shrunk_bytes_ = 0;
};

}  // namespace netwatch::diagnosis
