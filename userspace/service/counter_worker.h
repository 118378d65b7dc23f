// SPDX-License-Identifier: Apache-2.0
// Reads the counters of the host and of the observed namespaces once a second, on a thread of its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "context/counters.h"
#include "model/record.h"
#include "service/counter_records.h"

namespace netwatch::service {

// note() and take() from the capture thread.
class CounterWorker {
public:
    // `netns_paths`: the observed namespaces; empty: all of them, each known from the first record that comes
    // from it.
    explicit CounterWorker(std::vector<std::filesystem::path> netns_paths);
    ~CounterWorker();
    CounterWorker(const CounterWorker&) = delete;
    CounterWorker& operator=(const CounterWorker&) = delete;

    // Learns of a namespace, and of a process by which it can be reached. Bounded.
    void note(model::RecordRef record);

    // The records made since the last call.
    [[nodiscard]] std::vector<std::byte> take();

private:
    using Places = std::unordered_map<std::uint32_t, std::uint32_t>;  // a process by namespace
    void run();
    [[nodiscard]] std::vector<context::HostCounters::Place> places() const;

    /* The capture thread's own. */
    std::uint32_t noted_netns_ = 0;
    std::uint32_t noted_pid_ = 0;

    /* The worker's own. */
    const bool observes_all_;
    context::HostCounters counters_;
    CounterRecords records_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Places learned_;
    std::vector<std::byte> made_;
    bool stopping_ = false;
    std::thread thread_; /* last: it uses all of the above */
};

}  // namespace netwatch::service
