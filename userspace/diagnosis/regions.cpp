// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/regions.h"

namespace netwatch::diagnosis {
namespace {

constexpr unsigned v4_bits = 32;

}  // namespace

void Regions::add(const model::Region& region) {
    if (networks_ >= networks_kept || region.name.empty()) return;
    const bool fresh = by_length_[region.network.bits].insert_or_assign(region.network, region.name).second;
    networks_ += fresh ? 1 : 0;
}

std::optional<std::string> Regions::of(const model::IpAddress& ip) const {
    for (const auto& [bits, networks] : by_length_) {
        if (ip.is_v4() && bits > v4_bits) continue;
        const auto found = networks.find(model::Prefix::of(ip, static_cast<std::uint8_t>(bits)));
        if (found != networks.end()) return found->second;
    }
    return std::nullopt;
}

}  // namespace netwatch::diagnosis
