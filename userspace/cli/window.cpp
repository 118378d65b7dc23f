// SPDX-License-Identifier: Apache-2.0
#include "cli/window.h"

#include <fmt/format.h>

#include "core/when.h"

namespace netwatch::cli {

core::Result<recorder::Window> parse_window(const std::string& since, const std::string& until,
                                            core::UtcNs now) {
    recorder::Window window;
    if (!since.empty()) {
        const auto at = core::parse_when(since, now);
        if (!at) return std::unexpected(at.error().within("--since"));
        window.since = *at;
    }
    if (!until.empty()) {
        const auto at = core::parse_when(until, now);
        if (!at) return std::unexpected(at.error().within("--until"));
        window.until = *at;
    }
    if (window.since && window.until && *window.until <= *window.since) {
        return core::usage_error(fmt::format("--until ({}) is not after --since ({})",
                                             core::to_rfc3339(*window.until),
                                             core::to_rfc3339(*window.since)),
                                 "give a beginning and an end");
    }
    return window;
}

}  // namespace netwatch::cli
