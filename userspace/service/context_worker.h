// SPDX-License-Identifier: Apache-2.0
// Finds out who and where on a thread of its own: cgroup paths and NAT's real peers of what the records name,
// as CGROUP and TRANSLATION records. Reading directories and asking conntrack can take long; the ring never
// waits for it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "context/cgroups.h"
#include "context/conntrack.h"
#include "core/time.h"
#include "model/address.h"
#include "model/record.h"

namespace netwatch::service {

// note() and exchange() from the capture thread.
class ContextWorker {
public:
    explicit ContextWorker(std::vector<std::filesystem::path> netns_paths);
    ~ContextWorker();
    ContextWorker(const ContextWorker&) = delete;
    ContextWorker& operator=(const ContextWorker&) = delete;

    // Remembers what there is to find out about a record. Bounded: what has no room is asked when it is seen
    // again.
    void note(model::RecordRef record);

    // Hands what was noted to the thread, and returns the records that it has made since the last call.
    [[nodiscard]] std::vector<std::byte> exchange();

private:
    struct Questions {
        std::vector<std::uint64_t> cgroups;
        std::vector<context::Conntrack::Question> connections;
        [[nodiscard]] bool empty() const { return cgroups.empty() && connections.empty(); }
    };
    void note_cgroup(const netwatch_process& process);
    void note_connection(const netwatch_header& header, const netwatch_tuple& tuple,
                         const netwatch_process& process, core::BootNs again_ns);
    void run();
    [[nodiscard]] std::vector<std::byte> answer(const Questions& questions);

    /* The capture thread's own. */
    std::unordered_map<std::uint64_t, core::BootNs> asked_cgroups_;
    std::unordered_map<model::Endpoint, core::BootNs> asked_destinations_;
    Questions noted_;

    /* The worker's own. */
    context::CgroupPaths cgroups_;
    context::Conntrack conntrack_;

    std::mutex mutex_;
    std::condition_variable changed_;
    Questions asked_;
    std::vector<std::byte> answered_;
    bool stopping_ = false;
    std::thread thread_; /* last: it uses all of the above */
};

}  // namespace netwatch::service
