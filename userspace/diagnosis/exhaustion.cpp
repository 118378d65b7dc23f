// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/exhaustion.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "diagnosis/scene.h"
#include "model/record.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;

constexpr std::size_t queues_kept = 4'096;
constexpr std::size_t shortages_kept = 256;
constexpr std::uint64_t quiet_ns = 5 * core::ns_per_s;
constexpr std::uint64_t over_ns = 30 * core::ns_per_s;
constexpr std::uint32_t enough_looks = 2;  // a burst overflows a queue for a moment
constexpr std::uint64_t enough_calls = 3;

std::string group_of(const DestinationKey& listener, std::uint32_t netns) {
    return fmt::format("listener {} {}", listener.endpoint.to_string(), netns);
}

std::string group_of(const ProcessKey& process) {
    return fmt::format("descriptors {} {}", process.pid, process.start_ns);
}

constexpr const char* host_group = "descriptors";

// Makes room by forgetting what was looked at longest ago.
template <typename Table, typename Time>
void make_room(Table& table, std::size_t capacity, Time time) {
    if (table.size() < capacity) return;
    table.erase(std::ranges::min_element(table, {},
                                         [&](const auto& entry) { return std::invoke(time, entry.second); }));
}

// A listener on all addresses is the destination that its clients came to last.
const Destination* busiest(const Scene& scene, const DestinationKey& listener, std::uint32_t netns) {
    const Destination* best = scene.destinations.find(listener);
    if (best != nullptr || !listener.endpoint.ip.is_unspecified()) return best;
    for (const auto& [key, destination] : scene.destinations.all()) {
        const bool same = key.perspective == model::Perspective::server &&
                          key.endpoint.port == listener.endpoint.port && destination.netns == netns;
        if (same && (best == nullptr || destination.last_success_at > best->last_success_at))
            best = &destination;
    }
    return best;
}

}  // namespace

void Exhaustion::add(const netwatch_listener_sample& record, const DestinationKey& key) {
    const core::BootNs at = record.header.at_ns;
    const std::string group = group_of(key, record.header.netns);
    if (!queues_.contains(group)) make_room(queues_, queues_kept, &Queue::looked_at);
    Queue& queue = queues_[group];
    const bool comparable = queue.looked_at != 0 && record.drops >= queue.drops;
    const std::uint64_t fresh = comparable ? record.drops - queue.drops : 0;
    const core::BootNs looked_before = queue.looked_at;
    queue.listener = key;
    queue.process = {record.process.pid, record.process.start_ns};
    queue.netns = record.header.netns;
    queue.backlog = record.backlog;
    queue.limit = record.backlog_limit;
    queue.drops = record.drops;
    queue.looked_at = at;
    if (queue.since != 0 && queue.last_drop_at + over_ns < at) queue.since = 0;
    if (fresh == 0) return;
    // A listener drops for other reasons too; once its queue was seen full, what it drops is that.
    if (queue.since == 0) {
        if (record.backlog < record.backlog_limit) return;
        queue.since = looked_before;
        queue.dropped = queue.looks = 0;
    }
    queue.dropped += fresh;
    ++queue.looks;
    queue.last_drop_at = at;
}

bool Exhaustion::add(const netwatch_call_failed& record) {
    const bool whole_host = record.error == ENFILE;
    if (record.error != EMFILE && !whole_host) return false;
    const core::BootNs at = record.header.at_ns;
    const ProcessKey process{record.process.pid, record.process.start_ns};
    const std::string group = whole_host ? host_group : group_of(process);
    if (!shortages_.contains(group)) make_room(shortages_, shortages_kept, &Shortage::last_at);
    Shortage& shortage = shortages_[group];
    if (shortage.last_at + over_ns < at) shortage = {};
    if (shortage.calls++ == 0) shortage.first_at = at;
    shortage.process = process;
    shortage.whole_host = whole_host;
    shortage.last_at = at;
    if (record.call != NETWATCH_CALL_ACCEPT) return true;
    shortage.accepting = true;
    if (record.tuple.local_port != 0)
        shortage.listener = {model::local_endpoint(record.tuple), model::Perspective::server, 0};
    return true;
}

void Exhaustion::note_opened(const ProcessKey& process, core::BootNs at) {
    if (shortages_.empty()) return;
    for (const std::string& group : {group_of(process), std::string(host_group)}) {
        const auto found = shortages_.find(group);
        if (found != shortages_.end()) found->second.opened_at = std::max(found->second.opened_at, at);
    }
}

Finding Exhaustion::overflow(const Scene& scene, const std::string& group, const Queue& queue) const {
    const Destination* destination = busiest(scene, queue.listener, queue.netns);
    const DestinationKey& key = destination != nullptr ? destination->key : queue.listener;
    Finding finding;
    finding.family = Family::resources;
    finding.group = group;
    finding.confirmed = queue.looks >= enough_looks;
    finding.candidates = {{FailureType::connection_exhaustion, "listen_backlog", 0.97, std::nullopt}};
    const bool accepts = destination != nullptr && destination->last_success_at > queue.since;
    finding.severity = accepts ? Severity::warning : Severity::critical;
    finding.scope = {ScopeKind::destination, std::nullopt, {}};  // who the clients are nobody sees
    finding.perspective = model::Perspective::server;
    finding.members = {key};
    finding.destination = model::DestinationRef{.endpoint = key.endpoint};
    finding.process = queue.process;
    finding.first_affected = queue.since;
    note(finding, scene, "listener_drops", static_cast<double>(queue.dropped),
         fmt::format("{} connections dropped at the listener in {}", queue.dropped,
                     core::to_duration(scene.now - std::min(queue.since, scene.now))));
    note(finding, scene, "accept_queue", queue.backlog,
         fmt::format("{} connections wait to be accepted, {} may", queue.backlog, queue.limit));
    rule_out(finding, FailureType::firewall_block, "the SYNs reach the listener");
    return finding;
}

Finding Exhaustion::no_descriptor(const Scene& scene, const std::string& group,
                                  const Shortage& shortage) const {
    Finding finding;
    finding.family = Family::resources;
    finding.group = group;
    finding.confirmed = shortage.calls >= enough_calls;
    finding.candidates = {{FailureType::connection_exhaustion, "file_descriptors", 0.97, std::nullopt}};
    finding.severity = Severity::critical;
    const Process* process = scene.processes.find(shortage.process);
    const std::string label = process != nullptr ? process->label() : std::to_string(shortage.process.pid);
    finding.scope = shortage.whole_host ? model::Scope{ScopeKind::host, std::nullopt, {}}
                                        : model::Scope{ScopeKind::process, label, {}};
    if (shortage.accepting) finding.perspective = model::Perspective::server;
    if (shortage.listener.endpoint.port != 0) {
        const Destination* destination =
            process != nullptr ? busiest(scene, shortage.listener, process->netns) : nullptr;
        const DestinationKey& key = destination != nullptr ? destination->key : shortage.listener;
        finding.members = {key};
        finding.destination = model::DestinationRef{.endpoint = key.endpoint};
    }
    finding.process = shortage.process;
    finding.first_affected = shortage.first_at;
    note(finding, scene, shortage.whole_host ? "enfile" : "emfile", static_cast<double>(shortage.calls),
         fmt::format("{} calls of {} failed for want of a file descriptor{}", shortage.calls,
                     shortage.accepting ? "accept()" : "socket()",
                     shortage.whole_host ? ": the host's table is full" : ""));
    rule_out(finding, FailureType::firewall_block, "no packet is made: the call fails here");
    return finding;
}

std::vector<Finding> Exhaustion::judge(const Scene& scene) const {
    std::vector<Finding> findings;
    for (const auto& [group, queue] : queues_) {
        const bool now = queue.since != 0 && queue.last_drop_at + quiet_ns >= scene.now;
        if (now) findings.push_back(overflow(scene, group, queue));
    }
    for (const auto& [group, shortage] : shortages_) {
        const bool now = shortage.last_at + quiet_ns >= scene.now && shortage.calls + 1 >= enough_calls;
        if (now) findings.push_back(no_descriptor(scene, group, shortage));
    }
    return findings;
}

bool Exhaustion::healed(const std::string& group, core::BootNs now) const {
    if (const auto queue = queues_.find(group); queue != queues_.end()) {
        const Queue& one = queue->second;
        return one.last_drop_at + quiet_ns <= now && one.backlog < one.limit;
    }
    const auto shortage = shortages_.find(group);
    if (shortage == shortages_.end()) return false;
    return shortage->second.last_at + quiet_ns <= now &&
           shortage->second.opened_at > shortage->second.last_at;
}

}  // namespace netwatch::diagnosis
