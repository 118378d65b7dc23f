// SPDX-License-Identifier: Apache-2.0
// Where records come from. Live capture, a recording and a test are three sources; what reads them cannot
// tell.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "core/result.h"

namespace netwatch::model {

// One thread calls next() until it gives nothing. The bytes of a record (one whole record, header first) stay
// valid until the next call. Errors: the source is damaged or unreadable from here on.
class Source {
public:
    virtual ~Source() = default;
    [[nodiscard]] virtual core::Result<std::optional<std::span<const std::byte>>> next() = 0;
};

}  // namespace netwatch::model
