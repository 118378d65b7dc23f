// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/ends.h"

#include <algorithm>
#include <cerrno>

namespace netwatch::diagnosis {
namespace {

constexpr std::uint8_t tcp_established = 1;
constexpr std::uint64_t probing_ns = 10 * core::ns_per_s;  // the last keepalive probes of a connection

// One segment is out and was not sent again: the RST that comes sooner than half of the shortest round trip
// is not from as far as the peer. The kernel's clock of sending has the resolution of its timer.
bool comes_early(const netwatch_tcp_counters& counters, std::uint32_t hz) {
    if (counters.min_rtt_us == NETWATCH_ABSENT_U32 || counters.retransmits > 0 || counters.retrans_out > 0)
        return false;
    const bool one_segment = counters.unacked_bytes > 0 && counters.unacked_bytes <= counters.mss_bytes;
    const std::uint64_t most_us = (counters.since_sent_jiffies + 1) * std::uint64_t{1'000'000} / hz;
    return one_segment && 2 * most_us < counters.min_rtt_us;
}

}  // namespace

Sender sender_of(const netwatch_close& record, const HopLimits& known, std::uint32_t hz) {
    const std::uint8_t limit = record.reset_look.hop_limit;
    if (limit != 0 && (record.syn_ack_look.hop_limit != 0 || known.known())) {
        const bool familiar = limit == record.syn_ack_look.hop_limit || known.has(limit);
        if (!familiar) return Sender::other;
        return comes_early(record.counters, hz) ? Sender::other : Sender::peer;
    }
    return comes_early(record.counters, hz) ? Sender::other : Sender::unknown;
}

bool asked(const netwatch_close& record) { return record.counters.bytes_sent > 0; }

bool is_reset_instead_of_answered(const netwatch_close& record) {
    return record.reset_received != 0 && record.peer_closed_first == 0 &&
           record.old_state == tcp_established && awaits_answer(record.counters);
}

bool is_given_up_by_keepalive(const netwatch_close& record, const Destination& destination) {
    return record.error == ETIMEDOUT && record.old_state == tcp_established &&
           record.counters.unacked_bytes == 0 && record.counters.unsent_bytes == 0 &&
           destination.last_answered_syn + probing_ns > record.header.at_ns;
}

Cut cut_of(const netwatch_close& record, const Socket& socket, const FlowChange& change,
           const Destination& destination, std::uint32_t hz) {
    const core::BootNs at = record.header.at_ns;
    Cut cut{.at = at,
            .sock = record.sock,
            .began = socket.began,
            .asked_at = at,
            .rested_ns = change.rested_ns,
            .local_port = record.tuple.local_port};
    if (record.reset_received == 0) {
        cut.silent = cut.keepalive = true;
        cut.rested_ns = record.counters.since_received_jiffies * core::ns_per_s / hz;
        return cut;
    }
    cut.asked_at -= std::min<core::BootNs>(at, record.counters.since_sent_jiffies * core::ns_per_s / hz);
    if (change.asked_at != 0) cut.asked_at = std::min(cut.asked_at, change.asked_at);
    cut.sender = sender_of(record, destination.detail->hop_limits, hz);
    return cut;
}

bool proves_silence(Socket& socket, const FlowChange& change, const Destination& destination) {
    constexpr std::uint8_t enough_looks = 2;  // a retransmission of just now may yet be answered
    if (!change.unanswered) {
        socket.contrast = 0;
        socket.silent_looks = 0;
        return false;
    }
    if (socket.contrast == 0) {
        if (destination.last_answered_syn > change.asked_at) socket.contrast = change.retransmits;
        return false;
    }
    return change.retransmits > socket.contrast && !socket.cut && ++socket.silent_looks >= enough_looks;
}

}  // namespace netwatch::diagnosis
