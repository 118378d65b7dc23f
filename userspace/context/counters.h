// SPDX-License-Identifier: Apache-2.0
// What the kernel counts for the host as a whole, of namespaces and of their interfaces: one reading of
// everything in include/netwatch/abi/counters.h. Only reads. What a kernel or container lacks is named.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "context/namespaces.h"
#include "netwatch/abi/counters.h"

namespace netwatch::context {

struct CounterReading {
    std::uint32_t netns = 0;    // 0: of the whole host
    std::uint32_t ifindex = 0;  // 0: no interface's
    std::uint32_t counter = 0;
    std::uint64_t value = 0;
};

// All that one look has found. `missing` has a reason for each source that could nowhere be read.
struct CounterReadings {
    std::vector<CounterReading> values;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> interfaces;  // names by netns and ifindex
    std::map<std::uint32_t, std::string> missing;

    void add(std::uint32_t netns, std::uint32_t counter, std::uint64_t value, std::uint32_t ifindex = 0) {
        values.push_back({netns, ifindex, counter, value});
    }
};

// What is read of the files of one namespace, and of the whole host. `proc` replaces /proc; the namespace is
// that of the calling thread.
void read_namespace_files(const std::filesystem::path& proc, std::uint32_t netns, CounterReadings& into);
void read_host_files(const std::filesystem::path& proc, CounterReadings& into);

// The allowances that ethtool's names show, by counter: a cloud NIC's, nothing elsewhere.
[[nodiscard]] std::map<std::uint32_t, std::uint64_t> allowances(std::span<const std::string> names,
                                                                std::span<const std::uint64_t> values);

// One thread at a time; it enters other namespaces for the time of a call and comes back.
class HostCounters {
public:
    // `netns_paths`: as Namespaces has it.
    explicit HostCounters(std::vector<std::filesystem::path> netns_paths = {});

    struct Place {
        std::uint32_t netns = 0;
        std::uint32_t pid = 0;  // of a process that lives there; 0: none is known
    };
    // The host and these namespaces. `gone` are those of them that could not be reached.
    [[nodiscard]] CounterReadings read(std::span<const Place> places, std::vector<std::uint32_t>& gone);

    [[nodiscard]] const Namespaces& namespaces() const { return namespaces_; }

private:
    void read_links(std::uint32_t netns, CounterReadings& into);
    void read_allowances(std::uint32_t netns, std::uint32_t ifindex, CounterReadings& into);

    Namespaces namespaces_;
    // Interfaces that show no allowance are not asked again while they keep their name.
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> without_allowance_;
};

}  // namespace netwatch::context
