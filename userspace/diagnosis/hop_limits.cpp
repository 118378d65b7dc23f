// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/hop_limits.h"

#include <algorithm>
#include <limits>

namespace netwatch::diagnosis {

void HopLimits::add(const netwatch_header_look& look) {
    if (look.hop_limit == 0) return;
    auto slot = std::ranges::find(limits_, look.hop_limit, &Limit::limit);
    if (slot == limits_.end()) {
        slot = std::ranges::min_element(limits_, {}, &Limit::count);
        *slot = {.limit = look.hop_limit};
    }
    if (slot->count < std::numeric_limits<std::uint16_t>::max()) ++slot->count;
    ++count_;
    if (look.ip_id == 0) ++zero_ids_;
}

bool HopLimits::has(std::uint8_t limit) const {
    return limit != 0 && std::ranges::find(limits_, limit, &Limit::limit) != limits_.end();
}

std::uint8_t HopLimits::usual() const { return std::ranges::max_element(limits_, {}, &Limit::count)->limit; }

bool HopLimits::marked_unlike(const HopLimits& other) const {
    constexpr std::uint32_t many = 8;
    if (count_ < many || !other.known()) return false;
    const bool none = zero_ids_ == count_ && other.zero_ids_ == 0;
    const bool all = zero_ids_ == 0 && other.zero_ids_ == other.count_;
    return none || all;
}

}  // namespace netwatch::diagnosis
