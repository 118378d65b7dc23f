// SPDX-License-Identifier: Apache-2.0
// Which region an address lies in, as the operator named them: the longest network that holds it. One thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "model/region.h"

namespace netwatch::diagnosis {

class Regions {
public:
    void add(const model::Region& region);
    [[nodiscard]] std::optional<std::string> of(const model::IpAddress& ip) const;
    [[nodiscard]] bool empty() const { return by_length_.empty(); }

private:
    static constexpr std::size_t networks_kept = 65'536;
    std::size_t networks_ = 0;
    std::map<unsigned, std::unordered_map<model::Prefix, std::string>, std::greater<>> by_length_;
};

}  // namespace netwatch::diagnosis
