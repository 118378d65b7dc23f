// SPDX-License-Identifier: Apache-2.0
// DNS messages from the bytes of PAYLOAD records, parsed by ldns. Example:
//
//     for (const netwatch_dns_message& message : reader.take(payload)) …
//
// What is not DNS comes out as MALFORMED. Bounded: 1,024 messages or connections are put together at a time,
// the oldest goes. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "netwatch/abi/record.h"

namespace netwatch::context {

class DnsReader {
public:
    // The messages that are complete with this excerpt.
    [[nodiscard]] std::vector<netwatch_dns_message> take(const netwatch_payload& payload);

    // The connection is over.
    void forget(std::uint64_t sock);

    // Messages that are no DNS.
    [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
    // Messages left unfinished for want of room.
    [[nodiscard]] std::uint64_t refused() const { return refused_; }
    // All that are over.
    [[nodiscard]] std::uint64_t seen() const { return read_ + unreadable_ + refused_; }

private:
    struct Unfinished {
        netwatch_payload first; /* the excerpt that it began with */
        std::vector<std::uint8_t> bytes;
        std::size_t read = 0; /* of a stream: up to where messages have been given */
        std::uint64_t begun = 0;
    };
    // Socket, direction, and length of a datagram: two may be on their way at once.
    using Key = std::tuple<std::uint64_t, std::uint8_t, std::uint32_t>;

    [[nodiscard]] static Key key_of(const netwatch_payload& payload);
    // The bytes so far, this excerpt's among them; null: it does not go on with what is there.
    Unfinished* gather(const netwatch_payload& payload);
    void take_datagram(const netwatch_payload& payload, std::vector<netwatch_dns_message>& messages);
    void take_stream(const netwatch_payload& payload, std::vector<netwatch_dns_message>& messages);

    void forget(Key key);  // a copy: it may be the one in by_age_

    std::map<Key, Unfinished> unfinished_;
    std::map<std::uint64_t, Key> by_age_;
    std::uint64_t begun_ = 0;
    std::uint64_t read_ = 0;
    std::uint64_t unreadable_ = 0;
    std::uint64_t refused_ = 0;
};

// One whole message; `payload` tells whose it is.
[[nodiscard]] netwatch_dns_message parse_dns(const netwatch_payload& payload,
                                             std::span<const std::uint8_t> bytes);

}  // namespace netwatch::context
