// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/call_graph.h"

#include <algorithm>

namespace netwatch::diagnosis {
namespace {

// A service's or a container's own cgroup. Those of sessions and slices hold what has nothing in common.
bool is_unit(std::string_view path) {
    const std::string_view last = path.substr(path.rfind('/') + 1);
    if (last.ends_with(".service")) return !last.starts_with("user@");
    if (last.ends_with(".scope")) return !last.starts_with("session-") && !last.starts_with("init");
    constexpr std::size_t container_id = 64;  // hexadecimal digits, as container runtimes name them
    return last.size() == container_id &&
           std::ranges::all_of(last, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

CallGraph::Node CallGraph::node_of(const netwatch_process& process, std::string_view cgroup_path) {
    if (is_unit(cgroup_path)) return {process.cgroup_id, {}};
    return {0, {process.pid, process.start_ns}};
}

void CallGraph::note(std::vector<Use>& uses, std::size_t kept, const DestinationKey& key, core::BootNs at) {
    auto known = std::ranges::find(uses, key, &Use::key);
    if (known == uses.end() && uses.size() < kept) known = uses.insert(uses.end(), Use{key, at});
    if (known == uses.end()) known = std::ranges::min_element(uses, {}, &Use::at);
    *known = {key, std::max(known->key == key ? known->at : 0, at)};
}

void CallGraph::serves(const netwatch_process& process, std::string_view cgroup_path,
                       const DestinationKey& listener, core::BootNs at) {
    if (process.pid == 0) return;
    const Node node = node_of(process, cgroup_path);
    if (servers_.size() >= servers_kept && !servers_.contains(node)) {
        servers_.erase(
            std::ranges::min_element(servers_, {}, [](const auto& entry) { return entry.second.at; }));
    }
    Server& server = servers_[node];
    server.at = std::max(server.at, at);
    note(server.listeners, listeners_kept, listener, at);
}

void CallGraph::calls(const netwatch_process& process, std::string_view cgroup_path,
                      const DestinationKey& called, core::BootNs at) {
    if (process.pid == 0) return;
    const auto server = servers_.find(node_of(process, cgroup_path));
    if (server != servers_.end()) note(server->second.called, called_kept, called, at);
}

bool CallGraph::knows(const DestinationKey& listener) const {
    return std::ranges::any_of(servers_, [&](const auto& entry) {
        return std::ranges::find(entry.second.listeners, listener, &Use::key) != entry.second.listeners.end();
    });
}

bool CallGraph::leads(const DestinationKey& listener, const DestinationKey& called,
                      core::BootNs since) const {
    const auto uses = [&](const std::vector<Use>& list, const DestinationKey& key, core::BootNs from) {
        return std::ranges::any_of(list, [&](const Use& use) { return use.key == key && use.at >= from; });
    };
    return std::ranges::any_of(servers_, [&](const auto& entry) {
        return uses(entry.second.listeners, listener, 0) && uses(entry.second.called, called, since);
    });
}

}  // namespace netwatch::diagnosis
