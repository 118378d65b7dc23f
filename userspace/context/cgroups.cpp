// SPDX-License-Identifier: Apache-2.0
#include "context/cgroups.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <unordered_set>

namespace netwatch::context {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t most_directories = 20'000;

// mountinfo writes space, tab, line break and backslash as \ooo (proc(5)).
std::string unescape(std::string_view text) {
    const auto octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
            octal(text[i + 3])) {
            out +=
                static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string read_text(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string cgroup2_mount(std::string_view mountinfo) {
    std::istringstream lines{std::string(mountinfo)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        const std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
        const auto dash = std::ranges::find(fields, "-");
        if (fields.size() < 7 || dash == fields.end() || dash + 1 == fields.end()) continue;
        if (*(dash + 1) == "cgroup2") return unescape(fields[4]);
    }
    return {};
}

std::string shorten_left(std::string_view path, std::size_t bytes) {
    constexpr std::string_view ellipsis = "…";
    if (path.size() <= bytes) return std::string(path);
    path.remove_prefix(path.size() - (bytes - ellipsis.size()));
    while (!path.empty() && (static_cast<unsigned char>(path.front()) & 0xc0U) == 0x80U)
        path.remove_prefix(1);
    return std::string(ellipsis).append(path);
}

CgroupPaths::CgroupPaths(const fs::path& proc, const fs::path& root) {
    const std::string mount = cgroup2_mount(read_text(proc / "self/mountinfo"));
    if (!mount.empty()) mount_ = root / fs::path(mount).relative_path();
}

std::vector<CgroupPaths::Found> CgroupPaths::resolve(std::span<const std::uint64_t> ids) {
    std::vector<Found> found;
    std::unordered_set<std::uint64_t> wanted(ids.begin(), ids.end());
    const auto take = [&](const fs::path& directory) {
        struct stat status{};
        if (::lstat(directory.c_str(), &status) != 0 || wanted.erase(status.st_ino) == 0) return;
        const auto below = directory.lexically_relative(mount_);
        found.push_back({status.st_ino, below == "." ? "/" : "/" + below.string()});
    };
    if (mount_.empty() || wanted.empty()) return found;
    take(mount_);
    std::error_code error;
    fs::recursive_directory_iterator entry(mount_, fs::directory_options::skip_permission_denied, error);
    std::size_t seen = 0;
    // Directories come and go under the walk: an error ends it, the next walk begins anew.
    for (; !error && entry != fs::recursive_directory_iterator() && !wanted.empty(); entry.increment(error)) {
        std::error_code ignored;
        if (!entry->is_directory(ignored) || entry->is_symlink(ignored)) continue;
        if (++seen > most_directories) break;
        take(entry->path());
    }
    return found;
}

}  // namespace netwatch::context
