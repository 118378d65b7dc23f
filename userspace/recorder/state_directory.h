// SPDX-License-Identifier: Apache-2.0
// The agent's state directory, held by one agent at a time:
//
//     lock                        locked while the agent lives; holds its pid
//     recording.db                the recording of this run
//     recording-YYYYMMDDTHHMMSSZ.db   of earlier ones, named by the time at which they began
//     incidents.json              what is open
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/fd.h"
#include "core/result.h"

namespace netwatch::recorder {

struct Retention {
    std::uint64_t max_bytes = 512ULL << 20;  // all recordings together
    std::chrono::hours max_age = std::chrono::hours(24 * 30);
};

// One thread at a time.
class StateDirectory {
public:
    // Makes the directory (0750) where it is missing. Errors: another agent holds it (usage, with its pid),
    // or it cannot be made. A read-only directory is held without a lock: writing to it will fail, and say
    // so.
    [[nodiscard]] static core::Result<StateDirectory> hold(const std::filesystem::path& path);

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path recording_path() const { return path_ / "recording.db"; }
    [[nodiscard]] std::filesystem::path incidents_path() const { return path_ / "incidents.json"; }

    // Puts recording.db aside under the name of its beginning. Nothing to put aside is no error.
    [[nodiscard]] core::Result<void> rotate();
    // Removes earlier recordings, oldest first, until all of them and `current_bytes` fit.
    void prune(const Retention& retention, std::uint64_t current_bytes);

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
