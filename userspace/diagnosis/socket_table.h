// SPDX-License-Identifier: Apache-2.0
// The live connections: what the last look at each said, and what happened between two looks; and of which of
// them this host has both ends, found by their addresses and ports, before and after NAT. Bounded; a
// connection beyond the limit is not followed, and counted. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "diagnosis/destination.h"
#include "diagnosis/path_quality.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

// How an answer on a connection stands, as one look tells.
struct AnswerLook {
    double time_us = 0;  // from the request to the answer, or how long it was waited for
    AnswerState state = AnswerState::awaited;
    bool one_segment = false;  // an answer that a path of any MTU lets through
    bool counted = false;      // that it is owed, or was, is told by the count of segments
    bool last_word = false;  // the client spoke after it, in the same tick: that may be a request that waits
};

// What is known of a connection's life at a look.
enum class Life : std::uint8_t {
    alive,
    ended,
    left,  // its client closed it first
};

// A connection as one end names it. `netns` as in DestinationKey.
struct End {
    model::Endpoint here;
    model::Endpoint there;
    std::uint32_t netns = 0;
};

struct Socket {
    DestinationKey destination;
    ProcessKey process;
    std::uint64_t other_end = 0;  // the socket at its other end; 0: none on this host
    core::BootNs last_seen = 0;
    std::uint64_t bytes_acked = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint32_t syn_retransmits = 0;    // part of total_retrans, but no lost data
    std::uint32_t local_retransmits = 0;  // refused by this host: not lost on the path
    std::uint32_t original_segments = 0;
    std::uint32_t segments_in = 0;
    std::int32_t lost = 0;
    std::uint32_t dsack_dups = 0;
    std::uint32_t reord_seen = 0;
    std::uint32_t out_of_order = 0;
    std::uint32_t holes_resent = 0;
    std::uint32_t segments_twice = 0;
    std::uint32_t timer_retransmits = 0;         // since the last look
    std::uint32_t timer_retransmits_before = 0;  // between the two looks before; their DSACKs may come now
    std::uint32_t early_probes = 0;  // of them, those that leave the peer no time to acknowledge late
    std::uint32_t early_probes_before = 0;
    std::uint32_t delivered = 0;
    std::uint32_t mss_bytes = 0;
    std::uint32_t pmtu_bytes = 0;
    std::uint32_t rcv_mss_bytes = 0;
    core::BootNs answered_request = 0;  // when the request was sent whose answer was last seen
    core::BootNs last_look = 0;         // or since when it was established
    core::BootNs began = 0;             // 0: before the agent
    core::BootNs moved_look = 0;        // the latest look that found new data acknowledged
    bool stalled = false;               // at the last look: retransmissions, and nothing moved
    std::uint32_t stuck_flight =
        0;  // segments in flight at the last look, if two timeouts in a row were unanswered
    bool looked_at = false;
    bool young = false;  // began while the agent watched: its counters start from zero
    bool passive = false;
    std::uint32_t beside = 0;     // connections to the destination when it was made
    core::BootNs active_at = 0;   // when data last moved, as of the last look; 0: not known
    core::BootNs shut_since = 0;  // the peer's window, at the last look; 0: it is open
    core::BootNs hole_since = 0;  // segments wait behind a hole, and nothing arrives in order; 0: not so
    std::uint32_t rwnd_limited_jiffies = 0;
    double waited_us = 0;       // for an answer, at the last look; 0: not waiting
    std::uint32_t surplus = 0;  // data segments sent more than received, when it last rested after an answer
    std::uint32_t turns = 0;    // data segments received while every rest found that surplus
    core::BootNs asked_at = 0;  // when the flight was sent of which nothing is acknowledged; 0: none
    std::uint64_t rested_ns = 0;  // before that, at least
    std::uint8_t contrast = 0;  // its unanswered timeouts in a row when a later SYN was answered; 0: not yet
    std::uint8_t silent_looks = 0;  // that found more of them since
    bool swallowed = false;         // its TLS handshake was, until it passed since the last look
    bool cut = false;               // it is known as one that got no answer any more
    core::BootNs unread_since =
        0;  // its process has left what arrived unread at every look since then; 0: not so
    std::uint64_t end_hash = 0;
    std::uint64_t end_hash_behind_nat = 0;
};

struct FlowChange {
    FlowDelta path;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    bool progress = false;       // data was acknowledged or arrived
    bool active = false;         // data moved, or was to move
    std::uint64_t idled_ns = 0;  // that it had rested before, at least
    core::BootNs moved_at = 0;   // the earliest that this can have been, as far as the counters tell
    std::optional<AnswerLook> answer;
    std::optional<std::uint32_t> srtt_us;
    bool full_acknowledged = false;  // a segment of the full size was
    bool shrunk =
        false;  // after timeouts the kernel made segments smaller, and nobody had told it a smaller MTU
    bool full_arrived = false;    // a segment of the full size did
    core::BootNs hole_since = 0;  // what arrived waits behind a hole since then; 0: it does not
    bool stopped_midway = false;  // a small answer to its only request came long ago; or the beginning of one
    core::BootNs stopped_since = 0;            // when that came
    std::optional<std::uint64_t> lingered_ns;  // before it ended, since data last arrived
    bool stuck = false;                        // one is sent again and again; small ones may pass
    core::BootNs stuck_since = 0;
    std::uint32_t segment_bytes = 0;
    core::BootNs shut_since = 0;  // the peer's window; 0: it is open, or there is nothing to send
    std::uint64_t unsent_bytes = 0;
    bool window_opened = false;   // it was shut, and takes data again
    core::BootNs asked_at = 0;    // when what is not acknowledged was sent; 0: all is
    std::uint64_t rested_ns = 0;  // that it had rested before that or before it moved, at least
    bool acknowledged = false;    // data was
    bool unanswered = false;      // two timeouts in a row or more
    std::uint8_t retransmits = 0;
};

class SocketTable {
public:
    explicit SocketTable(std::size_t capacity) : capacity_(capacity) {}

    struct Obtained {
        Socket* socket = nullptr;
        bool made = false;
    };
    // The connection of that cookie, made if there is room; null otherwise.
    Obtained obtain(std::uint64_t sock, const DestinationKey& destination, core::BootNs now);
    [[nodiscard]] Socket* find(std::uint64_t sock);
    [[nodiscard]] const Socket* find(std::uint64_t sock) const;
    void erase(std::uint64_t sock);
    // Says how this end names its connection, and, for the end that opened it, whom NAT makes it reach. The
    // two ends find each other.
    void name_end(std::uint64_t sock, Socket& socket, const End& end,
                  const std::optional<model::Endpoint>& real);
    // Forgets those that no look has seen since `before`; calls gone(socket) for each.
    template <typename F>
    void sweep(core::BootNs before, F&& gone) {
        std::erase_if(sockets_, [&](const auto& entry) {
            const bool old = entry.second.last_seen < before;
            if (old) {
                forget_end(entry.second);
                gone(entry.second);
            }
            return old;
        });
    }
    [[nodiscard]] std::size_t size() const { return sockets_.size(); }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
    void forget_end(const Socket& socket);
    void meet(std::uint64_t sock, Socket& socket, std::uint64_t other_hash);

    std::size_t capacity_;
    std::uint64_t refused_ = 0;
    std::unordered_map<std::uint64_t, Socket> sockets_;
    std::unordered_map<std::uint64_t, std::uint64_t> ends_;  // sockets by the hash of their end
};

// Data was sent, and nothing has come back since.
[[nodiscard]] bool awaits_answer(const netwatch_tcp_counters& counters);

// What happened on the connection since it was last looked at. `hz` of the kernel.
[[nodiscard]] FlowChange advance(Socket& socket, std::uint64_t sock, const netwatch_tcp_counters& counters,
                                 core::BootNs now, std::uint32_t hz, Life life);

}  // namespace netwatch::diagnosis
