// SPDX-License-Identifier: Apache-2.0
// A story as a recording, as an agent would have left it.
#pragma once

#include <filesystem>

#include "support/story.h"

namespace netwatch::support {

// What happened up to that second. `path` must not exist.
void write_recording(const Story& story, double until_s, const std::filesystem::path& path);

}  // namespace netwatch::support
