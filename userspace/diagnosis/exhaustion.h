// SPDX-License-Identifier: Apache-2.0
// What this host itself has run out of: places in a listener's accept queue, file descriptors. Bounded. One
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/process_table.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

class Exhaustion {
public:
    // A look at a listener; `key` is its destination as this host's own.
    void add(const netwatch_listener_sample& record, const DestinationKey& key);
    // True for a call that failed because no descriptor was to be had; others are passed over.
    bool add(const netwatch_call_failed& record);
    // A process has opened or accepted a connection.
    void note_opened(const ProcessKey& process, core::BootNs at);

    [[nodiscard]] std::vector<Finding> judge(const Scene& scene) const;
    // The shortage behind the finding of that group is over: what failed has succeeded since.
    [[nodiscard]] bool healed(const std::string& group, core::BootNs now) const;

private:
    struct Queue {
        DestinationKey listener;
        ProcessKey process;
        std::uint32_t netns = 0;
        std::uint32_t backlog = 0;
        std::uint32_t limit = 0;
        std::uint64_t drops = 0;  // the socket's own count
        core::BootNs looked_at = 0;
        core::BootNs since = 0;  // the queue has overflowed since then; 0: it has not
        core::BootNs last_drop_at = 0;
        std::uint64_t dropped = 0;
        std::uint32_t looks = 0;  // that found new drops
    };
    struct Shortage {
        ProcessKey process;
        bool whole_host = false;
        bool accepting = false;
        DestinationKey listener;  // of accept(), where known
        core::BootNs first_at = 0;
        core::BootNs last_at = 0;
        std::uint64_t calls = 0;
        core::BootNs opened_at = 0;  // a descriptor was had after all
    };

    [[nodiscard]] Finding overflow(const Scene& scene, const std::string& group, const Queue& queue) const;
    [[nodiscard]] Finding no_descriptor(const Scene& scene, const std::string& group,
                                        const Shortage& shortage) const;

    std::map<std::string, Queue> queues_;  // by group
    std::map<std::string, Shortage> shortages_;
};

}  // namespace netwatch::diagnosis
