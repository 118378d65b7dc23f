// SPDX-License-Identifier: Apache-2.0
// Listens to what the kernel tells of changes: links, addresses, routes, rules and nftables rulesets of the
// observed network namespaces, on a thread of its own, as CHANGE records. Sends requests to this host's
// kernel only (what is there at the beginning), changes nothing and loads no module.
//
// A netlink socket keeps its namespace alive. So one that is found through a process is let go in the moment
// that its last process ends, and one with a path within a second of the path's end. (NETLINK_LISTEN_ALL_NSID
// would hold none, but hears only namespaces that have an id in this one, which to give is a change.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "context/namespaces.h"
#include "core/fd.h"
#include "core/time.h"
#include "model/record.h"

namespace netwatch::service {

// note() and exchange() from the capture thread.
class ChangeWatch {
public:
    // `netns_paths`: the observed namespaces; none: this process's own and all that records come from.
    explicit ChangeWatch(std::vector<std::filesystem::path> netns_paths);
    ~ChangeWatch();
    ChangeWatch(const ChangeWatch&) = delete;
    ChangeWatch& operator=(const ChangeWatch&) = delete;

    // Learns of a namespace and of a process in it.
    void note(model::RecordRef record);
    // The records that were made since the last call.
    [[nodiscard]] std::vector<std::byte> exchange();

private:
    struct Inhabitant {
        std::uint32_t pid = 0;
        core::BootNs started = 0;
        std::string comm;
    };
    class Place; /* one namespace that is listened to */

    void run();
    [[nodiscard]] bool wait();
    void open_named();
    void open_noted();
    void open(std::uint32_t netns, const std::filesystem::path& path, const Inhabitant* inhabitant);
    [[nodiscard]] bool look_after(Place& place, core::BootNs at, bool due);
    void deliver();

    const std::vector<std::filesystem::path> netns_paths_;
    const core::BootNs started_at_;
    core::Fd wake_;

    /* The capture thread's own. */
    std::set<std::uint32_t> known_;
    std::map<std::uint32_t, Inhabitant> noted_;

    /* The watch's own. */
    const context::Namespaces namespaces_;
    std::map<std::uint32_t, std::unique_ptr<Place>> places_;
    std::vector<netwatch_change> changes_;
    core::BootNs looked_after_at_ = 0;

    std::mutex mutex_;
    std::map<std::uint32_t, Inhabitant> asked_;
    std::set<std::uint32_t> listened_to_;
    std::vector<std::byte> told_;
    bool overflowed_ = false;
    bool stopping_ = false;
    std::thread thread_; /* last: it uses all of the above */
};

}  // namespace netwatch::service
