// SPDX-License-Identifier: Apache-2.0
#include "service/context_worker.h"

#include <netinet/tcp.h>

#include <utility>

#include "service/host_facts.h"

namespace netwatch::service {
namespace {

constexpr std::size_t most_remembered = 16'384;
constexpr std::size_t most_connections_a_walk = 64;
constexpr std::size_t most_cgroups_a_walk = 256;
// A backend can change behind the same address, and a cgroup be made after its first process was seen.
constexpr core::BootNs ask_again_ns = 60 * core::ns_per_s;
constexpr core::BootNs ask_failing_again_ns = 5 * core::ns_per_s;  // perhaps because its backend has changed
constexpr std::size_t path_bytes = sizeof(netwatch_cgroup::path) - 1;

// True once for each key in that time. A full memory forgets all: the rate is bounded by the walk's own
// limit.
template <typename Key>
bool due(std::unordered_map<Key, core::BootNs>& asked, const Key& key, core::BootNs now,
         core::BootNs again_ns = ask_again_ns) {
    if (asked.size() >= most_remembered) asked.clear();
    const auto [entry, is_new] = asked.try_emplace(key, now);
    if (!is_new && now < entry->second + again_ns) return false;
    entry->second = now;
    return true;
}

template <typename R>
void append(std::vector<std::byte>& bytes, const R& record) {
    const auto more = model::bytes_of(record);
    bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

ContextWorker::ContextWorker(std::vector<std::filesystem::path> netns_paths)
    : conntrack_(std::move(netns_paths)),
      thread_([this] { run(); }) {}

ContextWorker::~ContextWorker() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void ContextWorker::note(model::RecordRef record) {
    record.visit([this](const auto& r) {
        if constexpr (requires { r.process.cgroup_id; }) note_cgroup(r.process);
        using R = std::decay_t<decltype(r)>;
        // conntrack forgets a refused connection with its RST; one that waits for an answer it keeps.
        if constexpr (std::is_same_v<R, netwatch_connect>) {
            if (r.outcome == NETWATCH_OUTCOME_ESTABLISHED)
                note_connection(r.header, r.tuple, r.process, ask_again_ns);
        }
        if constexpr (std::is_same_v<R, netwatch_retransmit>) {
            if (r.passive == 0) note_connection(r.header, r.tuple, r.process, ask_failing_again_ns);
        }
        if constexpr (std::is_same_v<R, netwatch_socket_sample>) {
            if (r.passive == 0) note_connection(r.header, r.tuple, r.process, ask_again_ns);
        }
    });
}

void ContextWorker::note_cgroup(const netwatch_process& process) {
    if (process.cgroup_id == 0 || noted_.cgroups.size() >= most_cgroups_a_walk) return;
    if (due(asked_cgroups_, std::uint64_t{process.cgroup_id}, boot_now()))
        noted_.cgroups.push_back(process.cgroup_id);
}

void ContextWorker::note_connection(const netwatch_header& header, const netwatch_tuple& tuple,
                                    const netwatch_process& process, core::BootNs again_ns) {
    if (noted_.connections.size() >= most_connections_a_walk) return;
    if (!due(asked_destinations_, model::remote_endpoint(tuple), header.at_ns, again_ns)) return;
    noted_.connections.push_back({tuple, header.netns, process.pid});
}

std::vector<std::byte> ContextWorker::exchange() {
    const std::lock_guard lock(mutex_);
    if (asked_.empty() && !noted_.empty()) {
        asked_ = std::exchange(noted_, {});
        changed_.notify_all();
    }
    return std::exchange(answered_, {});
}

void ContextWorker::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopping_ || !asked_.empty(); });
        if (stopping_) return;
        const Questions questions = asked_;
        lock.unlock();
        const auto records = answer(questions);
        lock.lock();
        asked_ = {};
        answered_.insert(answered_.end(), records.begin(), records.end());
    }
}

std::vector<std::byte> ContextWorker::answer(const Questions& questions) {
    std::vector<std::byte> records;
    for (const auto& found : cgroups_.resolve(questions.cgroups)) {
        auto record = model::make_record<netwatch_cgroup>(boot_now());
        record.cgroup_id = found.id;
        model::set_text(record.path, context::shorten_left(found.path, path_bytes));
        append(records, record);
    }
    for (const auto& found : conntrack_.translated(questions.connections)) {
        auto record = model::make_record<netwatch_translation>(boot_now(), found.netns);
        record.tuple = found.tuple;
        std::ranges::copy(found.real.ip.bytes(), record.real_ip);
        record.real_port = found.real.port;
        append(records, record);
    }
    return records;
}

}  // namespace netwatch::service
