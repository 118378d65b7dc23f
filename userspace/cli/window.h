// SPDX-License-Identifier: Apache-2.0
// --since and --until, as every command takes them: core/when.h says how they are written.
#pragma once

#include <string>

#include "core/result.h"
#include "core/time.h"
#include "recorder/recording_source.h"

namespace netwatch::cli {

// Empty: not given. Errors (usage): no time, with examples; an end before the beginning.
[[nodiscard]] core::Result<recorder::Window> parse_window(const std::string& since, const std::string& until,
                                                          core::UtcNs now);

}  // namespace netwatch::cli
