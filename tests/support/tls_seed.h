// SPDX-License-Identifier: Apache-2.0
// The seeds of fuzz_tls_reader as what they are: pieces of a connection in the order in which they passed;
// who sent it (0: the client, 1: the server), its length in two bytes, and its bytes.
#pragma once

#include <array>
#include <cstdint>

#include "context/tls_reader.h"

namespace netwatch::support {

// The next segment of a seed, as a socket on this host saw it; nothing at its end. `passive`: the server's.
class TlsSeed {
public:
    explicit TlsSeed(context::Bytes bytes, bool passive = false) : reader_(bytes), passive_(passive) {}

    [[nodiscard]] std::optional<context::TlsSegment> next() {
        const auto who = reader_.number(1);
        const auto bytes = reader_.vector(2);
        if (!who || !bytes) return std::nullopt;
        const bool by_server = (*who & 1U) != 0;
        context::TlsSegment segment{.at_ns = ++now_,
                                    .netns = 7,
                                    .sock = 1,
                                    .passive = passive_,
                                    .sent = by_server == passive_,
                                    .offset = offsets_[by_server ? 1 : 0],
                                    .bytes = *bytes};
        offsets_[by_server ? 1 : 0] += static_cast<std::uint32_t>(bytes->size());
        return segment;
    }

private:
    context::ByteReader reader_;
    bool passive_;
    std::uint64_t now_ = 0;
    std::array<std::uint32_t, 2> offsets_{};
};

}  // namespace netwatch::support
