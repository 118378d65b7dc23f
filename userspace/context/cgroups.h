// SPDX-License-Identifier: Apache-2.0
// Paths of cgroups by id. The id of a cgroup v2 is the inode of its directory (kernfs), so one walk of the
// mount point answers for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace netwatch::context {

// The mount point of cgroup v2 in the text of a mountinfo file; empty if there is none.
[[nodiscard]] std::string cgroup2_mount(std::string_view mountinfo);

// At most `bytes` bytes, cut at the left on a character's boundary, with a leading "…".
[[nodiscard]] std::string shorten_left(std::string_view path, std::size_t bytes);

// One thread at a time. Reads directories, blocks as long as that takes.
class CgroupPaths {
public:
    // `proc` and `root` replace /proc and /.
    explicit CgroupPaths(const std::filesystem::path& proc = "/proc",
                         const std::filesystem::path& root = "/");

    struct Found {
        std::uint64_t id;
        std::string path;  // below the mount point: "/system.slice/nginx.service"
    };
    // The paths of those that are there now and were not told before. Walks the tree once, at most 20,000
    // directories.
    [[nodiscard]] std::vector<Found> resolve(std::span<const std::uint64_t> ids);

private:
    std::filesystem::path mount_;  // empty: none
};

}  // namespace netwatch::context
