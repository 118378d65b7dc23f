// SPDX-License-Identifier: Apache-2.0
// Attempts to connect to one destination of which some work and some do not at once: are SYNs lost, and does
// it help to send one again? Tested over the first SYNs of attempts (Bernoulli CUSUM). One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"
#include "diagnosis/path_quality.h"
#include "diagnosis/recent.h"

namespace netwatch::diagnosis {

class Handshakes {
public:
    Handshakes();
    // An attempt that began at `start`, beside so many connections, was answered after so many
    // retransmissions of its SYN.
    void add_answer(core::BootNs start, core::BootNs at, std::uint32_t retransmits, std::uint32_t beside);
    // Its n-th retransmission left this host: what was sent before was not answered. 0: its owner gave it up.
    void add_silence(core::BootNs start, core::BootNs at, std::uint32_t nth, std::uint32_t beside);
    // Nothing answers an attempt that began then, while those before and after it were answered.
    void add_between(core::BootNs start);
    // Those of the last seconds.
    struct Between {
        std::uint32_t count = 0;
        core::BootNs first = 0;
        core::BootNs last = 0;
    };
    [[nodiscard]] Between between(core::BootNs now) const;

    struct Summary {
        std::uint32_t attempts = 0;
        std::uint32_t first_lost = 0;  // their first SYN was not answered
        std::uint32_t again_answered = 0;
        std::uint32_t again_lost = 0;
        bool again_healed = false;  // all that were lost came before all that were answered
        [[nodiscard]] double share() const;
        // Those that are lost once are lost always: the share of first SYNs lost does not explain it.
        [[nodiscard]] bool sticky() const;
        [[nodiscard]] bool helped_by_retries() const;
    };
    // Some attempts fail between others that work, for longer than a burst.
    [[nodiscard]] bool partly_lost(core::BootNs now) const;
    [[nodiscard]] bool alarms(core::BootNs now) const { return test_.alarms(now); }
    [[nodiscard]] bool healed(core::BootNs now) const { return !alarms(now); }
    // The log likelihood of what was answered since the latest loss, if the share lost before were lost
    // still. Nothing while losses are too recent.
    [[nodiscard]] std::optional<double> health(core::BootNs now) const;
    [[nodiscard]] static bool is_enough(double health);
    void forget_alarm();
    [[nodiscard]] core::BootNs onset() const { return test_.onset(); }
    [[nodiscard]] Summary summary() const;
    // The chance that one that was lost was beside more connections than one that was answered.
    [[nodiscard]] std::optional<double> crowding() const;

private:
    struct First {
        core::BootNs start = 0;
        bool lost = false;
        std::uint32_t beside = 0;
    };
    struct Again {
        core::BootNs at = 0;
        bool answered = false;
    };
    void add_first(const First& first, core::BootNs at);
    void add_again(bool answered, core::BootNs at);
    [[nodiscard]] bool interleaved() const;

    static constexpr double usual = 0.01;
    static constexpr double bad = 0.15;
    ShareTest test_{usual, bad};
    Recent<First> firsts_;  // of the last 30 s, once one was lost
    Recent<Again> again_;   // the same
    Recent<core::BootNs> between_;
    core::BootNs last_lost_ = 0;
    double odds_;                       // of one answer, by the share of first SYNs lost when the latest was
    std::uint32_t answered_since_ = 0;  // the latest loss
};

}  // namespace netwatch::diagnosis
