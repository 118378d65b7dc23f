// SPDX-License-Identifier: Apache-2.0
// What the compiler can hold of record.h: no implicit padding (so no kernel bytes leak), sizes that are
// multiples of 8.
#pragma once

#include <type_traits>

#include "netwatch/abi/record.h"

namespace netwatch::abi {

#define NETWATCH_KIND(number, upper, lower, maker, text)                          \
    static_assert(std::has_unique_object_representations_v<netwatch_##lower>,     \
                  "padding in netwatch_" #lower);                                 \
    static_assert(sizeof(netwatch_##lower) % 8 == 0, "size of netwatch_" #lower); \
    static_assert(std::is_trivially_copyable_v<netwatch_##lower>);
NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND

}  // namespace netwatch::abi
