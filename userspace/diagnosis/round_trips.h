// SPDX-License-Identifier: Apache-2.0
// Have the round trips to a destination become longer? A test of order against what is usual
// (distribution-free, one false alarm in about 10^6 tests), and an effect that somebody would feel: the
// median up by 5 ms and by half.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/time.h"
#include "diagnosis/histogram.h"
#include "diagnosis/recent.h"

namespace netwatch::diagnosis {

// Round trips of one kind to one destination. Few a quarter of a second are kept: those of one moment say
// much the same.
class RoundTrips {
public:
    // `slack_us`: what a sample may be too long by, for reasons that are not the path's. `at_once`: how many
    // of one moment are kept.
    explicit RoundTrips(double slack_us, std::size_t at_once) : slack_us_(slack_us), at_once_(at_once) {}
    void add(double us, core::BootNs at);

    struct Shift {
        core::BootNs since = 0;
        double usual_us = 0;  // median
        double now_us = 0;    // median
        bool lasts = false;   // for long enough
    };
    // The round trips have become longer, and still are.
    [[nodiscard]] const std::optional<Shift>& shift() const { return shift_; }
    [[nodiscard]] core::BootNs last_at() const { return latest_.empty() ? 0 : latest_.back().at; }
    enum class Trend : std::uint8_t { unknown, quick, slower };
    // What those since an onset say beside those before it; of few, too, for which there is no test. Others'
    // shift has set the onset.
    [[nodiscard]] Trend trend(core::BootNs onset) const;
    // Enough is known to judge.
    [[nodiscard]] bool known() const;

private:
    struct Sample {
        core::BootNs at = 0;
        double us = 0;
    };
    struct Usual {
        double median_us = 0;
        double high_us = 0;  // the 95th percentile; of few samples the largest
        std::size_t samples = 0;
    };
    [[nodiscard]] std::optional<Usual> usual_before(std::size_t newest) const;
    // By more than that share of the median, and above all but few before.
    [[nodiscard]] bool exceeds(const Sample& sample, const Usual& usual, double share) const;
    [[nodiscard]] std::optional<Shift> shift_of(std::size_t of, std::size_t least, double share,
                                                const Usual& usual) const;
    [[nodiscard]] std::optional<Shift> find_shift();
    void follow_shift();

    double slack_us_;
    std::size_t at_once_;
    Recent<Sample> latest_;
    Histogram older_us_;
    double mean_us_ = 0;
    Usual frozen_;  // what was usual before the shift
    std::optional<Shift> shift_;
};

}  // namespace netwatch::diagnosis
