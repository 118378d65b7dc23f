// SPDX-License-Identifier: Apache-2.0
// What the end or the silence of one connection says of its destination. Pure; any thread.
#pragma once

#include <cstdint>

#include "diagnosis/destination.h"
#include "diagnosis/socket_table.h"

namespace netwatch::diagnosis {

// The connection of this host that ended asked for something.
[[nodiscard]] bool asked(const netwatch_close& record);
// A RST ended it while its client waited for the answer.
[[nodiscard]] bool is_reset_instead_of_answered(const netwatch_close& record);
// Keepalive probes that nobody answered ended it, while a new connection was made.
[[nodiscard]] bool is_given_up_by_keepalive(const netwatch_close& record, const Destination& destination);

// Who sent the RST that ended it: told against the SYN-ACK of the connection itself, else against what is
// `known` of the destination. A path with another TTL that SYN-ACKs have come by is the peer's, too.
[[nodiscard]] Sender sender_of(const netwatch_close& record, const HopLimits& known, std::uint32_t hz);

// The cut that one of the two above is.
[[nodiscard]] Cut cut_of(const netwatch_close& record, const Socket& socket, const FlowChange& change,
                         const Destination& destination, std::uint32_t hz);

// A look at a connection whose retransmissions nobody answers. True, once, when that cannot be the
// destination's silence: a later SYN was answered, and what was sent again since was not.
[[nodiscard]] bool proves_silence(Socket& socket, const FlowChange& change, const Destination& destination);

}  // namespace netwatch::diagnosis
