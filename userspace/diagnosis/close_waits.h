// SPDX-License-Identifier: Apache-2.0
// Connections that their peers have closed and their own process has not: a process that leaks them. Bounded.
// One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/process_table.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

class CloseWaits {
public:
    // A look at a connection. One in CLOSE_WAIT that still sends is in use.
    void add(const netwatch_socket_sample& record);
    // A walk over all connections is complete: what it has not shown is gone.
    void add(const netwatch_walk_end& record);

    [[nodiscard]] std::vector<Finding> judge(const Scene& scene) const;
    // The process of the finding of that group has closed most of them, or has ended.
    [[nodiscard]] bool healed(const std::string& group) const;

private:
    struct Left {
        core::BootNs since = 0;
        std::uint64_t bytes_sent = 0;
    };
    struct Look {
        core::BootNs at = 0;
        std::size_t count = 0;
    };
    struct Holder {
        std::map<std::uint64_t, Left> sockets;  // by cookie
        std::set<std::uint64_t> seen;           // in the walk that goes on
        std::deque<Look> looks;                 // one for each walk, of the last minute
        std::size_t most = 0;
        core::BootNs closed_at = 0;  // when one of them was last gone
    };
    [[nodiscard]] static bool leaks(const Holder& holder, core::BootNs now);

    std::map<ProcessKey, Holder> holders_;
    std::size_t sockets_ = 0;
};

}  // namespace netwatch::diagnosis
