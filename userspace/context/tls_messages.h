// SPDX-License-Identifier: Apache-2.0
// What the messages of a TLS handshake say that pass in plain text (RFC 8446, RFC 5246): ClientHello by
// libssl, certificates by libcrypto. No library reads a ServerHello that it did not ask for; its few fields
// are read here.
//
//     auto hello = reader.client_hello(message);
//     if (hello) use(hello->sni);
//
// Messages come with their four bytes of header. All bytes are a stranger's: what is malformed gives nothing.
// Names come out in lower case and in printable ASCII; other bytes as \xNN.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "context/byte_reader.h"

struct ssl_ctx_st;
struct ssl_st;

namespace netwatch::context {

struct ClientHello {
    std::string sni;            // empty: none
    std::string alpn;           // "h2,http/1.1"
    std::uint16_t version = 0;  // the highest offered
};

// One thread.
class ClientHelloReader {
public:
    ClientHelloReader();
    ~ClientHelloReader();
    ClientHelloReader(const ClientHelloReader&) = delete;
    ClientHelloReader& operator=(const ClientHelloReader&) = delete;

    [[nodiscard]] std::optional<ClientHello> read(Bytes message);

private:
    struct FreeContext {
        void operator()(ssl_ctx_st* context) const;
    };
    struct FreeConnection {
        void operator()(ssl_st* connection) const;
    };
    static int on_hello(ssl_st* connection, int* alert, void* reader);

    std::unique_ptr<ssl_ctx_st, FreeContext> context_;
    std::unique_ptr<ssl_st, FreeConnection> connection_;
    std::optional<ClientHello> hello_;
};

struct ServerHello {
    std::uint16_t version = 0;  // chosen
    std::uint16_t cipher = 0;
    bool retry = false;  // asks for another ClientHello (RFC 8446, 4.1.4)
};
[[nodiscard]] std::optional<ServerHello> read_server_hello(Bytes message);

// The first certificate of a Certificate message up to TLS 1.2 in DER: the one of who sends it. `message` may
// end behind it. Empty: the sender has none. Nothing: not there yet, or malformed.
[[nodiscard]] std::optional<Bytes> first_certificate(Bytes message);

struct Certificate {
    std::int64_t not_before_s = 0;  // UTC since 1970
    std::int64_t not_after_s = 0;
    bool self_signed = false;
    std::optional<bool> matches;  // is it for the name that was asked for? Nothing: none was
    std::string subject;
    std::string issuer;
    std::string names;  // comma-separated
};
// `name` as the client asked for it; may be empty.
[[nodiscard]] std::optional<Certificate> read_certificate(Bytes der, std::string_view name);

using Fingerprint = std::array<std::uint8_t, 8>;
[[nodiscard]] Fingerprint fingerprint_of(Bytes der);

}  // namespace netwatch::context
