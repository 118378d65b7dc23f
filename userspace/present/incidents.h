// SPDX-License-Identifier: Apache-2.0
// What the screens say about incidents, in the words that all of them share. Everything returned is inert.
// Pure; any thread. Pointers point into what was passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/incident.h"
#include "model/view.h"

namespace netwatch::present {

struct IncidentGroup {
    const model::Incident* root = nullptr;
    std::vector<const model::Incident*> symptoms;
};

// Each incident with its symptoms under it, in the order given; a symptom whose root is not there stands by
// itself. Without `all`: open and stale ones above info, with their symptoms.
[[nodiscard]] std::vector<IncidentGroup> group_incidents(std::span<const model::Incident> incidents,
                                                         bool all);

[[nodiscard]] const model::Incident* find_incident(std::span<const model::Incident> incidents,
                                                   std::string_view id);

// The incident lies in the network (or in this host's part of it), not in what runs at either end.
[[nodiscard]] bool blames_network(const model::Incident& incident);

// "payments.internal:443 (10.4.7.21)", the address alone where there is no name.
[[nodiscard]] std::string label(const model::DestinationRef& ref);
// Where it reaches: "payments.internal:443 (10.4.7.21)", "region europe (3 destinations)".
[[nodiscard]] std::string where(const model::Incident& incident);
// "firewall_block (silent_drop)".
[[nodiscard]] std::string type_and_cause(model::FailureType type, const std::optional<std::string>& cause);
// The members of the set that the verdict could also be, "or host_unreachable (silent) 0.30"; empty for one
// answer.
[[nodiscard]] std::string alternatives(const model::Incident& incident);
// What would tell the members of the set apart; empty for one answer.
[[nodiscard]] std::string would_split(const model::Incident& incident);
// "1.8 s before: nftables ruleset loaded by firewalld[812]".
[[nodiscard]] std::string change_text(const model::Incident& incident, const model::Change& change);
// What bears on the incident first, then the newest.
[[nodiscard]] std::vector<const model::Change*> changes_by_bearing(const model::Incident& incident);
// The change that bears most on it, in the words of change_text(); empty where none bears on it.
[[nodiscard]] std::string foremost_change(const model::Incident& incident);
// Open: nothing; else "no traffic since, nothing has succeeded", "healed at 19:44:02 after 1 min 37 s".
[[nodiscard]] std::string state_note(const model::Incident& incident);

// DNS messages and connections on TLS ports that could not be read: malformed, or another protocol.
[[nodiscard]] std::uint64_t unreadable(const model::ObserverStatus& observer);

// What netwatch could not see, one sentence each, the gravest first; empty: nothing that it knows of.
[[nodiscard]] std::vector<std::string> blind_spots(const model::HostView& view);

}  // namespace netwatch::present
