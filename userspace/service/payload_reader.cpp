// SPDX-License-Identifier: Apache-2.0
#include "service/payload_reader.h"

#include <netinet/in.h>

#include "model/record.h"

namespace netwatch::service {
namespace {

constexpr std::uint16_t dns_port = 53;

}  // namespace

void PayloadReader::take(const netwatch_payload& payload, const OnRecord& on_record) {
    if (payload.tuple.protocol == IPPROTO_UDP || payload.tuple.remote_port == dns_port) {
        for (const auto& message : dns_.take(payload)) on_record(model::bytes_of(message));
    }
}

}  // namespace netwatch::service
