// SPDX-License-Identifier: Apache-2.0
// Where the agent's records come from while it lives: the sensor, or a script in a test.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "core/result.h"

namespace netwatch::service {

// Takes one whole record; the bytes are only valid during the call.
using OnRecord = std::function<void(std::span<const std::byte>)>;

// One thread at a time. Errors: nothing more can be captured.
class Capture {
public:
    virtual ~Capture() = default;
    // What stands at the beginning of every stream after HOST: HOOK and DROP_REASON.
    [[nodiscard]] virtual core::Result<void> introduce(const OnRecord& on_record) = 0;
    // Readable when records wait for poll(). -1: never, only poll() tells.
    [[nodiscard]] virtual int wait_fd() const = 0;
    // Everything that waits now. Does not block.
    [[nodiscard]] virtual core::Result<void> poll(const OnRecord& on_record) = 0;
    // The periodic walk: samples, WALK_END, then DROPS and ACCOUNT.
    [[nodiscard]] virtual core::Result<void> walk(const OnRecord& on_record) = 0;
};

}  // namespace netwatch::service
