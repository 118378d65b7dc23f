// SPDX-License-Identifier: Apache-2.0
// Errors as values. Example:
//
//     core::Result<Fd> open_ring(const std::string& path);
//     auto ring = open_ring(path);
//     if (!ring) return std::unexpected(ring.error().within("opening " + path));
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace netwatch::core {

// The process's exit codes, part of the command line's contract.
enum class ExitCode : int {
    fine = 0,
    failure = 1,
    usage = 2,
    incident_open = 3,
    privilege_missing = 4,
};

// What went wrong, how to mend it (a command or a place to look; may be empty), and how the process should
// end.
struct Error {
    std::string message;
    std::string hint = {};
    ExitCode exit_code = ExitCode::failure;

    // The same error with what was being done put before it.
    [[nodiscard]] Error within(std::string_view doing) const {
        return {std::string(doing) + ": " + message, hint, exit_code};
    }
};

template <typename T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(std::string message, std::string hint = {},
                                                 ExitCode exit_code = ExitCode::failure) {
    return std::unexpected(Error{std::move(message), std::move(hint), exit_code});
}

[[nodiscard]] inline std::unexpected<Error> usage_error(std::string message, std::string hint = {}) {
    return fail(std::move(message), std::move(hint), ExitCode::usage);
}

// A path that somebody named, or its default, of no use: the user's to mend, as root where it is forbidden.
[[nodiscard]] inline std::unexpected<Error> path_error(const std::string& message, std::error_code why,
                                                       std::string hint) {
    const bool forbidden = why == std::errc::permission_denied || why == std::errc::operation_not_permitted;
    return fail(message + ": " + why.message(), forbidden ? "run it with sudo, or " + hint : std::move(hint),
                forbidden ? ExitCode::privilege_missing : ExitCode::usage);
}

// errno as an error_code, for path_error().
[[nodiscard]] inline std::error_code last_errno() { return {errno, std::generic_category()}; }

}  // namespace netwatch::core
