// SPDX-License-Identifier: Apache-2.0
// Records as userspace reads them: checked access to the bytes of include/netwatch/abi/record.h. Example:
//
//     auto record = model::decode(bytes);
//     if (record) std::visit(overloaded{[](const netwatch_connect& c) { … }, [](const auto&) {}}, *record);
//
// Pure; any thread. A Record is a copy: it outlives the bytes.
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
