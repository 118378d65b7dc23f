// SPDX-License-Identifier: Apache-2.0
// A directory of this process alone (0700), removed with everything in it.
#pragma once

#include <filesystem>
#include <utility>

#include "core/result.h"

namespace netwatch::service {

class PrivateDirectory {
public:
    [[nodiscard]] static core::Result<PrivateDirectory> make();
    PrivateDirectory(PrivateDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    PrivateDirectory& operator=(PrivateDirectory&&) = delete;
    ~PrivateDirectory();

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    explicit PrivateDirectory(std::filesystem::path path) : path_(std::move(path)) {}
    std::filesystem::path path_;
};

}  // namespace netwatch::service
