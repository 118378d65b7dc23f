// SPDX-License-Identifier: Apache-2.0
// An IP packet as it comes out of a TUN device: the few places of it that the forwarder reads or writes.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace netwatch::lab {

using Bytes = std::vector<std::uint8_t>;

// An IPv4 or IPv6 prefix such as 10.1.2.0/24.
class Prefix {
public:
    // Nothing where the text is none.
    [[nodiscard]] static std::optional<Prefix> parse(std::string_view text);
    [[nodiscard]] bool holds(int family, std::span<const std::uint8_t> address) const;

private:
    int family_ = AF_INET;
    std::array<std::uint8_t, 16> address_{};
    unsigned length_ = 0;
};

class Packet {
public:
    // Nothing where the bytes are not a whole IPv4 or IPv6 packet.
    [[nodiscard]] static std::optional<Packet> of(Bytes bytes);

    [[nodiscard]] const Bytes& bytes() const { return bytes_; }
    [[nodiscard]] int family() const { return family_; }
    [[nodiscard]] std::span<const std::uint8_t> source() const;
    [[nodiscard]] std::span<const std::uint8_t> destination() const;
    [[nodiscard]] bool multicast() const;

    // Bytes of data in a TCP segment; 0 for anything else.
    [[nodiscard]] std::size_t tcp_data() const;
    // That data has the text in it.
    [[nodiscard]] bool carries(std::string_view text) const;
    // A TCP segment that its sender has to send again when it is lost: SYN, FIN or data.
    [[nodiscard]] bool takes_sequence() const;

    [[nodiscard]] int ttl() const;
    void set_ttl(int ttl);
    // Flips one bit behind the network header. The checksum there does not follow: the receiver finds out.
    void flip(std::uint32_t which_bit);

    // RST in the name of either end of this segment: to its sender (`back`), or to its receiver.
    [[nodiscard]] Packet reset(bool back, int ttl) const;

private:
    explicit Packet(Bytes bytes) : bytes_(std::move(bytes)) {}
    [[nodiscard]] bool has_tcp() const;

    Bytes bytes_;
    int family_ = AF_INET;
    std::uint8_t protocol_ = 0;
    std::size_t payload_ = 0;  // where the network header ends
};

}  // namespace netwatch::lab
