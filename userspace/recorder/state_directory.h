// SPDX-License-Identifier: Apache-2.0
// The agent's state directory, held by one agent at a time:
//
//     lock                                    locked while the agent lives; holds its pid
//     segment-YYYYMMDDTHHMMSS.mmmZ.db         what was recorded, by the time at which each segment began
//     dumps/                                  those that were made by themselves
//     incidents.json                          what is open
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "core/fd.h"
#include "core/result.h"

namespace netwatch::recorder {

// When segments end, and when they go.
struct Retention {
    std::uint64_t max_bytes = 512ULL << 20;  // all of them together
    std::chrono::seconds max_age = std::chrono::hours(24 * 7);
    std::uint64_t segment_bytes = 16ULL << 20;
    std::chrono::seconds segment_span = std::chrono::minutes(10);
};

// One thread at a time.
class StateDirectory {
public:
    // Makes the directory (0750) where it is missing. Errors: another agent holds it (usage, with its pid),
    // or it cannot be made. A read-only directory is held without a lock: writing to it will fail, and say
    // so.
    [[nodiscard]] static core::Result<StateDirectory> hold(const std::filesystem::path& path);

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path dumps_path() const { return path_ / "dumps"; }
    [[nodiscard]] std::filesystem::path incidents_path() const { return path_ / "incidents.json"; }

    // Folds what a killed agent left in write-ahead logs into its segments, as far as the disk allows.
    void settle() const;
    // Removes segments, oldest first, until all of them fit; never the newest.
    void prune(const Retention& retention) const;

private:
    StateDirectory(std::filesystem::path path, core::Fd lock)
        : path_(std::move(path)),
          lock_(std::move(lock)) {}

    std::filesystem::path path_;
    core::Fd lock_;
};

// Replaces the file's content at once: whoever reads it sees the old text or the new one.
[[nodiscard]] core::Result<void> write_atomically(const std::filesystem::path& path, std::string_view text);

}  // namespace netwatch::recorder
