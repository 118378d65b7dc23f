// SPDX-License-Identifier: Apache-2.0
// Loss on the path to one address, both ways, from the counters of its connections.
//
// Forward: retransmissions less DSACKs (Allman, Eddy, Ostermann 2003; RFC 3708), counted only once the
// connection has moved on, so that a dead path is not called a lossy one. Towards us: holes in what arrives
// that a retransmission fills (where the kernel shows only that segments came behind a hole: a share of
// those, while holes stay open), and retransmissions that the peer called needless (its acknowledgement was
// lost). Each is tested by a Bernoulli CUSUM (Page 1954; Wald's likelihood ratios), reset at zero.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"
#include "diagnosis/loss_pattern.h"
#include "diagnosis/recent.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

// What one connection did between two looks at it.
struct FlowDelta {
    core::BootNs at = 0;
    std::uint64_t sock = 0;
    std::uint32_t segments = 0;  // original data segments sent
    std::uint32_t segments_in = 0;
    std::int32_t lost = 0;           // forward; negative takes back what a late DSACK disproves
    std::uint32_t needless = 0;      // retransmissions of a timer that the peer had no need of
    std::uint32_t out_of_order = 0;  // arrivals behind a hole
    // Holes that a retransmission filled, less the originals that came late after all; where the kernel
    // tells.
    std::optional<std::uint32_t> resent;
    std::uint32_t disproved = 0;  // retransmissions whose segment the peer had received already
    bool overtaken = false;       // the kernel saw segments acknowledged out of their order
    bool hole_open = false;       // at the later look
    bool queue_full = false;      // round trip far above its minimum: the loss is congestion of a queue
    bool passive = false;

    // Anything but segments that arrived in their order.
    [[nodiscard]] bool eventful() const {
        return lost != 0 || needless + out_of_order + resent.value_or(0) + disproved > 0 || overtaken ||
               hole_open;
    }
};

// Sequential test of a share: is it `bad` rather than `good`? An alarm stays for a while after the evidence
// has gone, so that what heals is not renamed on its way.
class ShareTest {
public:
    ShareTest(double good, double bad);
    void add(double hits, double trials, core::BootNs at);
    void reset() {
        value_ = 0;
        alarmed_at_ = 0;
    }
    [[nodiscard]] bool alarms(core::BootNs now) const {
        return alarmed_at_ != 0 && alarmed_at_ + kept_ns >= now;
    }
    // When the excursion from zero that led to the alarm began: Page's estimate of the onset.
    [[nodiscard]] core::BootNs onset() const { return onset_; }
    // When the present excursion began; `now` without one.
    [[nodiscard]] core::BootNs excursion(core::BootNs now) const { return value_ > 0 ? since_ : now; }

private:
    // One false alarm in about e^18 observations: a month at 25 a second.
    static constexpr double alarm = 18;
    static constexpr std::uint64_t kept_ns = 10 * core::ns_per_s;
    double hit_;
    double miss_;
    double value_ = 0;
    core::BootNs since_ = 0;       // the present excursion
    core::BootNs alarmed_at_ = 0;  // last; 0: never
    core::BootNs onset_ = 0;
};

class PathQuality {
public:
    PathQuality();
    void add(const FlowDelta& delta);

    struct Window {
        std::uint64_t segments = 0;
        std::uint64_t segments_in = 0;
        std::int64_t lost = 0;
        std::uint64_t needless = 0;
        std::uint64_t out_of_order = 0;  // of looks that do not tell what filled the holes
        std::uint64_t resent = 0;
        std::uint64_t disproved = 0;
        std::uint32_t overtaken = 0;           // looks
        std::uint32_t lossy_flow_seconds = 0;  // looks at a connection that found forward loss
        std::uint32_t lossy_in_flow_seconds = 0;
        core::BootNs first_loss = 0;  // whichever way: the looks that found it
        core::BootNs last_loss = 0;
        std::uint32_t open_holes = 0;
        std::uint32_t queue_full_flow_seconds = 0;
        [[nodiscard]] bool lasts() const;  // loss was found for longer than an instant
        [[nodiscard]] std::optional<double> loss_share() const;
        [[nodiscard]] double lost_in() const;  // holes, at least; an estimate where the kernel does not tell
        [[nodiscard]] std::optional<double> loss_in_share() const;  // a lower bound
    };
    [[nodiscard]] Window window(core::BootNs now, std::uint64_t span_ns) const;

    [[nodiscard]] bool forward_alarms(core::BootNs now) const;
    [[nodiscard]] bool reverse_alarms(core::BootNs now) const;
    // How unevenly the losses on the way there are spread, from the first to the last second that has any.
    [[nodiscard]] std::optional<double> scatter(core::BootNs now) const;
    // The rate above which alone there is loss on the way there, where it is so.
    [[nodiscard]] const std::optional<RateLimit>& rate_limit() const { return rate_limit_; }
    // Clean for long enough that the share last seen would have shown itself.
    [[nodiscard]] bool healed(core::BootNs now) const;
    void forget_alarm();

    // The share of round trips that lack a packet, since losses outweigh what a clean path shows. Not yet an
    // alarm.
    [[nodiscard]] double round_trip_loss(core::BootNs now) const;

    // When the loss that is alarmed of began.
    [[nodiscard]] core::BootNs onset(core::BootNs now) const;
    [[nodiscard]] core::BootNs last_active() const { return seconds_.empty() ? 0 : seconds_.back().at; }
    // Nothing was ever lost, and nothing moved since then.
    [[nodiscard]] bool uneventful(core::BootNs since) const {
        return last_loss_at_ == 0 && last_active() < since;
    }
    [[nodiscard]] bool mostly_passive() const { return passive_looks_ * 2 > looks_; }

private:
    // A direction that lost when anything was last lost is named as long as another one is: one that falls
    // silent a moment before the other does not rename what heals.
    [[nodiscard]] bool holds(const ShareTest& test, core::BootNs now) const;
    // What tells of a healthy path: where only what comes too fast is lost, nothing slower does.
    [[nodiscard]] bool would_show() const {
        return !rate_limit_ || seconds_.back().sum.segments >= rate_limit_->knee;
    }
    [[nodiscard]] std::optional<RateLimit> look_for_limit() const;

    struct Second {
        core::BootNs at = 0;
        Window sum;
        Scatter scatter;    // of the losses on the way there
        double passed = 0;  // segments that tell of health once the second is busy enough to show loss
    };
    static constexpr std::size_t seconds_kept = 60;
    ShareTest forward_;
    ShareTest needless_;
    ShareTest arrivals_;
    Recent<Second> seconds_;
    core::BootNs last_loss_at_ = 0;
    core::BootNs unhealthy_at_ = 0;        // when more was lost in a second than a healthy path may lose
    double last_share_ = 0;                // of the span judged, at the last loss
    std::optional<RateLimit> rate_limit_;  // as of the last loss
    double recovery_ = 0;  // log likelihood of a healthy path against one that loses that share
    std::uint64_t looks_ = 0;
    std::uint64_t passive_looks_ = 0;
};

}  // namespace netwatch::diagnosis
