// SPDX-License-Identifier: Apache-2.0
#include "service/socket_path.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

#include "core/fd.h"

namespace netwatch::service {
namespace fs = std::filesystem;
namespace {

// From the file alone: the name service could ask the network.
std::optional<gid_t> netwatch_group() {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/etc/group", "re"), &std::fclose);
    if (!file) return std::nullopt;
    while (const group* entry = fgetgrent(file.get())) {
        if (std::string_view(entry->gr_name) == "netwatch") return entry->gr_gid;
    }
    return std::nullopt;
}

core::Result<void> make_directory(const fs::path& directory) {
    std::error_code error;
    if (directory.empty() || fs::is_directory(directory, error)) return {};
    fs::create_directories(directory, error);
    if (error) {
        return core::path_error("cannot make " + directory.string(), error,
                                "give another place with --socket");
    }
    ::chmod(directory.c_str(), 0750);
    share_with_group(directory);
    return {};
}

// The pid of who listens there; 0: a listener that does not tell; nothing: nobody listens.
std::optional<pid_t> listener(const fs::path& path) {
    const core::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(fd.get(), generic, sizeof(address)) != 0 && errno != EAGAIN) return std::nullopt;
    ucred peer{};
    socklen_t length = sizeof(peer);
    return ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 ? peer.pid : 0;
}

}  // namespace

core::Result<void> prepare_socket_path(const fs::path& path) {
    if (path.string().size() >= sizeof(sockaddr_un::sun_path)) {
        return core::usage_error(fmt::format("the socket path {} is longer than {} bytes", path.string(),
                                             sizeof(sockaddr_un::sun_path) - 1),
                                 "give a shorter one with --socket");
    }
    if (auto made = make_directory(path.parent_path()); !made) return made;
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return {};
    if (!S_ISSOCK(status.st_mode)) {
        return core::usage_error(path.string() + " exists and is no socket",
                                 "give another path with --socket");
    }
    if (const auto pid = listener(path)) {
        return core::usage_error(fmt::format("an agent (pid {}) already listens on {}", *pid, path.string()),
                                 "stop it, or give this one its own with --socket");
    }
    if (::unlink(path.c_str()) != 0) {
        return core::fail(
            fmt::format("cannot replace the stale socket {}: {}", path.string(), std::strerror(errno)));
    }
    return {};
}

void share_with_group(const fs::path& path) {
    const auto group = netwatch_group();
    // Without the right to give it away it stays with the owner's group: closed, not open.
    if (group) (void)!::chown(path.c_str(), static_cast<uid_t>(-1), *group);
}

PrivateUmask::PrivateUmask() : old_(::umask(0117)) {}
PrivateUmask::~PrivateUmask() { ::umask(old_); }

}  // namespace netwatch::service
