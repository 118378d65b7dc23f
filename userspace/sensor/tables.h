// SPDX-License-Identifier: Apache-2.0
// The two tables that the programs keep by themselves, read and turned into records. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "netwatch/abi/tables.h"

struct netwatch_bpf;

namespace netwatch::sensor {

// Takes one whole record; the bytes are valid during the call.
using RecordSink = std::function<void(std::span<const std::byte>)>;

// One ACCOUNT for each kind that the kernel makes, cumulative since the programs were loaded.
class AccountTable {
public:
    explicit AccountTable(netwatch_bpf& skeleton) : skeleton_(skeleton) {}
    void read(const RecordSink& on_record) const;
    // Candidates of this kind that a full map kept from being counted, over all CPUs.
    [[nodiscard]] std::uint64_t dropped_map(std::uint32_t kind) const;

private:
    [[nodiscard]] netwatch_account_counts sum(std::uint32_t kind) const;
    netwatch_bpf& skeleton_;
};

// One DROPS for each key that moved since the last read, cumulative. When the map is over half full, keys
// that have not moved for a minute are deleted; one that comes back starts at 1 again. Reasons whose packets
// found no room come with an empty tuple.
class DropTable {
public:
    explicit DropTable(netwatch_bpf& skeleton) : skeleton_(skeleton) {}
    void read(const RecordSink& on_record);

private:
    struct Seen {
        std::uint64_t packets = 0;
        std::uint64_t moved_ns = 0;
    };
    struct Less {
        bool operator()(const netwatch_drop_key& a, const netwatch_drop_key& b) const;
    };
    [[nodiscard]] std::size_t fetch();
    void read_overflow(const RecordSink& on_record, std::uint64_t now_ns);
    void forget_idle(std::uint64_t now_ns);

    netwatch_bpf& skeleton_;
    std::vector<netwatch_drop_key> keys_;
    std::vector<netwatch_drop_count> counts_;
    std::map<netwatch_drop_key, Seen, Less> seen_;
    std::map<std::uint32_t, std::uint64_t> overflowed_;
};

}  // namespace netwatch::sensor
