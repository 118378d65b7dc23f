// SPDX-License-Identifier: Apache-2.0
// The one way in which people write a time, wherever a command takes one:
//
//     10m, 90s, 1h30m, 2d, 10 minutes ago     before now
//     03:12, 03:12:04                         the latest such time of day
//     yesterday 03:12, today 03:12
//     2026-11-22T19:43:07Z, 2026-11-22 19:43, 2026-11-22
//     now
//
// UTC, unless the text names an offset. Pure: what is "now" is an argument. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "core/time.h"

namespace netwatch::core {

// Errors (usage) list examples.
[[nodiscard]] Result<UtcNs> parse_when(std::string_view text, UtcNs now);

// "10m", "90 s", "1h30m", "10 minutes" as nanoseconds; more than zero, at most ten years. Errors (usage) list
// examples.
[[nodiscard]] Result<std::uint64_t> parse_duration(std::string_view text);

}  // namespace netwatch::core
