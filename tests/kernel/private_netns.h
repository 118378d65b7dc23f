// SPDX-License-Identifier: Apache-2.0
// A network namespace of the test's own with nothing but a loopback device, and sockets in it.
#pragma once

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include "core/fd.h"

namespace netwatch::testing {

// Moves the calling thread into a new namespace and returns its inode; 0: not allowed.
inline std::uint32_t enter_private_netns() {
    if (::unshare(CLONE_NEWNET) != 0) return 0;
    const core::Fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) return 0;
    struct stat status{};
    if (::stat("/proc/thread-self/ns/net", &status) != 0) return 0;
    return static_cast<std::uint32_t>(status.st_ino);
}

inline sockaddr_in ipv4(const char* address, std::uint16_t port) {
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
    ::inet_pton(AF_INET, address, &to.sin_addr);
    return to;
}

inline sockaddr_in6 ipv6(const char* address, std::uint16_t port) {
    sockaddr_in6 to{.sin6_family = AF_INET6,
                    .sin6_port = htons(port),
                    .sin6_flowinfo = 0,
                    .sin6_addr = {},
                    .sin6_scope_id = 0};
    ::inet_pton(AF_INET6, address, &to.sin6_addr);
    return to;
}

template <typename Address>
const sockaddr* generic(const Address& address) {
    return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

template <typename Address>
core::Fd listen_on(const Address& address) {
    core::Fd listener(::socket(generic(address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(listener.get(), generic(address), sizeof address) != 0 || ::listen(listener.get(), 64) != 0)
        return {};
    return listener;
}

struct Connecting {
    core::Fd socket;
    int error = 0;  // errno of connect(), 0 if it succeeded
};

template <typename Address>
Connecting connect_to(const Address& address, int type = SOCK_STREAM) {
    Connecting result{.socket = core::Fd(::socket(generic(address)->sa_family, type | SOCK_CLOEXEC, 0))};
    if (::connect(result.socket.get(), generic(address), sizeof address) != 0) result.error = errno;
    return result;
}

}  // namespace netwatch::testing
