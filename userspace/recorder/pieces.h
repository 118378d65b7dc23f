// SPDX-License-Identifier: Apache-2.0
// Which segments a recording has: those of a file, or of all files in a state directory, in order. Any
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace netwatch::recorder {

// What is wanted of a recording. Records come in whole segments: those that reach into it.
struct Window {
    std::optional<core::UtcNs> since = std::nullopt;
    std::optional<core::UtcNs> until = std::nullopt;
};

struct Piece {
    std::filesystem::path path;
    std::int64_t segment = 0;  // its number in the file; 0 where the file knows of none (format 1)
    std::string run;
    std::int64_t sequence = 0;
    core::UtcNs began_at;
    bool begins_part = true;  // it does not go on where the one before it ended
};

struct Pieces {
    std::vector<Piece> pieces;
    std::vector<std::string> problems;  // files of a directory that could not be opened, and why
};

// At least one. Errors (usage): nothing there that can be read, or nothing of that time.
[[nodiscard]] core::Result<Pieces> pieces_of(const std::filesystem::path& path, const Window& window);

// From its first record to its last.
struct Span {
    core::UtcNs begins;
    core::UtcNs ends;
};
[[nodiscard]] core::Result<Span> span_of(const std::filesystem::path& path);

}  // namespace netwatch::recorder
