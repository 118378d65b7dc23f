// SPDX-License-Identifier: Apache-2.0
// What the host's own counters have said in the last two minutes. Bounded. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "netwatch/abi/counters.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

// The values that one counter had, each from when it was first seen.
class CounterSeries {
public:
    void add(core::BootNs at, std::uint64_t value);
    [[nodiscard]] std::uint64_t value() const { return points_.back().value; }
    // By how much it has grown after that instant. What it had grown before it was first seen is no news.
    [[nodiscard]] std::uint64_t grown(core::BootNs since) const;
    // In how many looks after that instant it was found to have grown.
    [[nodiscard]] std::size_t looks_grown(core::BootNs since) const;
    // The first of those looks; 0: none.
    [[nodiscard]] core::BootNs first_growth(core::BootNs since) const;

private:
    struct Point {
        core::BootNs at = 0;
        std::uint64_t value = 0;
    };
    std::vector<Point> points_;
};

class HostCounters {
public:
    struct Interface {
        std::string name;
        std::map<std::uint32_t, CounterSeries> counters;
        [[nodiscard]] std::uint64_t grown(std::uint32_t counter, core::BootNs since) const;
        [[nodiscard]] std::size_t looks_grown(std::uint32_t counter, core::BootNs since) const;
    };
    using Interfaces = std::map<std::pair<std::uint32_t, std::uint32_t>, Interface>;  // by netns and ifindex

    void add(const netwatch_counter& record);
    void add(const netwatch_interface_counter& record);
    void add(const netwatch_counter_source& record);
    // The beat of the agent: a long gap says that it stood still.
    void add(const netwatch_clock& record);

    // A connection was made after its SYN had to be sent again: counted here, because the kernel counts those
    // that nobody answers along with them.
    void note_retried(std::uint32_t netns, core::BootNs at);
    [[nodiscard]] const CounterSeries* retried(std::uint32_t netns) const;

    // `netns` 0: of the whole host. Empty and 0 where the counter was not seen.
    [[nodiscard]] std::optional<std::uint64_t> value(std::uint32_t netns, std::uint32_t counter) const;
    [[nodiscard]] std::uint64_t grown(std::uint32_t netns, std::uint32_t counter, core::BootNs since) const;
    [[nodiscard]] std::size_t looks_grown(std::uint32_t netns, std::uint32_t counter,
                                          core::BootNs since) const;
    // Namespaces of which that counter is known.
    [[nodiscard]] std::vector<std::uint32_t> namespaces_with(std::uint32_t counter) const;
    [[nodiscard]] const Interfaces& interfaces() const { return interfaces_; }
    [[nodiscard]] const std::map<std::uint32_t, netwatch_counter_source>& sources() const { return sources_; }

    // Why nothing that was timed in the last seconds can be trusted: this host or the agent itself had no
    // chance to be on time. Empty: it can.
    [[nodiscard]] std::optional<std::string> starvation(core::BootNs now) const;

private:
    [[nodiscard]] const CounterSeries* find(std::uint32_t netns, std::uint32_t counter) const;

    std::map<std::pair<std::uint32_t, std::uint32_t>, CounterSeries> counters_;  // by netns and counter
    Interfaces interfaces_;
    std::map<std::uint32_t, CounterSeries> retried_;
    std::map<std::uint32_t, netwatch_counter_source> sources_;
    core::BootNs last_clock_ = 0;
    core::BootNs late_at_ = 0;
    std::uint64_t late_ns_ = 0;
};

}  // namespace netwatch::diagnosis
