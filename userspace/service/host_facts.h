// SPDX-License-Identifier: Apache-2.0
// Who and where this host is, for the HOST record. Any thread.
#pragma once

#include <filesystem>
#include <string>

#include "core/result.h"
#include "core/time.h"
#include "model/region.h"
#include "netwatch/abi/record.h"

namespace netwatch::service {

[[nodiscard]] core::BootNs boot_now();
[[nodiscard]] core::UtcNs utc_now();

// HOST at this instant. `proc` replaces /proc.
[[nodiscard]] netwatch_host host_record(std::uint32_t observed_netns_count,
                                        const std::filesystem::path& proc = "/proc");

// REGION, for the diagnosis.
[[nodiscard]] netwatch_region region_record(const model::Region& region, core::BootNs at);

// CLOCK at that instant: everything before it was delivered.
[[nodiscard]] netwatch_clock clock_record(core::BootNs at);

// The inode of the network namespace behind a path such as /run/netns/blue or /proc/1/ns/net.
// Errors (usage): the path cannot be read, or is no network namespace.
[[nodiscard]] core::Result<std::uint32_t> netns_inode(const std::filesystem::path& path);

}  // namespace netwatch::service
