// SPDX-License-Identifier: Apache-2.0
// Network namespaces by inode, and what is done inside one of them. Between calls none is held: one that its
// owner removes is gone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace netwatch::context {

// Of the namespace that the path leads to; 0: none.
[[nodiscard]] std::uint32_t namespace_inode(const std::filesystem::path& path);

// One thread at a time; that thread enters other namespaces for the time of a call and comes back.
class Namespaces {
public:
    // `paths`: namespaces that can be reached by path; others are reached through a process that lives there.
    explicit Namespaces(std::vector<std::filesystem::path> paths = {});

    // Does it in that namespace. `pid` is a process that lives there; 0: none is known. False: it cannot be
    // reached, and nothing was done.
    bool within(std::uint32_t netns, std::uint32_t pid, const std::function<void()>& what) const;
    // The same, by that path alone.
    bool within(std::uint32_t netns, const std::filesystem::path& path,
                const std::function<void()>& what) const;

    // Of the thread that made this.
    [[nodiscard]] std::uint32_t own() const { return own_; }
    // Inodes of those that can be reached by path now.
    [[nodiscard]] std::vector<std::uint32_t> by_path() const;

private:
    bool enter_by(const std::vector<std::filesystem::path>& paths, std::uint32_t netns,
                  const std::function<void()>& what) const;

    std::vector<std::filesystem::path> paths_;
    std::uint32_t own_ = 0;
};

}  // namespace netwatch::context
