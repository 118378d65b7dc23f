// SPDX-License-Identifier: Apache-2.0
#include "service/counter_worker.h"

#include <chrono>
#include <utility>

#include "service/host_facts.h"

namespace netwatch::service {
namespace {

constexpr std::size_t most_namespaces = 256;
constexpr auto span = std::chrono::seconds(1);
constexpr std::size_t most_waiting_bytes = 4U << 20;

}  // namespace

CounterWorker::CounterWorker(std::vector<std::filesystem::path> netns_paths)
    : observes_all_(netns_paths.empty()),
      counters_(std::move(netns_paths)),
      thread_([this] { run(); }) {}

CounterWorker::~CounterWorker() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void CounterWorker::note(model::RecordRef record) {
    if (!observes_all_) return;
    record.visit([this](const auto& r) {
        if constexpr (requires { r.process.pid; }) {
            const bool again = r.header.netns == noted_netns_ && r.process.pid == noted_pid_;
            if (again || r.header.netns == 0 || r.process.pid == 0) return;
            noted_netns_ = r.header.netns;
            noted_pid_ = r.process.pid;
            const std::lock_guard lock(mutex_);
            if (learned_.size() < most_namespaces || learned_.contains(noted_netns_))
                learned_[noted_netns_] = noted_pid_;
        }
    });
}

std::vector<std::byte> CounterWorker::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(made_, {});
}

std::vector<context::HostCounters::Place> CounterWorker::places() const {
    std::vector<context::HostCounters::Place> places;
    const auto& namespaces = counters_.namespaces();
    if (!observes_all_) {
        for (const std::uint32_t netns : namespaces.by_path()) places.push_back({netns, 0});
        return places;
    }
    places.push_back({namespaces.own(), 0});
    const std::lock_guard lock(mutex_);
    for (const auto& [netns, pid] : learned_) {
        if (netns != namespaces.own()) places.push_back({netns, pid});
    }
    return places;
}

void CounterWorker::run() {
    for (;;) {
        std::vector<std::uint32_t> gone;
        const auto readings = counters_.read(places(), gone);
        const auto records = records_.of(readings, boot_now());
        std::unique_lock lock(mutex_);
        // Whose process has ended is learned anew from the next record, if anything still lives there.
        for (const std::uint32_t netns : gone) learned_.erase(netns);
        if (made_.size() + records.size() <= most_waiting_bytes)
            made_.insert(made_.end(), records.begin(), records.end());
        if (changed_.wait_for(lock, span, [this] { return stopping_; })) return;
    }
}

}  // namespace netwatch::service
