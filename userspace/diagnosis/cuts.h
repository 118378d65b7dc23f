// SPDX-License-Identifier: Apache-2.0
// Connections to one destination that die while others live: reset while their client waits for an answer, or
// never answered again. Do all of them die or a share, only after a rest, only those made before some moment?
// Resets are tested over the connections that ended after a request; silence counts where a new connection
// was made meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.h"
#include "diagnosis/hop_limits.h"
#include "diagnosis/path_quality.h"
#include "diagnosis/recent.h"

namespace netwatch::diagnosis {

struct Cut {
    core::BootNs at = 0;  // when it was known
    std::uint64_t sock = 0;
    core::BootNs began = 0;       // the connection; 0: before the agent
    core::BootNs asked_at = 0;    // when what nobody answered was sent
    std::uint64_t rested_ns = 0;  // before that, at least
    bool silent = false;          // nothing came back, not even a RST
    bool keepalive = false;       // keepalive probes told, not a request
    Sender sender = Sender::unknown;
    std::uint16_t local_port = 0;
};

class Cuts {
public:
    struct Activity {
        core::BootNs at = 0;
        core::BootNs moved_at = 0;    // when data moved, at the earliest
        core::BootNs began = 0;       // the connection; 0: before the agent
        std::uint64_t rested_ns = 0;  // before it moved, at least (0: it did not rest)
        bool answered = false;
    };
    void add_activity(const Activity& activity);
    void add(const Cut& cut);
    // A connection that had asked for something ended well.
    void add_good_end(core::BootNs at) { test_.add(0, 1, at); }
    // It was silent only for a time.
    void revive(std::uint64_t sock);
    // A segment came from the peer for a connection that was reset: the RST was somebody else's.
    void note_segment_after(std::uint16_t local_port, core::BootNs at);

    [[nodiscard]] bool alarms(core::BootNs now) const { return test_.alarms(now); }
    [[nodiscard]] bool healed(core::BootNs now) const;
    [[nodiscard]] core::BootNs onset() const;
    // Of the last minute.
    [[nodiscard]] std::size_t count() const { return latest_.size(); }
    // The least rest after which one was cut, where all were that long and shorter ones are survived; else 0.
    [[nodiscard]] std::uint64_t idle_limit_ns() const;
    [[nodiscard]] std::uint64_t survived_ns() const { return survived_ns_; }
    // Connections made since the first was cut are answered.
    [[nodiscard]] bool new_ones_live() const { return young_answers_ >= enough_answers; }

    struct Tally {
        std::size_t silent = 0;
        std::size_t keepalive = 0;  // of the silent ones
        std::size_t busy = 0;       // cut without a rest
        std::size_t young = 0;      // made since the first was cut
        std::size_t moments = 0;    // at which they were cut
        std::size_t from_peer = 0;
        std::size_t from_others = 0;
        std::uint32_t old_answers = 0;  // on connections made before, since the first was cut
        core::BootNs first_at = 0;
    };
    [[nodiscard]] Tally tally() const;

private:
    static constexpr double usual = 0.005;
    static constexpr double bad = 0.15;
    static constexpr std::uint32_t enough_answers = 3;
    [[nodiscard]] core::BootNs first_asked() const;
    // When the first of the connections that were cut began to rest; 0: none was.
    [[nodiscard]] core::BootNs first_rest() const;
    void forget_before(core::BootNs at);

    ShareTest test_{usual, bad};
    Recent<Cut> latest_;
    std::uint64_t survived_ns_ = 0;     // the longest rest that a connection survived, up to the latest cut
    std::uint64_t survived_since_ = 0;  // the longest since then: what is survived now may have healed
    std::uint32_t answered_since_ = 0;  // since the latest cut
    std::uint32_t old_answers_ = 0;
    std::uint32_t young_answers_ = 0;
};

}  // namespace netwatch::diagnosis
