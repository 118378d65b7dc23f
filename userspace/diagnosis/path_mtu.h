// SPDX-License-Identifier: Apache-2.0
// Paths that swallow full segments and let small ones pass, without the ICMP message that would make the
// sender use smaller ones. Pure.
#pragma once

#include <set>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

// Full segments to it or from it disappear, as far as its connections tell.
[[nodiscard]] bool full_segments_missing(const Address& address, core::BootNs now);
// And arrive again.
[[nodiscard]] bool full_segments_pass(const Address& address, bool from_there, core::BootNs now);

// Addresses that connections can be made to, and full segments do not reach, or do not come from.
[[nodiscard]] std::vector<Finding> judge_path_mtu(const Scene& scene, const std::set<AddressKey>& suspects);

}  // namespace netwatch::diagnosis
