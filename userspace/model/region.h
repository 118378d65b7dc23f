// SPDX-License-Identifier: Apache-2.0
// A network of a region, as the operator named it; a region may have many. A value; any thread.
#pragma once

#include <string>

#include "model/address.h"

namespace netwatch::model {

struct Region {
    Prefix network;
    std::string name;  // at most 63 bytes
    auto operator<=>(const Region&) const = default;
};

}  // namespace netwatch::model
