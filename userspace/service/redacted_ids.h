// SPDX-License-Identifier: Apache-2.0
// An incident's id is made of what it is about, addresses included: after redaction a replay prints another
// one.
#pragma once

#include <filesystem>

#include "core/result.h"
#include "recorder/pieces.h"

namespace netwatch::service {

// Gives the incidents in a redacted dump the ids that its replay prints. `from`, `window`: what it was made
// of.
[[nodiscard]] core::Result<void> align_ids(const std::filesystem::path& from, const recorder::Window& window,
                                           const std::filesystem::path& redacted);

}  // namespace netwatch::service
