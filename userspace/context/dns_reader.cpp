// SPDX-License-Identifier: Apache-2.0
#include "context/dns_reader.h"

#include <stdbool.h>  // or ldns defines true and false as macros

#include <ldns/ldns.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "context/cgroups.h"
#include "model/record.h"

namespace netwatch::context {
namespace {

constexpr std::size_t most_unfinished = 1024;
constexpr std::size_t length_prefix = 2;    // RFC 1035 4.2.2
constexpr std::size_t most_datagram = 4096; /* as much of one as the programs hand on */
constexpr std::size_t name_bytes = sizeof(netwatch_dns_message::name) - 1;

using Packet = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

std::string name_of(const ldns_rr& question) {
    ldns_rdf* owner = ldns_rr_owner(&question);
    ldns_dname2canonical(owner);
    const std::unique_ptr<char, decltype(&std::free)> text(ldns_rdf2str(owner), &std::free);
    std::string name = text ? text.get() : "";
    if (name.size() > 1 && name.ends_with('.')) name.pop_back();
    return shorten_left(name, name_bytes);
}

void add_address(netwatch_dns_message& message, const ldns_rr& record) {
    const ldns_rdf* data = ldns_rr_rdf(&record, 0);
    const std::size_t bytes = ldns_rr_get_type(&record) == LDNS_RR_TYPE_A ? 4 : 16;
    if (data == nullptr || ldns_rdf_size(data) != bytes) return;
    ++message.address_total;
    if (message.address_count >= NETWATCH_DNS_ADDRESSES) return;
    auto& address = message.addresses[message.address_count++];
    if (bytes == 4) address[10] = address[11] = 0xff;
    std::copy_n(ldns_rdf_data(data), bytes, std::end(address) - bytes);
}

void add_answers(netwatch_dns_message& message, const ldns_rr_list* answers) {
    const std::size_t count = ldns_rr_list_rr_count(answers);
    message.answer_count = static_cast<__u16>(count);
    for (std::size_t i = 0; i < count; ++i) {
        const ldns_rr& record = *ldns_rr_list_rr(answers, i);
        message.ttl_s = std::min<__u32>(message.ttl_s, ldns_rr_ttl(&record));
        const auto type = ldns_rr_get_type(&record);
        if (type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) add_address(message, record);
    }
}

}  // namespace

netwatch_dns_message parse_dns(const netwatch_payload& payload, std::span<const std::uint8_t> bytes) {
    auto message = model::make_record<netwatch_dns_message>(payload.header.at_ns, payload.header.netns);
    message.sock = payload.sock;
    message.tuple = payload.tuple;
    message.process = payload.process;
    message.direction = payload.direction;
    message.is_answer = payload.direction == NETWATCH_DIRECTION_RECEIVED;
    message.ttl_s = NETWATCH_ABSENT_U32;
    message.status = NETWATCH_DNS_MALFORMED;
    ldns_pkt* raw = nullptr;
    if (ldns_wire2pkt(&raw, bytes.data(), bytes.size()) != LDNS_STATUS_OK) return message;
    const Packet packet(raw, &ldns_pkt_free);
    if (ldns_pkt_qr(raw) != (message.is_answer != 0)) return message;
    message.status = NETWATCH_DNS_PARSED;
    message.id = ldns_pkt_id(raw);
    message.rcode = static_cast<__u8>(ldns_pkt_get_rcode(raw));
    message.truncated = ldns_pkt_tc(raw);
    if (const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(raw), 0); question != nullptr) {
        message.query_type = static_cast<__u16>(ldns_rr_get_type(question));
        model::set_text(message.name, name_of(*question));
    }
    if (message.is_answer) add_answers(message, ldns_pkt_answer(raw));
    return message;
}

DnsReader::Key DnsReader::key_of(const netwatch_payload& payload) {
    const bool datagram = payload.tuple.protocol == IPPROTO_UDP;
    return {payload.sock, payload.direction, datagram ? payload.length : 0};
}

void DnsReader::forget(Key key) {
    const auto found = unfinished_.find(key);
    if (found == unfinished_.end()) return;
    by_age_.erase(found->second.begun);
    unfinished_.erase(found);
}

void DnsReader::forget(std::uint64_t sock) {
    if (unfinished_.empty()) return;
    forget(Key{sock, NETWATCH_DIRECTION_SENT, 0});
    forget(Key{sock, NETWATCH_DIRECTION_RECEIVED, 0});
}

DnsReader::Unfinished* DnsReader::gather(const netwatch_payload& payload) {
    const Key key = key_of(payload);
    const std::span part(payload.bytes, std::min<std::size_t>(payload.captured, sizeof payload.bytes));
    if (payload.offset == 0) {
        forget(key);
        if (unfinished_.size() >= most_unfinished) {
            const Key oldest = by_age_.begin()->second;
            const Unfinished& left = unfinished_.at(oldest);
            if (left.read < left.bytes.size()) ++refused_;
            forget(oldest);
        }
        unfinished_.emplace(key, Unfinished{payload, {}, 0, ++begun_});
        by_age_.emplace(begun_, key);
    }
    const auto found = unfinished_.find(key);
    if (found == unfinished_.end() || found->second.bytes.size() != payload.offset) return nullptr;
    found->second.bytes.insert(found->second.bytes.end(), part.begin(), part.end());
    return &found->second;
}

void DnsReader::take_datagram(const netwatch_payload& payload, std::vector<netwatch_dns_message>& messages) {
    const Unfinished* message = gather(payload);
    if (message == nullptr || message->bytes.size() < std::min<std::size_t>(payload.length, most_datagram))
        return;
    messages.push_back(parse_dns(message->first, message->bytes));
    forget(key_of(payload));
}

// Messages follow each other, each behind its length. What was read stays, so that offsets go on fitting.
void DnsReader::take_stream(const netwatch_payload& payload, std::vector<netwatch_dns_message>& messages) {
    Unfinished* stream = gather(payload);
    if (stream == nullptr) return;
    const std::span<const std::uint8_t> bytes(stream->bytes);
    while (stream->read + length_prefix <= bytes.size()) {
        const auto rest = bytes.subspan(stream->read);
        const std::size_t length = static_cast<std::size_t>(rest[0]) << 8 | rest[1];
        if (rest.size() < length_prefix + length) return;
        messages.push_back(parse_dns(payload, rest.subspan(length_prefix, length)));
        stream->read += length_prefix + length;
    }
}

std::vector<netwatch_dns_message> DnsReader::take(const netwatch_payload& payload) {
    std::vector<netwatch_dns_message> messages;
    if (payload.tuple.protocol == IPPROTO_UDP) {
        take_datagram(payload, messages);
    } else {
        take_stream(payload, messages);
    }
    for (const auto& message : messages) ++(message.status == NETWATCH_DNS_PARSED ? read_ : unreadable_);
    return messages;
}

}  // namespace netwatch::context
