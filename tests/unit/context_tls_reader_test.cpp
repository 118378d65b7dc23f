// SPDX-License-Identifier: Apache-2.0
// The steps that are read off the first bytes of real handshakes, and what does not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "model/record.h"
#include "support/tls_seed.h"

namespace netwatch::context {
namespace {

using support::TlsSeed;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Told {
    std::vector<netwatch_tls_event> events;
    std::vector<netwatch_tls_certificate> certificates;
    [[nodiscard]] TlsReader::Sink sink() {
        return [this](Bytes bytes) {
            const auto record = model::decode(bytes);
            ASSERT_TRUE(record);
            if (const auto* event = std::get_if<netwatch_tls_event>(&*record)) events.push_back(*event);
            if (const auto* one = std::get_if<netwatch_tls_certificate>(&*record))
                certificates.push_back(*one);
        };
    }
    [[nodiscard]] std::vector<int> steps() const {
        std::vector<int> steps;
        for (const auto& event : events) steps.push_back(event.step);
        return steps;
    }
};

std::vector<char> seed_of(const std::string& name) {
    std::ifstream file(NETWATCH_SOURCE_DIR "/tests/fuzz/corpus/tls_reader_fuzz/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return {std::istreambuf_iterator<char>(file), {}};
}

Bytes bytes_of(const std::vector<char>& chars) { return std::as_bytes(std::span(chars)); }

Told told_by(const std::string& name, bool passive = false) {
    Told told;
    TlsReader reader;
    const auto chars = seed_of(name);
    TlsSeed seed(bytes_of(chars), passive);
    while (const auto segment = seed.next()) reader.take(*segment, told.sink());
    EXPECT_EQ(reader.unreadable(), 0U) << name;
    return told;
}

TEST(TlsReader, HandshakesThatSucceed) {
    for (const std::string client : {"openssl", "gnutls"}) {
        const Told old = told_by("good-12-" + client);
        EXPECT_THAT(old.steps(), ElementsAre(NETWATCH_TLS_CLIENT_HELLO, NETWATCH_TLS_SERVER_HELLO,
                                             NETWATCH_TLS_ESTABLISHED));
        EXPECT_EQ(model::text_of(old.events[0].sni), "shop.lab.example");
        EXPECT_EQ(old.events[1].version, 0x0303);
        EXPECT_NE(old.events[1].cipher, 0);
        ASSERT_EQ(old.certificates.size(), 1U);
        EXPECT_EQ(model::text_of(old.certificates[0].names), "shop.lab.example");
        EXPECT_EQ(model::text_of(old.certificates[0].subject), "CN=shop.lab.example");
        EXPECT_EQ(model::text_of(old.certificates[0].issuer), "CN=lab authority");
        EXPECT_EQ(old.certificates[0].flags, NETWATCH_TLS_NAME_MATCHES);

        const Told now = told_by("good-13-" + client);
        EXPECT_THAT(now.steps(), ElementsAre(NETWATCH_TLS_CLIENT_HELLO, NETWATCH_TLS_SERVER_HELLO,
                                             NETWATCH_TLS_CLIENT_DONE, NETWATCH_TLS_ESTABLISHED));
        EXPECT_EQ(now.events[1].version, 0x0304);
        EXPECT_THAT(now.certificates, IsEmpty());
    }
    EXPECT_EQ(model::text_of(told_by("good-13-openssl").events[0].alpn), "h2,http/1.1");
}

TEST(TlsReader, FromEitherEnd) {
    const Told client = told_by("good-13-openssl");
    const Told server = told_by("good-13-openssl", true);
    EXPECT_EQ(client.steps(), server.steps());
    EXPECT_EQ(server.events[0].by_client, 1);
    EXPECT_EQ(server.events[0].passive, 1);
    EXPECT_EQ(server.events[1].by_client, 0);
}

netwatch_tls_event last_of(const std::string& name) { return told_by(name).events.back(); }

TEST(TlsReader, Alerts) {
    // OpenSSL's clients do not encrypt theirs in TLS 1.3 either: they have no keys yet.
    for (const char* name : {"expired-12-openssl", "expired-13-openssl"}) {
        const auto event = last_of(name);
        EXPECT_EQ(event.step, NETWATCH_TLS_ALERT) << name;
        EXPECT_EQ(event.alert, 45) << name;
        EXPECT_EQ(event.by_client, 1) << name;
    }
    EXPECT_EQ(last_of("unknown-ca-12-openssl").alert, 48);
    const auto version = last_of("version-12-openssl");
    EXPECT_EQ(version.alert, 70);
    EXPECT_EQ(version.by_client, 0);
    const auto none = last_of("no-certificate-12-openssl");
    EXPECT_EQ(none.alert, 40);
    EXPECT_EQ(none.flags, NETWATCH_TLS_ASKED_CERTIFICATE | NETWATCH_TLS_EMPTY_CERTIFICATE);
}

TEST(TlsReader, HiddenAlerts) {
    const auto client = last_of("expired-13-gnutls");
    EXPECT_EQ(client.step, NETWATCH_TLS_HIDDEN_ALERT);
    EXPECT_EQ(client.by_client, 1);
    const auto server = last_of("no-certificate-13-openssl");
    EXPECT_EQ(server.step, NETWATCH_TLS_HIDDEN_ALERT);
    EXPECT_EQ(server.by_client, 0);
    EXPECT_EQ(server.flags, NETWATCH_TLS_EMPTY_CERTIFICATE);
    // curl checks the name itself, after the handshake, and leaves.
    const Told name = told_by("other-name-12-openssl");
    EXPECT_EQ(name.certificates.at(0).flags, NETWATCH_TLS_NAME_DIFFERS);
    EXPECT_THAT(name.steps(), ElementsAre(NETWATCH_TLS_CLIENT_HELLO, NETWATCH_TLS_SERVER_HELLO,
                                          NETWATCH_TLS_ESTABLISHED, NETWATCH_TLS_HIDDEN_ALERT));
}

TEST(TlsReader, SegmentsInAnyOrderTwiceAndOverlapping) {
    for (const char* name : {"good-12-openssl", "expired-12-openssl", "no-certificate-13-openssl"}) {
        const auto chars = seed_of(name);
        TlsSeed seed(bytes_of(chars));
        TlsReader reader;
        Told told;
        while (const auto segment = seed.next()) {
            // In pieces of 11 bytes, the second half first, with one byte of the piece before.
            std::vector<TlsSegment> pieces;
            for (std::size_t at = 0; at < segment->bytes.size(); at += 11) {
                TlsSegment piece = *segment;
                const std::size_t from = at - std::min<std::size_t>(at, 1);
                piece.offset += static_cast<std::uint32_t>(from);
                piece.bytes =
                    segment->bytes.subspan(from, std::min<std::size_t>(12, segment->bytes.size() - from));
                pieces.push_back(piece);
            }
            for (std::size_t i = 1; i < pieces.size(); i += 2) std::swap(pieces[i - 1], pieces[i]);
            if (pieces.front().offset != 0 && segment->offset == 0) std::swap(pieces[0], pieces[1]);
            for (const TlsSegment& piece : pieces) reader.take(piece, told.sink());
        }
        EXPECT_EQ(told.steps(), told_by(name).steps()) << name;
    }
}

TlsSegment segment_of(const std::string& text, bool by_client, std::uint32_t offset = 0,
                      std::uint64_t sock = 1) {
    return {.at_ns = 1,
            .sock = sock,
            .sent = by_client,
            .offset = offset,
            .bytes = std::as_bytes(std::span(text.data(), text.size()))};
}

TEST(TlsReader, PlainText) {
    const auto chars = seed_of("expired-12-openssl");
    TlsSeed seed(bytes_of(chars));
    TlsReader reader;
    Told told;
    reader.take(*seed.next(), told.sink());
    const std::string answer = "HTTP/1.1 400 Bad Request\r\n";
    reader.take(segment_of(answer, false), told.sink());
    EXPECT_EQ(told.events.back().step, NETWATCH_TLS_PLAINTEXT);
    EXPECT_EQ(told.events.back().http_status, 400);
    EXPECT_EQ(told.events.back().by_client, 0);
    EXPECT_EQ(reader.followed(), 0U);

    // A client that does not speak TLS where the server does.
    const std::string request = "GET / HTTP/1.1\r\n\r\n";
    const std::string alert("\x15\x03\x01\x00\x02\x02\x46", 7);
    reader.take(segment_of(request, true), told.sink());
    reader.take(segment_of(alert, false), told.sink());
    EXPECT_EQ(told.events.back().step, NETWATCH_TLS_ALERT);
    EXPECT_EQ(told.events.back().version, 0);
    EXPECT_EQ(told.events.back().by_client, 0);
}

TEST(TlsReader, TwoEndsOfPlainTextAreNothing) {
    TlsReader reader;
    Told told;
    const std::string request = "GET / HTTP/1.1\r\n\r\n";
    const std::string answer = "HTTP/1.1 200 OK\r\n\r\n";
    reader.take(segment_of(request, true), told.sink());
    reader.take(segment_of(answer, false), told.sink());
    EXPECT_THAT(told.events, IsEmpty());
    EXPECT_EQ(reader.followed(), 0U);
}

TEST(TlsReader, WhatIsNoHandshakeIsCountedOnce) {
    const std::string bad[] = {
        std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10),      // a ClientHello of one byte
        std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\x63", 11),  // and no record after it
        std::string("\x16\x03\x01\xff\xff", 5),                           // a record too long
        std::string("\x15\x03\x01\x00\x05\x01\x00\x00\x01\x00", 10),      // an alert of five bytes
    };
    for (const std::string& bytes : bad) {
        TlsReader reader;
        Told told;
        const std::string begin =
            bytes[3] == '\xff' ? std::string("\x14\x03\x01\x00\x01\x01", 6) : std::string();
        reader.take(segment_of(begin + bytes, true), told.sink());
        ASSERT_EQ(told.steps(), std::vector<int>{NETWATCH_TLS_UNREADABLE});
        EXPECT_EQ(reader.unreadable(), 1U);
        EXPECT_EQ(reader.seen(), 1U);
        EXPECT_EQ(reader.followed(), 0U);
    }
}

TEST(TlsReader, EndlessMessagesAreBounded) {
    TlsReader reader;
    Told told;
    const std::string head("\x16\x03\x03\x40\x00\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                           15);  // a Certificate of 16 MiB
    const std::string body(1'000, 'x');
    reader.take(segment_of(head, false), told.sink());
    std::uint32_t offset = 15;
    for (int i = 0; i < 40 && reader.followed() > 0; ++i) {
        reader.take(segment_of(body, false, offset), told.sink());
        offset += 1'000;
    }
    EXPECT_EQ(told.steps(), std::vector<int>{NETWATCH_TLS_UNREADABLE});
    // Holes without end.
    for (std::uint32_t i = 1; i < 40; ++i) {
        if (i == 1) reader.take(segment_of(head, false, 0, 2), told.sink());
        reader.take(segment_of(body, false, 15 + 2'000 * i, 2), told.sink());
    }
    EXPECT_EQ(reader.followed(), 0U);
    EXPECT_EQ(reader.unreadable(), 2U);
}

TEST(TlsReader, ManyConnectionsAreBounded) {
    TlsReader reader;
    Told told;
    const std::string begin("\x16\x03\x01", 3);
    for (std::uint64_t sock = 1; sock < 9'000; ++sock)
        reader.take(segment_of(begin, true, 0, sock), told.sink());
    EXPECT_EQ(reader.followed(), 8'192U);
    EXPECT_EQ(reader.refused(), 9'000U - 1 - 8'192);
    EXPECT_EQ(reader.seen(), 9'000U - 1);
    reader.forget(5);
    EXPECT_EQ(reader.followed(), 8'191U);
}

// The name of a real ClientHello made hostile, byte for byte.
TEST(TlsReader, HostileNamesAreEscaped) {
    auto chars = seed_of("expired-12-openssl");
    const std::string name = "shop.lab.example";
    const std::string evil = "\x1b[2J\"><a,b\n.exe\xff";
    ASSERT_EQ(name.size(), evil.size());
    const auto at = std::search(chars.begin(), chars.end(), name.begin(), name.end());
    ASSERT_NE(at, chars.end());
    std::copy(evil.begin(), evil.end(), at);
    TlsSeed seed(bytes_of(chars));
    TlsReader reader;
    Told told;
    reader.take(*seed.next(), told.sink());
    ASSERT_FALSE(told.events.empty());
    EXPECT_EQ(model::text_of(told.events[0].sni), "\\x1b[2j\"><a\\x2cb\\x0a.exe\\xff");
}

TEST(TlsReader, ACertificateIsToldOnceAMinute) {
    TlsReader reader;
    Told told;
    const auto chars = seed_of("good-12-openssl");
    for (const std::uint64_t after_s : {0U, 30U, 61U}) {
        TlsSeed seed(bytes_of(chars));
        while (auto segment = seed.next()) {
            segment->sock = after_s + 1;
            segment->at_ns += after_s * 1'000'000'000;
            reader.take(*segment, told.sink());
        }
    }
    EXPECT_EQ(told.certificates.size(), 2U);
}

}  // namespace
}  // namespace netwatch::context
