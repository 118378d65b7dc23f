// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/state.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "diagnosis/ladder.h"
#include "diagnosis/latency.h"
#include "diagnosis/path_mtu.h"
#include "diagnosis/quality.h"
#include "diagnosis/reachability.h"
#include "diagnosis/resets.h"
#include "diagnosis/stall.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t judge_every_ns = core::ns_per_s;
constexpr std::uint64_t judge_while_failing_ns = 100 * core::ns_per_ms;  // silence ripens without records
constexpr std::uint64_t judge_at_most_every_ns = 20 * core::ns_per_ms;
constexpr std::uint64_t run_remembered_ns = 60 * core::ns_per_s;
constexpr std::uint64_t socket_unseen_ns = 5 * core::ns_per_s;  // several walks
constexpr std::uint16_t first_ephemeral_port = 32'768;          // Linux's default range
constexpr std::uint8_t tcp_established = 1;
constexpr std::uint8_t tcp_syn_sent = 2;
constexpr std::uint8_t tcp_syn_recv = 3;
constexpr std::size_t cgroups_kept = 16'384;
constexpr std::size_t drops_kept = 16'384;
constexpr std::size_t listeners_kept = 16'384;
constexpr std::size_t neighbors_kept = 1'024;
constexpr std::uint8_t nud_failed = 32;

bool is_link_local(const model::IpAddress& ip) {
    const auto& bytes = ip.bytes();
    if (ip.is_v4()) return bytes[12] == 169 && bytes[13] == 254;
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

void remember(std::unique_ptr<DestinationKey>& kept, const DestinationKey& key) {
    if (kept)
        *kept = key;
    else
        kept = std::make_unique<DestinationKey>(key);
}

bool is_slower(const Detail& detail) {
    return detail.handshakes.shift().has_value() || detail.acknowledgements.shift().has_value();
}

// Something about its connections may be wrong while they work.
bool is_strained(const Destination& destination, core::BootNs now) {
    if (!destination.detail) return false;
    const Detail& detail = *destination.detail;
    return is_slower(detail) || !detail.shut.empty() || !detail.cuts.healed(now) ||
           !(detail.answers.late.empty() || answers_healed(detail.answers, now));
}

}  // namespace

Engine::State::State(const Limits& limits)
    : limits_(limits),
      destinations_(limits.destinations, limits.full_destinations),
      sockets_(limits.sockets),
      book_(limits.incidents) {}

void Engine::State::observe(const model::Record& record) {
    std::visit([this](const auto& one) { take(one); }, record);
}

DestinationKey Engine::State::key_of(const netwatch_tuple& tuple, std::uint32_t netns, bool passive) const {
    const model::Endpoint endpoint = passive ? model::local_endpoint(tuple) : model::remote_endpoint(tuple);
    const bool own_meaning = endpoint.ip.is_loopback() || is_link_local(endpoint.ip);
    return {endpoint, passive ? model::Perspective::server : model::Perspective::client,
            own_meaning ? netns : 0};
}

bool Engine::State::is_passive(std::uint8_t told, const netwatch_tuple& tuple, std::uint32_t netns) const {
    if (told != 2) return told == 1;
    if (listeners_.contains({netns, tuple.local_port})) return true;
    return tuple.local_port < first_ephemeral_port && tuple.remote_port >= first_ephemeral_port;
}

Destination* Engine::State::touch(const DestinationKey& key, std::uint32_t netns, core::BootNs at) {
    Destination* destination = destinations_.obtain(key, at);
    if (destination != nullptr) destination->netns = netns;
    return destination;
}

void Engine::State::follow_failure(const Destination& destination) {
    if (!destination.run) return;
    const FailureRun& run = *destination.run;
    // One failure in words is nothing to judge; one unanswered SYN is, beside others that are overdue.
    if (run.silent_syns == 0 && run.stalled_rtos + run.observations < 2) return;
    failing_.insert(destination.key);
    dirty_ = true;
}

void Engine::State::after(Destination& destination, const Outcome& outcome) {
    if (host_answered(outcome.cls)) destinations_.note_answer(destination.key, outcome.at_ns);
    if (outcome.cls == OutcomeClass::established) {
        if (destination.detail && is_slower(*destination.detail)) strained_.insert(destination.key);
        if (book_.needs(destination.key)) dirty_ = true;
        return;
    }
    follow_failure(destination);
}

Socket* Engine::State::connection(std::uint64_t sock, const DestinationKey& key,
                                  const netwatch_process& process, std::uint64_t start_ns, bool passive,
                                  core::BootNs at) {
    const bool known = sockets_.find(sock) != nullptr;
    Socket* socket = sockets_.obtain(sock, key, at);
    if (socket == nullptr || known) return socket;
    socket->process = {process.pid, process.start_ns};
    socket->passive = passive;
    socket->young = start_ns != 0 && start_ns >= host_.started_ns;
    socket->last_look = socket->young ? start_ns : at;
    socket->began = socket->young ? start_ns : 0;
    if (Destination* destination = destinations_.find(key)) ++destination->flows;
    return socket;
}

void Engine::State::leave(const Socket& socket) {
    Destination* destination = destinations_.find(socket.destination);
    if (destination != nullptr && destination->flows > 0) --destination->flows;
}

void Engine::State::take(const netwatch_attempt& record) {
    Destination* destination =
        touch(key_of(record.tuple, record.header.netns, false), record.header.netns, record.header.at_ns);
    if (destination != nullptr) destination->add_attempt(record);
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
    after(*destination, *outcome);
    if (outcome->cls != OutcomeClass::established) return;
    Socket* socket =
        connection(record.sock, key, record.process, record.start_ns, false, record.header.at_ns);
    if (socket != nullptr) socket->syn_retransmits = record.syn_retransmits;
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
    if (record.rtt_us != NETWATCH_ABSENT_U32) outcome.rtt_us = record.rtt_us;
    destination->add(outcome, process);
    connection(record.sock, key, record.process, record.start_ns, true, record.header.at_ns);
}

void Engine::State::apply(const FlowChange& change, const Socket& socket, const netwatch_tuple& tuple,
                          std::uint32_t netns) {
    const core::BootNs at = change.path.at;
    Destination* destination = touch(socket.destination, netns, at);
    if (destination == nullptr) return;
    Address& peer = destinations_.address_of(key_of(tuple, netns, false));
    if (change.path.segments + change.path.segments_in > 0 || change.path.lost != 0) {
        PathQuality* quality = destinations_.quality_of(peer, change.path);
        if (socket.passive) remember(peer.listener, socket.destination);
        if (quality != nullptr) quality->add(change.path);
        if (quality != nullptr && (quality->forward_alarms(at) || quality->reverse_alarms(at))) {
            lossy_.insert({model::remote_ip(tuple), socket.passive ? 0 : socket.destination.netns});
        }
    }
    if (change.stuck && !socket.passive) {
        if (!peer.full_segments) peer.full_segments = std::make_unique<FullSegments>();
        oversized_.insert({model::remote_ip(tuple), socket.destination.netns});
    }
    if (peer.full_segments && !socket.passive) peer.full_segments->add(change, socket.began);
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
    if (change.srtt_us && change.progress) {
        const auto srtt = static_cast<float>(*change.srtt_us);
        if (second.rtt_us == 0 || srtt < second.rtt_us) second.rtt_us = srtt;
        destination->detail->rtt_us.add(srtt);
        destination->detail->acknowledgements.add(srtt, at);
    }
    Detail& detail = *destination->detail;
    const bool late = change.answer && add_answer(detail.answers, *change.answer, at, change.path.sock);
    if (socket.passive) return;
    if (change.active) detail.cuts.add_activity(change.idled_ns, change.bytes_received > 0, at);
    const bool shut = add_window(detail, change);
    if (late || shut || is_slower(detail)) strained_.insert(destination->key);
}

void Engine::State::take(const netwatch_close& record) {
    processes_.touch(record.process, record.header.netns, record.header.at_ns);
    const bool passive = is_passive(record.passive, record.tuple, record.header.netns);
    const DestinationKey key = key_of(record.tuple, record.header.netns, passive);
    if (touch(key, record.header.netns, record.header.at_ns) == nullptr) return;
    Socket* socket =
        connection(record.sock, key, record.process, record.start_ns, passive, record.header.at_ns);
    if (socket == nullptr) return;
    const bool left = !passive && record.peer_closed_first == 0 && record.reset_received == 0;
    const auto change = advance(*socket, record.sock, record.counters, record.header.at_ns,
                                std::max(host_.hz, 1U), left ? Life::left : Life::ended);
    apply(change, *socket, record.tuple, record.header.netns);
    Destination* destination = destinations_.find(key);
    if (!passive && record.counters.bytes_sent > 0 && destination != nullptr && destination->detail) {
        const bool cut = record.reset_received != 0 && record.peer_closed_first == 0 &&
                         record.old_state == tcp_established && awaits_answer(record.counters);
        destination->detail->cuts.add_end(cut, change.idled_ns, record.header.at_ns);
        if (cut) strained_.insert(key);
    }
    leave(*socket);
    sockets_.erase(record.sock);
}

void Engine::State::take(const netwatch_socket_sample& record) {
    Process* process = processes_.touch(record.process, record.header.netns, record.header.at_ns);
    const std::uint8_t state = record.counters.state;
    if (state == tcp_syn_sent || state == tcp_syn_recv) return;
    const bool passive = is_passive(record.passive, record.tuple, record.header.netns);
    const DestinationKey key = key_of(record.tuple, record.header.netns, passive);
    // A connection that its owner has left and that only waits for its end says nothing of the destination.
    if (state != tcp_established && sockets_.find(record.sock) == nullptr) return;
    if (touch(key, record.header.netns, record.header.at_ns) == nullptr) return;
    Socket* socket =
        connection(record.sock, key, record.process, record.start_ns, passive, record.header.at_ns);
    if (socket == nullptr) return;
    const auto change = advance(*socket, record.sock, record.counters, record.header.at_ns,
                                std::max(host_.hz, 1U), Life::alive);
    apply(change, *socket, record.tuple, record.header.netns);
    Destination* destination = destinations_.find(key);
    if (destination != nullptr && process != nullptr) destination->note_user(*process, record.header.at_ns);
}

void Engine::State::take(const netwatch_retransmit& record) {
    Process* process = processes_.touch(record.process, record.header.netns, record.header.at_ns);
    Socket* socket = record.why == NETWATCH_RETRANSMIT_SYN ? nullptr : sockets_.find(record.sock);
    if (socket != nullptr && record.error < 0) ++socket->local_retransmits;
    if (socket != nullptr && record.why != NETWATCH_RETRANSMIT_FAST) ++socket->timer_retransmits;
    if (is_passive(record.passive, record.tuple, record.header.netns))
        return;  // clients go away as they please
    Destination* destination =
        touch(key_of(record.tuple, record.header.netns, false), record.header.netns, record.header.at_ns);
    if (destination == nullptr) return;
    if (record.why == NETWATCH_RETRANSMIT_SYN) {
        destination->add_syn_retransmit(record, process);
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
    if (record.tuple.protocol == IPPROTO_UDP) ++udp_not_judged_;
    if (record.state != tcp_syn_sent || record.icmp.present == 0) return;
    Destination* destination = destinations_.find(key_of(record.tuple, record.header.netns, false));
    if (destination != nullptr) destination->note_answer(record.sock, record.header.at_ns);
}

// The socket's own CONNECT, CLOSE or RETRANSMIT records carry what these tell of it.
void Engine::State::take(const netwatch_reset_received&) {}
void Engine::State::take(const netwatch_reset_sent&) {}
void Engine::State::take(const netwatch_synack_retransmit&) {}
void Engine::State::take(const netwatch_icmp_sent&) {}

void Engine::State::take(const netwatch_neighbor& record) {
    const std::pair where{record.header.netns, model::IpAddress(record.ip)};
    if (record.new_state != nud_failed) {
        failed_neighbors_.erase(where);
        return;
    }
    if (failed_neighbors_.size() >= neighbors_kept) failed_neighbors_.erase(failed_neighbors_.begin());
    failed_neighbors_[where] = {record.header.at_ns, record.ifindex};
}

void Engine::State::take(const netwatch_drops& record) {
    std::array<std::uint8_t, 48> sum_key{};
    std::memcpy(sum_key.data(), &record.tuple, sizeof(record.tuple));
    std::memcpy(sum_key.data() + sizeof(record.tuple), &record.reason, sizeof(record.reason));
    std::memcpy(sum_key.data() + sizeof(record.tuple) + sizeof(record.reason), &record.header.netns,
                sizeof(__u32));
    if (drops_.size() >= drops_kept && !drops_.contains(sum_key)) return;
    std::uint64_t& last = drops_[sum_key];
    // A sum that the kernel had dropped for lack of use begins anew.
    const std::uint64_t packets = record.packets >= last ? record.packets - last : record.packets;
    last = record.packets;
    const auto reason = drop_reasons_.find(record.reason);
    if (packets == 0 || reason == drop_reasons_.end() || reason->second != "NETFILTER_DROP") return;

    const core::BootNs at = record.header.at_ns;
    if (Destination* destination = destinations_.find(key_of(record.tuple, record.header.netns, false))) {
        destination->add_local_drops(packets, at, record.tuple.family == 4);
        follow_failure(*destination);
    }
    const AddressKey source{model::local_ip(record.tuple), 0};
    if (destinations_.find_address(source) != nullptr) {
        Address& address = destinations_.address_of({{source.ip, 0, model::Protocol::tcp}, {}, 0});
        address.inbound_drop_at = at;
        address.inbound_drops += packets;
    }
}

void Engine::State::take(const netwatch_listener_sample& record) {
    processes_.touch(record.process, record.header.netns, record.header.at_ns);
    if (listeners_.size() >= listeners_kept) listeners_.clear();
    listeners_.insert({record.header.netns, record.tuple.local_port});
    exhaustion_.add(record, key_of(record.tuple, record.header.netns, true));
}

void Engine::State::take(const netwatch_walk_end& record) {
    sockets_walked_ = record.sockets;
    walked_at_ = record.header.at_ns;
    sockets_.sweep(record.started_ns - std::min<core::BootNs>(record.started_ns, socket_unseen_ns),
                   [this](const Socket& socket) { leave(socket); });
}

void Engine::State::take(const netwatch_account& record) { accounts_[record.kind] = record; }

void Engine::State::take(const netwatch_hook& record) { hooks_[model::text_of(record.signal)] = record; }

void Engine::State::take(const netwatch_drop_reason& record) {
    drop_reasons_[record.reason] = model::text_of(record.name);
}

void Engine::State::take(const netwatch_cgroup& record) {
    if (cgroups_.size() >= cgroups_kept) cgroups_.clear();
    cgroups_[record.cgroup_id] = model::text_of(record.path);
}

void Engine::State::take(const netwatch_translation& record) {
    Destination* destination = destinations_.find(key_of(record.tuple, record.header.netns, false));
    if (destination == nullptr) return;
    destination->add_names().real = model::Endpoint{model::IpAddress(record.real_ip), record.real_port,
                                                    destination->key.endpoint.protocol};
}

void Engine::State::take(const netwatch_clock& record) {
    now_ = std::max<core::BootNs>(now_, record.header.at_ns);
    anchor_ = core::ClockAnchor(record.header.at_ns, {record.realtime_ns});
    if (first_clock_ == 0) first_clock_ = now_;
    const bool due = judged_at_ + judge_every_ns <= now_;
    const bool ripening = !failing_.empty() && judged_at_ + judge_while_failing_ns <= now_;
    if (due || ripening || (dirty_ && judged_at_ + judge_at_most_every_ns <= now_)) judge();
    if (housekept_at_ + core::ns_per_s <= now_) {
        housekept_at_ = now_;
        destinations_.housekeep(now_, [this](const DestinationKey& key) { return book_.needs(key); });
    }
}

Scene Engine::State::scene() const {
    const core::BootNs started = host_.started_ns != 0 ? host_.started_ns : first_clock_;
    return {destinations_, processes_, failed_neighbors_, exhaustion_, cgroups_, anchor_, now_, started};
}

void Engine::State::judge() {
    judged_at_ = now_;
    dirty_ = false;
    std::erase_if(failing_, [this](const DestinationKey& key) {
        const Destination* destination = destinations_.find(key);
        return destination == nullptr || !destination->run ||
               destination->run->last_at_ns + run_remembered_ns < now_;
    });
    for (const DestinationKey& key : failing_) destinations_.find(key)->note_fallbacks(processes_);
    const Scene now = scene();
    std::vector<Finding> findings = exhaustion_.judge(now);
    std::ranges::move(judge_reachability(now, failing_), std::back_inserter(findings));
    std::ranges::move(judge_path_mtu(now, oversized_), std::back_inserter(findings));
    std::ranges::move(judge_loss(now, lossy_), std::back_inserter(findings));
    std::ranges::move(judge_latency(now, strained_), std::back_inserter(findings));
    std::ranges::move(judge_resets(now, strained_), std::back_inserter(findings));
    std::ranges::move(judge_stalls(now, strained_), std::back_inserter(findings));
    std::ranges::move(judge_service(now, strained_), std::back_inserter(findings));
    book_.apply(findings, now, {model::text_of(host_.boot_id), lost_records(), missing_hooks()});

    const std::vector<AddressKey> followed = book_.lossy_addresses();
    std::erase_if(lossy_, [&](const AddressKey& key) {
        const Address* address = destinations_.find_address(key);
        const bool alarms =
            address != nullptr && address->quality &&
            (address->quality->forward_alarms(now_) || address->quality->reverse_alarms(now_));
        return !alarms && std::ranges::find(followed, key) == followed.end();
    });
    std::erase_if(oversized_, [&](const AddressKey& key) {
        const Address* address = destinations_.find_address(key);
        return address == nullptr || !address->full_segments || !address->full_segments->swallowed(now_);
    });
    std::erase_if(strained_, [&](const DestinationKey& key) {
        const Destination* destination = destinations_.find(key);
        return destination == nullptr || (!book_.needs(key) && !is_strained(*destination, now_));
    });
}

std::uint64_t Engine::State::lost_records() const {
    std::uint64_t lost = 0;
    for (const auto& [kind, account] : accounts_) {
        lost += account.dropped_full + account.dropped_map + account.missed;
    }
    return lost;
}

std::vector<std::string> Engine::State::missing_hooks() const {
    std::vector<std::string> missing;
    for (const auto& [signal, hook] : hooks_) {
        if (hook.state == NETWATCH_HOOK_MISSING) missing.push_back(signal);
    }
    return missing;
}

}  // namespace netwatch::diagnosis
