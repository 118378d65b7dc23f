// SPDX-License-Identifier: Apache-2.0
// Bytes of the network read from front to back, in network byte order; what is not there cannot be read.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace netwatch::context {

using Bytes = std::span<const std::byte>;

class ByteReader {
public:
    explicit ByteReader(Bytes bytes) : rest_(bytes) {}

    [[nodiscard]] Bytes rest() const { return rest_; }
    [[nodiscard]] std::optional<Bytes> take(std::size_t count) {
        if (count > rest_.size()) return std::nullopt;
        const Bytes taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }
    // A number of one to four bytes.
    [[nodiscard]] std::optional<std::uint32_t> number(std::size_t width) {
        const auto bytes = take(width);
        if (!bytes) return std::nullopt;
        std::uint32_t value = 0;
        for (const std::byte byte : *bytes) value = value << 8U | std::to_integer<std::uint32_t>(byte);
        return value;
    }
    // What follows its own length, a number of so many bytes.
    [[nodiscard]] std::optional<Bytes> vector(std::size_t width) {
        const auto length = number(width);
        return length ? take(*length) : std::nullopt;
    }

private:
    Bytes rest_;
};

}  // namespace netwatch::context
