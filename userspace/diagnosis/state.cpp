// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t judge_every_ns = core::ns_per_s;
constexpr std::uint64_t judge_while_failing_ns = 100 * core::ns_per_ms;  // silence ripens without records
constexpr std::uint64_t judge_at_most_every_ns = 20 * core::ns_per_ms;
constexpr std::uint64_t socket_unseen_ns = 5 * core::ns_per_s;  // several walks
constexpr std::uint16_t first_ephemeral_port = 32'768;          // Linux's default range
constexpr std::size_t cgroups_kept = 16'384;
constexpr std::size_t drops_kept = 16'384;
constexpr std::size_t listeners_kept = 16'384;
constexpr std::size_t fronts_kept = 4'096;
constexpr std::size_t neighbors_kept = 1'024;
constexpr std::uint8_t nud_failed = 32;
constexpr std::uint64_t pause_ns = 2 * core::ns_per_s;  // CLOCK records come every 200 ms at least
constexpr std::uint64_t held_ns =
    3 * core::ns_per_s;                        // three walks, each of which asks what was since the last
constexpr std::int64_t step_ns = 100'000'000;  // a daemon that keeps time slews what is less
constexpr std::uint64_t losses_told_every_ns = 10 * core::ns_per_s;

bool is_link_local(const model::IpAddress& ip) {
    const auto& bytes = ip.bytes();
    if (ip.is_v4()) return bytes[12] == 169 && bytes[13] == 254;
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

}  // namespace

Engine::State::State(const Limits& limits)
    : limits_(limits),
      destinations_(limits.destinations, limits.full_destinations),
      sockets_(limits.sockets),
      book_(limits.incidents) {}

void Engine::State::observe(model::RecordRef record) {
    record.visit([this](const auto& one) { take(one); });
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

Destination* Engine::State::destination_of_packet(const netwatch_tuple& tuple, std::uint32_t netns) {
    if (Destination* destination = destinations_.find(key_of(tuple, netns, false))) return destination;
    const auto front = fronts_.find(model::remote_endpoint(tuple));
    return front == fronts_.end() ? nullptr : destinations_.find(front->second);
}

void Engine::State::take(const netwatch_neighbor& record) {
    const std::pair where{record.header.netns, model::IpAddress(record.ip)};
    if (network_.is_gateway(where.first, where.second)) {
        const bool failed = record.new_state == nud_failed;
        const std::uint8_t bits = where.second.is_v4() ? 32 : 128;
        journal_.add(Event{.at = record.header.at_ns,
                           .topic = Topic::neighbor,
                           .ended = failed,
                           .netns = record.header.netns,
                           .ifindex = record.ifindex,
                           .block = model::Prefix::of(where.second, bits),
                           .what = fmt::format("gateway {} {} address resolution", where.second.to_string(),
                                               failed ? "no longer answers" : "answers")});
    }
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
    const auto who = reason == drop_reasons_.end() ? std::nullopt : local_drop_of(reason->second);
    if (packets == 0 || !who) return;

    const core::BootNs at = record.header.at_ns;
    if (Destination* destination = destination_of_packet(record.tuple, record.header.netns)) {
        destination->add_local_drops(*who, packets, at, record.tuple.family == 4, record.header.netns);
        follow_failure(*destination);
    }
    const AddressKey source{model::local_ip(record.tuple), 0};
    if (destinations_.find_address(source) != nullptr) {
        Address& address = destinations_.address_of({{source.ip, 0, model::Protocol::tcp}, {}, 0});
        if (!address.inbound_drops) address.inbound_drops = std::make_unique<LocalDrops>();
        address.inbound_drops->add(*who, packets, at);
    }
}

void Engine::State::take(const netwatch_listener_sample& record) {
    processes_.touch(record.process, record.header.netns, record.header.at_ns);
    if (listeners_.size() >= listeners_kept) listeners_.clear();
    listeners_.insert({record.header.netns, record.tuple.local_port});
    journal_.add(record);
    exhaustion_.add(record, key_of(record.tuple, record.header.netns, true));
}

void Engine::State::take(const netwatch_walk_end& record) {
    sockets_walked_ = record.sockets;
    walked_at_ = record.header.at_ns;
    journal_.end_walk(record.started_ns);
    close_waits_.add(record);
    sockets_.sweep(record.started_ns - std::min<core::BootNs>(record.started_ns, socket_unseen_ns),
                   [this](const Socket& socket) { leave(socket); });
}

void Engine::State::take(const netwatch_account& record) {
    accounts_[record.kind] = record;
    const std::uint64_t lost = lost_records();
    if (lost <= loss_told_ || record.header.at_ns < loss_told_at_ + losses_told_every_ns) return;
    journal_.add(Event{
        .at = record.header.at_ns,
        .topic = Topic::agent,
        .what = fmt::format("netwatch lost {} records: more came than it could take", lost - loss_told_)});
    loss_told_ = lost;
    loss_told_at_ = record.header.at_ns;
}

void Engine::State::take(const netwatch_host& record) {
    host_ = record;
    if (record.started_ns == 0) return;
    journal_.add(Event{.at = record.started_ns, .topic = Topic::agent, .what = "netwatch started"});
}

void Engine::State::take(const netwatch_change& record) {
    journal_.add(record, network_);
    network_.add(record);
    dirty_ = dirty_ || !failing_.empty();
}

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
    const model::Endpoint real{model::IpAddress(record.real_ip), record.real_port,
                               destination->key.endpoint.protocol};
    destination->add_names().real = real;
    if (fronts_.size() >= fronts_kept) fronts_.clear();
    fronts_[real] = destination->key;
}

void Engine::State::take(const netwatch_region& record) {
    regions_.add(
        {model::Prefix::of(model::IpAddress(record.network), record.bits), model::text_of(record.name)});
}

void Engine::State::take(const netwatch_clock& record) {
    const core::ClockAnchor anchor(record.header.at_ns, {record.realtime_ns});
    if (first_clock_ != 0) {
        note_pause(record.header.at_ns);
        note_clock_step(anchor, record.header.at_ns);
    }
    counters_.add(record);
    now_ = std::max<core::BootNs>(now_, record.header.at_ns);
    anchor_ = anchor;
    if (first_clock_ == 0) first_clock_ = now_;
    suspect_silence();
    take_tries(resolvers_.wait(now_));
    look_for_mute_servers();
    const bool due = judged_at_ + judge_every_ns <= now_;
    const bool ripening = !failing_.empty() && judged_at_ + judge_while_failing_ns <= now_;
    if (due || ripening || (dirty_ && judged_at_ + judge_at_most_every_ns <= now_)) judge();
    if (housekept_at_ + core::ns_per_s <= now_) {
        housekept_at_ = now_;
        tls_.housekeep(now_);
        destinations_.housekeep(now_, [this](const DestinationKey& key) { return book_.needs(key); });
    }
}

// CLOCK records come all the time. Where they did not, this process was stopped or the host was.
void Engine::State::note_pause(core::BootNs at) {
    if (at < now_ + pause_ns) return;
    held_until_ = at + held_ns;
    journal_.add(Event{.at = at,
                       .topic = Topic::agent,
                       .what = fmt::format("netwatch did not look for {}: it was stopped, or the host was",
                                           core::to_duration(at - now_))});
}

void Engine::State::note_clock_step(const core::ClockAnchor& anchor, core::BootNs at) {
    const std::int64_t by_ns = anchor.utc(at).ns - anchor_.utc(at).ns;
    if (std::abs(by_ns) < step_ns) return;
    journal_.add(Event{.at = at,
                       .topic = Topic::clock,
                       .clock_step_ns = by_ns,
                       .what = fmt::format("the clock was set {} by {}", by_ns > 0 ? "forward" : "back",
                                           core::to_duration(static_cast<std::uint64_t>(std::abs(by_ns)))),
                       .by = "unknown"});
}

}  // namespace netwatch::diagnosis
