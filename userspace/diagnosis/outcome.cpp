// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/outcome.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "model/record.h"

namespace netwatch::diagnosis {
namespace {

// An ARP or neighbour-discovery failure takes three probes of a second each; a filter answers at once.
constexpr std::uint64_t resolution_failure_ns = 900 * core::ns_per_ms;

OutcomeClass class_of_icmp4(std::uint8_t type, std::uint8_t code) {
    constexpr std::uint8_t unreachable = 3;
    constexpr std::uint8_t time_exceeded = 11;
    if (type == time_exceeded) return OutcomeClass::icmp_ttl_exceeded;
    if (type != unreachable) return OutcomeClass::other;
    switch (code) {  // RFC 1812, section 5.2.7.1
        case 1:
        case 7:
        case 12: return OutcomeClass::icmp_host_unreachable;
        case 2:
        case 3: return OutcomeClass::icmp_port_unreachable;
        case 9:
        case 10:
        case 13: return OutcomeClass::icmp_admin_prohibited;
        default: return OutcomeClass::icmp_net_unreachable;
    }
}

OutcomeClass class_of_icmp6(std::uint8_t type, std::uint8_t code) {
    constexpr std::uint8_t unreachable = 1;
    constexpr std::uint8_t time_exceeded = 3;
    if (type == time_exceeded) return OutcomeClass::icmp_ttl_exceeded;
    if (type != unreachable) return OutcomeClass::other;
    switch (code) {  // RFC 4443, section 3.1
        case 1:
        case 5:
        case 6: return OutcomeClass::icmp_admin_prohibited;
        case 3: return OutcomeClass::icmp_host_unreachable;
        case 4: return OutcomeClass::icmp_port_unreachable;
        default: return OutcomeClass::icmp_net_unreachable;
    }
}

// `delay_ns` 0: not known.
OutcomeClass class_of_failure(const netwatch_connect& record, std::uint64_t delay_ns) {
    if (record.reset != 0) return OutcomeClass::refused;
    if (record.transmit_error == -EPERM) return OutcomeClass::local_filter;
    if (record.transmit_error == -EBUSY) return OutcomeClass::neighbor_failed;
    const auto cls = [&] {
        if (record.icmp.present == 0)
            return class_of_errno(record.error != 0 ? record.error : record.soft_error);
        return record.tuple.family == 4 ? class_of_icmp4(record.icmp.type, record.icmp.code)
                                        : class_of_icmp6(record.icmp.type, record.icmp.code);
    }();
    const bool own_word = record.icmp.has_offender != 0 &&
                          model::IpAddress(record.icmp.offender) == model::local_ip(record.tuple);
    if (own_word) {
        const bool unresolved = cls == OutcomeClass::icmp_host_unreachable &&
                                (delay_ns == 0 || delay_ns >= resolution_failure_ns);
        return unresolved ? OutcomeClass::neighbor_failed : OutcomeClass::local_filter;
    }
    if (cls == OutcomeClass::other && record.syn_retransmits > 0) return OutcomeClass::silent;
    if (cls == OutcomeClass::other && record.outcome == NETWATCH_OUTCOME_ABANDONED)
        return OutcomeClass::abandoned;
    return cls;
}

}  // namespace

OutcomeClass class_of_errno(int error) {
    switch (error) {
        case ECONNREFUSED: return OutcomeClass::icmp_port_unreachable;  // without a RST
        case ENETUNREACH: return OutcomeClass::icmp_net_unreachable;
        case EHOSTUNREACH: return OutcomeClass::icmp_host_unreachable;
        case EACCES: return OutcomeClass::icmp_admin_prohibited;
        case ETIMEDOUT: return OutcomeClass::silent;
        default: return OutcomeClass::other;
    }
}

std::optional<Outcome> outcome_of(const netwatch_connect& record) {
    if (record.tuple.local_port == 0) return std::nullopt;
    // One that began before the agent began no later than now.
    const core::BootNs at = record.header.at_ns;
    const core::BootNs start = record.start_ns != 0 ? std::min<core::BootNs>(record.start_ns, at) : at;
    Outcome outcome{.sock = record.sock,
                    .start_ns = start,
                    .at_ns = at,
                    .delay_ns = at - start,
                    .syn_retransmits = record.syn_retransmits,
                    .is_v4 = record.tuple.family == 4,
                    .syn_ack_look = record.syn_ack_look,
                    .reset_look = record.reset_look};
    if (record.outcome == NETWATCH_OUTCOME_ESTABLISHED) {
        outcome.cls = OutcomeClass::established;
        if (record.rtt_us != NETWATCH_ABSENT_U32) outcome.rtt_us = record.rtt_us;
        return outcome;
    }
    outcome.cls = class_of_failure(record, outcome.delay_ns);
    if (record.icmp.has_offender != 0) outcome.offender = model::IpAddress(record.icmp.offender);
    return outcome;
}

std::optional<Outcome> outcome_of(const netwatch_call_failed& record) {
    if (record.call != NETWATCH_CALL_CONNECT || record.tuple.protocol != IPPROTO_TCP) return std::nullopt;
    Outcome outcome{.sock = record.sock,
                    .start_ns = record.header.at_ns - std::min(record.duration_ns, record.header.at_ns),
                    .at_ns = record.header.at_ns,
                    .delay_ns = record.duration_ns,
                    .is_v4 = record.tuple.family == 4};
    if (record.error == EADDRNOTAVAIL) {
        outcome.cls = OutcomeClass::ephemeral_ports;
        return outcome;
    }
    if (record.sock != 0) return std::nullopt;  // it entered SYN_SENT: its CONNECT record tells the same
    switch (record.error) {
        case ENETUNREACH: outcome.cls = OutcomeClass::no_route; break;
        case EHOSTUNREACH: outcome.cls = OutcomeClass::local_unreachable; break;
        case EACCES: outcome.cls = OutcomeClass::local_prohibit; break;
        case EINVAL: outcome.cls = OutcomeClass::local_blackhole; break;
        case EPERM: outcome.cls = OutcomeClass::local_bpf; break;
        default: return std::nullopt;
    }
    return outcome;
}

}  // namespace netwatch::diagnosis
