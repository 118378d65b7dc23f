// SPDX-License-Identifier: Apache-2.0
// The bytes that the programs hand on become records here: they are parsed by the thread that captures, and
// go no further themselves. One thread.
#pragma once

#include <cstdint>

#include "context/dns_reader.h"
#include "context/tls_reader.h"
#include "core/time.h"
#include "netwatch/abi/record.h"
#include "service/capture.h"

namespace netwatch::service {

class PayloadReader {
public:
    // Gives the records that this excerpt completes.
    void take(const netwatch_payload& payload, const OnRecord& on_record);

    // What was read so far and what could not be: two ACCOUNT records.
    void account(core::BootNs at, const OnRecord& on_record) const;

    // The connection is over.
    void forget(std::uint64_t sock) {
        tls_.forget(sock);
        dns_.forget(sock);
    }

private:
    context::DnsReader dns_;
    context::TlsReader tls_;
};

}  // namespace netwatch::service
