// SPDX-License-Identifier: Apache-2.0
// Are connections to a destination reset while their client waits for an answer, and only after a rest?
// Tested over the connections that ended after a request.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.h"
#include "diagnosis/path_quality.h"
#include "diagnosis/recent.h"

namespace netwatch::diagnosis {

class Cuts {
public:
    // A connection moved data, after a rest of `idled_ns` at least (0: it did not rest).
    void add_activity(std::uint64_t idled_ns, bool answered, core::BootNs at);
    // A connection that had asked for something ended, by a reset before the answer or not.
    void add_end(bool cut, std::uint64_t idled_ns, core::BootNs at);

    [[nodiscard]] bool alarms(core::BootNs now) const { return test_.alarms(now); }
    [[nodiscard]] bool healed(core::BootNs now) const;
    [[nodiscard]] core::BootNs onset() const { return test_.onset(); }
    // Of the last minute.
    [[nodiscard]] std::size_t count() const { return latest_.size(); }
    // The least rest after which one was cut, where all were that long and shorter ones are survived; else 0.
    [[nodiscard]] std::uint64_t idle_limit_ns() const;
    [[nodiscard]] std::uint64_t survived_ns() const { return survived_ns_; }

private:
    struct Cut {
        core::BootNs at = 0;
        std::uint64_t idled_ns = 0;
    };
    static constexpr double usual = 0.005;
    static constexpr double bad = 0.15;
    ShareTest test_{usual, bad};
    Recent<Cut> latest_;
    std::uint64_t survived_ns_ = 0;  // the longest rest that a connection survived, since connections are cut
    std::uint64_t survived_since_ = 0;  // the longest since the latest cut
    std::uint32_t answered_since_ = 0;  // since the latest cut
};

}  // namespace netwatch::diagnosis
