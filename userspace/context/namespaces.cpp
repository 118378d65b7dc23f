// SPDX-License-Identifier: Apache-2.0
#include "context/namespaces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>

#include <exception>
#include <utility>

#include "core/fd.h"

namespace netwatch::context {
namespace fs = std::filesystem;
namespace {

constexpr const char* own_path = "/proc/thread-self/ns/net";

std::uint32_t inode_of(const core::Fd& fd) {
    struct stat status{};
    return fd && ::fstat(fd.get(), &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

core::Fd open_namespace(const fs::path& path) { return core::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

}  // namespace

std::uint32_t namespace_inode(const fs::path& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

Namespaces::Namespaces(std::vector<fs::path> paths)
    : paths_(std::move(paths)),
      own_(namespace_inode(own_path)) {}

bool Namespaces::within(std::uint32_t netns, std::uint32_t pid, const std::function<void()>& what) const {
    std::vector<fs::path> paths = paths_;
    if (pid != 0) paths.emplace_back(fmt::format("/proc/{}/ns/net", pid));
    return enter_by(paths, netns, what);
}

bool Namespaces::within(std::uint32_t netns, const fs::path& path, const std::function<void()>& what) const {
    return enter_by({path}, netns, what);
}

bool Namespaces::enter_by(const std::vector<fs::path>& paths, std::uint32_t netns,
                          const std::function<void()>& what) const {
    if (netns == own_) {
        what();
        return true;
    }
    const core::Fd back = open_namespace(own_path);
    if (!back) return false;
    for (const auto& path : paths) {
        const core::Fd there = open_namespace(path);
        if (inode_of(there) != netns || ::setns(there.get(), CLONE_NEWNET) != 0) continue;
        what();
        // A thread that cannot come back would see another host from now on.
        if (::setns(back.get(), CLONE_NEWNET) != 0) std::terminate();
        return true;
    }
    return false;
}

std::vector<std::uint32_t> Namespaces::by_path() const {
    std::vector<std::uint32_t> inodes;
    for (const auto& path : paths_) {
        if (const std::uint32_t inode = namespace_inode(path); inode != 0) inodes.push_back(inode);
    }
    return inodes;
}

}  // namespace netwatch::context
