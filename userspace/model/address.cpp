// SPDX-License-Identifier: Apache-2.0
#include "model/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace netwatch::model {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_head{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

std::uint64_t mixed(std::uint64_t value) {
    value *= 0x9e3779b97f4a7c15ULL;
    return value ^ (value >> 32);
}

std::size_t hash_of(const IpAddress& ip, std::uint64_t seed) {
    const auto [high, low] = ip.halves();
    return mixed(low ^ mixed(high ^ mixed(seed)));
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.contains('\0')) return std::nullopt;  // C functions would stop there
    const std::string copy(text);
    IpAddress ip;
    if (inet_pton(AF_INET6, copy.c_str(), ip.bytes_.data()) == 1) return ip;
    std::ranges::copy(mapped_head, ip.bytes_.begin());
    if (inet_pton(AF_INET, copy.c_str(), ip.bytes_.data() + mapped_head.size()) == 1) return ip;
    return std::nullopt;
}

bool IpAddress::is_unspecified() const {
    const auto host = is_v4() ? std::span(bytes_).subspan(12) : std::span<const std::uint8_t>(bytes_);
    return std::ranges::all_of(host, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
    if (is_v4()) return bytes_[12] == 127;
    return bytes_[15] == 1 &&
           std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; });
}

std::string IpAddress::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_v4()) {
        inet_ntop(AF_INET, bytes_.data() + mapped_head.size(), text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
    }
    return text.data();
}

Prefix Prefix::of(const IpAddress& ip, std::uint8_t bits) {
    auto bytes = ip.bytes();
    const unsigned kept = bits + (ip.is_v4() ? 96U : 0U);
    const unsigned whole = std::min<unsigned>(kept / 8, bytes.size());
    if (whole < bytes.size()) bytes[whole] = static_cast<std::uint8_t>(bytes[whole] & (0xff00U >> kept % 8));
    std::fill(bytes.begin() + std::min<std::size_t>(whole + 1, bytes.size()), bytes.end(), std::uint8_t{0});
    return {IpAddress(bytes), bits};
}

Prefix Prefix::sibling_block(const IpAddress& ip) { return of(ip, ip.is_v4() ? 24 : 64); }

bool Prefix::contains(const IpAddress& ip) const {
    return ip.is_v4() == network.is_v4() && of(ip, bits) == *this;
}

std::string Prefix::to_string() const { return fmt::format("{}/{}", network.to_string(), bits); }

std::string_view to_string(Protocol protocol) { return protocol == Protocol::tcp ? "tcp" : "udp"; }

std::string Endpoint::to_string() const {
    return port == 0 ? ip.to_string() : fmt::format("{}/{}", to_display(), model::to_string(protocol));
}

std::string Endpoint::to_display() const {
    if (port == 0) return ip.to_string();
    return ip.is_v4() ? fmt::format("{}:{}", ip.to_string(), port)
                      : fmt::format("[{}]:{}", ip.to_string(), port);
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
    Endpoint endpoint;
    if (text.ends_with("/tcp") || text.ends_with("/udp")) {
        endpoint.protocol = text.ends_with("/udp") ? Protocol::udp : Protocol::tcp;
        text.remove_suffix(4);
    }
    std::string_view host = text;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        host = text.substr(1, close - 1);
        port = text.substr(close + 1);
        if (!port.empty() && !port.starts_with(':')) return std::nullopt;
        if (port == ":") return std::nullopt;
        if (!port.empty()) port.remove_prefix(1);
    } else if (const auto colon = text.find(':');
               colon != std::string_view::npos && colon == text.rfind(':')) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        if (port.empty()) return std::nullopt;
    }
    const auto ip = IpAddress::parse(host);
    if (!ip) return std::nullopt;
    endpoint.ip = *ip;
    if (port.empty()) return endpoint;
    const auto number = parse_port(port);
    if (!number) return std::nullopt;
    endpoint.port = *number;
    return endpoint;
}

}  // namespace netwatch::model

std::size_t
std::hash<netwatch::model::IpAddress>::operator()(const netwatch::model::IpAddress& ip) const noexcept {
    return netwatch::model::hash_of(ip, 0);
}
std::size_t
std::hash<netwatch::model::Prefix>::operator()(const netwatch::model::Prefix& prefix) const noexcept {
    return netwatch::model::hash_of(prefix.network, prefix.bits);
}
std::size_t
std::hash<netwatch::model::Endpoint>::operator()(const netwatch::model::Endpoint& endpoint) const noexcept {
    return netwatch::model::hash_of(endpoint.ip, (std::uint64_t{endpoint.port} << 8) |
                                                     static_cast<std::uint64_t>(endpoint.protocol));
}
