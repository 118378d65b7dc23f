// SPDX-License-Identifier: Apache-2.0
#include "top/order.h"

#include <algorithm>
#include <map>

namespace netwatch::top {
namespace {

constexpr double clearly_more = 1.5;

int gravity(const model::DestinationRow& row) { return row.severity ? static_cast<int>(*row.severity) : -1; }

bool passes(const model::DestinationRow& row, const model::DestinationRow& above) {
    if (gravity(row) != gravity(above)) return gravity(row) > gravity(above);
    return model::traffic(row) > clearly_more * model::traffic(above);
}

}  // namespace

std::vector<const model::DestinationRow*> calm_order(std::vector<const model::DestinationRow*> rows,
                                                     std::span<const RowId> before) {
    if (before.empty()) return rows;
    std::map<RowId, std::size_t> place;
    for (std::size_t i = 0; i < before.size(); ++i) place.emplace(before[i], i);
    std::vector<std::pair<std::size_t, const model::DestinationRow*>> placed;
    for (const auto* row : rows) {
        const auto known = place.find(id_of(*row));
        placed.emplace_back(known == place.end() ? before.size() : known->second, row);
    }
    // New rows come last, in the order that they have, and rise from there.
    std::ranges::stable_sort(placed, {}, [](const auto& each) { return each.first; });
    std::ranges::transform(placed, rows.begin(), [](const auto& each) { return each.second; });
    for (auto row = rows.begin(); row != rows.end(); ++row) {
        for (auto at = row; at != rows.begin() && passes(**at, **std::prev(at)); --at)
            std::iter_swap(at, std::prev(at));
    }
    return rows;
}

}  // namespace netwatch::top
