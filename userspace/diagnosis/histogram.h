// SPDX-License-Identifier: Apache-2.0
// A small sketch of durations: logarithmic buckets, four an octave, so a quantile is right within 19 %.
// After DDSketch (Masson, Rim, Lee 2019) with a fixed range of 1 us to 71 min. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>

namespace netwatch::diagnosis {

class Histogram {
public:
    void add(double us) {
        ++counts_[bucket(us)];
        ++total_;
    }
    // Halves every count: old values fade.
    void decay() {
        total_ = 0;
        for (auto& count : counts_) total_ += count /= 2;
    }
    [[nodiscard]] std::uint32_t count() const { return total_; }
    // The value in us below which the share q of all lies; nothing while empty.
    [[nodiscard]] std::optional<double> quantile(double q) const {
        if (total_ == 0) return std::nullopt;
        const auto rank = static_cast<std::uint32_t>(q * static_cast<double>(total_ - 1)) + 1;
        std::uint32_t below = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            below += counts_[i];
            if (below >= rank) return std::exp2((static_cast<double>(i) + 0.5) / quarters_an_octave);
        }
        return std::nullopt;
    }

private:
    static constexpr std::size_t quarters_an_octave = 4;
    static constexpr std::size_t buckets = 128;
    // Four times the binary logarithm, rounded down: an octave's quarters end at these mantissas.
    [[nodiscard]] static std::size_t bucket(double us) {
        constexpr std::array quarters{0.5946035575013605, 0.7071067811865476, 0.8408964152537145};
        int octave = 0;
        const double mantissa = std::frexp(std::max(us, 1.0), &octave);  // 0.5 and up
        std::size_t position = static_cast<std::size_t>(octave - 1) * quarters_an_octave;
        for (const double quarter : quarters) position += mantissa >= quarter ? 1 : 0;
        return std::min(position, buckets - 1);
    }
    std::array<std::uint32_t, buckets> counts_{};
    std::uint32_t total_ = 0;
};

}  // namespace netwatch::diagnosis
