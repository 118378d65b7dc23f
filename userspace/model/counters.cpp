// SPDX-License-Identifier: Apache-2.0
#include "model/counters.h"

#include <algorithm>

namespace netwatch::model {

const std::vector<CounterSource>& counter_sources() {
    static const std::vector<CounterSource> sources{
#define NETWATCH_SOURCE(number, upper, place, lost) {number, place, lost},
        NETWATCH_COUNTER_SOURCES(NETWATCH_SOURCE)
#undef NETWATCH_SOURCE
    };
    return sources;
}

std::string_view counter_words(std::uint32_t counter) {
    // NOLINTBEGIN(bugprone-branch-clone): counters that add up share their words
    switch (counter) {
#define NETWATCH_WORDS(number, upper, source, key, scope, words) \
    case number: return words;
        NETWATCH_COUNTERS(NETWATCH_WORDS)
#undef NETWATCH_WORDS
        default: return {};
    }
    // NOLINTEND(bugprone-branch-clone)
}

std::string counter_name(std::uint32_t counter) {
    std::string name = [&]() -> std::string {
        switch (counter) {
#define NETWATCH_NAME(number, upper, source, key, scope, words) \
    case number: return #upper;
            NETWATCH_COUNTERS(NETWATCH_NAME)
#undef NETWATCH_NAME
            default: return {};
        }
    }();
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return name;
}

}  // namespace netwatch::model
