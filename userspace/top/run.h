// SPDX-License-Identifier: Apache-2.0
// `netwatch top`: the live view on a terminal, or its text once. Example:
//
//     auto done = top::run({.style = present::detect_style(STDOUT_FILENO, no_color)}, feed);
//
// Starts no thread. The terminal is as it was before when run() returns, by whatever way: q, SIGINT, SIGTERM,
// an error.
#pragma once

#include <chrono>

#include "core/result.h"
#include "present/style.h"
#include "top/feed.h"

namespace netwatch::top {

struct TopOptions {
    present::Style style;
    bool once = false;  // the text of this instant, then return
    bool json = false;  // with once: the view as JSON
    std::chrono::milliseconds refresh{1000};
};

// Live where stdin and stdout are terminals that can move a cursor; else, or with `once`, the text once on
// stdout. Errors: those of the feed's first view; stdout closed.
[[nodiscard]] core::Result<void> run(const TopOptions& options, Feed& feed);

}  // namespace netwatch::top
