// SPDX-License-Identifier: Apache-2.0
// The segments of a state directory by their names: segment-YYYYMMDDTHHMMSS.mmmZ.db, the time at which each
// began. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace netwatch::recorder {

struct SegmentFile {
    std::filesystem::path path;
    core::UtcNs began_at;
    std::uint64_t bytes = 0;  // with its write-ahead log
    std::filesystem::file_time_type changed;
};

// Oldest first; none where the directory cannot be read.
[[nodiscard]] std::vector<SegmentFile> segments_in(const std::filesystem::path& directory);

// The path of one that begins then, or as soon after it as there is none yet, and behind all that there are.
[[nodiscard]] std::filesystem::path new_segment_path(const std::filesystem::path& directory,
                                                     core::UtcNs began_at);

// "20261122T194225.118Z": a time as a part of a file's name.
[[nodiscard]] std::string to_file_time(core::UtcNs at);

// The file and what SQLite keeps next to it. True: it is gone.
bool remove_recording(const std::filesystem::path& path);

}  // namespace netwatch::recorder
