// SPDX-License-Identifier: Apache-2.0
// The words of a verdict, as the machine-readable contract has them (docs/schemas/incident.schema.json).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace netwatch::model {

// X(name): every failure type, in the order of the contract.
#define NETWATCH_FAILURE_TYPES(X) \
    X(dns_failure)                \
    X(host_unreachable)           \
    X(port_blocked)               \
    X(latency_spike)              \
    X(packet_loss)                \
    X(routing_failure)            \
    X(connection_exhaustion)      \
    X(load_balancer)              \
    X(firewall_block)             \
    X(tls_handshake_failure)      \
    X(path_mtu_blackhole)         \
    X(slow_service)               \
    X(receiver_stalled)           \
    X(idle_timeout_drop)          \
    X(connection_reset)           \
    X(link_down)                  \
    X(neighbor_failure)           \
    X(network_congestion)         \
    X(unknown)

// network_congestion is only ever a root cause's type, never an incident's own.
enum class FailureType : std::uint8_t {
#define NETWATCH_NAME(name) name,
    NETWATCH_FAILURE_TYPES(NETWATCH_NAME)
#undef NETWATCH_NAME
};

enum class Severity : std::uint8_t { info, warning, critical };
enum class IncidentState : std::uint8_t { suspected, open, stale, resolved };
enum class Resolution : std::uint8_t { healed, superseded, forgotten };
enum class ScopeKind : std::uint8_t { destination, name, prefix, region, path, uplink, host, process, trust };
enum class Perspective : std::uint8_t { client, server, forwarder };
// What a change has to do with an incident: it was at that time; it is about the same link, route, filter or
// listener; or the failure is what it does.
enum class Bearing : std::uint8_t { beside, touches, cause };
enum class OwnerHint : std::uint8_t { app, host, platform, provider, remote, unknown };
enum class Baseline : std::uint8_t { full, short_, none };
enum class Effect : std::uint8_t { read_only, change };
enum class LadderStatus : std::uint8_t { ok, degraded, failing, unknown };
enum class LadderVerdict : std::uint8_t { healthy, not_the_network, failing, unknown };

// The rungs in the order in which they are judged.
enum class Rung : std::uint8_t { dns, ip, port, latency, loss, route, firewall, service };
constexpr std::size_t rung_count = 8;
constexpr std::array<Rung, rung_count> all_rungs{Rung::dns,  Rung::ip,    Rung::port,     Rung::latency,
                                                 Rung::loss, Rung::route, Rung::firewall, Rung::service};

// The contract's text of each value, and back. Any thread.
[[nodiscard]] std::string_view to_string(FailureType value);
[[nodiscard]] std::string_view to_string(Severity value);
[[nodiscard]] std::string_view to_string(IncidentState value);
[[nodiscard]] std::string_view to_string(Resolution value);
[[nodiscard]] std::string_view to_string(ScopeKind value);
[[nodiscard]] std::string_view to_string(Perspective value);
[[nodiscard]] std::string_view to_string(OwnerHint value);
[[nodiscard]] std::string_view to_string(Bearing value);
[[nodiscard]] std::string_view to_string(Baseline value);
[[nodiscard]] std::string_view to_string(Effect value);
[[nodiscard]] std::string_view to_string(LadderStatus value);
[[nodiscard]] std::string_view to_string(LadderVerdict value);
[[nodiscard]] std::string_view to_string(Rung value);

// The value of that text; nothing if the contract has no such word.
template <typename Enum>
[[nodiscard]] std::optional<Enum> from_string(std::string_view text);
template <>
std::optional<FailureType> from_string<FailureType>(std::string_view text);
template <>
std::optional<Severity> from_string<Severity>(std::string_view text);
template <>
std::optional<IncidentState> from_string<IncidentState>(std::string_view text);
template <>
std::optional<Resolution> from_string<Resolution>(std::string_view text);
template <>
std::optional<ScopeKind> from_string<ScopeKind>(std::string_view text);
template <>
std::optional<Perspective> from_string<Perspective>(std::string_view text);
template <>
std::optional<OwnerHint> from_string<OwnerHint>(std::string_view text);
template <>
std::optional<Bearing> from_string<Bearing>(std::string_view text);
template <>
std::optional<Baseline> from_string<Baseline>(std::string_view text);
template <>
std::optional<Effect> from_string<Effect>(std::string_view text);
template <>
std::optional<LadderStatus> from_string<LadderStatus>(std::string_view text);
template <>
std::optional<LadderVerdict> from_string<LadderVerdict>(std::string_view text);
template <>
std::optional<Rung> from_string<Rung>(std::string_view text);

// One word for a table's column: "firewall", "loss", "refused".
[[nodiscard]] std::string_view short_name(FailureType type);

}  // namespace netwatch::model
