// SPDX-License-Identifier: Apache-2.0
// The file of regions: `CIDR NAME` a line, `#` begins a comment.
//
//     10.88.0.0/16   europe
//     2001:db8::/32  asia      # the second provider
//
// An address belongs to the longest network that holds it.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/region.h"

namespace netwatch::context {

// Errors (usage) name the line and what is wrong with it, the first one there is; `where` stands before them.
[[nodiscard]] core::Result<std::vector<model::Region>> parse_regions(std::string_view text,
                                                                     std::string_view where);

// Errors: also a file that cannot be read.
[[nodiscard]] core::Result<std::vector<model::Region>> read_regions(const std::filesystem::path& path);

}  // namespace netwatch::context
