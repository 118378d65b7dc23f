// SPDX-License-Identifier: Apache-2.0
#include "service/payload_reader.h"

#include <netinet/in.h>

#include <algorithm>
#include <span>

#include "model/record.h"

namespace netwatch::service {
namespace {

constexpr std::uint16_t dns_port = 53;

}  // namespace

void PayloadReader::take(const netwatch_payload& payload, const OnRecord& on_record) {
    if (payload.tuple.protocol == IPPROTO_UDP || payload.tuple.remote_port == dns_port) {
        for (const auto& message : dns_.take(payload)) on_record(model::bytes_of(message));
        return;
    }
    const std::size_t captured = std::min<std::size_t>(payload.captured, sizeof(payload.bytes));
    tls_.take({.at_ns = payload.header.at_ns,
               .netns = payload.header.netns,
               .sock = payload.sock,
               .tuple = payload.tuple,
               .passive = payload.passive != 0,
               .sent = payload.direction == NETWATCH_DIRECTION_SENT,
               .offset = payload.offset,
               .bytes = std::as_bytes(std::span(payload.bytes).first(captured))},
              on_record);
}

}  // namespace netwatch::service
