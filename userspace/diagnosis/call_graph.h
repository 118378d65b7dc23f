// SPDX-License-Identifier: Apache-2.0
// Who on this host calls whom, as seen: whoever serves a listener, and the destinations that it has
// connections to. A caller is a process, or all processes of one service or container, which share a cgroup:
// the process that listens need not be the one that works. Bounded. One thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/time.h"
#include "diagnosis/destination.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

class CallGraph {
public:
    // `cgroup_path`: of the process's cgroup; empty while not known.
    void serves(const netwatch_process& process, std::string_view cgroup_path, const DestinationKey& listener,
                core::BootNs at);
    void calls(const netwatch_process& process, std::string_view cgroup_path, const DestinationKey& called,
               core::BootNs at);

    // Somebody on this host serves it.
    [[nodiscard]] bool knows(const DestinationKey& listener) const;
    // Does whoever serves `listener` call `called`, and did so since?
    [[nodiscard]] bool leads(const DestinationKey& listener, const DestinationKey& called,
                             core::BootNs since) const;

private:
    struct Node {
        std::uint64_t cgroup_id = 0;  // 0: one process
        ProcessKey process;
        auto operator<=>(const Node&) const = default;
    };
    struct Use {
        DestinationKey key;
        core::BootNs at = 0;
    };
    struct Server {
        std::vector<Use> listeners;
        std::vector<Use> called;
        core::BootNs at = 0;
    };
    static constexpr std::size_t servers_kept = 1'024;
    static constexpr std::size_t listeners_kept = 16;
    static constexpr std::size_t called_kept = 64;

    [[nodiscard]] static Node node_of(const netwatch_process& process, std::string_view cgroup_path);
    static void note(std::vector<Use>& uses, std::size_t kept, const DestinationKey& key, core::BootNs at);

    std::map<Node, Server> servers_;  // only those that serve: nobody else passes on what it suffers
};

}  // namespace netwatch::diagnosis
