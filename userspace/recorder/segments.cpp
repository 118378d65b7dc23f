// SPDX-License-Identifier: Apache-2.0
#include "recorder/segments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>

namespace netwatch::recorder {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view prefix = "segment-";
constexpr std::string_view suffix = ".db";
constexpr std::array<const char*, 2> sides{"-wal", "-shm"};

// "20261122T194225.118Z" as "2026-11-22T19:42:25.118Z".
std::optional<core::UtcNs> from_file_time(std::string_view text) {
    if (text.size() != 20) return std::nullopt;
    return core::parse_rfc3339(fmt::format("{}-{}-{}:{}:{}", text.substr(0, 4), text.substr(4, 2),
                                           text.substr(6, 5), text.substr(11, 2), text.substr(13)));
}

std::optional<core::UtcNs> beginning_of(const fs::path& path) {
    const std::string name = path.filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
    return from_file_time(
        std::string_view(name).substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
}

std::uint64_t size_of(const fs::path& path) {
    std::error_code error;
    const auto bytes = fs::file_size(path, error);
    return error ? 0 : bytes;
}

}  // namespace

std::string to_file_time(core::UtcNs at) {
    std::string text = core::to_rfc3339(at);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text;
}

std::vector<SegmentFile> segments_in(const fs::path& directory) {
    std::vector<SegmentFile> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        const auto began_at = beginning_of(entry.path());
        if (!began_at) continue;
        const auto changed = entry.last_write_time(error);
        if (error) continue;
        const auto bytes = size_of(entry.path()) + size_of(fs::path(entry.path()) += "-wal");
        found.push_back({entry.path(), *began_at, bytes, changed});
    }
    std::ranges::sort(found, {}, &SegmentFile::began_at);
    return found;
}

fs::path new_segment_path(const fs::path& directory, core::UtcNs began_at) {
    constexpr auto step_ns = static_cast<std::int64_t>(core::ns_per_ms);
    const auto known = segments_in(directory);
    // A clock that was set back does not bring a segment before those that came before it.
    if (!known.empty() && known.back().began_at.ns + step_ns > began_at.ns)
        began_at.ns = known.back().began_at.ns + step_ns;
    return directory / fmt::format("{}{}{}", prefix, to_file_time(began_at), suffix);
}

bool remove_recording(const fs::path& path) {
    std::error_code error;
    if (!fs::remove(path, error)) return false;
    for (const char* side : sides) fs::remove(fs::path(path) += side, error);
    return true;
}

}  // namespace netwatch::recorder
