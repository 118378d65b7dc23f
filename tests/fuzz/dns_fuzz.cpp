// SPDX-License-Identifier: Apache-2.0
// Bytes from port 53, as one datagram or as a stream in parts: nothing but records comes out.
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "context/dns_reader.h"
#include "model/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    netwatch::context::DnsReader reader;
    const bool stream = (data[0] & 1) != 0;
    const std::size_t step = std::max<std::size_t>(data[0] >> 1, 1) * 4;
    auto payload = netwatch::model::make_record<netwatch_payload>(1);
    payload.tuple.protocol = stream ? IPPROTO_TCP : IPPROTO_UDP;
    payload.tuple.remote_port = 53;
    payload.direction = (data[1] & 1) != 0 ? NETWATCH_DIRECTION_SENT : NETWATCH_DIRECTION_RECEIVED;
    data += 2;
    size -= 2;
    payload.length = static_cast<__u32>(size);
    for (std::size_t at = 0; at < size; at += std::min<std::size_t>(step, sizeof payload.bytes)) {
        const std::size_t length = std::min({size - at, step, sizeof payload.bytes});
        payload.offset = static_cast<__u32>(at);
        payload.captured = static_cast<__u16>(length);
        std::copy_n(data + at, length, payload.bytes);
        for (const auto& message : reader.take(payload)) {
            const auto record = netwatch::model::decode(netwatch::model::bytes_of(message));
            if (!record) std::abort();
            const std::string_view name(message.name, ::strnlen(message.name, sizeof message.name));
            if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
                std::abort();
        }
    }
    return 0;
}
