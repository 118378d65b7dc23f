// SPDX-License-Identifier: Apache-2.0
// The agent's socket in the file system: for root and the group netwatch. Any thread, but the umask is the
// process's.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/result.h"

namespace netwatch::service {

inline constexpr std::string_view default_socket = "/run/netwatch/netwatch.sock";

// Makes the directory (0750, group netwatch where there is one) and removes a socket that nobody listens on.
// Errors (usage): somebody does listen, with the pid; the path is too long, or something else lies there.
[[nodiscard]] core::Result<void> prepare_socket_path(const std::filesystem::path& path);

// Gives the socket to the group netwatch, where there is one.
void share_with_group(const std::filesystem::path& path);

// New files of this process are for owner and group alone, as long as this lives.
class PrivateUmask {
public:
    PrivateUmask();
    ~PrivateUmask();
    PrivateUmask(const PrivateUmask&) = delete;
    PrivateUmask& operator=(const PrivateUmask&) = delete;

private:
    unsigned old_;
};

}  // namespace netwatch::service
