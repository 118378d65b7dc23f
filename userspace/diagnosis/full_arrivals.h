// SPDX-License-Identifier: Apache-2.0
// Do full segments from an address disappear on their way here? Requests pass, small answers arrive, and of a
// large one nothing, its beginning, or its end. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "core/time.h"

namespace netwatch::diagnosis {

struct FlowChange;

// What becomes of the full segments from one address.
class FullArrivals {
public:
    // A look at a connection to it that began at `began`; 0: before the agent.
    void add(const FlowChange& change, core::BootNs began);

    // Ends of answers lie behind holes that nothing fills, on connections one of which was made since the
    // first: their beginnings were sent.
    [[nodiscard]] bool swallowed(core::BootNs now) const;
    // Answers stop after a small beginning, where they used to be large, and their connections are not ended
    // as they used to be: their clients wait for more.
    [[nodiscard]] bool stops_midway(core::BootNs now) const;
    // Full segments arrive again.
    [[nodiscard]] bool pass() const { return full_at_ > stuck_at_; }
    [[nodiscard]] core::BootNs onset() const { return onset_; }
    [[nodiscard]] core::BootNs stuck_at() const { return stuck_at_; }
    [[nodiscard]] std::size_t behind_holes() const { return behind_holes_.size(); }
    [[nodiscard]] std::size_t midway() const { return midway_.size(); }
    [[nodiscard]] std::uint32_t small_answers() const { return small_since_full_; }
    [[nodiscard]] double usual_share() const { return full_share_; }

private:
    [[nodiscard]] bool recent(core::BootNs now) const;
    void learn();
    [[nodiscard]] double weight();

    std::set<std::uint64_t> behind_holes_;  // connections since the onset, at most 64
    std::set<std::uint64_t> midway_;        // the same
    bool made_since_ = false;               // one of them began after it
    core::BootNs onset_ = 0;
    core::BootNs stuck_at_ = 0;  // the latest look that spoke for it
    core::BootNs full_at_ = 0;   // a full segment last arrived
    double full_share_ = 0;      // of the looks at connections on which data arrived; decayed over about 32
    std::uint32_t looks_ = 0;
    std::uint32_t ended_ = 0;             // connections, while full segments came
    std::uint32_t lingered_ = 0;          // of those, the ones that rested for long before they were ended
    std::uint32_t small_since_full_ = 0;  // looks at small arrivals since a full segment last came
};

}  // namespace netwatch::diagnosis
