// SPDX-License-Identifier: Apache-2.0
// Views of an invented host, for everything that draws one. The same values on every call.
#pragma once

#include <string_view>

#include "core/time.h"
#include "model/view.h"

namespace netwatch::support {

// 2026-11-22 at that time of day, UTC.
[[nodiscard]] core::UtcNs at_time(std::string_view time_of_day);

// A silent firewall in front of a payment service with a late service as its symptom, loss towards a region,
// one destination clean, one UDP destination; a hook missing. At 19:43:07.
[[nodiscard]] model::HostView failing_view();
// Four clean destinations, half an hour of watching, every hook in place, nothing open, one incident healed.
[[nodiscard]] model::HostView healthy_view();
// Started a moment ago, nothing seen.
[[nodiscard]] model::HostView empty_view();
// The failing one with a text that attacks the reader wherever a stranger can put one.
[[nodiscard]] model::HostView hostile_view();

// The ladder of payments.internal in failing_view().
[[nodiscard]] model::Ladder payments_ladder();

// Cursor movement, a bell, a bidirectional override, a line break, a zero-width joiner, bytes that are no
// UTF-8.
inline constexpr std::string_view hostile_text =
    "a\x1b[2J\x1b]0;t\x07\r\n\u202e\u200b\u009b31m<script>|\xff\xc3";

}  // namespace netwatch::support
