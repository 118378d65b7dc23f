// SPDX-License-Identifier: Apache-2.0
// How one attempt to connect ended, in the words of the diagnosis. The decision table is in
// docs/diagnosis.md. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/time.h"
#include "model/address.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

enum class OutcomeClass : std::uint8_t {
    established,
    abandoned,  // given up by its owner before the first SYN retransmission: says little
    refused,    // a RST answered the SYN
    silent,     // SYNs left this host and nothing came back
    icmp_port_unreachable,
    icmp_host_unreachable,
    icmp_net_unreachable,
    icmp_admin_prohibited,
    icmp_ttl_exceeded,
    neighbor_failed,  // the next hop on the local link does not resolve
    local_filter,     // netfilter of this host dropped or rejected it
    local_bpf,        // connect() was refused with EPERM before a SYN was made
    no_route,
    local_blackhole,
    local_unreachable,
    local_prohibit,
    ephemeral_ports,  // no local port was free
    other,
};
constexpr std::size_t outcome_class_count = static_cast<std::size_t>(OutcomeClass::other) + 1;

struct Outcome {
    OutcomeClass cls = OutcomeClass::other;
    std::uint64_t sock = 0;
    core::BootNs start_ns = 0;
    core::BootNs at_ns = 0;
    std::uint64_t delay_ns = 0;  // from the first SYN to the answer; 0: not known
    std::uint32_t syn_retransmits = 0;
    std::optional<std::uint32_t> rtt_us = std::nullopt;
    std::optional<model::IpAddress> offender = std::nullopt;  // who sent the ICMP error
    bool is_v4 = true;
    netwatch_header_look syn_ack_look{};  // hop_limit 0: not seen
    netwatch_header_look reset_look{};
};

// An ended active open. Nothing: the attempt never became one on the wire, the call's own result tells
// (no local port could be had).
[[nodiscard]] std::optional<Outcome> outcome_of(const netwatch_connect& record);

// A connect() that failed before a SYN was made. Nothing where the socket's own end is reported, or where the
// error is the caller's (bad arguments, not a stream socket).
[[nodiscard]] std::optional<Outcome> outcome_of(const netwatch_call_failed& record);

// What a remote error is where only the errno is left of it: over IPv6, and on established connections.
[[nodiscard]] OutcomeClass class_of_errno(int error);

// The kernel gave a verdict in words: one outcome fixes the class.
[[nodiscard]] constexpr bool is_explicit(OutcomeClass cls) { return cls > OutcomeClass::silent; }

// The host or something in front of it answered: the path there and back works.
[[nodiscard]] constexpr bool host_answered(OutcomeClass cls) {
    return cls == OutcomeClass::established || cls == OutcomeClass::refused;
}

}  // namespace netwatch::diagnosis
