// SPDX-License-Identifier: Apache-2.0
// Privileges that are not needed once the programs are attached.
#pragma once

#include "core/result.h"

namespace netwatch::service {

// Leaves this thread, and those it starts, only what observing goes on needing: walking sockets and reading
// maps (CAP_BPF, CAP_PERFMON), conntrack (CAP_NET_ADMIN) of other namespaces (CAP_SYS_ADMIN, CAP_SYS_PTRACE,
// CAP_DAC_READ_SEARCH), and the group of the socket (CAP_CHOWN). What was not there is not asked for.
// Call before any thread is started. Errors: the kernel refused.
[[nodiscard]] core::Result<void> give_up_privileges();

}  // namespace netwatch::service
