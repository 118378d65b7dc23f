// SPDX-License-Identifier: Apache-2.0
// zstd frames of records. One thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"

namespace netwatch::recorder {

// Uncompressed; nothing longer is written, and a reader refuses it before it takes memory.
constexpr std::size_t largest_frame_bytes = 32U << 20;

class Packer {
public:
    Packer();
    // Valid until the next call. Errors: too long.
    [[nodiscard]] core::Result<std::span<const std::byte>> pack(std::span<const std::byte> bytes);

private:
    struct Free {
        void operator()(void* context) const;
    };
    std::unique_ptr<void, Free> context_;
    std::vector<std::byte> packed_;
};

// Replaces the content of `bytes`. Errors: no frame, a damaged one, one that claims too much.
[[nodiscard]] core::Result<void> unpack(std::span<const std::byte> frame, std::vector<std::byte>& bytes);

}  // namespace netwatch::recorder
