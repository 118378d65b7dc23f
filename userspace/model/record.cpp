// SPDX-License-Identifier: Apache-2.0
#include "model/record.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>

#include "netwatch/abi/record_check.hpp"

namespace netwatch::model {
namespace {

constexpr std::size_t record_alignment = 8;
constexpr std::size_t largest_record = sizeof(Record);

template <std::size_t N>
void terminate(char (&array)[N]) {
    array[N - 1] = '\0';
}

template <typename R>
void terminate_texts(R& record) {
    if constexpr (requires { record.process.comm; }) terminate(record.process.comm);
    if constexpr (std::is_same_v<R, netwatch_host>) {
        terminate(record.boot_id);
        terminate(record.release);
        terminate(record.hostname);
        terminate(record.agent_version);
    }
    if constexpr (std::is_same_v<R, netwatch_hook>) {
        terminate(record.signal);
        terminate(record.hook);
        terminate(record.lost);
        terminate(record.reason);
    }
    if constexpr (std::is_same_v<R, netwatch_drop_reason>) terminate(record.name);
    if constexpr (std::is_same_v<R, netwatch_cgroup>) terminate(record.path);
    if constexpr (std::is_same_v<R, netwatch_change>) {
        terminate(record.interface);
        terminate(record.comm);
    }
    if constexpr (std::is_same_v<R, netwatch_interface_counter>) terminate(record.name);
    if constexpr (std::is_same_v<R, netwatch_counter_source>) terminate(record.reason);
    if constexpr (std::is_same_v<R, netwatch_region> || std::is_same_v<R, netwatch_dns_message>)
        terminate(record.name);
    if constexpr (requires { record.sni; }) terminate(record.sni);
    if constexpr (std::is_same_v<R, netwatch_tls_event>) terminate(record.alpn);
    if constexpr (std::is_same_v<R, netwatch_tls_certificate>) {
        terminate(record.subject);
        terminate(record.issuer);
        terminate(record.names);
    }
}

// So far apart that sums and differences of two times stay within 64 bits: 73 years of uptime, the year 2116.
constexpr std::uint64_t latest_boot_ns = 1ULL << 61;
constexpr std::int64_t latest_utc_ns = 1LL << 62;

template <typename R>
bool has_plausible_times(const R& record) {
    const auto plausible = [](std::uint64_t ns) { return ns <= latest_boot_ns; };
    bool good = plausible(record.header.at_ns);
    if constexpr (requires { record.start_ns; }) good = good && plausible(record.start_ns);
    if constexpr (requires { record.started_ns; }) good = good && plausible(record.started_ns);
    if constexpr (requires { record.duration_ns; }) good = good && plausible(record.duration_ns);
    if constexpr (std::is_same_v<R, netwatch_clock>) {
        good = good && record.realtime_ns >= 0 && record.realtime_ns <= latest_utc_ns;
    }
    return good;
}

template <typename R>
core::Result<RecordRef> refer_as(std::span<std::byte> bytes, std::string_view name) {
    static_assert(offsetof(R, header) == 0);
    if (bytes.size() != sizeof(R)) {
        return core::fail(fmt::format("a {} record of {} bytes, expected {}", name, bytes.size(), sizeof(R)));
    }
    R& record = *reinterpret_cast<R*>(bytes.data());
    if (!has_plausible_times(record))
        return core::fail(fmt::format("a {} record of an impossible time", name));
    terminate_texts(record);
    return record;
}

}  // namespace

std::size_t claimed_size(std::span<const std::byte> bytes) {
    const std::size_t size = first_header(bytes).size;
    const bool fits = size >= sizeof(netwatch_header) && size <= bytes.size();
    return fits && size % record_alignment == 0 ? size : 0;
}

core::Result<RecordRef> refer(std::span<std::byte> bytes) {
    const std::size_t size = claimed_size(bytes);
    if (size == 0) return core::fail(fmt::format("a truncated record: {} bytes", bytes.size()));
    const std::uint16_t kind = first_header(bytes).kind;
    switch (kind) {
#define NETWATCH_KIND(number, upper, lower, maker, text) \
    case NETWATCH_RECORD_##upper: return refer_as<netwatch_##lower>(bytes.first(size), #lower);
        NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
        default: return core::fail(fmt::format("a record of unknown kind {}", kind));
    }
}

core::Result<Record> decode(std::span<const std::byte> bytes) {
    alignas(record_alignment) std::array<std::byte, largest_record> copy{};
    const std::size_t size = std::min(bytes.size(), copy.size());
    std::ranges::copy(bytes.first(size), copy.begin());
    const auto record = refer(std::span(copy).first(size));
    if (!record) return std::unexpected(record.error());
    return record->copy();
}

RecordRef::RecordRef(const Record& record) : header_(&header_of(record)) {}

Record RecordRef::copy() const {
    Record copied = std::monostate{};
    visit([&](const auto& record) { copied = record; });
    return copied;
}

const netwatch_header& header_of(const Record& record) {
    static constexpr netwatch_header none{};
    return std::visit(overloaded{[](std::monostate) -> const netwatch_header& { return none; },
                                 [](const auto& r) -> const netwatch_header& { return r.header; }},
                      record);
}

std::string_view kind_name(std::uint32_t kind) {
    switch (kind) {
#define NETWATCH_KIND(number, upper, lower, maker, text) \
    case number: return #lower;
        NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
        default: return {};
    }
}

Endpoint local_endpoint(const netwatch_tuple& tuple) {
    return {local_ip(tuple), tuple.local_port, static_cast<Protocol>(tuple.protocol)};
}

Endpoint remote_endpoint(const netwatch_tuple& tuple) {
    return {remote_ip(tuple), tuple.remote_port, static_cast<Protocol>(tuple.protocol)};
}

}  // namespace netwatch::model
