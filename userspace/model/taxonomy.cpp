// SPDX-License-Identifier: Apache-2.0
#include "model/taxonomy.h"

#include <algorithm>
#include <iterator>

namespace netwatch::model {
namespace {

// Index = value of the enum.
constexpr std::array failure_types = {
#define NETWATCH_NAME(name) std::string_view(#name),
    NETWATCH_FAILURE_TYPES(NETWATCH_NAME)
#undef NETWATCH_NAME
};
constexpr std::array<std::string_view, 3> severities{"info", "warning", "critical"};
constexpr std::array<std::string_view, 4> incident_states{"suspected", "open", "stale", "resolved"};
constexpr std::array<std::string_view, 3> resolutions{"healed", "superseded", "forgotten"};
constexpr std::array<std::string_view, 9> scope_kinds{"destination", "name", "prefix",  "region", "path",
                                                      "uplink",      "host", "process", "trust"};
constexpr std::array<std::string_view, 3> perspectives{"client", "server", "forwarder"};
constexpr std::array<std::string_view, 6> owner_hints{"app",      "host",   "platform",
                                                      "provider", "remote", "unknown"};
constexpr std::array<std::string_view, 3> bearings{"beside", "touches", "cause"};
constexpr std::array<std::string_view, 3> baselines{"full", "short", "none"};
constexpr std::array<std::string_view, 2> effects{"read_only", "change"};
constexpr std::array<std::string_view, 4> ladder_statuses{"ok", "degraded", "failing", "unknown"};
constexpr std::array<std::string_view, 4> ladder_verdicts{"healthy", "not_the_network", "failing", "unknown"};
constexpr std::array<std::string_view, rung_count> rungs{"dns",  "ip",    "port",     "latency",
                                                         "loss", "route", "firewall", "service"};

template <typename Enum, std::size_t N>
constexpr std::string_view name_of(Enum value, const std::array<std::string_view, N>& names) {
    return names[static_cast<std::size_t>(value)];
}

}  // namespace

// Both directions from one table.
#define NETWATCH_ENUM_TEXT(Enum, names)                                      \
    std::string_view to_string(Enum value) { return name_of(value, names); } \
    template <>                                                              \
    std::optional<Enum> from_string<Enum>(std::string_view text) {           \
        const auto found = std::ranges::find(names, text);                   \
        if (found == names.end()) return std::nullopt;                       \
        return static_cast<Enum>(std::distance(names.begin(), found));       \
    }
NETWATCH_ENUM_TEXT(FailureType, failure_types)
NETWATCH_ENUM_TEXT(Severity, severities)
NETWATCH_ENUM_TEXT(IncidentState, incident_states)
NETWATCH_ENUM_TEXT(Resolution, resolutions)
NETWATCH_ENUM_TEXT(ScopeKind, scope_kinds)
NETWATCH_ENUM_TEXT(Perspective, perspectives)
NETWATCH_ENUM_TEXT(OwnerHint, owner_hints)
NETWATCH_ENUM_TEXT(Bearing, bearings)
NETWATCH_ENUM_TEXT(Baseline, baselines)
NETWATCH_ENUM_TEXT(Effect, effects)
NETWATCH_ENUM_TEXT(LadderStatus, ladder_statuses)
NETWATCH_ENUM_TEXT(LadderVerdict, ladder_verdicts)
NETWATCH_ENUM_TEXT(Rung, rungs)
#undef NETWATCH_ENUM_TEXT

std::string_view short_name(FailureType type) {
    switch (type) {
        case FailureType::dns_failure: return "dns";
        case FailureType::host_unreachable: return "unreachable";
        case FailureType::port_blocked: return "refused";
        case FailureType::latency_spike: return "latency";
        case FailureType::packet_loss: return "loss";
        case FailureType::routing_failure: return "routing";
        case FailureType::connection_exhaustion: return "exhausted";
        case FailureType::load_balancer: return "backend";
        case FailureType::firewall_block: return "firewall";
        case FailureType::tls_handshake_failure: return "tls";
        case FailureType::path_mtu_blackhole: return "path mtu";
        case FailureType::slow_service: return "slow";
        case FailureType::receiver_stalled: return "stalled";
        case FailureType::idle_timeout_drop: return "idle drop";
        case FailureType::connection_reset: return "reset";
        case FailureType::link_down: return "link";
        case FailureType::neighbor_failure: return "neighbor";
        case FailureType::network_congestion: return "congestion";
        case FailureType::unknown: return "unknown";
    }
    return "unknown";
}

}  // namespace netwatch::model
