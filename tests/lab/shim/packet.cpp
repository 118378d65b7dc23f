// SPDX-License-Identifier: Apache-2.0
#include "packet.h"

#include <arpa/inet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace netwatch::lab {
namespace {

template <typename Header>
Header read(const Bytes& bytes, std::size_t at) {
    Header header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    return header;
}

template <typename Header>
void write(Bytes& bytes, std::size_t at, const Header& header) {
    std::memcpy(bytes.data() + at, &header, sizeof header);
}

// The Internet checksum (RFC 1071) over the given bytes, from what was summed before.
std::uint32_t sum(std::span<const std::uint8_t> bytes, std::uint32_t before = 0) {
    std::uint32_t total = before;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        total += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8U : bytes[i];
    return total;
}

std::uint16_t folded(std::uint32_t total) {
    while (total > 0xffff) total = (total & 0xffffU) + (total >> 16U);
    return htons(static_cast<std::uint16_t>(~total));
}

void write_ip_checksum(Bytes& bytes) {
    auto header = read<iphdr>(bytes, 0);
    header.check = 0;
    write(bytes, 0, header);
    header.check = folded(sum(std::span(bytes).first(std::size_t{header.ihl} * 4)));
    write(bytes, 0, header);
}

}  // namespace

std::optional<Prefix> Prefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    Prefix prefix;
    const std::string address(text.substr(0, slash));
    prefix.family_ = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
    if (::inet_pton(prefix.family_, address.c_str(), prefix.address_.data()) != 1) return std::nullopt;
    const auto* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, prefix.length_);
    if (error != std::errc{} || rest != end || prefix.length_ > (prefix.family_ == AF_INET ? 32 : 128))
        return std::nullopt;
    return prefix;
}

bool Prefix::holds(int family, std::span<const std::uint8_t> address) const {
    if (family != family_) return false;
    const std::size_t whole = length_ / 8;
    if (!std::equal(address_.begin(), address_.begin() + static_cast<std::ptrdiff_t>(whole), address.begin()))
        return false;
    const unsigned rest = length_ % 8;
    return rest == 0 || ((address_[whole] ^ address[whole]) >> (8U - rest)) == 0;
}

std::optional<Packet> Packet::of(Bytes bytes) {
    Packet packet(std::move(bytes));
    const auto& raw = packet.bytes_;
    if (raw.empty()) return std::nullopt;
    if (const auto version = raw[0] >> 4U; version == 4 && raw.size() >= sizeof(iphdr)) {
        const auto header = read<iphdr>(raw, 0);
        packet.payload_ = std::size_t{header.ihl} * 4;
        packet.protocol_ = header.protocol;
    } else if (version == 6 && raw.size() >= sizeof(ipv6hdr)) {
        packet.family_ = AF_INET6;
        packet.payload_ = sizeof(ipv6hdr);
        packet.protocol_ = read<ipv6hdr>(raw, 0).nexthdr;
    } else {
        return std::nullopt;
    }
    if (packet.payload_ < sizeof(iphdr) || packet.payload_ > raw.size()) return std::nullopt;
    return packet;
}

std::span<const std::uint8_t> Packet::source() const {
    const auto all = std::span(bytes_);
    return family_ == AF_INET ? all.subspan(offsetof(iphdr, saddr), 4)
                              : all.subspan(offsetof(ipv6hdr, saddr), 16);
}

std::span<const std::uint8_t> Packet::destination() const {
    const auto all = std::span(bytes_);
    return family_ == AF_INET ? all.subspan(offsetof(iphdr, daddr), 4)
                              : all.subspan(offsetof(ipv6hdr, daddr), 16);
}

bool Packet::multicast() const {
    const auto first = destination()[0];
    return family_ == AF_INET ? first >> 4U == 14 : first == 0xff;
}

bool Packet::has_tcp() const {
    return protocol_ == IPPROTO_TCP && bytes_.size() >= payload_ + sizeof(tcphdr) &&
           bytes_.size() >= payload_ + std::size_t{read<tcphdr>(bytes_, payload_).doff} * 4;
}

std::size_t Packet::tcp_data() const {
    if (!has_tcp()) return 0;
    return bytes_.size() - payload_ - std::size_t{read<tcphdr>(bytes_, payload_).doff} * 4;
}

bool Packet::carries(std::string_view text) const {
    const auto data = std::span(bytes_).last(tcp_data());
    return !std::ranges::search(data, text).empty();
}

bool Packet::takes_sequence() const {
    if (!has_tcp()) return false;
    const auto header = read<tcphdr>(bytes_, payload_);
    return header.syn != 0 || header.fin != 0 || tcp_data() > 0;
}

int Packet::ttl() const {
    return family_ == AF_INET ? read<iphdr>(bytes_, 0).ttl : read<ipv6hdr>(bytes_, 0).hop_limit;
}

void Packet::set_ttl(int ttl) {
    const auto value = static_cast<std::uint8_t>(std::clamp(ttl, 1, 255));
    if (family_ == AF_INET) {
        bytes_[offsetof(iphdr, ttl)] = value;
        write_ip_checksum(bytes_);
    } else {
        bytes_[offsetof(ipv6hdr, hop_limit)] = value;
    }
}

void Packet::flip(std::uint32_t which_bit) {
    const std::size_t bits = (bytes_.size() - payload_) * 8;
    if (bits == 0) return;
    const std::size_t bit = which_bit % bits;
    bytes_[payload_ + bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
}

Packet Packet::reset(bool back, int ttl) const {
    const std::size_t network = family_ == AF_INET ? sizeof(iphdr) : sizeof(ipv6hdr);
    Packet made(Bytes(network + sizeof(tcphdr)));
    made.family_ = family_;
    made.protocol_ = IPPROTO_TCP;
    made.payload_ = network;

    const auto from = back ? destination() : source();
    const auto to = back ? source() : destination();
    if (family_ == AF_INET) {
        iphdr header{};
        header.version = 4;
        header.ihl = 5;
        header.tot_len = htons(static_cast<std::uint16_t>(made.bytes_.size()));
        header.protocol = IPPROTO_TCP;
        std::memcpy(&header.saddr, from.data(), from.size());
        std::memcpy(&header.daddr, to.data(), to.size());
        write(made.bytes_, 0, header);
    } else {
        ipv6hdr header{};
        header.version = 6;
        header.payload_len = htons(sizeof(tcphdr));
        header.nexthdr = IPPROTO_TCP;
        std::memcpy(&header.saddr, from.data(), from.size());
        std::memcpy(&header.daddr, to.data(), to.size());
        write(made.bytes_, 0, header);
    }

    const auto segment = read<tcphdr>(bytes_, payload_);
    const auto behind = htonl(ntohl(segment.seq) + static_cast<std::uint32_t>(tcp_data()));
    tcphdr tcp{};
    tcp.source = back ? segment.dest : segment.source;
    tcp.dest = back ? segment.source : segment.dest;
    tcp.seq = back ? segment.ack_seq : segment.seq;
    tcp.ack_seq = back ? behind : segment.ack_seq;
    tcp.doff = sizeof(tcphdr) / 4;
    tcp.rst = 1;
    tcp.ack = 1;
    write(made.bytes_, network, tcp);
    const auto pseudo = sum(from, sum(to, IPPROTO_TCP + static_cast<std::uint32_t>(sizeof(tcphdr))));
    tcp.check = folded(sum(std::span(made.bytes_).subspan(network), pseudo));
    write(made.bytes_, network, tcp);
    made.set_ttl(ttl);
    return made;
}

}  // namespace netwatch::lab
