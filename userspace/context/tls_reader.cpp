// SPDX-License-Identifier: Apache-2.0
#include "context/tls_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "model/record.h"

namespace netwatch::context {
namespace {

constexpr std::uint8_t client_hello = 1;
constexpr std::uint8_t server_hello = 2;
constexpr std::uint8_t certificate = 11;
constexpr std::uint8_t certificate_request = 13;
constexpr std::uint8_t finished_record = static_cast<std::uint8_t>(TlsRecordType::handshake);
constexpr std::uint8_t data_record = static_cast<std::uint8_t>(TlsRecordType::data);
constexpr std::uint8_t alert_record = static_cast<std::uint8_t>(TlsRecordType::alert);
// Of TLS 1.3, with the type inside and the tag of 16 bytes (RFC 8446, 5.2): an alert, two bytes; a client's
// Certificate without one, four bytes of header and four of empty lists.
constexpr std::uint16_t bad_request = 400;
constexpr std::uint32_t alert_length = 2 + 1 + 16;
constexpr std::uint32_t empty_certificate_length = 8 + 1 + 16;

// Keeps the end of a name that is too long: what tells most of it.
template <std::size_t N>
void set_name(char (&array)[N], std::string_view name) {
    constexpr std::string_view cut = "…";
    if (name.size() < N) return model::set_text(array, name);
    model::set_text(array, cut);
    std::ranges::copy(name.substr(name.size() - (N - 1 - cut.size())), array + cut.size());
}

void set(std::uint8_t& flags, unsigned flag) { flags = static_cast<std::uint8_t>(flags | flag); }

// "HTTP/1.1 400 Bad Request"
std::uint16_t http_status_of(Bytes bytes) {
    constexpr std::string_view begins = "HTTP/1.";
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!text.starts_with(begins) || text.size() < begins.size() + 5) return 0;
    std::uint16_t status = 0;
    const char* digits = text.data() + begins.size() + 2;
    return std::from_chars(digits, digits + 3, status).ec == std::errc() ? status : 0;
}

std::array<std::uint8_t, 18> server_of(const TlsSegment& segment) {
    std::array<std::uint8_t, 18> key{};
    const netwatch_tuple& tuple = segment.tuple;
    std::memcpy(key.data(), segment.passive ? tuple.local_ip : tuple.remote_ip, 16);
    std::memcpy(key.data() + 16, segment.passive ? &tuple.local_port : &tuple.remote_port, 2);
    return key;
}

}  // namespace

// A connection is followed from its first bytes on.
TlsReader::Connection* TlsReader::find(const TlsSegment& segment) {
    const auto known = connections_.find(segment.sock);
    if (known != connections_.end()) return &known->second;
    if (segment.offset != 0) return nullptr;
    if (connections_.size() >= most_connections) make_room(segment.at_ns);
    if (connections_.size() >= most_connections || held_ >= most_bytes) {
        if (segment.sent != segment.passive) ++refused_;  // counted with its client's first bytes
        return nullptr;
    }
    ++begun_;
    return &connections_[segment.sock];
}

// Those that hang in their handshakes are known by their sockets; of the others the end was not heard.
void TlsReader::make_room(std::uint64_t now_ns) {
    std::erase_if(connections_, [&](const auto& entry) {
        const Connection& connection = entry.second;
        const bool old = connection.last_ns + unheard_ns < now_ns;
        if (old) held_ -= connection.client.size() + connection.server.size();
        return old;
    });
}

void TlsReader::drop(std::uint64_t sock) {
    const auto known = connections_.find(sock);
    if (known == connections_.end()) return;
    held_ -= known->second.client.size() + known->second.server.size();
    connections_.erase(known);
}

void TlsReader::take(const TlsSegment& segment, const Sink& sink) {
    Connection* connection = find(segment);
    if (connection == nullptr) return;
    connection->last_ns = segment.at_ns;
    const Step step{segment, sink, segment.sent != segment.passive};
    TlsStream& stream = step.by_client ? connection->client : connection->server;
    const std::size_t held = stream.size();
    stream.add(segment.offset, segment.bytes);
    while (!connection->over) {
        const auto item = stream.next();
        if (!item) break;
        take(*connection, *item, step);
    }
    held_ += stream.size() - held;
    if (connection->over) drop(segment.sock);
}

void TlsReader::take(Connection& connection, const TlsItem& item, const Step& step) {
    switch (item.kind) {
        case TlsItem::Kind::message: return take_message(connection, item, step);
        case TlsItem::Kind::hidden: return take_hidden(connection, item, step);
        case TlsItem::Kind::change_cipher:
            (step.by_client ? connection.client_ciphers : connection.server_ciphers) = true;
            return;
        case TlsItem::Kind::alert: {
            netwatch_tls_event event = event_of(connection, NETWATCH_TLS_ALERT, step);
            event.alert_level = std::to_integer<std::uint8_t>(item.bytes[0]);
            event.alert = std::to_integer<std::uint8_t>(item.bytes[1]);
            return end(connection, event, step);
        }
        case TlsItem::Kind::plain: {
            netwatch_tls_event event = event_of(connection, NETWATCH_TLS_PLAINTEXT, step);
            event.http_status = http_status_of(item.bytes);
            // Two ends that both speak plain text are nothing of ours.
            if (connection.greeted) return end(connection, event, step);
            if (!step.by_client && event.http_status == bad_request) {
                event.by_client = 1;  // the server says so
                return end(connection, event, step);
            }
            connection.over = !step.by_client;
            return;
        }
        case TlsItem::Kind::malformed: {
            count_unreadable(connection);
            return end(connection, event_of(connection, NETWATCH_TLS_UNREADABLE, step), step);
        }
    }
}

void TlsReader::take_message(Connection& connection, const TlsItem& item, const Step& step) {
    if (step.by_client && item.type == client_hello) {
        if (const auto hello = hellos_.read(item.bytes)) return take_hello(connection, *hello, step);
    } else if (!step.by_client && item.type == server_hello) {
        if (const auto hello = read_server_hello(item.bytes)) return take_hello(connection, *hello, step);
    } else if (item.type == certificate) {
        const auto der = first_certificate(item.bytes);
        if (der && step.by_client && der->empty()) set(connection.flags, NETWATCH_TLS_EMPTY_CERTIFICATE);
        if (der && !step.by_client) take_certificate(connection, *der, step);
        return;
    } else {
        if (!step.by_client && item.type == certificate_request)
            set(connection.flags, NETWATCH_TLS_ASKED_CERTIFICATE);
        return;
    }
    count_unreadable(connection);
    end(connection, event_of(connection, NETWATCH_TLS_UNREADABLE, step), step);
}

void TlsReader::take_hello(Connection& connection, const ClientHello& hello, const Step& step) {
    if (connection.greeted) return;  // once more, as the server asked
    connection.greeted = true;
    connection.sni = hello.sni;
    connection.offered = hello.version;
    netwatch_tls_event event = event_of(connection, NETWATCH_TLS_CLIENT_HELLO, step);
    set_name(event.sni, hello.sni);
    model::set_text(event.alpn, hello.alpn);
    step.sink(model::bytes_of(event));
}

void TlsReader::take_hello(Connection& connection, const ServerHello& hello, const Step& step) {
    connection.version = hello.version;
    connection.cipher = hello.cipher;
    if (connection.tls13()) {
        connection.client.set_tls13();
        connection.server.set_tls13();
    }
    if (!hello.retry) step.sink(model::bytes_of(event_of(connection, NETWATCH_TLS_SERVER_HELLO, step)));
}

void TlsReader::take_certificate(Connection& connection, Bytes der, const Step& step) {
    const Fingerprint fingerprint = fingerprint_of(der);
    if (certificates_.size() >= most_certificates) certificates_.clear();
    Told& told = certificates_[{server_of(step.segment), connection.sni}];
    const std::uint64_t now = step.segment.at_ns;
    if (told.at_ns != 0 && told.fingerprint == fingerprint && told.at_ns + told_again_ns > now) return;
    const auto read = read_certificate(der, connection.sni);
    if (!read) {
        count_unreadable(connection);
        return;
    }
    told = {fingerprint, now};
    auto record = model::make_record<netwatch_tls_certificate>(now, step.segment.netns);
    record.sock = step.segment.sock;
    record.tuple = step.segment.tuple;
    record.passive = step.segment.passive ? 1 : 0;
    record.not_before_s = read->not_before_s;
    record.not_after_s = read->not_after_s;
    std::ranges::copy(fingerprint, record.fingerprint);
    if (read->self_signed) set(record.flags, NETWATCH_TLS_SELF_SIGNED);
    if (read->matches)
        set(record.flags, *read->matches ? NETWATCH_TLS_NAME_MATCHES : NETWATCH_TLS_NAME_DIFFERS);
    set_name(record.sni, connection.sni);
    model::set_text(record.subject, read->subject);
    model::set_text(record.issuer, read->issuer);
    model::set_text(record.names, read->names);
    step.sink(model::bytes_of(record));
}

void TlsReader::take_hidden(Connection& connection, const TlsItem& item, const Step& step) {
    if (connection.tls13()) {
        if (item.type != data_record) return;
        return step.by_client ? take_hidden_of_client(connection, item.length, step)
                              : take_hidden_of_server(connection, item.length, step);
    }
    if (item.type == alert_record)
        return end(connection, event_of(connection, NETWATCH_TLS_HIDDEN_ALERT, step), step);
    if (item.type == finished_record) {
        // Who sends its Finished first and without certificates resumes.
        if (!step.by_client && !connection.client_done) set(connection.flags, NETWATCH_TLS_RESUMED);
        (step.by_client ? connection.client_done : connection.server_done) = true;
        if (connection.client_done && connection.server_done) establish(connection, step);
    } else if (item.type == data_record) {
        // The client's Finished may be behind a long chain of certificates, out of sight.
        if (!connection.established && !step.by_client) establish(connection, step);
        connection.over = connection.established;
    }
}

// What a client of TLS 1.3 sends after the ServerHello: its certificate, if it was asked for one, and its
// Finished, or an alert instead; then data. Early data comes before.
void TlsReader::take_hidden_of_client(Connection& connection, std::uint32_t length, const Step& step) {
    if (length == alert_length) {
        connection.client_leaves = connection.client_sent_data;
        if (connection.client_leaves) return;
        return end(connection, event_of(connection, NETWATCH_TLS_HIDDEN_ALERT, step), step);
    }
    if (length == empty_certificate_length && !connection.client_done) {
        set(connection.flags, NETWATCH_TLS_EMPTY_CERTIFICATE);
        return;
    }
    if (connection.client_done) {
        connection.client_sent_data = true;
        connection.over = connection.established;
        return;
    }
    connection.client_done = true;
    step.sink(model::bytes_of(event_of(connection, NETWATCH_TLS_CLIENT_DONE, step)));
}

// A server of TLS 1.3 sends tickets or data once it has the client's Finished, or an alert.
void TlsReader::take_hidden_of_server(Connection& connection, std::uint32_t length, const Step& step) {
    const bool asked_in_vain = (connection.flags & NETWATCH_TLS_EMPTY_CERTIFICATE) != 0;
    connection.over = length == alert_length && connection.client_leaves && !asked_in_vain;
    if (connection.over) return;
    if (length == alert_length && !connection.established)
        return end(connection, event_of(connection, NETWATCH_TLS_HIDDEN_ALERT, step), step);
    if (!connection.client_done) return;
    if (!connection.established) establish(connection, step);
    connection.over = connection.client_sent_data;
}

void TlsReader::count_unreadable(Connection& connection) {
    if (!std::exchange(connection.unreadable, true)) ++unreadable_;
}

void TlsReader::establish(Connection& connection, const Step& step) {
    connection.established = true;
    step.sink(model::bytes_of(event_of(connection, NETWATCH_TLS_ESTABLISHED, step)));
}

void TlsReader::end(Connection& connection, netwatch_tls_event event, const Step& step) {
    connection.over = true;
    step.sink(model::bytes_of(event));
}

netwatch_tls_event TlsReader::event_of(const Connection& connection, netwatch_tls_step what,
                                       const Step& step) {
    const TlsSegment& segment = step.segment;
    auto event = model::make_record<netwatch_tls_event>(segment.at_ns, segment.netns);
    event.sock = segment.sock;
    event.tuple = segment.tuple;
    event.version = connection.version != 0 ? connection.version : connection.offered;
    event.cipher = connection.cipher;
    event.step = static_cast<std::uint8_t>(what);
    event.by_client = step.by_client ? 1 : 0;
    event.passive = segment.passive ? 1 : 0;
    event.flags = connection.flags;
    return event;
}

}  // namespace netwatch::context
