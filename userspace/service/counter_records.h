// SPDX-License-Identifier: Apache-2.0
// Readings of counters as records: what has changed since the last look, and everything once a minute, so
// that a recording that begins anywhere is complete soon. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "context/counters.h"
#include "core/time.h"

namespace netwatch::service {

class CounterRecords {
public:
    // COUNTER, INTERFACE_COUNTER and COUNTER_SOURCE records of that instant.
    [[nodiscard]] std::vector<std::byte> of(const context::CounterReadings& readings, core::BootNs at);

private:
    using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;  // netns, ifindex, counter
    std::map<Key, std::uint64_t> last_;
    std::map<std::uint32_t, std::optional<std::string>> sources_;  // why each is missing; empty: it is there
    std::optional<core::BootNs> all_at_;
};

}  // namespace netwatch::service
