// SPDX-License-Identifier: Apache-2.0
#include "support/dns_story.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

#include "model/address.h"

namespace netwatch::support {
namespace {

constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_aaaa = 28;

}  // namespace

DnsStory::DnsStory(Story& story, std::string resolver) : story_(story), resolver_(std::move(resolver)) {
    // Sockets of its own, whatever other resolvers the story has.
    for (const char c : resolver_) socks_ = socks_ * 31 + static_cast<unsigned char>(c);
    socks_ &= ~0xffffULL;
}

netwatch_dns_message DnsStory::message(double at, std::uint64_t sock, std::uint16_t id, std::string_view name,
                                       std::uint16_t type, Who who) const {
    auto record = model::make_record<netwatch_dns_message>(boot_ns(at), story_netns);
    const auto to = *model::Endpoint::parse(resolver_);
    std::ranges::copy(to.ip.bytes(), record.tuple.remote_ip);
    record.tuple.remote_port = to.port;
    record.tuple.local_port = static_cast<std::uint16_t>(40'000 + sock % 20'000);
    record.tuple.family = to.ip.is_v4() ? 4 : 6;
    record.tuple.protocol = IPPROTO_UDP;
    record.sock = sock;
    record.id = id;
    record.query_type = type;
    record.status = NETWATCH_DNS_PARSED;
    record.ttl_s = NETWATCH_ABSENT_U32;
    model::set_text(record.name, name);
    if (who.pid != 0) {
        record.process.pid = who.pid;
        record.process.start_ns = boot_ns(0) - who.pid;
        model::set_text(record.process.comm, who.comm);
    }
    return record;
}

void DnsStory::question(double at, std::uint64_t sock, std::uint16_t id, std::string_view name,
                        std::uint16_t type, Who who) {
    auto record = message(at, sock, id, name, type, who);
    record.direction = NETWATCH_DIRECTION_SENT;
    story_.add(record);
}

void DnsStory::answer(double at, std::uint64_t sock, std::uint16_t id, std::string_view name,
                      std::uint16_t type, int rcode, std::string_view ip, bool truncated) {
    auto record = message(at, sock, id, name, type, {0, ""});
    record.direction = NETWATCH_DIRECTION_RECEIVED;
    record.is_answer = 1;
    record.rcode = static_cast<__u8>(rcode);
    record.truncated = truncated ? 1 : 0;
    if (!ip.empty()) {
        record.answer_count = record.address_total = 1;
        record.address_count = 1;
        record.ttl_s = 5;
        std::ranges::copy(model::IpAddress::parse(ip)->bytes(), record.addresses[0]);
    }
    story_.add(record);
}

DnsStory& DnsStory::answers(double at, std::string_view name, int rcode, Who who, double took_ms) {
    const std::uint64_t sock = ++socks_;
    for (const auto type : {type_a, type_aaaa}) {
        question(at, sock, type, name, type, who);
        answer(at + took_ms / 1000, sock, type, name, type, rcode);
    }
    return *this;
}

DnsStory& DnsStory::resolves(double at, std::string_view name, std::string_view ip, Who who, double took_ms) {
    const std::uint64_t sock = ++socks_;
    question(at, sock, type_a, name, type_a, who);
    question(at + 0.0001, sock, type_aaaa, name, type_aaaa, who);
    answer(at + took_ms / 1000, sock, type_a, name, type_a, 0, ip);
    answer(at + took_ms / 1000, sock, type_aaaa, name, type_aaaa, 0);
    return *this;
}

DnsStory& DnsStory::is_unanswered(double at, std::string_view name, Who who) {
    const std::uint64_t sock = ++socks_;
    question(at, sock, type_a, name, type_a, who);
    question(at + 0.0001, sock, type_aaaa, name, type_aaaa, who);
    return *this;
}

DnsStory& DnsStory::is_half_answered(double at, std::string_view name, Who who) {
    const std::uint64_t sock = ++socks_;
    question(at, sock, type_a, name, type_a, who);
    question(at + 0.0001, sock, type_aaaa, name, type_aaaa, who);
    answer(at + 0.002, sock, type_a, name, type_a, 0, "10.1.0.1");
    return *this;
}

DnsStory& DnsStory::is_cut_off(double at, std::string_view name, Who who) {
    const std::uint64_t sock = ++socks_;
    // Now the second question goes out before the first is answered, now after.
    const bool before = sock / 2 % 2 == 0;
    question(at, sock, type_a, name, type_a, who);
    question(at + (before ? 0.0001 : 0.0022), sock, type_aaaa, name, type_aaaa, who);
    answer(at + 0.002, sock, type_a, name, type_a, 0, {}, true);
    const std::uint64_t connection = ++socks_;
    for (const auto type : {type_a, type_aaaa}) {
        question(at + 0.003, connection, type, name, type, who);
        answer(at + 0.005, connection, type, name, type, 0, type == type_a ? "10.1.0.1" : "");
    }
    return *this;
}

DnsStory& DnsStory::is_refused(double at, std::string_view name, Who who) {
    const std::uint64_t sock = ++socks_;
    question(at, sock, type_a, name, type_a, who);
    const auto asked = message(at, sock, type_a, name, type_a, who);
    auto error = model::make_record<netwatch_socket_error>(boot_ns(at + 0.001), story_netns);
    error.sock = sock;
    error.tuple = asked.tuple;
    error.error = ECONNREFUSED;
    story_.add(error);
    return *this;
}

DnsStory& DnsStory::asks(std::uint64_t sock, double at, std::uint16_t id, std::string_view name,
                         std::uint16_t type, Who who, bool answered) {
    question(at, sock, id, name, type, who);
    if (answered) answer(at + 0.002, sock, id, name, type, 0, type == type_a ? "10.1.0.1" : "");
    return *this;
}

DnsStory& DnsStory::asks_from(std::uint64_t sock, double at, std::string_view name, bool answered, Who who) {
    return asks(sock, at, static_cast<std::uint16_t>(at * 100), name, type_a, who, answered);
}

}  // namespace netwatch::support
