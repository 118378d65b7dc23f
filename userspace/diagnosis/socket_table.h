// SPDX-License-Identifier: Apache-2.0
// The live connections: what the last look at each said, and what happened between two looks. Bounded; a
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
};

// What is known of a connection's life at a look.
enum class Life : std::uint8_t {
    alive,
    ended,
    left,  // its client closed it first
};

struct Socket {
    DestinationKey destination;
    ProcessKey process;
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
    std::uint32_t delivered = 0;
    std::uint32_t mss_bytes = 0;
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
    core::BootNs active_at = 0;   // when data last moved, as of the last look; 0: not known
    core::BootNs shut_since = 0;  // the peer's window, at the last look; 0: it is open
    std::uint32_t rwnd_limited_jiffies = 0;
    double waited_us = 0;  // for an answer, at the last look; 0: not waiting
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
    bool stuck = false;              // one is sent again and again; small ones may pass
    core::BootNs stuck_since = 0;
    std::uint32_t segment_bytes = 0;
    core::BootNs shut_since = 0;  // the peer's window; 0: it is open, or there is nothing to send
    std::uint64_t unsent_bytes = 0;
    bool window_opened = false;  // it was shut, and takes data again
};

class SocketTable {
public:
    explicit SocketTable(std::size_t capacity) : capacity_(capacity) {}

    // The connection of that cookie, made if there is room; null otherwise.
    Socket* obtain(std::uint64_t sock, const DestinationKey& destination, core::BootNs now);
    [[nodiscard]] Socket* find(std::uint64_t sock);
    void erase(std::uint64_t sock) { sockets_.erase(sock); }
    // Forgets those that no look has seen since `before`; calls gone(socket) for each.
    template <typename F>
    void sweep(core::BootNs before, F&& gone) {
        std::erase_if(sockets_, [&](const auto& entry) {
            const bool old = entry.second.last_seen < before;
            if (old) gone(entry.second);
            return old;
        });
    }
    [[nodiscard]] std::size_t size() const { return sockets_.size(); }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
    std::size_t capacity_;
    std::uint64_t refused_ = 0;
    std::unordered_map<std::uint64_t, Socket> sockets_;
};

// Data was sent, and nothing has come back since.
[[nodiscard]] bool awaits_answer(const netwatch_tcp_counters& counters);

// What happened on the connection since it was last looked at. `hz` of the kernel.
[[nodiscard]] FlowChange advance(Socket& socket, std::uint64_t sock, const netwatch_tcp_counters& counters,
                                 core::BootNs now, std::uint32_t hz, Life life);

}  // namespace netwatch::diagnosis
