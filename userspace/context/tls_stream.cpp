// SPDX-License-Identifier: Apache-2.0
#include "context/tls_stream.h"

#include <algorithm>
#include <utility>

#include "context/tls_messages.h"

namespace netwatch::context {
namespace {

constexpr std::uint8_t certificate_message = 11;
constexpr std::uint8_t major_version = 3;
constexpr std::size_t alert_bytes = 2;

bool is_record_type(std::uint32_t type) { return type >= 20 && type <= 24; }

}  // namespace

std::size_t TlsStream::size() const {
    std::size_t size = ready_.size() + message_.size();
    for (const auto& [offset, piece] : early_) size += piece.size();
    return size;
}

TlsItem TlsStream::fail() {
    over_ = true;
    ready_ = {};
    message_ = {};
    early_.clear();
    return {};
}

void TlsStream::add(std::uint32_t offset, Bytes bytes) {
    if (over_ || bytes.empty()) return;
    if (offset > position_) {
        in_order_ = in_order_ && early_.size() < most_early && size() + bytes.size() <= most_bytes;
        if (in_order_) early_.try_emplace(offset, bytes.begin(), bytes.end());
        return;
    }
    const std::uint32_t known = position_ - offset;
    if (known >= bytes.size()) return;
    const Bytes fresh = bytes.subspan(known);
    if (size() + fresh.size() > most_bytes) {
        in_order_ = false;
        return;
    }
    ready_.insert(ready_.end(), fresh.begin(), fresh.end());
    position_ += static_cast<std::uint32_t>(fresh.size());
    join_early();
}

void TlsStream::join_early() {
    while (!early_.empty() && early_.begin()->first <= position_) {
        const auto piece = early_.extract(early_.begin());
        add(piece.key(), piece.mapped());
    }
}

Bytes TlsStream::consume(std::size_t count) {
    const Bytes bytes = Bytes(ready_).subspan(read_, count);
    read_ += count;
    return bytes;
}

std::optional<TlsItem> TlsStream::next() {
    if (over_) return std::nullopt;
    if (!in_order_) return fail();
    message_.erase(message_.begin(),
                   message_.begin() + static_cast<std::ptrdiff_t>(std::exchange(taken_, 0)));
    while (true) {
        if (auto message = next_message()) return message;
        if (ready_.size() - read_ < wanted()) break;
        if (auto item = body_left_ == 0 ? open_record() : read_body()) return item;
    }
    ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(std::exchange(read_, 0)));
    return std::nullopt;
}

std::size_t TlsStream::wanted() const {
    if (body_left_ == 0) return frame_bytes;
    return type_ == TlsRecordType::alert && !hidden_body_ ? body_left_ : 1;
}

std::optional<TlsItem> TlsStream::open_record() {
    const bool first = std::exchange(first_, false);
    ByteReader frame(Bytes(ready_).subspan(read_));
    const std::uint32_t type = frame.number(1).value_or(0);
    const std::uint32_t version = frame.number(2).value_or(0);
    const std::uint32_t length = frame.number(2).value_or(0);
    if (!is_record_type(type) || version >> 8U != major_version || length > most_record) {
        if (!first) return fail();
        over_ = true;
        return TlsItem{.kind = TlsItem::Kind::plain, .bytes = Bytes(ready_)};
    }
    consume(frame_bytes);
    type_ = static_cast<TlsRecordType>(type);
    body_left_ = length;
    const bool plain_type = type_ == TlsRecordType::handshake || type_ == TlsRecordType::alert;
    const bool plain_alert = type_ == TlsRecordType::alert && length == alert_bytes;
    hidden_body_ = !plain_alert && (!plain_type || (encrypted_ && !tls13_));
    if (type_ == TlsRecordType::change_cipher) {
        encrypted_ = true;
        return TlsItem{.kind = TlsItem::Kind::change_cipher, .type = static_cast<std::uint8_t>(type)};
    }
    if (hidden_body_) {
        return TlsItem{
            .kind = TlsItem::Kind::hidden, .type = static_cast<std::uint8_t>(type), .length = length};
    }
    if (type_ == TlsRecordType::alert && !plain_alert) return fail();
    return std::nullopt;
}

std::optional<TlsItem> TlsStream::read_body() {
    const std::size_t there = std::min(ready_.size() - read_, body_left_);
    if (hidden_body_) {
        body_left_ -= there;
        consume(there);
        return std::nullopt;
    }
    if (type_ == TlsRecordType::alert) {
        body_left_ = 0;
        return TlsItem{.kind = TlsItem::Kind::alert,
                       .type = static_cast<std::uint8_t>(TlsRecordType::alert),
                       .bytes = consume(there)};
    }
    body_left_ -= there;
    Bytes part = consume(there);
    const std::size_t passed = std::min(message_left_, part.size());
    message_left_ -= passed;
    part = part.subspan(passed);
    if (message_.size() + part.size() > most_message) return fail();
    message_.insert(message_.end(), part.begin(), part.end());
    return std::nullopt;
}

std::optional<TlsItem> TlsStream::next_message() {
    if (message_.size() < message_header_bytes) return std::nullopt;
    ByteReader header(message_);
    const auto type = static_cast<std::uint8_t>(*header.number(1));
    const std::size_t length = message_header_bytes + *header.number(3);
    const std::size_t there = std::min(length, message_.size());
    const Bytes bytes = Bytes(message_).first(there);
    if (there < length && !(type == certificate_message && first_certificate(bytes))) return std::nullopt;
    taken_ = there;
    message_left_ = length - there;
    return TlsItem{.kind = TlsItem::Kind::message, .type = type, .bytes = bytes};
}

}  // namespace netwatch::context
