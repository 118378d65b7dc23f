// SPDX-License-Identifier: Apache-2.0
// Addresses and destinations as values. IPv4 is kept as ::ffff:a.b.c.d, so both families are one type.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace netwatch::model {

class IpAddress {
public:
    IpAddress() = default;
    explicit IpAddress(std::span<const std::uint8_t, 16> bytes) {
        std::memcpy(bytes_.data(), bytes.data(), bytes_.size());
    }

    // Canonical text of either family ("10.1.2.3", "2001:db8::1"); nothing else is accepted.
    [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

    [[nodiscard]] bool is_v4() const {
        constexpr auto mark = std::bit_cast<std::uint32_t>(std::array<std::uint8_t, 4>{0, 0, 0xff, 0xff});
        std::uint32_t before_host = 0;
        std::memcpy(&before_host, bytes_.data() + 8, sizeof(before_host));
        return halves()[0] == 0 && before_host == mark;
    }
    [[nodiscard]] bool is_unspecified() const;
    [[nodiscard]] bool is_loopback() const;
    [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
    // RFC 5952 for IPv6, dotted quad for IPv4 and mapped addresses.
    [[nodiscard]] std::string to_string() const;
    // In the order of their bytes.
    std::strong_ordering operator<=>(const IpAddress& other) const {
        const auto [high, low] = halves();
        const auto [other_high, other_low] = other.halves();
        if (high != other_high) return in_order(high) <=> in_order(other_high);
        return in_order(low) <=> in_order(other_low);
    }
    bool operator==(const IpAddress& other) const { return halves() == other.halves(); }
    // As two words of the host's byte order: for hashes.
    [[nodiscard]] std::array<std::uint64_t, 2> halves() const {
        return std::bit_cast<std::array<std::uint64_t, 2>>(bytes_);
    }

private:
    static std::uint64_t in_order(std::uint64_t word) {
        return std::endian::native == std::endian::little ? std::byteswap(word) : word;
    }
    std::array<std::uint8_t, 16> bytes_{};
};

// An address block. `bits` counts within the family: 0 to 32 for IPv4, 0 to 128 for IPv6.
struct Prefix {
    IpAddress network;
    std::uint8_t bits = 0;

    // The block of that length around an address, host bits cleared.
    [[nodiscard]] static Prefix of(const IpAddress& ip, std::uint8_t bits);
    // The block that siblings are looked for in: /24 or /64.
    [[nodiscard]] static Prefix sibling_block(const IpAddress& ip);
    [[nodiscard]] bool contains(const IpAddress& ip) const;
    [[nodiscard]] std::string to_string() const;
    auto operator<=>(const Prefix&) const = default;
};

enum class Protocol : std::uint8_t { tcp = 6, udp = 17 };
[[nodiscard]] std::string_view to_string(Protocol protocol);

// A remote (or, seen from the server, own) address and port. Port 0: all ports of the address.
struct Endpoint {
    IpAddress ip;
    std::uint16_t port = 0;
    Protocol protocol = Protocol::tcp;

    // "10.1.2.3:443/tcp", "[2001:db8::1]:443/tcp"; without a port the address alone.
    [[nodiscard]] std::string to_string() const;
    // The same without the protocol, as people type it.
    [[nodiscard]] std::string to_display() const;
    // Accepts address, address:port, [v6], [v6]:port, each with an optional /tcp or /udp.
    [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);
    auto operator<=>(const Endpoint&) const = default;
};

}  // namespace netwatch::model

template <>
struct std::hash<netwatch::model::IpAddress> {
    std::size_t operator()(const netwatch::model::IpAddress& ip) const noexcept;
};
template <>
struct std::hash<netwatch::model::Prefix> {
    std::size_t operator()(const netwatch::model::Prefix& prefix) const noexcept;
};
template <>
struct std::hash<netwatch::model::Endpoint> {
    std::size_t operator()(const netwatch::model::Endpoint& endpoint) const noexcept;
};
