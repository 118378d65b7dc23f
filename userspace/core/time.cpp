// SPDX-License-Identifier: Apache-2.0
#include "core/time.h"

#include <fmt/format.h>

#include <ctime>

namespace netwatch::core {
namespace {

struct Split {
    std::tm tm{};
    int milliseconds = 0;
};

Split split(UtcNs at) {
    constexpr auto second = static_cast<std::int64_t>(ns_per_s);
    std::int64_t seconds = at.ns / second;
    std::int64_t rest = at.ns % second;
    if (rest < 0) {
        rest += second;
        --seconds;
    }
    Split result;
    const std::time_t time = seconds;
    gmtime_r(&time, &result.tm);
    result.milliseconds = static_cast<int>(rest / static_cast<std::int64_t>(ns_per_ms));
    return result;
}

}  // namespace

std::string to_rfc3339(UtcNs at) {
    const Split s = split(at);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", s.tm.tm_year + 1900, s.tm.tm_mon + 1,
                       s.tm.tm_mday, s.tm.tm_hour, s.tm.tm_min, s.tm.tm_sec, s.milliseconds);
}

std::string to_time_of_day(UtcNs at) {
    const Split s = split(at);
    return fmt::format("{:02}:{:02}:{:02}", s.tm.tm_hour, s.tm.tm_min, s.tm.tm_sec);
}

std::string to_duration(std::uint64_t ns) {
    const std::uint64_t seconds = ns / ns_per_s;
    if (seconds < 10) return fmt::format("{:.1f} s", static_cast<double>(ns) / static_cast<double>(ns_per_s));
    if (seconds < 60) return fmt::format("{} s", seconds);
    if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
    return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
}

}  // namespace netwatch::core
