// SPDX-License-Identifier: Apache-2.0
// The faults of reachability, and what is said of each: type, cause, scope, evidence, what is ruled out.
#pragma once

#include <cstdint>
#include <string_view>

#include "diagnosis/finding.h"
#include "diagnosis/leaf.h"

namespace netwatch::diagnosis {

enum class Fault : std::uint8_t {
    refused,
    refused_by_box,
    rejected,  // a filter's ICMP error for one port
    prohibited,
    unroutable,
    dead,      // the last router's address resolution failed
    neighbor,  // this host's own did
    gateway,
    link,
    local_filter,
    local_bpf,
    local_route,
    local_input,  // this host drops the answers
    ports_exhausted,
    silent,         // one address
    silent_block,   // one network
    silent_region,  // those of one region
    silent_path,    // several
};

// The finding for the leaves of one fault at one place (`where` tells places of one fault apart). `leaves` is
// not empty. Pure.
[[nodiscard]] Finding describe(const Scene& scene, Fault fault, std::string_view where, const Leaves& leaves);

}  // namespace netwatch::diagnosis
