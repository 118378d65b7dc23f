// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM as something to wait for.
#pragma once

#include "core/fd.h"

namespace netwatch::service {

// Made before any other thread, so that all inherit the mask. The signals stay blocked.
class SignalFd {
public:
    SignalFd();
    // Returns when one of the signals has come or `other_fd` (-1: none) is readable.
    void wait(int other_fd) const;
    // Readable when one has come.
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    core::Fd fd_;
};

}  // namespace netwatch::service
