// SPDX-License-Identifier: Apache-2.0
#include "model/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace netwatch::model {
namespace {

FieldValue optional_number(const std::optional<double>& value) {
    return value ? FieldValue(*value) : FieldValue(std::monostate{});
}

std::string scaled(double value) {
    static constexpr std::array<std::string_view, 5> suffixes{"", "k", "M", "G", "T"};
    std::size_t i = 0;
    while (value >= 999.5 && i + 1 < suffixes.size()) {
        value /= 1000;
        ++i;
    }
    if (i == 0 || value >= 99.95) return fmt::format("{:.0f}{}", value, suffixes[i]);
    return fmt::format("{:.1f}{}", value, suffixes[i]);
}

std::string duration_cell(double us) {
    if (us < 1000) return fmt::format("{:.0f}us", us);
    if (us < 9'950) return fmt::format("{:.1f}ms", us / 1000);
    if (us < 999'500) return fmt::format("{:.0f}ms", us / 1000);
    return fmt::format("{:.1f}s", us / 1'000'000);
}

std::string share_cell(double share) {
    const double percent = share * 100;
    if (percent == 0 || percent == 100) return fmt::format("{:.0f}", percent);
    return percent < 10 || percent > 99 ? fmt::format("{:.1f}", percent) : fmt::format("{:.0f}", percent);
}

constexpr std::array fields = std::to_array<Field>({
    {"destination", "DESTINATION", Unit::text, 30, 0,
     "Port and the name it was resolved from, or the address as the socket has it; /udp where it is not TCP; "
     "own: a listener of this host.",
     [](const DestinationRow& row) -> FieldValue {
         const auto& endpoint = row.ref.endpoint;
         const std::string suffix = endpoint.protocol == Protocol::udp ? "/udp" : "";
         const std::string prefix = row.perspective == Perspective::server ? "own " : "";
         if (!row.ref.name) return prefix + endpoint.to_display() + suffix;
         if (endpoint.port == 0) return prefix + *row.ref.name;
         return fmt::format("{}{}:{}{}", prefix, *row.ref.name, endpoint.port, suffix);
     }},
    {"protocol", "PROTO", Unit::text, 0, 0, "tcp or udp.",
     [](const DestinationRow& row) -> FieldValue {
         return std::string(to_string(row.ref.endpoint.protocol));
     }},
    {"role", "ROLE", Unit::text, 0, 0,
     "client: this host connects to it; server: it is this host's own listener.",
     [](const DestinationRow& row) -> FieldValue { return std::string(to_string(row.perspective)); }},
    {"who", "WHO", Unit::text, 16, 70, "The busiest process that talks to it.",
     [](const DestinationRow& row) -> FieldValue {
         if (row.processes.empty()) return std::monostate{};
         return row.processes.front();
     }},
    {"attempts_per_s", "CONN/s", Unit::per_second, 7, 0,
     "Connections attempted or accepted a second, over the last 10 s.",
     [](const DestinationRow& row) -> FieldValue { return row.attempts_per_s; }},
    {"ok_share", "OK %", Unit::share, 5, 0, "Share of the attempts of the last 60 s that were established.",
     [](const DestinationRow& row) -> FieldValue { return optional_number(row.ok_share); }},
    {"flows", "FLOWS", Unit::count, 6, 110, "Connections established now.",
     [](const DestinationRow& row) -> FieldValue { return static_cast<double>(row.flows); }},
    {"rtt_us", "RTT", Unit::microseconds, 7, 0,
     "Median round trip of the last minute: handshakes and the kernel's smoothed value.",
     [](const DestinationRow& row) -> FieldValue { return optional_number(row.rtt_us); }},
    {"rtt_p99_us", "P99", Unit::microseconds, 7, 90, "99th percentile of the same round trips.",
     [](const DestinationRow& row) -> FieldValue { return optional_number(row.rtt_p99_us); }},
    {"loss_share", "LOSS %", Unit::share, 6, 0,
     "Segments lost on the way to it, retransmissions less the ones that its DSACKs call needless, last 60 "
     "s.",
     [](const DestinationRow& row) -> FieldValue { return optional_number(row.loss_share); }},
    {"loss_in_share", "LOSS IN", Unit::share, 7, 130,
     "Segments lost on the way here, at least; from holes in what arrived, last 60 s.",
     [](const DestinationRow& row) -> FieldValue { return optional_number(row.loss_in_share); }},
    {"bytes_per_s", "BYTES/s", Unit::bytes_per_second, 8, 100,
     "Bytes a second both ways, over the last 10 s.",
     [](const DestinationRow& row) -> FieldValue { return row.bytes_sent_per_s + row.bytes_received_per_s; }},
    {"attempts", "ATTEMPTS", Unit::count, 0, 0, "Connections attempted or accepted since it was first seen.",
     [](const DestinationRow& row) -> FieldValue { return static_cast<double>(row.attempts); }},
    {"failed", "FAILED", Unit::count, 0, 0, "Attempts that failed since it was first seen.",
     [](const DestinationRow& row) -> FieldValue { return static_cast<double>(row.failed); }},
    {"verdict", "VERDICT", Unit::text, 12, 0,
     "What is wrong with it in a word; ok where nothing is, unjudged for UDP without DNS.",
     [](const DestinationRow& row) -> FieldValue {
         if (row.type) return std::string(short_name(*row.type));
         return std::string(row.judged ? "ok" : "unjudged");
     }},
});

}  // namespace

std::span<const Field> destination_fields() { return fields; }

const Field* find_field(std::string_view id) {
    const auto found = std::ranges::find(fields, id, &Field::id);
    return found == fields.end() ? nullptr : &*found;
}

std::string to_cell(const FieldValue& value, Unit unit) {
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    const auto* number = std::get_if<double>(&value);
    if (number == nullptr) return "–";
    switch (unit) {
        case Unit::per_second: return *number < 99.95 ? fmt::format("{:.1f}", *number) : scaled(*number);
        case Unit::share: return share_cell(*number);
        case Unit::microseconds: return duration_cell(*number);
        case Unit::flag: return *number != 0 ? "yes" : "no";
        default: return scaled(*number);
    }
}

}  // namespace netwatch::model
