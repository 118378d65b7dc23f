// SPDX-License-Identifier: Apache-2.0
// Where a screen gets its view: the agent on the socket, or one inside this process where none answers. One
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "core/result.h"
#include "top/feed.h"

namespace netwatch::cli {

// Errors: no agent answers and this process may not observe itself (exit code 4), or what Agent::start says.
// `embedded` is set where this process observes: its first view is worth little.
// What it records by itself goes with it, or stays in the usual place.
enum class Keeps : std::uint8_t { nothing, recording };
[[nodiscard]] core::Result<std::unique_ptr<top::Feed>> open_feed(const Globals& globals, bool& embedded,
                                                                 Keeps keeps = Keeps::nothing);

// What was recorded, as it was at that time. Nothing is read before it is asked for.
[[nodiscard]] std::unique_ptr<top::Feed> recorded_feed(const std::filesystem::path& recording,
                                                       core::UtcNs at);

}  // namespace netwatch::cli
