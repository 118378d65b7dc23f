// SPDX-License-Identifier: Apache-2.0
// Which fields of records tell names and addresses, and what a redacted dump does with each. A test holds the
// list against the types of the records (BTF): an array of text, or of the 16 bytes of an address, that is
// missing here fails it. A new kind of record is added in this one place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "netwatch/abi/record.h"

namespace netwatch::recorder {

enum class Treatment : std::uint8_t {
    address,  // another one of the same kind of network
    process,
    path,  // of a cgroup, part by part
    host,
    region,
    interface,
    domain,  // a name of DNS, label by label
    digest,  // eight bytes by which others could look up what they are of
    kept,    // a word of netwatch or of the kernel
};

struct RedactedField {
    std::uint16_t kind;
    std::string_view member;
    std::size_t offset;
    std::size_t size;
    Treatment treatment;
};

// X(kind, its type, member, treatment).
#define NETWATCH_REDACTED_FIELDS(X)                                   \
    X(ATTEMPT, attempt, tuple.local_ip, address)                      \
    X(ATTEMPT, attempt, tuple.remote_ip, address)                     \
    X(CONNECT, connect, tuple.local_ip, address)                      \
    X(CONNECT, connect, tuple.remote_ip, address)                     \
    X(CONNECT, connect, process.comm, process)                        \
    X(CONNECT, connect, icmp.offender, address)                       \
    X(CONNECT, connect, asked_ip, address)                            \
    X(ACCEPT, accept, tuple.local_ip, address)                        \
    X(ACCEPT, accept, tuple.remote_ip, address)                       \
    X(ACCEPT, accept, process.comm, process)                          \
    X(CLOSE, close, tuple.local_ip, address)                          \
    X(CLOSE, close, tuple.remote_ip, address)                         \
    X(CLOSE, close, process.comm, process)                            \
    X(RETRANSMIT, retransmit, tuple.local_ip, address)                \
    X(RETRANSMIT, retransmit, tuple.remote_ip, address)               \
    X(RETRANSMIT, retransmit, process.comm, process)                  \
    X(SYNACK_RETRANSMIT, synack_retransmit, tuple.local_ip, address)  \
    X(SYNACK_RETRANSMIT, synack_retransmit, tuple.remote_ip, address) \
    X(RESET_RECEIVED, reset_received, tuple.local_ip, address)        \
    X(RESET_RECEIVED, reset_received, tuple.remote_ip, address)       \
    X(RESET_RECEIVED, reset_received, process.comm, process)          \
    X(RESET_SENT, reset_sent, tuple.local_ip, address)                \
    X(RESET_SENT, reset_sent, tuple.remote_ip, address)               \
    X(SOCKET_ERROR, socket_error, tuple.local_ip, address)            \
    X(SOCKET_ERROR, socket_error, tuple.remote_ip, address)           \
    X(SOCKET_ERROR, socket_error, process.comm, process)              \
    X(SOCKET_ERROR, socket_error, icmp.offender, address)             \
    X(CALL_FAILED, call_failed, tuple.local_ip, address)              \
    X(CALL_FAILED, call_failed, tuple.remote_ip, address)             \
    X(CALL_FAILED, call_failed, process.comm, process)                \
    X(NEIGHBOR, neighbor, ip, address)                                \
    X(ICMP_SENT, icmp_sent, tuple.local_ip, address)                  \
    X(ICMP_SENT, icmp_sent, tuple.remote_ip, address)                 \
    X(DROPS, drops, tuple.local_ip, address)                          \
    X(DROPS, drops, tuple.remote_ip, address)                         \
    X(SOCKET_SAMPLE, socket_sample, tuple.local_ip, address)          \
    X(SOCKET_SAMPLE, socket_sample, tuple.remote_ip, address)         \
    X(SOCKET_SAMPLE, socket_sample, process.comm, process)            \
    X(LISTENER_SAMPLE, listener_sample, tuple.local_ip, address)      \
    X(LISTENER_SAMPLE, listener_sample, tuple.remote_ip, address)     \
    X(LISTENER_SAMPLE, listener_sample, process.comm, process)        \
    X(HOST, host, boot_id, kept)                                      \
    X(HOST, host, release, kept)                                      \
    X(HOST, host, hostname, host)                                     \
    X(HOST, host, agent_version, kept)                                \
    X(HOOK, hook, signal, kept)                                       \
    X(HOOK, hook, hook, kept)                                         \
    X(HOOK, hook, lost, kept)                                         \
    X(HOOK, hook, reason, kept)                                       \
    X(DROP_REASON, drop_reason, name, kept)                           \
    X(CGROUP, cgroup, path, path)                                     \
    X(TRANSLATION, translation, tuple.local_ip, address)              \
    X(TRANSLATION, translation, tuple.remote_ip, address)             \
    X(TRANSLATION, translation, real_ip, address)                     \
    X(CHANGE, change, ip, address)                                    \
    X(CHANGE, change, gateway, address)                               \
    X(CHANGE, change, interface, interface)                           \
    X(CHANGE, change, comm, process)                                  \
    X(INTERFACE_COUNTER, interface_counter, name, interface)          \
    X(COUNTER_SOURCE, counter_source, reason, kept)                   \
    X(REGION, region, network, address)                               \
    X(REGION, region, name, region)                                   \
    X(DNS_MESSAGE, dns_message, tuple.local_ip, address)              \
    X(DNS_MESSAGE, dns_message, tuple.remote_ip, address)             \
    X(DNS_MESSAGE, dns_message, process.comm, process)                \
    X(DNS_MESSAGE, dns_message, addresses[0], address)                \
    X(DNS_MESSAGE, dns_message, addresses[1], address)                \
    X(DNS_MESSAGE, dns_message, addresses[2], address)                \
    X(DNS_MESSAGE, dns_message, addresses[3], address)                \
    X(DNS_MESSAGE, dns_message, addresses[4], address)                \
    X(DNS_MESSAGE, dns_message, addresses[5], address)                \
    X(DNS_MESSAGE, dns_message, addresses[6], address)                \
    X(DNS_MESSAGE, dns_message, addresses[7], address)                \
    X(DNS_MESSAGE, dns_message, name, domain)                         \
    X(TLS_EVENT, tls_event, tuple.local_ip, address)                  \
    X(TLS_EVENT, tls_event, tuple.remote_ip, address)                 \
    X(TLS_EVENT, tls_event, alpn, kept)                               \
    X(TLS_EVENT, tls_event, sni, domain)                              \
    X(TLS_CERTIFICATE, tls_certificate, tuple.local_ip, address)      \
    X(TLS_CERTIFICATE, tls_certificate, tuple.remote_ip, address)     \
    X(TLS_CERTIFICATE, tls_certificate, sni, domain)                  \
    X(TLS_CERTIFICATE, tls_certificate, subject, domain)              \
    X(TLS_CERTIFICATE, tls_certificate, issuer, domain)               \
    X(TLS_CERTIFICATE, tls_certificate, names, domain)                \
    X(TLS_CERTIFICATE, tls_certificate, fingerprint, digest)

inline constexpr auto redacted_fields = std::to_array<RedactedField>({
#define NETWATCH_FIELD(upper, lower, member, treatment)                    \
    {NETWATCH_RECORD_##upper, #member, offsetof(netwatch_##lower, member), \
     sizeof(std::declval<netwatch_##lower>().member), Treatment::treatment},
    NETWATCH_REDACTED_FIELDS(NETWATCH_FIELD)
#undef NETWATCH_FIELD
});

}  // namespace netwatch::recorder
