// SPDX-License-Identifier: Apache-2.0
// The numbers of classic tracepoints, read from tracefs. Where it is not mounted, from a detached mount that
// exists only as a file descriptor of this process: nothing changes for anybody else (needs CAP_SYS_ADMIN).
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"

namespace netwatch::sensor {

// Of "syscalls/sys_exit_connect", say. Errors: tracefs cannot be reached, or it has no such tracepoint.
[[nodiscard]] core::Result<std::uint64_t> tracepoint_id(const std::string& name);

}  // namespace netwatch::sensor
