// SPDX-License-Identifier: Apache-2.0
// With which TTL (hop limit) segments of one peer arrive, and whether they carry an IPv4 identification. The
// path decides the first and the sender's kernel the second, so that somebody else who answers in the peer's
// name shows. Plain state. One thread.
#pragma once

#include <array>
#include <cstdint>

#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

// Who sent a RST, by its header.
enum class Sender : std::uint8_t { unknown, peer, other };

class HopLimits {
public:
    // Nothing where no such segment was seen.
    void add(const netwatch_header_look& look);

    // Often enough that another value is news.
    [[nodiscard]] bool known() const { return count_ >= enough; }
    [[nodiscard]] std::uint32_t count() const { return count_; }
    [[nodiscard]] bool has(std::uint8_t limit) const;
    [[nodiscard]] std::uint8_t usual() const;  // the most frequent; 0: none
    // All of many carry an identification here and none there, or the other way round.
    [[nodiscard]] bool marked_unlike(const HopLimits& other) const;

private:
    static constexpr std::uint32_t enough = 3;
    struct Limit {
        std::uint8_t limit = 0;
        std::uint16_t count = 0;
    };
    std::array<Limit, 4> limits_{};  // paths differ; the rarest goes
    std::uint32_t count_ = 0;
    std::uint32_t zero_ids_ = 0;
};

}  // namespace netwatch::diagnosis
