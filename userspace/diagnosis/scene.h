// SPDX-License-Identifier: Apache-2.0
// Everything that a judge may look at. References are valid while the engine judges.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/time.h"
#include "diagnosis/call_graph.h"
#include "diagnosis/close_waits.h"
#include "diagnosis/destinations.h"
#include "diagnosis/exhaustion.h"
#include "diagnosis/host_counters.h"
#include "diagnosis/journal.h"
#include "diagnosis/names.h"
#include "diagnosis/network.h"
#include "diagnosis/process_table.h"
#include "diagnosis/regions.h"
#include "diagnosis/resolvers.h"
#include "diagnosis/socket_table.h"
#include "diagnosis/tls_handshakes.h"

namespace netwatch::diagnosis {

struct FailedNeighbor {
    core::BootNs at = 0;
    std::uint32_t ifindex = 0;
};
// By namespace and address.
using FailedNeighbors = std::map<std::pair<std::uint32_t, model::IpAddress>, FailedNeighbor>;

struct Scene {
    const Destinations& destinations;
    const ProcessTable& processes;
    const FailedNeighbors& failed_neighbors;
    const Exhaustion& exhaustion;
    const Network& network;
    const Journal& journal;
    const CloseWaits& close_waits;
    const HostCounters& counters;
    const SocketTable& sockets;
    const CallGraph& calls;
    const Regions& regions;
    const Names& names;
    const Resolvers& resolvers;
    const TlsHandshakes& tls;
    const std::unordered_map<std::uint64_t, std::string>& cgroups;  // paths by id
    core::ClockAnchor anchor;
    core::BootNs now = 0;
    core::BootNs watching_since = 0;
    double lost_for_good = 0;  // share of the attempts that several addresses lose alike; 0: they do not

    // Short enough that the absence of an earlier success says nothing.
    [[nodiscard]] bool watched_briefly() const { return now < watching_since + 600 * core::ns_per_s; }
    [[nodiscard]] std::string ago(core::BootNs at) const {
        return core::to_duration(now - std::min(at, now)) + " ago";
    }
};

}  // namespace netwatch::diagnosis
