// SPDX-License-Identifier: Apache-2.0
// Records as userspace reads them: checked access to the bytes of include/netwatch/abi/record.h. Example:
//
//     auto record = model::decode(bytes);
//     if (record) std::visit(overloaded{[](const netwatch_connect& c) { … }, [](const auto&) {}}, *record);
//
// Pure; any thread. A Record is a copy that outlives the bytes, a RecordRef is none:
//
//     auto record = model::refer(bytes);
//     if (record) record->visit(overloaded{[](const netwatch_connect& c) { … }, [](const auto&) {}});
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "model/address.h"
#include "netwatch/abi/record.h"

namespace netwatch::model {

using Record = std::variant<
#define NETWATCH_KIND(number, upper, lower, maker, text) netwatch_##lower,
    NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
        std::monostate>;  // monostate closes the list and is never produced

template <typename... F>
struct overloaded : F... {
    using F::operator()...;
};

// One record at the start of `bytes`. Errors: truncated, unknown kind, size that does not fit the kind,
// a time that cannot be.
// Text fields come back NUL-terminated, whatever the bytes held.
[[nodiscard]] core::Result<Record> decode(std::span<const std::byte> bytes);

// A record where it lies, as long as it lies there: what is told of millions is not copied.
class RecordRef {
public:
    // Of a record with its header filled in. A monostate is visited as nothing.
    template <typename R>
        requires requires(const R& record) { record.header.kind; }
    RecordRef(const R& record) : header_(&record.header) {}  // NOLINT(google-explicit-constructor)
    RecordRef(const Record& record);                         // NOLINT(google-explicit-constructor)

    [[nodiscard]] const netwatch_header& header() const { return *header_; }
    // Null where it is of another kind.
    template <typename R>
    [[nodiscard]] const R* get_if() const;
    // Calls f with the record, or not at all.
    template <typename F>
    void visit(F&& f) const;
    [[nodiscard]] Record copy() const;

private:
    const netwatch_header* header_;
};

// decode() without a copy. `bytes` is aligned to 8 bytes, as what an allocator gives is; text fields are
// NUL-terminated where they lie.
[[nodiscard]] core::Result<RecordRef> refer(std::span<std::byte> bytes);

// The header at the start of `bytes`, whatever it says; zeros where none fits.
[[nodiscard]] inline netwatch_header first_header(std::span<const std::byte> bytes) {
    netwatch_header header{};
    if (bytes.size() >= sizeof(header)) std::memcpy(&header, bytes.data(), sizeof(header));
    return header;
}

// Size in bytes that the record at the start of `bytes` claims; 0 if no header fits or the claim is
// impossible.
[[nodiscard]] std::size_t claimed_size(std::span<const std::byte> bytes);

[[nodiscard]] const netwatch_header& header_of(const Record& record);

// Lower-case name of a kind, "connect"; empty if there is none.
[[nodiscard]] std::string_view kind_name(std::uint32_t kind);

// The kind of record type R.
template <typename R>
inline constexpr std::uint16_t kind_of = 0;
#define NETWATCH_KIND(number, upper, lower, maker, text) \
    template <>                                          \
    inline constexpr std::uint16_t kind_of<netwatch_##lower> = number;
NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND

template <typename R>
const R* RecordRef::get_if() const {
    return header_->kind == kind_of<R> ? reinterpret_cast<const R*>(header_) : nullptr;
}

template <typename F>
void RecordRef::visit(F&& f) const {
    switch (header_->kind) {
#define NETWATCH_KIND(number, upper, lower, maker, text) \
    case number: f(*reinterpret_cast<const netwatch_##lower*>(header_)); break;
        NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
        default: break;
    }
}

// A record of type R with its header filled in and everything else zero.
template <typename R>
[[nodiscard]] R make_record(std::uint64_t at_ns, std::uint32_t netns = 0) {
    static_assert(kind_of<R> != 0, "not a record");
    R record{};
    record.header = {at_ns, netns, kind_of<R>, sizeof(R)};
    return record;
}

template <typename R>
[[nodiscard]] std::span<const std::byte> bytes_of(const R& record) {
    return std::as_bytes(std::span(&record, 1));
}
template <typename R>
[[nodiscard]] std::span<std::byte> writable_bytes_of(R& record) {
    return std::as_writable_bytes(std::span(&record, 1));
}

[[nodiscard]] inline IpAddress local_ip(const netwatch_tuple& tuple) {
    return IpAddress(std::span<const std::uint8_t, 16>(tuple.local_ip));
}
[[nodiscard]] inline IpAddress remote_ip(const netwatch_tuple& tuple) {
    return IpAddress(std::span<const std::uint8_t, 16>(tuple.remote_ip));
}
[[nodiscard]] Endpoint local_endpoint(const netwatch_tuple& tuple);
[[nodiscard]] Endpoint remote_endpoint(const netwatch_tuple& tuple);

// The text of a fixed array up to its NUL.
template <std::size_t N>
[[nodiscard]] std::string text_of(const char (&array)[N]) {
    return {array, ::strnlen(array, N)};
}
// Copies text into a fixed array, cut to fit, NUL-terminated.
template <std::size_t N>
void set_text(char (&array)[N], std::string_view text) {
    const std::size_t length = std::min(text.size(), N - 1);
    std::memset(array, 0, N);
    std::memcpy(array, text.data(), length);
}

}  // namespace netwatch::model
