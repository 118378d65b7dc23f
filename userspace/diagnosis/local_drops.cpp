// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/local_drops.h"

#include <algorithm>
#include <utility>

namespace netwatch::diagnosis {
namespace {

// A program of a cgroup that drops what arrives shows as SOCKET_FILTER: both run in sk_filter_trim_cap().
constexpr auto reasons = std::to_array<std::pair<std::string_view, LocalDrop>>({
    {"NETFILTER_DROP", LocalDrop::netfilter},
    {"TC_EGRESS", LocalDrop::program},
    {"TC_INGRESS", LocalDrop::program},
    {"BPF_CGROUP_EGRESS", LocalDrop::program},
    {"SOCKET_FILTER", LocalDrop::program},
    {"XDP", LocalDrop::program},
    {"IP_RPFILTER", LocalDrop::reverse_path},
});

}  // namespace

std::optional<LocalDrop> LocalDrops::most(core::BootNs since, std::uint64_t fewest) const {
    std::optional<LocalDrop> who;
    std::uint64_t packets = 0;
    for (std::size_t i = 0; i < local_drop_count; ++i) {
        if (counts_[i].at < since || counts_[i].packets < std::max(fewest, packets + 1)) continue;
        who = static_cast<LocalDrop>(i);
        packets = counts_[i].packets;
    }
    return who;
}

std::optional<LocalDrop> local_drop_of(std::string_view reason) {
    const auto found = std::ranges::find(reasons, reason, &std::pair<std::string_view, LocalDrop>::first);
    return found == reasons.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace netwatch::diagnosis
