// SPDX-License-Identifier: Apache-2.0
#include "service/payload_reader.h"

#include <netinet/in.h>

#include <algorithm>
#include <span>

#include "model/record.h"

namespace netwatch::service {
namespace {

constexpr std::uint16_t dns_port = 53;

template <typename Reader>
void account_of(const Reader& reader, std::uint32_t kind, core::BootNs at, const OnRecord& on_record) {
    auto account = model::make_record<netwatch_account>(at);
    account.kind = kind;
    account.seen = reader.seen();
    account.filtered = reader.unreadable();
    account.dropped_map = reader.refused();
    account.emitted = account.seen - account.filtered - account.dropped_map;
    on_record(model::bytes_of(account));
}

}  // namespace

void PayloadReader::account(core::BootNs at, const OnRecord& on_record) const {
    account_of(dns_, NETWATCH_RECORD_DNS_MESSAGE, at, on_record);
    account_of(tls_, NETWATCH_RECORD_TLS_EVENT, at, on_record);
}

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
