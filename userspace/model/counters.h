// SPDX-License-Identifier: Apache-2.0
// The catalogue of include/netwatch/abi/counters.h as values. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "netwatch/abi/counters.h"

namespace netwatch::model {

struct CounterSource {
    std::uint32_t number = 0;
    std::string_view place;  // "/proc/net/netstat"
    std::string_view lost;   // what is not known without it
};
[[nodiscard]] const std::vector<CounterSource>& counter_sources();

// What has happened when it grew, to follow a number: "SYNs were sent again". Empty for what does not only
// grow, and for numbers that are no counter's.
[[nodiscard]] std::string_view counter_words(std::uint32_t counter);

// "syns_again"; empty for numbers that are no counter's.
[[nodiscard]] std::string counter_name(std::uint32_t counter);

}  // namespace netwatch::model
