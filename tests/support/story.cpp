// SPDX-License-Identifier: Apache-2.0
#include "support/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "support/story_parts.h"

namespace netwatch::support {
using namespace parts;
namespace {

constexpr std::uint32_t segment_bytes = 1'000;
constexpr std::array<double, 5> syn_retries_s{1.03, 2.05, 3.07, 4.08, 5.09};
constexpr std::uint8_t tcp_established = 1;
constexpr std::uint8_t tcp_syn_sent = 2;

std::uint16_t local_port_of(std::uint64_t sock) { return static_cast<std::uint16_t>(33'000 + sock % 27'000); }

std::uint32_t jiffies(double seconds) { return static_cast<std::uint32_t>(seconds * story_hz); }

}  // namespace

core::BootNs boot_ns(double story_s) { return static_cast<core::BootNs>((story_begins_s + story_s) * 1e9); }
core::UtcNs utc(double story_s) { return {story_utc_ns + static_cast<std::int64_t>(story_s * 1e9)}; }

void Flow::sends(std::uint32_t segments, std::uint32_t lost) {
    counters.data_segs_out += segments + lost;
    counters.segs_out += segments + lost;
    counters.total_retrans += lost;
    counters.bytes_sent += std::uint64_t{segments + lost} * segment_bytes;
    counters.bytes_acked += std::uint64_t{segments} * segment_bytes;
    counters.delivered += segments;
}

void Flow::receives(std::uint32_t segments, std::uint32_t out_of_order) {
    counters.data_segs_in += segments;
    counters.segs_in += segments;
    counters.bytes_received += std::uint64_t{segments} * segment_bytes;
    counters.rcv_ooopack += out_of_order;
}

void Flow::fills_holes(std::uint32_t resent, std::uint32_t twice) {
    if (counters.holes_resent == NETWATCH_ABSENT_U32) counters.holes_resent = counters.segments_twice = 0;
    counters.holes_resent += resent;
    counters.segments_twice += twice;
}

void Flow::since(double sent_s, double received_s) {
    counters.since_sent_jiffies = jiffies(sent_s);
    counters.since_received_jiffies = jiffies(received_s);
}

void Flow::waits(double sent_s, std::uint8_t timeouts) {
    constexpr double first_timeout_s = 0.2;
    const double sent_again_s = first_timeout_s * ((1 << timeouts) - 1);
    counters.since_sent_jiffies = jiffies(sent_s - sent_again_s);
    counters.rto_jiffies = jiffies(first_timeout_s * (1 << timeouts));
    counters.backoff = counters.retransmits = timeouts;
    counters.packets_out = 1;
    counters.unacked_bytes = segment_bytes;
}

Story::Story(double watched_for_s) {
    auto host = model::make_record<netwatch_host>(boot_ns(-watched_for_s));
    model::set_text(host.boot_id, "3f0e6a52-1111-4222-8333-444455556666");
    model::set_text(host.release, "6.18.44");
    model::set_text(host.hostname, "web-7");
    host.hz = story_hz;
    host.abi_version = NETWATCH_ABI_VERSION;
    host.started_ns = boot_ns(-watched_for_s);
    add(host);
    for (const std::string_view name : drop_reasons) {
        auto reason = model::make_record<netwatch_drop_reason>(boot_ns(-watched_for_s));
        reason.reason = reason_number(name);
        model::set_text(reason.name, name);
        add(reason);
    }
}

Story& Story::add(model::Record record) {
    records_.push_back(std::move(record));
    return *this;
}

namespace {

core::BootNs time_of(const model::Record& record) { return model::header_of(record).at_ns; }

}  // namespace

std::vector<model::Record> Story::records() const {
    auto sorted = records_;
    std::ranges::stable_sort(sorted, {}, time_of);
    return sorted;
}

std::vector<model::Record> Story::take(double story_s) {
    const auto later = std::ranges::stable_partition(
        records_, [end = boot_ns(story_s)](core::BootNs at) { return at < end; }, time_of);
    std::vector<model::Record> taken(std::move_iterator(records_.begin()), std::move_iterator(later.begin()));
    records_.erase(records_.begin(), later.begin());
    std::ranges::stable_sort(taken, {}, time_of);
    return taken;
}

netwatch_tuple Story::tuple_to(std::string_view to) {
    const model::Endpoint peer = endpoint(to);
    netwatch_tuple tuple{};
    put(tuple.local_ip, *model::IpAddress::parse(peer.ip.is_v4() ? "192.0.2.10" : "2001:db8:ffff::10"));
    put(tuple.remote_ip, peer.ip);
    tuple.local_port = local_port_of(socks_);
    tuple.remote_port = peer.port;
    tuple.family = peer.ip.is_v4() ? 4 : 6;
    tuple.protocol = static_cast<std::uint8_t>(peer.protocol);
    return tuple;
}

netwatch_connect Story::attempt(double at, double ends, std::string_view to, Who who) {
    ++socks_;
    auto record = model::make_record<netwatch_connect>(boot_ns(ends), story_netns);
    record.sock = socks_;
    record.start_ns = boot_ns(at);
    record.tuple = tuple_to(to);
    record.process = process_of(who);
    std::ranges::copy(record.tuple.remote_ip, record.asked_ip);
    record.asked_port = record.tuple.remote_port;
    record.rtt_us = NETWATCH_ABSENT_U32;
    auto begun = model::make_record<netwatch_attempt>(boot_ns(at), story_netns);
    begun.sock = record.sock;
    begun.tuple = record.tuple;
    add(begun);
    return record;
}

Story& Story::arriving_with(std::uint8_t hop_limit, std::uint16_t ip_id) {
    hop_limit_ = {.hop_limit = hop_limit, .reserved = 0, .ip_id = ip_id};
    return *this;
}

Story& Story::connects(double at, std::string_view to, Who who, double rtt_ms) {
    auto record = attempt(at, at + rtt_ms / 1000, to, who);
    record.outcome = NETWATCH_OUTCOME_ESTABLISHED;
    record.rtt_us = static_cast<std::uint32_t>(rtt_ms * 1000);
    record.syn_ack_look = hop_limit_;
    add(record);
    auto end = model::make_record<netwatch_close>(boot_ns(at + 4 * rtt_ms / 1000), story_netns);
    end.sock = record.sock;
    end.start_ns = record.start_ns;
    end.tuple = record.tuple;
    end.process = record.process;
    Flow short_one;
    short_one.sends(1);
    short_one.receives(1);
    short_one.since(2 * rtt_ms / 1000, rtt_ms / 1000);
    short_one.counters.srtt_us = record.rtt_us;
    short_one.counters.min_rtt_us = record.rtt_us;
    short_one.counters.snd_wnd = 65'535;
    short_one.counters.mss_bytes = 1'448;
    end.counters = short_one.counters;
    end.old_state = 9;
    end.syn_ack_look = hop_limit_;
    return add(end);
}

Story& Story::is_refused(double at, std::string_view to, Who who, double delay_s) {
    auto record = attempt(at, at + delay_s, to, who);
    record.outcome = NETWATCH_OUTCOME_FAILED;
    record.reset = 1;
    record.reset_look = hop_limit_;
    record.error = ECONNREFUSED;
    return add(record);
}

Story& Story::is_rejected(double at, std::string_view to, Icmp icmp, double delay_s, Who who) {
    auto record = attempt(at, at + delay_s, to, who);
    record.outcome = NETWATCH_OUTCOME_FAILED;
    record.icmp.present = 1;
    record.icmp.type = icmp.type;
    record.icmp.code = icmp.code;
    if (!icmp.offender.empty()) {
        record.icmp.has_offender = 1;
        put(record.icmp.offender, *model::IpAddress::parse(icmp.offender));
    }
    record.error = EHOSTUNREACH;
    record.syn_retransmits = retransmit_syns(record, at, delay_s, 0);
    auto told = model::make_record<netwatch_socket_error>(boot_ns(at + delay_s), story_netns);
    told.sock = record.sock;
    told.tuple = record.tuple;
    told.process = record.process;
    told.icmp = record.icmp;
    told.state = tcp_syn_sent;
    add(told);
    return add(record);
}

Story& Story::fails_with(double at, std::string_view to, int error, double delay_s, Who who) {
    auto record = attempt(at, at + delay_s, to, who);
    record.outcome = NETWATCH_OUTCOME_FAILED;
    record.error = error;
    return add(record);
}

std::uint32_t Story::retransmit_syns(const netwatch_connect& attempt, double at, double timeout_s,
                                     int error) {
    std::uint8_t number = 0;
    for (const double retry_s : syn_retries_s) {
        if (retry_s >= timeout_s) break;
        auto record = model::make_record<netwatch_retransmit>(boot_ns(at + retry_s), story_netns);
        record.sock = attempt.sock;
        record.start_ns = attempt.start_ns;
        record.tuple = attempt.tuple;
        record.process = attempt.process;
        record.error = error;
        record.why = NETWATCH_RETRANSMIT_SYN;
        record.state = tcp_syn_sent;
        record.retransmits = ++number;
        add(record);
    }
    return number;
}

Story& Story::is_unanswered(double at, std::string_view to, double timeout_s, Who who) {
    return cannot_leave(at, to, timeout_s, 0, who);
}

Story& Story::cannot_leave(double at, std::string_view to, double timeout_s, int error, Who who) {
    auto record = attempt(at, at + timeout_s, to, who);
    record.outcome = NETWATCH_OUTCOME_ABANDONED;
    record.syn_retransmits = retransmit_syns(record, at, timeout_s, error);
    record.transmit_error = record.syn_retransmits > 0 ? error : 0;
    return add(record);
}

Story& Story::connects_at_retry(double at, std::string_view to, Who who) {
    auto record = attempt(at, at + 1.031, to, who);
    record.outcome = NETWATCH_OUTCOME_ESTABLISHED;
    record.syn_retransmits = 1;
    retransmit_syns(record, at, 1.031, 0);
    return add(record);
}

Story& Story::call_fails(double at, std::string_view to, int error, Who who) {
    auto record = model::make_record<netwatch_call_failed>(boot_ns(at), story_netns);
    record.tuple = tuple_to(to);
    record.tuple.local_port = 0;
    record.process = process_of(who);
    record.duration_ns = 2'000;
    record.error = error;
    record.call = NETWATCH_CALL_CONNECT;
    if (error == EADDRNOTAVAIL) record.sock = ++socks_;  // entered SYN_SENT
    return add(record);
}

Story& Story::healthy(double from, double to_s, double every, std::string_view to, Who who) {
    for (int i = 0; from + i * every < to_s; ++i) connects(from + i * every, to, who);
    return *this;
}

Story& Story::refused(double from, double to_s, double every, std::string_view to, Who who) {
    for (int i = 0; from + i * every < to_s; ++i) is_refused(from + i * every, to, who);
    return *this;
}

Story& Story::rejected(double from, double to_s, double every, std::string_view to, Icmp icmp, double delay_s,
                       Who who) {
    for (int i = 0; from + i * every < to_s; ++i) is_rejected(from + i * every, to, icmp, delay_s, who);
    return *this;
}

Story& Story::unanswered(double from, double to_s, double every, std::string_view to, double timeout_s,
                         Who who) {
    for (int i = 0; from + i * every < to_s; ++i) is_unanswered(from + i * every, to, timeout_s, who);
    return *this;
}

Flow Story::flow(double at, std::string_view peer, Who who) {
    auto record = attempt(at, at + 0.001, peer, who);
    record.outcome = NETWATCH_OUTCOME_ESTABLISHED;
    record.rtt_us = 1'000;
    record.syn_ack_look = hop_limit_;
    add(record);
    Flow made{.sock = record.sock, .peer = std::string(peer), .who = who, .start_s = at};
    made.syn_ack_look = hop_limit_;
    made.counters.state = tcp_established;
    made.counters.srtt_us = made.counters.min_rtt_us = 20'000;
    made.counters.snd_wnd = made.counters.rcv_wnd = 65'535;
    made.counters.mss_bytes = 1'448;
    made.counters.sack_ok = 1;
    made.counters.holes_resent = made.counters.segments_twice = NETWATCH_ABSENT_U32;
    return made;
}

Flow Story::accepted(double at, std::string_view client, std::uint16_t port, Who who) {
    Flow made = flow(at, client, who);
    records_.resize(records_.size() - 2);  // accepted, not connected
    auto record = model::make_record<netwatch_accept>(boot_ns(at), story_netns);
    record.sock = made.sock;
    record.start_ns = boot_ns(at - 0.001);
    record.tuple = tuple_to(client);
    record.tuple.local_port = port;
    record.process = process_of(who);
    record.rtt_us = 1'000;
    add(record);
    made.passive = true;
    return made;
}

netwatch_tuple Story::tuple_of(const Flow& flow) {
    netwatch_tuple tuple = tuple_to(flow.peer);
    tuple.local_port = local_port_of(flow.sock);
    if (!flow.passive) return tuple;
    put(tuple.local_ip, endpoint(flow.own).ip);
    tuple.local_port = endpoint(flow.own).port;
    return tuple;
}

Flow Story::other_end(double at, const Flow& client, Who who) {
    const std::string address = endpoint(client.peer).ip.is_v4() ? "192.0.2.10" : "[2001:db8:ffff::10]";
    Flow made = client;
    made.sock = ++socks_;
    made.peer = fmt::format("{}:{}", address, local_port_of(client.sock));
    made.own = client.peer;
    made.who = who;
    made.passive = true;
    auto record = model::make_record<netwatch_accept>(boot_ns(at), story_netns);
    record.sock = made.sock;
    record.start_ns = boot_ns(at - 0.001);
    record.tuple = tuple_of(made);
    record.process = process_of(who);
    record.rtt_us = 1'000;
    add(record);
    return made;
}

Story& Story::look(double at, const Flow& flow) {
    auto record = model::make_record<netwatch_socket_sample>(boot_ns(at), story_netns);
    record.sock = flow.sock;
    record.start_ns = boot_ns(flow.start_s);
    record.tuple = tuple_of(flow);
    record.process = process_of(flow.who);
    record.counters = flow.counters;
    record.passive = flow.passive ? 1 : 0;
    return add(record);
}

Story& Story::close(double at, const Flow& flow, bool reset) { return add(end_of(at, flow, reset)); }

Story& Story::gives_up(double at, const Flow& flow) {
    auto record = end_of(at, flow, false);
    record.error = ETIMEDOUT;
    record.old_state = tcp_established;
    return add(record);
}

Story& Story::resets_late_segment(double at, const Flow& flow) {
    auto record = model::make_record<netwatch_reset_sent>(boot_ns(at), story_netns);
    record.tuple = tuple_of(flow);
    return add(record);
}

netwatch_retransmit Story::retransmission_of(double at, const Flow& flow, std::uint8_t why) {
    auto record = model::make_record<netwatch_retransmit>(boot_ns(at), story_netns);
    record.sock = flow.sock;
    record.tuple = tuple_of(flow);
    record.process = process_of(flow.who);
    record.why = why;
    record.state = tcp_established;
    record.passive = flow.passive ? 1 : 0;
    return record;
}

netwatch_close Story::end_of(double at, const Flow& flow, bool reset) {
    auto record = model::make_record<netwatch_close>(boot_ns(at), story_netns);
    record.sock = flow.sock;
    record.start_ns = boot_ns(flow.start_s);
    record.tuple = tuple_of(flow);
    record.process = process_of(flow.who);
    record.counters = flow.counters;
    record.old_state = reset ? 1 : 9;
    record.reset_received = reset ? 1 : 0;
    record.syn_ack_look = flow.syn_ack_look;
    if (reset) record.reset_look = hop_limit_;
    record.passive = flow.passive ? 1 : 0;
    return record;
}

Story& Story::times_out(double at, const Flow& flow, std::uint8_t in_a_row, int error, int soft_error) {
    auto record = retransmission_of(at, flow, NETWATCH_RETRANSMIT_RTO);
    record.error = error;
    record.soft_error = soft_error;
    record.retransmits = in_a_row;
    return add(record);
}

Story& Story::probes(double at, const Flow& flow, std::uint32_t packets_out) {
    auto record = retransmission_of(at, flow, NETWATCH_RETRANSMIT_TAIL_PROBE);
    record.packets_out = packets_out;
    return add(record);
}

Story& Story::walk_ends(double at) {
    auto record = model::make_record<netwatch_walk_end>(boot_ns(at));
    record.started_ns = boot_ns(at - 0.01);
    return add(record);
}

Story& Story::neighbor_fails(double at, std::string_view ip) {
    auto record = model::make_record<netwatch_neighbor>(boot_ns(at), story_netns);
    put(record.ip, *model::IpAddress::parse(ip));
    record.ifindex = 2;
    record.family = 4;
    record.old_state = 1;
    record.new_state = 32;
    return add(record);
}

}  // namespace netwatch::support
