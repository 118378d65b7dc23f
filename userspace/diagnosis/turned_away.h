// SPDX-License-Identifier: Apache-2.0
// Are connections to a destination accepted and ended at once, without a byte? Tested over those that ended.
// One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"
#include "diagnosis/path_quality.h"
#include "diagnosis/recent.h"

namespace netwatch::diagnosis {

class TurnedAway {
public:
    // A connection ended that was made beside so many others. Whether a limit that may have been is over with
    // it.
    [[nodiscard]] bool add(bool away, std::uint32_t beside, core::BootNs at);

    [[nodiscard]] bool alarms(core::BootNs now) const { return test_.alarms(now); }
    [[nodiscard]] bool healed(core::BootNs now) const { return !alarms(now); }
    [[nodiscard]] core::BootNs onset() const { return test_.onset(); }
    [[nodiscard]] core::BootNs last() const { return last_away_; }  // turned away; 0: none since it healed
    [[nodiscard]] std::uint32_t count() const;                      // of the last minute
    [[nodiscard]] std::uint32_t served() const;                     // since the first of those
    // The chance that one turned away was beside more connections than one served, while any were turned
    // away: whoever is served in a crowd after the latest says nothing against a limit.
    [[nodiscard]] std::optional<double> crowding() const;
    // The fewest connections beside which one was turned away.
    [[nodiscard]] std::uint32_t limit() const { return limit_; }

private:
    struct Ended {
        core::BootNs at = 0;
        bool away = false;
        std::uint32_t beside = 0;
    };
    static constexpr double usual = 0.005;
    static constexpr double bad = 0.15;
    ShareTest test_{usual, bad};
    Recent<Ended> ended_;             // of the last minute, once one was turned away
    std::uint32_t served_since_ = 0;  // the latest that was turned away, beside as many as that or more
    std::uint32_t limit_ = 0;
    core::BootNs last_away_ = 0;
};

}  // namespace netwatch::diagnosis
