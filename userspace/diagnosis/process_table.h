// SPDX-License-Identifier: Apache-2.0
// What is remembered of processes: who they are, whether they scan, and whether another address family
// worked. Bounded; the longest unheard of goes first. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "core/time.h"
#include "model/address.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

// Survives pid reuse.
struct ProcessKey {
    std::uint32_t pid = 0;
    std::uint64_t start_ns = 0;
    auto operator<=>(const ProcessKey&) const = default;
};

struct Process {
    ProcessKey key;
    std::string comm;
    std::uint64_t cgroup_id = 0;
    std::uint32_t netns = 0;
    core::BootNs last_seen = 0;
    core::BootNs last_success_v4 = 0;
    core::BootNs last_success_v6 = 0;

    // Counts a failure at a destination that never answered. A scanner touches many of them in a short time.
    void note_unanswered(std::size_t destination_hash, core::BootNs now);
    [[nodiscard]] bool scans(core::BootNs now) const;
    // "curl[4711]"
    [[nodiscard]] std::string label() const;

private:
    static constexpr std::size_t scan_destinations = 16;
    static constexpr std::uint64_t scan_window_ns = 10 * core::ns_per_s;
    struct Touched {
        std::size_t destination_hash = 0;
        core::BootNs at = 0;
    };
    std::array<Touched, scan_destinations> touched_{};
};

class ProcessTable {
public:
    // Null for a record without a process.
    Process* touch(const netwatch_process& process, std::uint32_t netns, core::BootNs now);
    [[nodiscard]] const Process* find(const ProcessKey& key) const;

private:
    static constexpr std::size_t capacity = 8'192;
    void forget_oldest();

    struct Hash {
        std::size_t operator()(const ProcessKey& key) const noexcept {
            return std::hash<std::uint64_t>{}(key.start_ns * 31 + key.pid);
        }
    };
    std::unordered_map<ProcessKey, Process, Hash> processes_;
};

}  // namespace netwatch::diagnosis
