// SPDX-License-Identifier: Apache-2.0
#include "core/time.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <string_view>

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

// Takes exactly `digits` digits from the front of `text`; nothing if they are not there or the value is above
// `most`.
std::optional<int> take_number(std::string_view& text, std::size_t digits, int most) {
    int value = 0;
    if (text.size() < digits) return std::nullopt;
    const char* end = text.data() + digits;
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value < 0 || value > most || text.front() == '-')
        return std::nullopt;
    text.remove_prefix(digits);
    return value;
}

bool take_char(std::string_view& text, std::string_view allowed) {
    if (text.empty() || allowed.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

// The digits after the decimal point as nanoseconds; digits beyond the ninth are dropped.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
    std::int64_t ns = 0;
    std::int64_t weight = static_cast<std::int64_t>(ns_per_s) / 10;
    std::size_t digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        ns += weight * (text.front() - '0');
        weight /= 10;
        text.remove_prefix(1);
        ++digits;
    }
    return digits == 0 ? std::nullopt : std::optional(ns);
}

// "Z" or "+02:00" at the end, as seconds east of UTC.
std::optional<int> take_offset(std::string_view text) {
    if (text == "Z" || text == "z") return 0;
    const bool west = text.starts_with('-');
    if (!take_char(text, "+-")) return std::nullopt;
    const auto hours = take_number(text, 2, 23);
    if (!hours || !take_char(text, ":")) return std::nullopt;
    const auto minutes = take_number(text, 2, 59);
    if (!minutes || !text.empty()) return std::nullopt;
    return (*hours * 3600 + *minutes * 60) * (west ? -1 : 1);
}

}  // namespace

std::optional<UtcNs> parse_rfc3339(std::string_view text) {
    const auto year = take_number(text, 4, 2261);
    if (!year || *year < 1970 || !take_char(text, "-")) return std::nullopt;
    const auto month = take_number(text, 2, 12);
    if (!month || *month == 0 || !take_char(text, "-")) return std::nullopt;
    const auto day = take_number(text, 2, 31);
    if (!day || *day == 0 || !take_char(text, "Tt ")) return std::nullopt;
    const auto hour = take_number(text, 2, 23);
    if (!hour || !take_char(text, ":")) return std::nullopt;
    const auto minute = take_number(text, 2, 59);
    if (!minute || !take_char(text, ":")) return std::nullopt;
    const auto second = take_number(text, 2, 60);
    if (!second) return std::nullopt;
    std::int64_t fraction_ns = 0;
    if (take_char(text, ".")) {
        const auto fraction = take_fraction(text);
        if (!fraction) return std::nullopt;
        fraction_ns = *fraction;
    }
    const auto offset = take_offset(text);
    if (!offset) return std::nullopt;
    std::tm tm{};
    tm.tm_year = *year - 1900;
    tm.tm_mon = *month - 1;
    tm.tm_mday = *day;
    tm.tm_hour = *hour;
    tm.tm_min = *minute;
    tm.tm_sec = *second;
    const std::tm asked = tm;
    const std::int64_t seconds = std::int64_t{timegm(&tm)} - *offset;
    // timegm() carries the 30th of February into March; a leap second may be carried.
    if (*second < 60 && tm.tm_mday != asked.tm_mday) return std::nullopt;
    return UtcNs{seconds * static_cast<std::int64_t>(ns_per_s) + fraction_ns};
}

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
