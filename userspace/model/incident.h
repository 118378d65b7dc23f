// SPDX-License-Identifier: Apache-2.0
// Incident and ladder: the shapes of docs/schemas/incident.schema.json and ladder.schema.json as plain data.
// Times are UTC. Optional members are the contract's nulls. Values without invariants; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/time.h"
#include "model/address.h"
#include "model/taxonomy.h"

namespace netwatch::model {

// Who a destination is, as far as is known.
struct DestinationRef {
    Endpoint endpoint; /* the socket's own; port 0 is left out in JSON */
    std::optional<std::string> name = std::nullopt;
    std::optional<std::string> sni = std::nullopt;
    std::optional<std::string> region = std::nullopt;
    std::optional<Endpoint> real = std::nullopt;  /* after NAT, where conntrack knows it */
    std::optional<Endpoint> asked = std::nullopt; /* as given to connect(), where something rewrote it */
    bool operator==(const DestinationRef&) const = default;
};

// The most affected process; what differs between the affected is empty.
struct SourceRef {
    std::optional<std::uint32_t> netns;
    std::optional<std::uint32_t> pid;
    std::optional<std::string> comm;
    std::optional<std::string> cgroup;
    std::optional<std::string> container;
    std::optional<std::string> pod;
    std::optional<std::string> pod_namespace;
    std::optional<std::string> workload;
    std::optional<std::string> node;
    bool operator==(const SourceRef&) const = default;
};

struct Candidate {
    FailureType type = FailureType::unknown;
    std::optional<std::string> cause;
    double probability = 0; /* 0.05 to 1 */
    std::optional<std::string>
        would_split; /* the observation that would tell it from the others of the set */
    bool operator==(const Candidate&) const = default;
};

struct Scope {
    ScopeKind kind = ScopeKind::destination;
    std::optional<std::string> value;
    std::vector<std::string> members; /* sorted */
    bool operator==(const Scope&) const = default;
};

struct Impact {
    std::int64_t attempts = 0;
    std::int64_t failed = 0;
    std::int64_t flows = 0;             /* established connections affected */
    std::optional<double> share;        /* of all attempts of the scope, 0 to 1 */
    std::vector<std::string> processes; /* "checkout[2214]" */
    bool operator==(const Impact&) const = default;
};

struct Change {
    core::UtcNs at;
    std::string what;
    std::optional<std::string> by; /* "nft[812]"; "unknown" where somebody did it and nothing tells who */
    Bearing bearing = Bearing::beside;
    bool operator==(const Change&) const = default;
};

struct EvidenceItem {
    std::string signal; /* snake_case */
    std::variant<std::monostate, double, std::string> value;
    std::string text;
    core::UtcNs at;
    bool operator==(const EvidenceItem&) const = default;
};

struct RuledOut {
    FailureType type = FailureType::unknown;
    std::string because;
    bool operator==(const RuledOut&) const = default;
};

struct LadderStep {
    Rung step = Rung::dns;
    LadderStatus status = LadderStatus::unknown;
    std::string evidence; /* with numbers; for unknown, why */
    bool operator==(const LadderStep&) const = default;
};
using LadderSteps = std::array<LadderStep, rung_count>;

struct RootCause {
    std::string statement;
    std::optional<FailureType> type;
    std::optional<std::string> incident; /* id of the root, for a symptom */
    std::optional<std::string> offender; /* address of who sent the ICMP error */
    bool operator==(const RootCause&) const = default;
};

struct Advice {
    std::string text;
    std::optional<std::string> command;
    Effect effect = Effect::read_only;
    bool operator==(const Advice&) const = default;
};

struct Observer {
    std::int64_t lost_records = 0; /* during the incident's own span */
    std::vector<std::string> missing_hooks;
    Baseline baseline = Baseline::none;
    bool operator==(const Observer&) const = default;
};

struct Incident {
    std::string id;
    IncidentState state = IncidentState::suspected;
    FailureType type = FailureType::unknown;
    std::optional<std::string> cause;
    std::vector<Candidate> candidates; /* most probable first; the first is `type` */
    double confidence = 0;             /* probability of the first candidate */
    Severity severity = Severity::warning;
    Scope scope;
    Perspective perspective = Perspective::client;
    std::optional<DestinationRef> destination;
    SourceRef source;
    Impact impact;
    std::vector<Change> changes; /* newest first */
    OwnerHint owner_hint = OwnerHint::unknown;
    core::UtcNs first_affected_at;
    core::UtcNs opened_at;
    core::UtcNs detected_at;
    std::optional<core::UtcNs> resolved_at;
    std::optional<Resolution> resolution;
    std::int64_t occurrences = 1;
    std::string summary;
    std::vector<EvidenceItem> evidence;
    std::vector<RuledOut> ruled_out;
    LadderSteps ladder;
    RootCause root_cause;
    bool symptom = false;
    std::vector<Advice> advice;
    Observer observer;
    bool operator==(const Incident&) const = default;
};

// Counts as an alarm: open or stale, above info, and not the symptom of another one.
[[nodiscard]] inline bool is_alarm(const Incident& incident) {
    return (incident.state == IncidentState::open || incident.state == IncidentState::stale) &&
           incident.severity != Severity::info && !incident.symptom;
}

// The answer to `netwatch why`.
struct Ladder {
    std::string target;
    std::vector<DestinationRef> destinations;
    LadderVerdict verdict = LadderVerdict::unknown;
    std::string summary;
    LadderSteps steps;
    std::vector<std::string> incidents; /* ids of the open ones that explain it */
    std::vector<Advice> advice;
};

}  // namespace netwatch::model
