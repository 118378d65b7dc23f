// SPDX-License-Identifier: Apache-2.0
// What a judge says of the evidence at one instant. The incident book turns findings into incidents with a
// life.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "diagnosis/destination.h"
#include "model/incident.h"

namespace netwatch::diagnosis {

// Failures of one family exclude each other for one destination; findings of different families do not merge.
// What explains comes before what it explains.
enum class Family : std::uint8_t {
    resources,
    size,
    reachability,
    names,
    handshakes,
    loss,
    latency,
    tls,
    service,
    certificate,
};

// Attempts that the finding is about, where they are no attempts to connect.
struct Tally {
    std::int64_t attempts = 0;
    std::int64_t failed = 0;
};

struct Finding {
    Family family = Family::reachability;
    std::string group;                         // same group, same fault; also when type or members change
    bool confirmed = false;                    // false: one observation short
    std::vector<model::Candidate> candidates;  // most probable first
    model::Severity severity = model::Severity::warning;
    model::Scope scope;
    model::Perspective perspective = model::Perspective::client;
    std::vector<DestinationKey> members;  // most affected first
    std::optional<model::DestinationRef> destination;
    std::optional<ProcessKey> process;  // at fault; else whoever is hurt most at the members
    core::BootNs first_affected = 0;
    std::optional<model::IpAddress> offender;
    std::optional<model::FailureType> root;  // where what is behind it has a name of its own
    std::int64_t flows = 0;
    std::optional<Tally> tally;
    bool in_words = false;  // an end has said why: nothing else explains it
    std::vector<model::EvidenceItem> evidence;
    std::vector<model::RuledOut> ruled_out;

    [[nodiscard]] model::FailureType type() const { return candidates.front().type; }
    [[nodiscard]] const std::optional<std::string>& cause() const { return candidates.front().cause; }
};

struct Scene;

// A finding of one destination alone, confirmed; `what` tells its groups from those of others.
[[nodiscard]] Finding finding_at(const Destination& destination, Family family, std::string_view what);
// Adds one line of evidence, seen now.
void note(Finding& finding, const Scene& scene, std::string signal, double value, std::string text);
void rule_out(Finding& finding, model::FailureType type, std::string because);

}  // namespace netwatch::diagnosis
