// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <netinet/in.h>

#include "support/story.h"
#include "support/story_parts.h"

namespace netwatch::support {
using namespace parts;

namespace {

netwatch_change change_of(double at, netwatch_change_subject subject, netwatch_change_action action,
                          std::uint32_t ifindex) {
    auto record = model::make_record<netwatch_change>(boot_ns(at), story_netns);
    record.subject = static_cast<__u8>(subject);
    record.action = static_cast<__u8>(action);
    record.ifindex = ifindex;
    model::set_text(record.interface, fmt::format("eth{}", ifindex));
    return record;
}

}  // namespace

Story& Story::netfilter_drops(double at, std::string_view to, std::uint64_t packets,
                              std::string_view reason) {
    auto record = model::make_record<netwatch_drops>(boot_ns(at), story_netns);
    record.tuple = tuple_to(to);
    record.tuple.local_port = 0;
    record.packets = packets;
    record.reason = reason_number(reason);
    return add(record);
}

Story& Story::netfilter_drops_from(double at, std::string_view source, std::uint16_t own_port,
                                   std::uint64_t packets, std::string_view reason) {
    auto record = model::make_record<netwatch_drops>(boot_ns(at), story_netns);
    put(record.tuple.local_ip, *model::IpAddress::parse(source));
    put(record.tuple.remote_ip, *model::IpAddress::parse("192.0.2.10"));
    record.tuple.remote_port = own_port;
    record.tuple.family = 4;
    record.tuple.protocol = IPPROTO_TCP;
    record.packets = packets;
    record.reason = reason_number(reason);
    return add(record);
}

Story& Story::listens(double at, std::string_view endpoint, std::uint32_t backlog, std::uint32_t limit,
                      std::uint64_t drops, Who who) {
    auto record = model::make_record<netwatch_listener_sample>(boot_ns(at), story_netns);
    const auto own = *model::Endpoint::parse(endpoint);
    record.sock = own.port;
    put(record.tuple.local_ip, own.ip);
    record.tuple.local_port = own.port;
    record.tuple.family = own.ip.is_v4() ? 4 : 6;
    record.tuple.protocol = IPPROTO_TCP;
    record.process = process_of(who);
    record.backlog = backlog;
    record.backlog_limit = limit;
    record.drops = drops;
    return add(record);
}

Story& Story::lacks_descriptor(double at, netwatch_call call, int error, Who who) {
    auto record = model::make_record<netwatch_call_failed>(boot_ns(at), story_netns);
    record.process = process_of(who);
    record.error = error;
    record.call = static_cast<__u8>(call);
    return add(record);
}

Story& Story::counts(double at, netwatch_counter_number counter, std::uint64_t value) {
    auto record = model::make_record<netwatch_counter>(boot_ns(at), story_netns);
    record.counter = counter;
    record.value = value;
    return add(record);
}

Story& Story::host_counts(double at, netwatch_counter_number counter, std::uint64_t value) {
    auto record = model::make_record<netwatch_counter>(boot_ns(at));
    record.counter = counter;
    record.value = value;
    return add(record);
}

Story& Story::link_counts(double at, netwatch_counter_number counter, std::uint64_t value) {
    auto record = model::make_record<netwatch_interface_counter>(boot_ns(at), story_netns);
    record.counter = counter;
    record.value = value;
    record.ifindex = 2;
    model::set_text(record.name, "eth0");
    return add(record);
}

Story& Story::misses(double at, std::string_view signal) {
    auto record = model::make_record<netwatch_hook>(boot_ns(at));
    model::set_text(record.signal, signal);
    record.state = NETWATCH_HOOK_MISSING;
    return add(record);
}

Story& Story::link(double at, netwatch_change_action action, std::string_view name, std::uint32_t ifindex,
                   std::uint8_t state, std::uint8_t old_state) {
    auto record = change_of(at, NETWATCH_CHANGE_LINK, action, ifindex);
    model::set_text(record.interface, name);
    record.mtu_bytes = record.old_mtu_bytes = 1'500;
    record.link_state = state;
    record.old_link_state = old_state;
    return add(record);
}

Story& Story::route(double at, netwatch_change_action action, std::string_view to, std::string_view gateway,
                    std::uint32_t ifindex, std::uint8_t type) {
    auto record = change_of(at, NETWATCH_CHANGE_ROUTE, action, ifindex);
    const std::size_t slash = to.find('/');
    const auto network = *model::IpAddress::parse(to.substr(0, slash));
    put(record.ip, network);
    record.family = network.is_v4() ? 4 : 6;
    record.prefix_bits = static_cast<__u8>(std::stoi(std::string(to.substr(slash + 1))));
    record.table = 254;
    record.route_type = type;
    record.protocol = 3;
    if (!gateway.empty()) put(record.gateway, *model::IpAddress::parse(gateway));
    return add(record);
}

Story& Story::address(double at, netwatch_change_action action, std::string_view ip, std::uint32_t ifindex) {
    auto record = change_of(at, NETWATCH_CHANGE_ADDRESS, action, ifindex);
    put(record.ip, *model::IpAddress::parse(ip));
    record.family = 4;
    record.prefix_bits = 24;
    return add(record);
}

Story& Story::loads_ruleset(double at, std::uint64_t generation, Who who, std::uint32_t netns) {
    auto record = change_of(at, NETWATCH_CHANGE_RULESET, NETWATCH_CHANGE_CHANGED, 0);
    record.header.netns = netns;
    record.generation = generation;
    record.pid = who.pid;
    model::set_text(record.comm, who.comm);
    return add(record);
}

Story& Story::lost_records(double at, std::uint64_t records) {
    auto record = model::make_record<netwatch_account>(boot_ns(at));
    record.kind = NETWATCH_RECORD_CONNECT;
    record.seen = records;
    record.dropped_full = records;
    return add(record);
}

}  // namespace netwatch::support
