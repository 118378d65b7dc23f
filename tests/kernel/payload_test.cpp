// SPDX-License-Identifier: Apache-2.0
// The bytes that the sensor hands on: DNS messages as their client sees them, the beginnings of connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "kernel/sensor_fixture.h"

namespace netwatch::sensor {
namespace {

using namespace netwatch::testing;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint8_t answer_flag = 0x80;

// A message with one question for the root, and `more` bytes of whatever behind it.
std::string dns_message(std::uint8_t flags, std::size_t more = 0) {
    std::string message(12, '\0');
    message[0] = 0x12;
    message[1] = 0x34;
    message[2] = static_cast<char>(flags);
    message[5] = 1;
    message += std::string("\0\0\x01\0\x01", 5);
    for (std::size_t at = 0; at < more; ++at) message += static_cast<char>(at);
    return message;
}

std::string tls_record(std::uint8_t type, std::size_t bytes) {
    std::string record{static_cast<char>(type), '\x03', '\x01', static_cast<char>(bytes >> 8),
                       static_cast<char>(bytes)};
    for (std::size_t at = 0; at < bytes; ++at) record += static_cast<char>(at * 7);
    return record;
}

class PayloadTest : public SensorTest {
protected:
    void open_or_skip(SensorOptions options = {}) {
        open(std::move(options));
        if (!sees("DNS messages")) GTEST_SKIP() << "this kernel does not show: DNS messages";
    }
    // The bytes of one direction of one end, put together.
    std::string stream(std::uint8_t direction, std::uint8_t passive) const {
        std::string bytes;
        for (const auto& part : all<netwatch_payload>()) {
            if (part.direction != direction || part.passive != passive) continue;
            EXPECT_LE(part.captured, sizeof part.bytes);
            if (bytes.size() < part.offset + part.captured) bytes.resize(part.offset + part.captured);
            std::copy_n(part.bytes, part.captured, bytes.begin() + part.offset);
        }
        return bytes;
    }
};

template <typename Address>
core::Fd bind_udp(const Address& address) {
    core::Fd socket(::socket(generic(address)->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(socket.get(), generic(address), sizeof address), 0);
    return socket;
}

template <typename Address>
void ask_and_answer(const core::Fd& server, const core::Fd& client, const Address& address,
                    const std::string& question, const std::string& answer) {
    ASSERT_EQ(::sendto(client.get(), question.data(), question.size(), 0, generic(address), sizeof address),
              static_cast<ssize_t>(question.size()));
    char buffer[8192];
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    ASSERT_GT(::recvfrom(server.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &length),
              0);
    ASSERT_EQ(
        ::sendto(server.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length),
        static_cast<ssize_t>(answer.size()));
    ASSERT_GT(::recv(client.get(), buffer, sizeof buffer, 0), 0);
}

TEST_F(PayloadTest, HandsOnAQuestionWithWhoAskedAndItsAnswer) {
    open_or_skip();
    const auto address = ipv4("127.0.0.53", 53);
    const auto server = bind_udp(address);
    const core::Fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ask_and_answer(server, client, address, dns_message(1), dns_message(answer_flag));
    drain();

    const auto parts = all<netwatch_payload>();
    ASSERT_THAT(parts, SizeIs(2)) << "the server's end is not told";
    EXPECT_EQ(parts[0].direction, NETWATCH_DIRECTION_SENT);
    EXPECT_EQ(parts[1].direction, NETWATCH_DIRECTION_RECEIVED);
    expect_own_process(parts[0].process);
    EXPECT_EQ(parts[1].process.pid, 0U);
    EXPECT_EQ(parts[0].sock, parts[1].sock);
    for (const auto& part : parts) {
        EXPECT_EQ(part.header.netns, netns_);
        EXPECT_EQ(model::remote_endpoint(part.tuple).to_string(), "127.0.0.53:53/udp");
        EXPECT_EQ(model::local_endpoint(part.tuple).ip.to_string(), "127.0.0.1");
        EXPECT_EQ(part.tuple.local_port, parts[0].tuple.local_port);
        EXPECT_EQ(part.length, 17U);
        EXPECT_EQ(part.captured, 17U);
    }
    expect_balanced_books();
}

TEST_F(PayloadTest, HandsOnLongMessagesOverIpv6InParts) {
    open_or_skip();
    const auto address = ipv6("::1", 53);
    const auto server = bind_udp(address);
    const auto client = connect_to(address, SOCK_DGRAM);
    const auto answer = dns_message(answer_flag, 1300);
    ask_and_answer(server, client.socket, address, dns_message(1), answer);
    drain();

    EXPECT_EQ(stream(NETWATCH_DIRECTION_RECEIVED, 0), answer);
    const auto parts = all<netwatch_payload>();
    ASSERT_THAT(parts, SizeIs(4));
    EXPECT_EQ(parts[3].length, answer.size());
    EXPECT_EQ(parts[3].offset, 1024U);
    EXPECT_EQ(model::remote_endpoint(parts[3].tuple).to_string(), "[::1]:53/udp");
}

TEST_F(PayloadTest, WhatIsNoDnsOnItsPortIsCountedAndNotTold) {
    open_or_skip();
    const auto address = ipv4("127.0.0.1", 53);
    const auto server = bind_udp(address);
    const core::Fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ask_and_answer(server, client, address, std::string(100, 'x'), std::string(5, 'y'));
    drain();
    EXPECT_THAT(all<netwatch_payload>(), IsEmpty());
    EXPECT_EQ(accounts()[NETWATCH_RECORD_PAYLOAD].filtered, 2U);
}

TEST_F(PayloadTest, HandsOnTheBeginningsOfBothDirectionsAtBothEnds) {
    open_or_skip();
    if (!sees("TLS handshakes")) GTEST_SKIP() << "this kernel does not show: TLS handshakes";
    const auto address = ipv4("127.0.0.1", 8443);
    const auto listener = listen_on(address);
    const auto client = connect_to(address);
    const core::Fd server(::accept(listener.get(), nullptr, nullptr));
    const auto hello = tls_record(22, 1700);
    const auto answer = tls_record(22, 9000) + tls_record(23, 60000);
    // in two pieces, as a hello that does not fit one segment
    ASSERT_EQ(::write(client.socket.get(), hello.data(), 1000), 1000);
    ASSERT_EQ(::write(client.socket.get(), hello.data() + 1000, hello.size() - 1000), 705);
    ASSERT_EQ(::write(server.get(), answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    std::string got(answer.size(), '\0');
    for (std::size_t at = 0; at < got.size();) {
        const auto length = ::read(client.socket.get(), got.data() + at, got.size() - at);
        ASSERT_GT(length, 0);
        at += static_cast<std::size_t>(length);
    }
    drain();

    EXPECT_EQ(stream(NETWATCH_DIRECTION_SENT, 0), hello);
    EXPECT_EQ(stream(NETWATCH_DIRECTION_RECEIVED, 1), hello);
    EXPECT_EQ(stream(NETWATCH_DIRECTION_SENT, 1), answer.substr(0, 8192));
    EXPECT_EQ(stream(NETWATCH_DIRECTION_RECEIVED, 0), answer.substr(0, 8192));
    for (const auto& part : all<netwatch_payload>()) expect_own_process(part.process);
    expect_balanced_books();
}

// A connection over which both ends say in turn what a test has them say.
struct Conversation {
    core::Fd listener;
    Connecting client;
    core::Fd server;

    void says(const core::Fd& from, const core::Fd& to, const std::string& what) const {
        ASSERT_EQ(::write(from.get(), what.data(), what.size()), static_cast<ssize_t>(what.size()));
        std::string got(what.size(), '\0');
        for (std::size_t at = 0; at < got.size();) {
            const auto length = ::read(to.get(), got.data() + at, got.size() - at);
            ASSERT_GT(length, 0);
            at += static_cast<std::size_t>(length);
        }
    }
    void client_says(const std::string& what) const { says(client.socket, server, what); }
    void server_says(const std::string& what) const { says(server, client.socket, what); }
};

template <typename Address>
Conversation converse(const Address& address) {
    Conversation made{listen_on(address), {}, {}};
    made.client = connect_to(address);
    made.server = core::Fd(::accept(made.listener.get(), nullptr, nullptr));
    return made;
}

class HandshakeTest : public PayloadTest {
protected:
    // What was handed on of each direction is the same at both ends.
    void expect_handed_on(const std::string& of_client, const std::string& of_server) {
        drain();
        for (const bool passive : {false, true}) {
            const auto by_client = passive ? NETWATCH_DIRECTION_RECEIVED : NETWATCH_DIRECTION_SENT;
            const auto by_server = passive ? NETWATCH_DIRECTION_SENT : NETWATCH_DIRECTION_RECEIVED;
            EXPECT_EQ(stream(by_client, passive), of_client) << "passive " << passive;
            EXPECT_EQ(stream(by_server, passive), of_server) << "passive " << passive;
        }
        expect_balanced_books();
    }

    static constexpr std::size_t header_bytes = 5;
    const std::string hello = tls_record(22, 300);
    const std::string change_cipher = tls_record(20, 1);
    const std::string flight13 = tls_record(22, 122) + tls_record(20, 1) + tls_record(23, 2000);
    const std::string finished13 = tls_record(20, 1) + tls_record(23, 53);
    const std::string request = tls_record(23, 90);
    const std::string ticket = tls_record(23, 250);
    const std::string answer = tls_record(23, 7000);
};

#define TLS_OR_SKIP() \
    open_or_skip();   \
    if (!sees("TLS handshakes")) GTEST_SKIP() << "this kernel does not show: TLS handshakes"

TEST_F(HandshakeTest, Tls13EndsWithTheAnswerAfterTheClientsData) {
    TLS_OR_SKIP();
    const auto both = converse(ipv4("127.0.0.1", 8443));
    both.client_says(hello);
    both.server_says(flight13);
    both.client_says(finished13);
    both.client_says(request);
    both.server_says(answer);
    both.client_says(request);
    both.server_says(answer);
    expect_handed_on(hello + finished13 + request, flight13 + answer.substr(0, header_bytes));
}

TEST_F(HandshakeTest, Tls13EndsWithTheClientsDataAfterTickets) {
    TLS_OR_SKIP();
    const auto both = converse(ipv6("::1", 8443));
    both.client_says(hello);
    both.server_says(flight13);
    both.client_says(finished13);
    both.server_says(ticket + ticket);
    both.client_says(tls_record(23, 3000));
    both.server_says(answer);
    expect_handed_on(hello + finished13 + tls_record(23, 3000).substr(0, header_bytes),
                     flight13 + ticket + ticket);
}

// Early data is not the client's Finished; EmptyCertificate is not, either.
TEST_F(HandshakeTest, Tls13EndsNotBeforeTheClientsFinished) {
    TLS_OR_SKIP();
    const auto both = converse(ipv4("127.0.0.1", 8443));
    const auto empty_certificate = tls_record(23, 25);
    both.client_says(hello + change_cipher + request + request);
    both.server_says(flight13);
    both.client_says(empty_certificate + tls_record(23, 53));
    both.server_says(ticket);
    both.server_says(tls_record(23, 19));
    expect_handed_on(hello + change_cipher + request + request + empty_certificate + tls_record(23, 53),
                     flight13 + ticket + tls_record(23, 19));
}

TEST_F(HandshakeTest, ASecondHelloIsNoFinished) {
    TLS_OR_SKIP();
    const auto both = converse(ipv4("127.0.0.1", 8443));
    const auto retry = tls_record(22, 88) + change_cipher;
    const auto flight = tls_record(22, 122) + tls_record(23, 1000);
    const auto again = change_cipher + tls_record(22, 330);
    both.client_says(hello);
    both.server_says(retry);
    both.client_says(again);
    both.server_says(flight);
    both.client_says(tls_record(23, 53));
    both.server_says(ticket);
    both.client_says(request);
    both.server_says(answer);
    expect_handed_on(hello + again + tls_record(23, 53) + request.substr(0, header_bytes),
                     retry + flight + ticket);
}

TEST_F(HandshakeTest, Tls12EndsWithTheFirstData) {
    TLS_OR_SKIP();
    const auto both = converse(ipv4("127.0.0.1", 8443));
    const auto keys = tls_record(22, 70) + change_cipher + tls_record(22, 40);
    const auto finished = change_cipher + tls_record(22, 40);
    both.client_says(hello);
    both.server_says(tls_record(22, 3000));
    both.client_says(keys);
    both.server_says(finished);
    both.client_says(request);
    both.server_says(answer);
    expect_handed_on(hello + keys + request.substr(0, header_bytes), tls_record(22, 3000) + finished);
}

TEST_F(PayloadTest, AnAlertInAnswerToPlainTextIsHandedOn) {
    open_or_skip();
    if (!sees("TLS handshakes")) GTEST_SKIP() << "this kernel does not show: TLS handshakes";
    const auto address = ipv6("::1", 9443);
    const auto listener = listen_on(address);
    const auto client = connect_to(address);
    const core::Fd server(::accept(listener.get(), nullptr, nullptr));
    ASSERT_EQ(::write(client.socket.get(), "GET / HTTP/1.0\r\n\r\n", 18), 18);
    const auto alert = tls_record(21, 2);
    ASSERT_EQ(::write(server.get(), alert.data(), alert.size()), 7);
    char buffer[64];
    ASSERT_EQ(::read(client.socket.get(), buffer, sizeof buffer), 7);
    drain();
    EXPECT_EQ(stream(NETWATCH_DIRECTION_RECEIVED, 0), alert);
    EXPECT_EQ(stream(NETWATCH_DIRECTION_SENT, 0), "");
}

TEST_F(PayloadTest, NothingIsReadWhereBothWatchesAreOff) {
    SensorOptions options;
    options.watches = {.dns = false, .tls = false};
    open(options);
    EXPECT_FALSE(sees("DNS messages"));
    EXPECT_FALSE(sees("TLS handshakes"));
    const auto address = ipv4("127.0.0.1", 53);
    const auto server = bind_udp(address);
    const core::Fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ask_and_answer(server, client, address, dns_message(1), dns_message(answer_flag));
    drain();
    EXPECT_THAT(all<netwatch_payload>(), IsEmpty());
    EXPECT_EQ(accounts()[NETWATCH_RECORD_PAYLOAD].seen, 0U);
}

}  // namespace
}  // namespace netwatch::sensor
