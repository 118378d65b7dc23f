// SPDX-License-Identifier: Apache-2.0
// Two clocks, two types: BootNs orders records, UtcNs is what people read. Only an anchor (a CLOCK record)
// joins them.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace netwatch::core {

constexpr std::uint64_t ns_per_us = 1'000;
constexpr std::uint64_t ns_per_ms = 1'000'000;
constexpr std::uint64_t ns_per_s = 1'000'000'000;

// CLOCK_BOOTTIME in nanoseconds. 0: not known.
using BootNs = std::uint64_t;

// Nanoseconds since 1970-01-01T00:00:00Z.
struct UtcNs {
    std::int64_t ns = 0;
    auto operator<=>(const UtcNs&) const = default;
};

// One instant on both clocks. Pure arithmetic; any thread.
class ClockAnchor {
public:
    ClockAnchor() = default;
    ClockAnchor(BootNs boot, UtcNs utc) : offset_ns_(utc.ns - static_cast<std::int64_t>(boot)) {}
    [[nodiscard]] UtcNs utc(BootNs at) const { return {offset_ns_ + static_cast<std::int64_t>(at)}; }

private:
    std::int64_t offset_ns_ = 0;
};

// RFC 3339 in UTC with milliseconds: 2026-11-22T19:42:25.118Z.
[[nodiscard]] std::string to_rfc3339(UtcNs at);
// The instant of an RFC 3339 text, with any fraction and offset; nothing where it is malformed or before 1970
// or after 2261.
[[nodiscard]] std::optional<UtcNs> parse_rfc3339(std::string_view text);
// The time of day in UTC, 19:42:25.
[[nodiscard]] std::string to_time_of_day(UtcNs at);
// For people: "0.3 s", "42 s", "3 min 10 s", "2 h 5 min".
[[nodiscard]] std::string to_duration(std::uint64_t ns);

}  // namespace netwatch::core
