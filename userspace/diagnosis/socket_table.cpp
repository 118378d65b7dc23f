// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/socket_table.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t small_answer_bytes = 65'536;             // a larger one takes its time for its size
constexpr std::uint64_t same_request_ns = 20 * core::ns_per_ms;  // two readings in jiffies of one instant
constexpr std::uint64_t rest_ns = 50 * core::ns_per_ms;          // an exchange is over then
constexpr std::uint32_t enough_turns = 10;
constexpr std::uint8_t heard_acknowledgement = 1;
constexpr std::uint64_t late_acknowledgement_ns = 200 * core::ns_per_ms;
constexpr double told_from_us = 1e6;  // a shorter wait at a look says too little of how long it became
constexpr std::uint32_t queue_floor_us = 5'000;  // on a LAN any ratio of round trips explodes

// When data last moved, at the earliest: an arrival has its time, an acknowledgement came after the last
// look.
core::BootNs moved_at(const Socket& socket, const netwatch_tcp_counters& now, core::BootNs at,
                      std::uint32_t hz) {
    if (now.bytes_received <= socket.bytes_received) return std::min(socket.last_look, at);
    const std::uint64_t since_ns = now.since_received_jiffies * core::ns_per_s / hz;
    return std::clamp(at - std::min(since_ns, at), std::min(socket.last_look, at), at);
}

double to_us(std::uint32_t jiffies, std::uint32_t hz) { return static_cast<double>(jiffies) * 1e6 / hz; }

template <typename T>
T since(T now, std::type_identity_t<T> before) {
    return now > before ? static_cast<T>(now - before) : T{0};
}

bool is_acknowledged(const netwatch_tcp_counters& now) {
    return now.unacked_bytes == 0 && now.unsent_bytes == 0 && now.packets_out == 0;
}

// Where each request and each answer is one segment, as between a pool and its database, one more was sent
// than at every rest before while an answer is awaited. Words that nobody answers, pushes and answers of
// several segments change what a rest finds: such a connection does not take turns, and tells nothing.
class Turns {
public:
    Turns(const Socket& socket, const netwatch_tcp_counters& now)
        : surplus_(now.data_segs_out - now.total_retrans + socket.syn_retransmits - now.data_segs_in),
          more_(surplus_ - socket.surplus),
          known_(socket.turns >= enough_turns),
          spoke_last_(now.heard == heard_acknowledgement) {}
    // Though its request may have gone out within the tick in which the answer before it came.
    [[nodiscard]] bool owes_answer() const { return known_ && more_ == 1 && spoke_last_; }
    [[nodiscard]] bool are_even() const { return known_ && more_ == 0; }
    // A goodbye may not be acknowledged any more.
    [[nodiscard]] bool has_last_word(Life life) const {
        const bool said_goodbye = life != Life::alive && static_cast<std::int32_t>(surplus_) > 0;
        return (spoke_last_ || said_goodbye) && !are_even();
    }
    void rest(Socket& socket, const netwatch_tcp_counters& now) const {
        socket.turns = more_ == 0 ? socket.turns + since(now.data_segs_in, socket.segments_in) : 0;
        socket.surplus = surplus_;
    }

private:
    std::uint32_t surplus_;
    std::uint32_t more_;
    bool known_;
    bool spoke_last_;
};

// A request was sent and acknowledged: is its answer here?
std::optional<AnswerLook> look_at_answer(Socket& socket, const netwatch_tcp_counters& now, core::BootNs at,
                                         std::uint32_t hz, Life life) {
    // What an older connection did before it was first looked at is no news.
    if (socket.passive || now.bytes_sent == 0 || !(socket.looked_at || socket.young)) return std::nullopt;
    const Turns turns(socket, now);
    const bool same_tick = now.since_received_jiffies == now.since_sent_jiffies;
    const bool received_later =
        now.since_received_jiffies <= now.since_sent_jiffies && now.bytes_received > 0;
    const bool answered_meanwhile = now.bytes_received > socket.bytes_received;
    const bool told = socket.waited_us >= told_from_us && answered_meanwhile;
    const bool owes = same_tick && turns.owes_answer();
    if (received_later && !owes) {
        if (is_acknowledged(now) && now.since_received_jiffies * core::ns_per_s / hz >= rest_ns)
            turns.rest(socket, now);
        // Only an answer that came since the last look is news, and only a small one is timed by its end.
        // What is pushed after it answers no request.
        const core::BootNs asked_at = at - std::min(at, now.since_sent_jiffies * core::ns_per_s / hz);
        const bool pushed =
            socket.answered_request != 0 && asked_at < socket.answered_request + same_request_ns;
        socket.answered_request = asked_at;
        if (pushed) return std::nullopt;
        const std::uint64_t size = now.bytes_received - (socket.looked_at ? socket.bytes_received : 0);
        if (size == 0 || size > small_answer_bytes) return std::nullopt;
        const double took_us = to_us(now.since_sent_jiffies - now.since_received_jiffies, hz);
        // Whatever was asked and answered since: the answer that was waited for came late.
        const double least_us = told && turns.are_even() ? socket.waited_us : 0;
        return AnswerLook{.time_us = std::max(took_us, least_us),
                          .state = AnswerState::arrived,
                          .one_segment = size <= now.mss_bytes,
                          .counted = least_us > 0,
                          .last_word = same_tick && turns.has_last_word(life)};
    }
    // The next request is out already: the answer to the last one took at least as long as it was seen waited
    // for.
    if (told) return AnswerLook{.time_us = socket.waited_us, .state = AnswerState::arrived, .counted = owes};
    if (!is_acknowledged(now)) return std::nullopt;
    const double waited_us = to_us(now.since_sent_jiffies, hz);
    // In many protocols the client has the last word and then rests; only a connection on which nothing ever
    // came back, not even behind a hole, tells a client that gave up.
    const bool mute = now.bytes_received == 0 && now.rcv_ooopack == 0;
    if (life == Life::left && mute) return AnswerLook{.time_us = waited_us, .state = AnswerState::given_up};
    constexpr std::uint8_t tcp_established = 1;
    if (life != Life::alive || now.state != tcp_established) return std::nullopt;
    return AnswerLook{.time_us = waited_us, .state = AnswerState::awaited, .counted = owes};
}

// An acknowledgement that is lost lets a timer send again what has arrived. What SACK blocks cause to be sent
// again needlessly was overtaken. A timer is early, too, where round trips have become longer, or the peer's
// window runs out: it delays its acknowledgements then.
std::uint32_t needless(const Socket& socket, const netwatch_tcp_counters& now, core::BootNs at,
                       std::uint32_t hz, bool longer) {
    constexpr std::uint32_t short_of_window = 4;  // a quarter of the time
    const std::uint64_t limited_ns =
        since(now.rwnd_limited_jiffies, socket.rwnd_limited_jiffies) * core::ns_per_s / hz;
    const bool out_of_window = limited_ns * short_of_window > since(at, socket.last_look);
    if (longer || out_of_window || now.reord_seen != socket.reord_seen) return 0;
    // A peer that is slow to read keeps its acknowledgement back for up to 200 ms. A timeout that is made
    // shorter than that (rto_min) does not wait for it, nor does a probe that is about more than a single
    // segment (RFC 8985, 7.2).
    if (now.rto_jiffies != 0 && now.rto_jiffies * core::ns_per_s / hz < late_acknowledgement_ns) return 0;
    const std::uint32_t early = socket.early_probes + socket.early_probes_before;
    return std::min(since(since(now.dsack_dups, socket.dsack_dups), early),
                    since(socket.timer_retransmits + socket.timer_retransmits_before, early));
}

// A peer that takes less than a segment lets none come: the kernel then only probes (RFC 9293, 3.8.6.1).
// Probes that nobody answers tell of the path, not of the peer.
bool is_shut(const netwatch_tcp_counters& now) {
    constexpr std::uint32_t probes_in_vain = 3;
    return now.unsent_bytes > 0 && now.packets_out == 0 && now.snd_wnd < std::max(now.mss_bytes, 1U) &&
           now.probes_out < probes_in_vain;
}

// Since when the window is shut. The kernel's clock of limited time tells how much of the span between two
// looks.
core::BootNs shut_since(const Socket& socket, const netwatch_tcp_counters& now, core::BootNs at,
                        std::uint32_t hz) {
    if (!is_shut(now)) return 0;
    if (socket.shut_since != 0 && now.bytes_acked == socket.bytes_acked) return socket.shut_since;
    const std::uint32_t limited = since(now.rwnd_limited_jiffies, socket.rwnd_limited_jiffies);
    return std::max(at - std::min(at, limited * core::ns_per_s / hz), std::min(socket.last_look, at));
}

// When data last moved, either way; 0: never.
core::BootNs last_active(const netwatch_tcp_counters& now, core::BootNs at, std::uint32_t hz) {
    const auto ago = [&](std::uint32_t jiffies) {
        return at - std::min<core::BootNs>(at, jiffies * core::ns_per_s / hz);
    };
    const core::BootNs sent = now.bytes_sent > 0 ? ago(now.since_sent_jiffies) : 0;
    const core::BootNs received = now.bytes_received > 0 ? ago(now.since_received_jiffies) : 0;
    return std::max(sent, received);
}

// Were segments of the full size acknowledged, or is one stuck: sent again for the second time, while nothing
// moves?
void look_at_full_segments(FlowChange& change, Socket& socket, const netwatch_tcp_counters& now) {
    constexpr double all_full = 0.99;
    const std::uint32_t delivered = now.delivered - socket.delivered;
    const std::uint64_t acked = since(now.bytes_acked, socket.bytes_acked);
    change.segment_bytes = now.mss_bytes;
    change.full_acknowledged = socket.looked_at && delivered > 0 && acked >= now.mss_bytes &&
                               static_cast<double>(acked) >= all_full * now.mss_bytes * delivered;
    if (acked > 0 || socket.moved_look == 0)
        socket.moved_look = acked > 0 ? change.path.at : socket.last_look;
    change.stuck = acked == 0 && now.retransmits >= 2 && now.packets_out > 0 && now.mss_bytes > 0 &&
                   now.unacked_bytes >= now.mss_bytes;
    change.stuck_since = socket.moved_look;
    // What the kernel does with tcp_mtu_probing when full segments are not acknowledged (RFC 4821).
    change.shrunk = socket.looked_at && now.mss_bytes < socket.mss_bytes &&
                    now.pmtu_bytes == socket.pmtu_bytes &&
                    socket.timer_retransmits + socket.timer_retransmits_before > 0;
}

// Did segments of the full size arrive, or is what came behind them all that did?
void look_at_arrivals(FlowChange& change, Socket& socket, const netwatch_tcp_counters& now, std::uint32_t hz,
                      Life life) {
    constexpr double nearly = 0.9;  // options take their part of a segment
    constexpr std::uint64_t patience_ns = 3 * core::ns_per_s;
    constexpr std::uint64_t first_request_ns = core::ns_per_s;  // since it was made
    const core::BootNs at = change.path.at;
    const double full = nearly * now.mss_bytes;
    const bool grew = now.rcv_mss_bytes > socket.rcv_mss_bytes && now.rcv_mss_bytes >= full;
    const bool many =
        static_cast<double>(change.bytes_received) >= full * std::max(change.path.segments_in, 1U);
    change.full_arrived = change.bytes_received > 0 && now.mss_bytes > 0 && (grew || many);
    const bool waits = now.hole_bytes != 0 && now.bytes_received == socket.bytes_received && socket.looked_at;
    socket.hole_since = !waits ? 0 : socket.hole_since != 0 ? socket.hole_since : socket.last_look;
    change.hole_since = socket.hole_since;
    const auto ago_ns = [&](std::uint32_t jiffies) { return jiffies * core::ns_per_s / hz; };
    const std::uint64_t rested_ns = ago_ns(now.since_received_jiffies);
    const bool has_answer = now.bytes_received > 0 && now.since_received_jiffies <= now.since_sent_jiffies;
    if (life != Life::alive && has_answer) change.lingered_ns = rested_ns;
    const bool only_request = socket.began != 0 && socket.began + first_request_ns >=
                                                       at - std::min(at, ago_ns(now.since_sent_jiffies));
    change.stopped_midway =
        has_answer && only_request && now.rcv_mss_bytes < full && rested_ns >= patience_ns;
    change.stopped_since = at - std::min(at, rested_ns);
}

// Each timeout in a row takes twice the one before: the first sending was so long before the last.
core::BootNs first_sent(const Socket& socket, const netwatch_tcp_counters& now, core::BootNs at,
                        std::uint32_t hz) {
    const std::uint64_t first_timeout = now.rto_jiffies >> std::min<unsigned>(now.backoff, 31);
    const std::uint64_t timeouts = ((1ULL << std::min<unsigned>(now.retransmits, 16)) - 1) * first_timeout;
    const std::uint64_t ago_ns = (now.since_sent_jiffies + timeouts) * core::ns_per_s / hz;
    return std::clamp(at - std::min(ago_ns, at), std::min(socket.last_look, at), at);
}

// The flight of which nothing is acknowledged: since when, and after what rest it was sent.
void follow_flight(FlowChange& change, Socket& socket, const netwatch_tcp_counters& now, core::BootNs at,
                   std::uint32_t hz) {
    change.acknowledged = now.bytes_acked > socket.bytes_acked;
    const bool waits = now.unacked_bytes > 0;
    if (!waits || change.acknowledged) {
        socket.asked_at = 0;
        socket.rested_ns = 0;
    }
    if (waits && socket.asked_at == 0) {
        socket.asked_at = first_sent(socket, now, at, hz);
        socket.rested_ns = change.acknowledged ? 0 : change.idled_ns;
    }
    change.asked_at = socket.asked_at;
    change.rested_ns = std::max(change.idled_ns, socket.rested_ns);
    change.unanswered = waits && !change.acknowledged && now.packets_out > 0 && now.retransmits >= 2;
    change.retransmits = now.retransmits;
}

// Two directions of one connection differ in it, and so do connections.
std::uint64_t hash_of(const model::Endpoint& here, const model::Endpoint& there, std::uint32_t netns) {
    std::uint64_t hash = netns;
    const auto mix = [&](std::uint64_t value) {
        hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 32U;
    };
    for (const model::Endpoint* one : {&here, &there}) {
        for (const std::uint64_t half : one->ip.halves()) mix(half);
        mix(one->port);
    }
    return hash;
}

void remember(Socket& socket, const netwatch_tcp_counters& counters, core::BootNs at) {
    const bool unread = counters.unread_bytes > 0 && counters.unread_bytes != NETWATCH_ABSENT_U32;
    socket.unread_since = !unread ? 0 : socket.unread_since != 0 ? socket.unread_since : at;
    socket.bytes_acked = counters.bytes_acked;
    socket.bytes_sent = counters.bytes_sent;
    socket.bytes_received = counters.bytes_received;
    socket.segments_in = counters.data_segs_in;
    socket.dsack_dups = counters.dsack_dups;
    socket.reord_seen = counters.reord_seen;
    socket.out_of_order = counters.rcv_ooopack;
    socket.holes_resent = counters.holes_resent;
    socket.segments_twice = counters.segments_twice;
    socket.delivered = counters.delivered;
    socket.mss_bytes = counters.mss_bytes;
    socket.pmtu_bytes = counters.pmtu_bytes;
    socket.rcv_mss_bytes = counters.rcv_mss_bytes;
    socket.rwnd_limited_jiffies = counters.rwnd_limited_jiffies;
    socket.timer_retransmits_before = std::exchange(socket.timer_retransmits, 0);
    socket.early_probes_before = std::exchange(socket.early_probes, 0);
    socket.looked_at = true;
}

}  // namespace

SocketTable::Obtained SocketTable::obtain(std::uint64_t sock, const DestinationKey& destination,
                                          core::BootNs now) {
    const bool room = sockets_.size() < capacity_;
    const auto [found, made] = room ? sockets_.try_emplace(sock) : std::pair(sockets_.find(sock), false);
    if (found == sockets_.end()) {
        ++refused_;
        return {};
    }
    if (made) found->second.destination = destination;
    found->second.last_seen = now;
    return {&found->second, made};
}

Socket* SocketTable::find(std::uint64_t sock) {
    const auto found = sockets_.find(sock);
    return found == sockets_.end() ? nullptr : &found->second;
}

const Socket* SocketTable::find(std::uint64_t sock) const {
    const auto found = sockets_.find(sock);
    return found == sockets_.end() ? nullptr : &found->second;
}

void SocketTable::erase(std::uint64_t sock) {
    const auto found = sockets_.find(sock);
    if (found == sockets_.end()) return;
    forget_end(found->second);
    sockets_.erase(found);
}

void SocketTable::forget_end(const Socket& socket) {
    if (socket.end_hash != 0) ends_.erase(socket.end_hash);
    if (socket.end_hash_behind_nat != 0) ends_.erase(socket.end_hash_behind_nat);
}

void SocketTable::name_end(std::uint64_t sock, Socket& socket, const End& end,
                           const std::optional<model::Endpoint>& real) {
    if (socket.other_end != 0) return;
    if (socket.end_hash == 0) {
        socket.end_hash = hash_of(end.here, end.there, end.netns);
        ends_[socket.end_hash] = sock;
        meet(sock, socket, hash_of(end.there, end.here, end.netns));
    }
    if (!real || socket.end_hash_behind_nat != 0 || socket.other_end != 0) return;
    socket.end_hash_behind_nat = hash_of(end.here, *real, end.netns);
    ends_[socket.end_hash_behind_nat] = sock;
    meet(sock, socket, hash_of(*real, end.here, end.netns));
}

void SocketTable::meet(std::uint64_t sock, Socket& socket, std::uint64_t other_hash) {
    const auto known = ends_.find(other_hash);
    Socket* other = known == ends_.end() ? nullptr : find(known->second);
    if (other == nullptr || known->second == sock) return;
    socket.other_end = known->second;
    other->other_end = sock;
}

bool awaits_answer(const netwatch_tcp_counters& counters) {
    const bool silent =
        counters.bytes_received == 0 || counters.since_sent_jiffies < counters.since_received_jiffies;
    return counters.bytes_sent > 0 && silent;
}

FlowChange advance(Socket& socket, std::uint64_t sock, const netwatch_tcp_counters& counters,
                   core::BootNs now, std::uint32_t hz, Life life) {
    FlowChange change;
    FlowDelta& path = change.path;
    path.at = now;
    path.sock = sock;
    path.passive = socket.passive;
    path.hole_open = counters.hole_bytes != 0;
    change.answer = look_at_answer(socket, counters, now, hz, life);
    if (counters.srtt_us != 0 && counters.srtt_us != NETWATCH_ABSENT_U32) change.srtt_us = counters.srtt_us;
    path.queue_full = change.srtt_us && counters.min_rtt_us != NETWATCH_ABSENT_U32 &&
                      *change.srtt_us > 2 * counters.min_rtt_us + queue_floor_us;

    const std::uint32_t not_lost = socket.syn_retransmits + socket.local_retransmits + counters.dsack_dups;
    auto lost = static_cast<std::int32_t>(since(counters.total_retrans, not_lost));
    const std::uint32_t original =
        since(counters.data_segs_out, since(counters.total_retrans, socket.syn_retransmits));
    // The first counters of a connection older than the agent cover a time that nobody watched: a start, no
    // news.
    const bool comparable = socket.looked_at || socket.young;
    change.progress = comparable && (counters.bytes_acked > socket.bytes_acked ||
                                     counters.bytes_received > socket.bytes_received);
    if (change.progress) change.moved_at = moved_at(socket, counters, now, hz);

    if (comparable) {
        change.bytes_sent = since(counters.bytes_sent, socket.bytes_sent);
        change.bytes_received = since(counters.bytes_received, socket.bytes_received);
        path.segments = since(original, socket.original_segments);
        path.segments_in = since(counters.data_segs_in, socket.segments_in);
        path.out_of_order = since(counters.rcv_ooopack, socket.out_of_order);
        if (counters.holes_resent != NETWATCH_ABSENT_U32) {
            const std::uint32_t twice = since(counters.segments_twice, socket.segments_twice);
            path.resent = since(since(counters.holes_resent, socket.holes_resent), twice);
        }
        // What fills a hole that nothing filled for so long was swallowed, not lost by chance.
        if (socket.hole_since != 0) path.out_of_order = 0;
        if (socket.hole_since != 0 && path.resent) path.resent = 0;
        path.disproved = since(counters.dsack_dups, socket.dsack_dups);
        path.overtaken = counters.reord_seen != socket.reord_seen;
        path.needless = needless(socket, counters, now, hz, path.queue_full);
    }
    const core::BootNs active_at = last_active(counters, now, hz);
    if (comparable && active_at > socket.last_look) {
        change.active = true;
        if (socket.active_at != 0) change.idled_ns = since(socket.last_look, socket.active_at);
    }
    socket.active_at = std::max(active_at, socket.began);  // nothing asked yet: it rests since it was made
    look_at_full_segments(change, socket, counters);
    if (!socket.passive) look_at_arrivals(change, socket, counters, hz, life);
    follow_flight(change, socket, counters, now, hz);
    change.shut_since = life == Life::alive ? shut_since(socket, counters, now, hz) : 0;
    change.unsent_bytes = counters.unsent_bytes;
    change.window_opened = socket.shut_since != 0 && counters.bytes_acked > socket.bytes_acked;
    socket.shut_since = change.shut_since;
    // A smaller segment size in the same breath: path MTU discovery at work, not loss. A shut window: probes.
    const bool mtu_step = socket.looked_at && counters.mss_bytes < socket.mss_bytes;
    const bool window_shut = counters.snd_wnd == 0;
    const bool moved_on = counters.bytes_acked != socket.bytes_acked || lost < socket.lost;
    const bool counts = comparable && moved_on && !mtu_step && !window_shut;
    // What went into a dead path is the outage's: the retransmissions that nothing has answered yet
    // (timeouts, or a tail-loss probe and a timeout), those of the look in which it came back, and the flight
    // that was stuck.
    const bool probed_too = counters.retransmits == 1 && socket.timer_retransmits >= 2 && !moved_on;
    const std::uint32_t unanswered = counters.retransmits >= 2 ? counters.retransmits
                                     : probed_too              ? socket.timer_retransmits
                                                               : 0U;
    const auto into_dead_path = static_cast<std::int32_t>(unanswered + socket.stuck_flight +
                                                          (socket.stalled ? socket.timer_retransmits : 0));
    // Of one timeout that is not answered yet, and the probe before it, the next look will tell.
    const bool undecided = counts && counters.retransmits == 1 && counters.packets_out > 0;
    const auto latest = std::min(static_cast<std::int32_t>(socket.timer_retransmits), 2);
    if (undecided) lost -= std::min(latest, std::max(lost - socket.lost, 0));
    if (counts) path.lost = lost - socket.lost - std::min(into_dead_path, std::max(lost - socket.lost, 0));
    socket.stalled = comparable && !moved_on && lost > socket.lost;
    socket.stuck_flight = unanswered > 0 ? counters.packets_out : 0;
    socket.lost = lost;
    socket.original_segments = original;
    remember(socket, counters, now);
    const bool awaited = change.answer && change.answer->state == AnswerState::awaited;
    socket.waited_us = awaited ? change.answer->time_us : 0;
    socket.last_look = now;
    return change;
}

}  // namespace netwatch::diagnosis
