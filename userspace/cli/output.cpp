// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace netwatch::cli {

core::Result<void> print(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EPIPE) return core::fail("", "", core::ExitCode::fine);
        if (written < 0) return core::fail(fmt::format("cannot write to stdout: {}", std::strerror(errno)));
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace netwatch::cli
