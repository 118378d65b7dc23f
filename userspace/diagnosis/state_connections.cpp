// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/state.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "diagnosis/ends.h"
#include "diagnosis/handshakes.h"
#include "diagnosis/latency.h"
#include "diagnosis/partial.h"
#include "diagnosis/path_mtu.h"
#include "diagnosis/quality.h"
#include "diagnosis/resets.h"
#include "diagnosis/stall.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::uint8_t tcp_established = 1;
constexpr std::uint8_t tcp_syn_sent = 2;
constexpr std::uint8_t tcp_syn_recv = 3;
constexpr std::uint64_t suspicious_ns = 200 * core::ns_per_ms;  // at least
constexpr std::size_t begun_kept = 4'096;
// To accept and to end at once: round trips, and the time in which the client does its part.
constexpr std::uint64_t at_once_ns = 500 * core::ns_per_ms;

void remember(std::unique_ptr<DestinationKey>& kept, const DestinationKey& key) {
    if (kept)
        *kept = key;
    else
        kept = std::make_unique<DestinationKey>(key);
}

}  // namespace

void Engine::State::after(Destination& destination, const Outcome& outcome) {
    if (host_answered(outcome.cls)) destinations_.note_answer(destination.key, outcome.at_ns);
    if (outcome.cls == OutcomeClass::established) {
        destinations_.address_of(destination.key).hop_limits.add(outcome.syn_ack_look);
        const Detail* detail = destination.detail.get();
        const bool uneven =
            detail != nullptr && (detail->is_slower() || detail->handshakes_made.alarms(outcome.at_ns));
        if (uneven) strained_.insert(destination.key);
        if (book_.needs(destination.key)) dirty_ = true;
        return;
    }
    follow_failure(destination);
}

void Engine::State::follow_failure(const Destination& destination) {
    if (!destination.run) return;
    const FailureRun& run = *destination.run;
    // One failure in words is nothing to judge; one unanswered SYN is, beside others that are overdue.
    if (run.silent_syns == 0 && run.stalled_rtos + run.observations < 2) return;
    failing_.insert(destination.key);
    dirty_ = true;
}

std::string_view Engine::State::cgroup_path(const netwatch_process& process) const {
    const auto found = cgroups_.find(process.cgroup_id);
    return found == cgroups_.end() ? std::string_view() : std::string_view(found->second);
}

template <typename R>
Socket* Engine::State::connection(const R& record, Destination& destination, bool passive) {
    const core::BootNs at = record.header.at_ns;
    const DestinationKey& key = destination.key;
    if (passive) {
        calls_.serves(record.process, cgroup_path(record.process), key, at);
    } else {
        calls_.calls(record.process, cgroup_path(record.process), key, at);
    }
    const auto [socket, made] = sockets_.obtain(record.sock, key, at);
    if (socket == nullptr) return nullptr;
    const auto real = destination.names && !passive ? destination.names->real : std::nullopt;
    if (made || real) {
        const End end{model::local_endpoint(record.tuple), model::remote_endpoint(record.tuple), key.netns};
        sockets_.name_end(record.sock, *socket, end, real);
    }
    if (!made) return socket;
    socket->process = {record.process.pid, record.process.start_ns};
    socket->passive = passive;
    socket->young = record.start_ns != 0 && record.start_ns >= host_.started_ns;
    socket->last_look = socket->young ? record.start_ns : at;
    socket->began = socket->young ? record.start_ns : 0;
    ++destination.flows;
    return socket;
}

void Engine::State::leave(const Socket& socket) {
    Destination* destination = destinations_.find(socket.destination);
    if (destination != nullptr && destination->flows > 0) --destination->flows;
}

void Engine::State::take(const netwatch_attempt& record) {
    Destination* destination =
        touch(key_of(record.tuple, record.header.netns, false), record.header.netns, record.header.at_ns);
    if (destination == nullptr) return;
    names_.note_use(destination->key.endpoint.ip);
    destination->add_attempt(record);
    if (!destination->ever_worked() || !destination->detail) return;
    if (begun_.size() >= begun_kept) begun_.pop_front();
    const core::BootNs start = record.header.at_ns;
    begun_.push_back({start, start + suspicious_ns, destination->key, record.sock});
}

// A SYN is sent again after a second; that it is late is known before.
void Engine::State::suspect_silence() {
    while (!begun_.empty() && begun_.front().due <= now_) {
        Begun attempt = begun_.front();
        begun_.pop_front();
        Destination* destination = destinations_.find(attempt.key);
        if (destination == nullptr || !destination->awaits(attempt.sock)) continue;
        if (destination->suspect(attempt.sock, now_)) {
            failing_.insert(attempt.key);
            dirty_ = true;
        } else if (attempt.start + core::ns_per_s > now_) {
            attempt.due = now_ + suspicious_ns / 2;
            begun_.push_back(attempt);
        }
    }
}

void Engine::State::take(const netwatch_connect& record) {
    Process* process = processes_.touch(record.process, record.header.netns, record.header.at_ns);
    if (process != nullptr) exhaustion_.note_opened(process->key, record.header.at_ns);
    const auto outcome = outcome_of(record);
    if (!outcome) return;
    const DestinationKey key = key_of(record.tuple, record.header.netns, false);
    Destination* destination = touch(key, record.header.netns, record.header.at_ns);
    if (destination == nullptr) return;
    const model::Endpoint asked{model::IpAddress(record.asked_ip), record.asked_port, key.endpoint.protocol};
    if (asked.port != 0 && !asked.ip.is_unspecified() && asked != key.endpoint)
        destination->add_names().asked = asked;
    destination->add(*outcome, process);
    note_refused_question(record, *outcome);
    after(*destination, *outcome);
    if (outcome->cls != OutcomeClass::established) return;
    if (record.syn_retransmits > 0) counters_.note_retried(record.header.netns, record.header.at_ns);
    Socket* socket = connection(record, *destination, false);
    if (socket == nullptr) return;
    socket->syn_retransmits = record.syn_retransmits;
    socket->beside = destination->flows;
}

void Engine::State::take(const netwatch_accept& record) {
    Process* process = processes_.touch(record.process, record.header.netns, record.header.at_ns);
    if (process != nullptr) exhaustion_.note_opened(process->key, record.header.at_ns);
    const DestinationKey key = key_of(record.tuple, record.header.netns, true);
    Destination* destination = touch(key, record.header.netns, record.header.at_ns);
    if (destination == nullptr) return;
    Outcome outcome{.cls = OutcomeClass::established,
                    .sock = record.sock,
                    .start_ns = record.start_ns,
                    .at_ns = record.header.at_ns,
                    .is_v4 = record.tuple.family == 4};
    const Socket* socket = connection(record, *destination, true);
    // Where this host has the other end, too, that one tells how long the way is.
    const bool both_ends = socket != nullptr && socket->other_end != 0;
    if (record.rtt_us != NETWATCH_ABSENT_U32 && !both_ends) outcome.rtt_us = record.rtt_us;
    destination->add(outcome, process);
}

void Engine::State::apply(const FlowChange& change, Socket& socket, const netwatch_tuple& tuple,
                          std::uint32_t netns) {
    const core::BootNs at = change.path.at;
    Destination* destination = touch(socket.destination, netns, at);
    if (destination == nullptr) return;
    Address& peer =
        destinations_.address_of(socket.passive ? key_of(tuple, netns, false) : socket.destination);
    // The way of a connection is judged once: from the end that opened it, where this host has both.
    const bool judged_there = socket.passive && socket.other_end != 0;
    const bool in_handshake = tls_.owns(change.path.sock);  // what nothing answers there is told there
    const bool was_swallowed = std::exchange(socket.swallowed, false);
    if (judged_there || in_handshake || was_swallowed) {
        // Nothing of the path is this end's to tell, or this moment's.
    } else if (change.path.segments + change.path.segments_in > 0 || change.path.lost != 0) {
        PathQuality* quality = destinations_.quality_of(peer, change.path);
        if (socket.passive) remember(peer.listener, socket.destination);
        if (quality != nullptr) quality->add(change.path);
        if (quality != nullptr && (quality->forward_alarms(at) || quality->reverse_alarms(at))) {
            lossy_.insert({model::remote_ip(tuple), socket.passive ? 0 : socket.destination.netns});
        }
    }
    if ((change.stuck || (change.shrunk && peer.full_segments)) && !socket.passive) {
        if (!peer.full_segments) peer.full_segments = std::make_unique<FullSegments>();
        oversized_.insert({model::remote_ip(tuple), socket.destination.netns});
    }
    if (peer.full_segments && !socket.passive) peer.full_segments->add(change, socket.began);
    const bool midway = change.hole_since != 0 || change.stopped_midway;
    if ((change.full_arrived || midway) && destination->detail && !peer.full_arrivals)
        peer.full_arrivals = std::make_unique<FullArrivals>();
    if (peer.full_arrivals && !socket.passive) peer.full_arrivals->add(change, socket.began);
    if (midway) oversized_.insert({model::remote_ip(tuple), socket.destination.netns});
    if (change.progress) {
        destination->add_progress(change.moved_at);
        if (!socket.passive) destinations_.note_answer(socket.destination, change.moved_at);
    }
    if (!destination->detail) return;
    Second& second = destination->second_at(at);
    second.bytes_sent += change.bytes_sent;
    second.bytes_received += change.bytes_received;
    second.segments += change.path.segments;
    second.lost += static_cast<std::uint32_t>(std::max(change.path.lost, 0));
    second.segments_in += change.path.segments_in;
    second.lost_in += change.path.resent.value_or(change.path.out_of_order);
    if (change.srtt_us && change.progress && !judged_there) {
        const auto srtt = static_cast<float>(*change.srtt_us);
        if (second.rtt_us == 0 || srtt < second.rtt_us) second.rtt_us = srtt;
        destination->detail->rtt_us.add(srtt);
        destination->detail->acknowledgements.add(srtt, at);
    }
    Detail& detail = *destination->detail;
    const bool late =
        change.answer && !in_handshake && add_answer(detail.answers, *change.answer, at, change.path.sock);
    if (socket.passive) return;
    if (change.active) {
        detail.cuts.add_activity({.at = at,
                                  .moved_at = change.moved_at,
                                  .began = socket.began,
                                  .rested_ns = change.idled_ns,
                                  .answered = change.bytes_received > 0});
    }
    const bool shut = add_window(detail, change);
    if (late || shut || detail.is_slower()) strained_.insert(destination->key);
}

void Engine::State::take(const netwatch_close& record) {
    processes_.touch(record.process, record.header.netns, record.header.at_ns);
    const bool passive = is_passive(record.passive, record.tuple, record.header.netns);
    const DestinationKey key = key_of(record.tuple, record.header.netns, passive);
    Destination* destination = touch(key, record.header.netns, record.header.at_ns);
    Socket* socket = destination == nullptr ? nullptr : connection(record, *destination, passive);
    if (socket == nullptr) return;
    const bool left = !passive && record.peer_closed_first == 0 && record.reset_received == 0;
    const auto change = advance(*socket, record.sock, record.counters, record.header.at_ns,
                                std::max(host_.hz, 1U), left ? Life::left : Life::ended);
    apply(change, *socket, record.tuple, record.header.netns);
    take_end(record, *socket, change);
    if (!passive && destination->detail && socket->young) {
        const bool ended = record.reset_received != 0 || record.peer_closed_first != 0;
        const bool away = ended && record.counters.bytes_received == 0 &&
                          record.header.at_ns - std::min(record.header.at_ns, record.start_ns) <= at_once_ns;
        const bool tells = away || record.reset_received == 0;
        // What a limit cut off is over with it, and no fault of its own.
        if (tells && destination->detail->turned_away.add(away, socket->beside, record.header.at_ns))
            destination->detail->cuts = {};
        if (away) strained_.insert(key);
    }
    end_handshake(record, *destination);
    leave(*socket);
    sockets_.erase(record.sock);
}

void Engine::State::take_end(const netwatch_close& record, const Socket& socket, const FlowChange& change) {
    Destination* destination = destinations_.find(socket.destination);
    const bool in_handshake = tls_.owns(record.sock);
    if (socket.passive || in_handshake || !asked(record) || destination == nullptr || !destination->detail)
        return;
    Cuts& cuts = destination->detail->cuts;
    const bool reset = is_reset_instead_of_answered(record);
    if (reset || is_given_up_by_keepalive(record, *destination)) {
        cuts.add(cut_of(record, socket, change, *destination, std::max(host_.hz, 1U)));
        strained_.insert(socket.destination);
    } else if (!socket.cut) {
        cuts.add_good_end(record.header.at_ns);
    }
}

void Engine::State::look_for_silence(Socket& socket, const FlowChange& change, const netwatch_tuple& tuple) {
    Destination* destination = destinations_.find(socket.destination);
    if (socket.passive || destination == nullptr || !destination->detail) return;
    Cuts& cuts = destination->detail->cuts;
    if (socket.cut && change.acknowledged) {
        cuts.revive(change.path.sock);
        socket.cut = false;
    }
    // Full segments may be lost for their size, while handshakes pass.
    if (!proves_silence(socket, change, *destination) || change.stuck) return;
    socket.cut = true;
    cuts.add({.at = change.path.at,
              .sock = change.path.sock,
              .began = socket.began,
              .asked_at = change.asked_at,
              .rested_ns = change.rested_ns,
              .silent = true,
              .local_port = tuple.local_port});
    strained_.insert(socket.destination);
}

void Engine::State::take(const netwatch_socket_sample& record) {
    Process* process = processes_.touch(record.process, record.header.netns, record.header.at_ns);
    close_waits_.add(record);
    const std::uint8_t state = record.counters.state;
    if (state == tcp_syn_sent || state == tcp_syn_recv) return;
    const bool passive = is_passive(record.passive, record.tuple, record.header.netns);
    const DestinationKey key = key_of(record.tuple, record.header.netns, passive);
    // A connection that its owner has left and that only waits for its end says nothing of the destination.
    if (state != tcp_established && sockets_.find(record.sock) == nullptr) return;
    Destination* destination = touch(key, record.header.netns, record.header.at_ns);
    Socket* socket = destination == nullptr ? nullptr : connection(record, *destination, passive);
    if (socket == nullptr) return;
    const auto change = advance(*socket, record.sock, record.counters, record.header.at_ns,
                                std::max(host_.hz, 1U), Life::alive);
    apply(change, *socket, record.tuple, record.header.netns);
    look_for_silence(*socket, change, record.tuple);
    destination->last_looked_at = record.header.at_ns;
    if (process != nullptr) destination->note_user(*process, record.header.at_ns);
}

void Engine::State::take(const netwatch_retransmit& record) {
    Process* process = processes_.touch(record.process, record.header.netns, record.header.at_ns);
    Socket* socket = record.why == NETWATCH_RETRANSMIT_SYN ? nullptr : sockets_.find(record.sock);
    if (socket != nullptr && record.error < 0) ++socket->local_retransmits;
    if (socket != nullptr && record.why != NETWATCH_RETRANSMIT_FAST) ++socket->timer_retransmits;
    if (socket != nullptr && record.why == NETWATCH_RETRANSMIT_TAIL_PROBE && record.packets_out > 1)
        ++socket->early_probes;
    if (is_passive(record.passive, record.tuple, record.header.netns))
        return;  // clients go away as they please
    Destination* destination =
        touch(key_of(record.tuple, record.header.netns, false), record.header.netns, record.header.at_ns);
    if (destination == nullptr) return;
    if (record.why == NETWATCH_RETRANSMIT_SYN) {
        destination->add_syn_retransmit(record, process);
        if (destination->detail) {
            const Handshakes& made = destination->detail->handshakes_made;
            if (made.alarms(record.header.at_ns)) strained_.insert(destination->key);
            if (made.between(record.header.at_ns).count > 0) unsteady_.insert(destination->key);
        }
    } else if (record.why == NETWATCH_RETRANSMIT_RTO) {
        destination->add_stall(record, process);
    }
    follow_failure(*destination);
}

void Engine::State::take(const netwatch_call_failed& record) {
    Process* process = processes_.touch(record.process, record.header.netns, record.header.at_ns);
    dirty_ = exhaustion_.add(record) || dirty_;
    const auto outcome = outcome_of(record);
    if (!outcome) return;
    Destination* destination =
        touch(key_of(record.tuple, record.header.netns, false), record.header.netns, record.header.at_ns);
    if (destination == nullptr) return;
    destination->add(*outcome, process);
    after(*destination, *outcome);
}

void Engine::State::take(const netwatch_socket_error& record) {
    processes_.touch(record.process, record.header.netns, record.header.at_ns);
    if (record.tuple.protocol == IPPROTO_UDP) {
        const DestinationKey resolver = resolver_of(record.tuple, record.header.netns);
        if (resolvers_.find(resolver) == nullptr) {
            ++udp_not_judged_;
        } else if (record.error == ECONNREFUSED) {
            take_tries(resolvers_.add_refusal(record.sock, resolver, record.header.at_ns));
        }
        return;
    }
    if (record.state != tcp_syn_sent || record.icmp.present == 0) return;
    Destination* destination = destinations_.find(key_of(record.tuple, record.header.netns, false));
    if (destination != nullptr) destination->note_answer(record.sock, record.header.at_ns);
}

// The socket's own CONNECT, CLOSE or RETRANSMIT records carry what these tell of it.
void Engine::State::take(const netwatch_reset_received&) {}
void Engine::State::take(const netwatch_synack_retransmit&) {}
void Engine::State::take(const netwatch_icmp_sent&) {}

// No socket was there for what this RST answers: perhaps one that a RST had ended, but not its peer's.
void Engine::State::take(const netwatch_reset_sent& record) {
    if (record.sock != 0) return;
    Destination* destination = destinations_.find(key_of(record.tuple, record.header.netns, false));
    if (destination != nullptr && destination->detail)
        destination->detail->cuts.note_segment_after(record.tuple.local_port, record.header.at_ns);
}

}  // namespace netwatch::diagnosis
