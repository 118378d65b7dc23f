// SPDX-License-Identifier: Apache-2.0
// Does it matter how many there are? Of those that failed and those that worked, who was beside more others.
// Pure.
#pragma once

#include <functional>
#include <optional>

namespace netwatch::diagnosis {

constexpr double crowded = 0.8;     // from here on it does
constexpr double uncrowded = 0.65;  // and up to here it does not

// The chance that one that failed was beside more than one that worked (the statistic of Mann and Whitney);
// 0.5: it does not matter. Nothing while its standard error is above a tenth. `failed` and `beside` say it of
// one.
template <typename Range, typename Failed, typename Beside>
[[nodiscard]] std::optional<double> crowding(const Range& all, Failed failed, Beside beside) {
    constexpr double enough = 0.1;
    double bad = 0;
    double good = 0;
    double above = 0;
    for (const auto& one : all) {
        if (!std::invoke(failed, one)) {
            ++good;
            continue;
        }
        ++bad;
        for (const auto& other : all) {
            if (std::invoke(failed, other)) continue;
            const auto here = std::invoke(beside, one);
            const auto there = std::invoke(beside, other);
            above += here > there ? 1 : here == there ? 0.5 : 0;
        }
    }
    const double pairs = bad * good;
    if (pairs == 0 || (bad + good + 1) / (12 * pairs) > enough * enough) return std::nullopt;
    return above / pairs;
}

}  // namespace netwatch::diagnosis
