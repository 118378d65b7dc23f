// SPDX-License-Identifier: Apache-2.0
// Packets that this host dropped itself, by who dropped them. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/time.h"

namespace netwatch::diagnosis {

enum class LocalDrop : std::uint8_t {
    netfilter,
    program,       // a BPF program or a filter of tc, of a cgroup or of the driver (XDP)
    reverse_path,  // the route back to the sender does not lead to where the packet came in (rp_filter)
};
constexpr std::size_t local_drop_count = 3;

struct DropCount {
    core::BootNs at = 0;  // of the latest
    std::uint64_t packets = 0;
};

class LocalDrops {
public:
    void add(LocalDrop who, std::uint64_t packets, core::BootNs at) {
        DropCount& count = counts_.at(static_cast<std::size_t>(who));
        count.at = at;
        count.packets += packets;
    }
    [[nodiscard]] const DropCount& count(LocalDrop who) const {
        return counts_.at(static_cast<std::size_t>(who));
    }
    // Who dropped most of those that were still dropped at `since`; nothing below `fewest`.
    [[nodiscard]] std::optional<LocalDrop> most(core::BootNs since, std::uint64_t fewest) const;

private:
    std::array<DropCount, local_drop_count> counts_{};
};

// By the kernel's name of a drop reason; nothing for reasons that say nothing of a rule or a route.
[[nodiscard]] std::optional<LocalDrop> local_drop_of(std::string_view reason);

}  // namespace netwatch::diagnosis
