// SPDX-License-Identifier: Apache-2.0
#include "service/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>

namespace netwatch::service {

SignalFd::SignalFd() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

void SignalFd::wait(int other_fd) const {
    std::array<pollfd, 2> fds{{{fd_.get(), POLLIN, 0}, {other_fd, POLLIN, 0}}};
    while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
    }
}

}  // namespace netwatch::service
