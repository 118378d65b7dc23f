// SPDX-License-Identifier: Apache-2.0
// One direction of a TLS connection from its first byte on, as far as it was seen: put together from segments
// that come in any order, twice or overlapping, and taken apart into records and the messages in them.
//
//     stream.add(offset, bytes);
//     while (const auto item = stream.next()) …
//
// The framing alone is read here (RFC 8446, 5.1: type, version, length): no library takes in a connection
// that it is no end of. Bounded: what does not fit makes the stream malformed. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "context/byte_reader.h"

namespace netwatch::context {

struct TlsItem {
    enum class Kind : std::uint8_t {
        message,        // of the handshake, whole; a Certificate up to the end of its first certificate
        alert,          // in plain text: level and description
        change_cipher,  // up to TLS 1.2 what follows is encrypted
        hidden,         // an encrypted record: its type and length are known
        plain,          // the stream is not TLS; its first bytes
        malformed,      // nothing more comes
    };
    Kind kind = Kind::malformed;
    std::uint8_t type = 0;     // of the record; of the message
    std::uint32_t length = 0;  // of a hidden record
    Bytes bytes = {};          // valid until the next call
};

enum class TlsRecordType : std::uint8_t { change_cipher = 20, alert = 21, handshake = 22, data = 23 };

class TlsStream {
public:
    // Bytes of the stream that begin at `offset`.
    void add(std::uint32_t offset, Bytes bytes);
    // The next thing that is complete; nothing until more has come.
    [[nodiscard]] std::optional<TlsItem> next();
    // From TLS 1.3 on, encrypted records are all of the type data.
    void set_tls13() { tls13_ = true; }
    [[nodiscard]] bool begun() const { return position_ > 0; }
    // Bytes held.
    [[nodiscard]] std::size_t size() const;

private:
    static constexpr std::size_t most_early = 16;         // pieces that came before their turn
    static constexpr std::size_t most_bytes = 24U << 10;  // held: more than the kernel's part hands on
    static constexpr std::size_t most_message = 16U << 10;
    static constexpr std::uint32_t most_record = (16U << 10) + 2048;
    static constexpr std::size_t frame_bytes = 5;
    static constexpr std::size_t message_header_bytes = 4;

    [[nodiscard]] TlsItem fail();
    void join_early();
    // How many bytes the next step needs.
    [[nodiscard]] std::size_t wanted() const;
    [[nodiscard]] std::optional<TlsItem> open_record();
    [[nodiscard]] std::optional<TlsItem> read_body();
    [[nodiscard]] std::optional<TlsItem> next_message();
    Bytes consume(std::size_t count);

    std::vector<std::byte> ready_;  // in order, not yet read
    std::size_t read_ = 0;          // of them
    std::uint32_t position_ = 0;    // where the next byte in order begins
    std::map<std::uint32_t, std::vector<std::byte>> early_;
    std::vector<std::byte> message_;  // of the handshake, as far as it has come
    std::size_t taken_ = 0;           // of `message_`, told
    std::size_t message_left_ = 0;    // of one that was told before its end
    TlsRecordType type_ = TlsRecordType::handshake;
    std::size_t body_left_ = 0;  // of the record
    bool hidden_body_ = false;
    bool in_order_ = true;  // false: it cannot be put together
    bool first_ = true;
    bool encrypted_ = false;
    bool tls13_ = false;
    bool over_ = false;
};

}  // namespace netwatch::context
