// SPDX-License-Identifier: Apache-2.0
// From the first bytes of connections to the steps of their TLS handshakes: PAYLOAD in, TLS_EVENT and
// TLS_CERTIFICATE out.
//
//     TlsReader reader;
//     reader.take(segment, [&](std::span<const std::byte> record) { … });
//     reader.forget(sock);                              // the connection is over
//
// Nothing is decrypted. What is malformed or does not fit is told as UNREADABLE, once for a connection, and
// counted. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

#include "context/tls_messages.h"
#include "context/tls_stream.h"
#include "netwatch/abi/record.h"

namespace netwatch::context {

// A part of one direction of a connection.
struct TlsSegment {
    std::uint64_t at_ns = 0;
    std::uint32_t netns = 0;
    std::uint64_t sock = 0;
    netwatch_tuple tuple{};
    bool passive = false;  // this host is the server
    bool sent = false;     // by this host
    std::uint32_t offset = 0;
    Bytes bytes;
};

class TlsReader {
public:
    using Sink = std::function<void(Bytes)>;  // one record; valid during the call

    void take(const TlsSegment& segment, const Sink& sink);
    void forget(std::uint64_t sock) { drop(sock); }

    // Connections that could not be read: malformed, out of bounds.
    [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
    // Connections not followed for want of room.
    [[nodiscard]] std::uint64_t refused() const { return refused_; }
    // All that began as a connection with TLS does.
    [[nodiscard]] std::uint64_t seen() const { return begun_ + refused_; }
    [[nodiscard]] std::size_t followed() const { return connections_.size(); }

private:
    static constexpr std::size_t most_connections = 8'192;  // in their handshakes
    static constexpr std::size_t most_bytes = 8U << 20;     // held for all of them
    static constexpr std::size_t most_certificates = 1'024;
    static constexpr std::uint64_t unheard_ns = 60'000'000'000;
    static constexpr std::uint64_t told_again_ns = 60'000'000'000;

    struct Connection {
        TlsStream client;
        TlsStream server;
        std::uint64_t last_ns = 0;
        std::string sni;
        std::uint16_t offered = 0;
        std::uint16_t version = 0;  // 0: none was chosen yet
        std::uint16_t cipher = 0;
        std::uint8_t flags = 0;
        bool greeted = false;  // by a ClientHello
        bool client_ciphers = false;
        bool server_ciphers = false;
        bool client_done = false;
        bool server_done = false;
        bool established = false;
        bool client_sent_data = false;
        bool client_leaves = false;  // after it sent data: it said goodbye
        bool over = false;           // nothing more is to be told
        bool unreadable = false;     // counted as such
        [[nodiscard]] bool tls13() const { return version >= 0x0304; }
    };
    struct Told {
        Fingerprint fingerprint{};
        std::uint64_t at_ns = 0;
    };
    struct Step {  // what is being taken in
        const TlsSegment& segment;
        const Sink& sink;
        bool by_client;
    };

    Connection* find(const TlsSegment& segment);
    void make_room(std::uint64_t now_ns);
    void drop(std::uint64_t sock);
    void take(Connection& connection, const TlsItem& item, const Step& step);
    void take_message(Connection& connection, const TlsItem& item, const Step& step);
    void take_hidden(Connection& connection, const TlsItem& item, const Step& step);
    void take_hidden_of_client(Connection& connection, std::uint32_t length, const Step& step);
    void take_hidden_of_server(Connection& connection, std::uint32_t length, const Step& step);
    void take_hello(Connection& connection, const ClientHello& hello, const Step& step);
    void take_hello(Connection& connection, const ServerHello& hello, const Step& step);
    void take_certificate(Connection& connection, Bytes der, const Step& step);
    void count_unreadable(Connection& connection);
    void establish(Connection& connection, const Step& step);
    void end(Connection& connection, netwatch_tls_event event, const Step& step);
    [[nodiscard]] static netwatch_tls_event event_of(const Connection& connection, netwatch_tls_step what,
                                                     const Step& step);

    ClientHelloReader hellos_;
    std::unordered_map<std::uint64_t, Connection> connections_;                          // by socket
    std::map<std::pair<std::array<std::uint8_t, 18>, std::string>, Told> certificates_;  // by server and name
    std::size_t held_ = 0;
    std::uint64_t begun_ = 0;
    std::uint64_t unreadable_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace netwatch::context
