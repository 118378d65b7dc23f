// SPDX-License-Identifier: Apache-2.0
// `netwatch top`: the live view on a terminal. Example:
//
//     if (top::is_live_terminal()) auto done = top::run({.style = style}, feed);
//
// Starts no thread of its own. The terminal is as it was before when run() returns, by whatever way (q,
// SIGINT, SIGTERM, an error), while the process is stopped by SIGTSTP, and when it dies of a fault.
#pragma once

#include <chrono>
#include <optional>

#include "core/result.h"
#include "core/time.h"
#include "present/style.h"
#include "top/feed.h"

namespace netwatch::top {

struct TopOptions {
    present::Style style;
    std::chrono::milliseconds refresh{1000};
    std::optional<core::UtcNs> begin_at = std::nullopt; /* in a recording, which is all that there is */
};

// stdin and stdout are terminals that can move a cursor.
[[nodiscard]] bool is_live_terminal();

// Until the user quits. What the feed cannot answer is said on the screen; an error is the screen's own.
[[nodiscard]] core::Result<void> run(const TopOptions& options, Feed& feed);

}  // namespace netwatch::top
