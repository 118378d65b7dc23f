// SPDX-License-Identifier: Apache-2.0
#include "present/incidents.h"

#include <fmt/format.h>

#include <algorithm>

#include "present/inert.h"
#include "present/style.h"

namespace netwatch::present {
namespace {

bool is_current(const model::Incident& incident) {
    return (incident.state == model::IncidentState::open || incident.state == model::IncidentState::stale) &&
           incident.severity != model::Severity::info;
}

// How many candidates the set has: the shortest prefix that sums to 0.9.
std::size_t set_size(const model::Incident& incident) {
    double sum = 0;
    for (std::size_t i = 0; i < incident.candidates.size(); ++i) {
        sum += incident.candidates[i].probability;
        if (sum >= 0.9 - 1e-9) return i + 1;
    }
    return incident.candidates.size();
}

std::string members_text(const model::Scope& scope) {
    if (scope.members.empty()) return {};
    if (scope.members.size() == 1) return fmt::format(", {}", inert(scope.members.front()));
    return fmt::format(" ({} destinations)", scope.members.size());
}

std::string hook_sentence(const model::HookStatus& hook) {
    return fmt::format("{}: {}", inert(hook.signal),
                       inert(hook.lost.empty() ? "not seen on this kernel" : hook.lost));
}

std::string by_whom(const model::Change& change) {
    if (!change.by) return {};
    return *change.by == "unknown" ? " by an unknown process" : " by " + inert(*change.by);
}

}  // namespace

std::vector<IncidentGroup> group_incidents(std::span<const model::Incident> incidents, bool all) {
    std::vector<IncidentGroup> groups;
    const auto shown = [&](const model::Incident& incident) { return all || is_current(incident); };
    const auto root_of = [&](const model::Incident& incident) -> const model::Incident* {
        if (!incident.symptom || !incident.root_cause.incident) return nullptr;
        const auto* root = find_incident(incidents, *incident.root_cause.incident);
        return root != nullptr && root != &incident && !root->symptom && shown(*root) ? root : nullptr;
    };
    for (const auto& incident : incidents) {
        if (shown(incident) && root_of(incident) == nullptr) groups.push_back({&incident, {}});
    }
    for (const auto& incident : incidents) {
        if (!shown(incident)) continue;
        const auto* root = root_of(incident);
        const auto group = std::ranges::find(groups, root, &IncidentGroup::root);
        if (root != nullptr && group != groups.end()) group->symptoms.push_back(&incident);
    }
    return groups;
}

const model::Incident* find_incident(std::span<const model::Incident> incidents, std::string_view id) {
    const auto found = std::ranges::find(incidents, id, &model::Incident::id);
    return found == incidents.end() ? nullptr : &*found;
}

bool blames_network(const model::Incident& incident) {
    switch (incident.type) {
        case model::FailureType::slow_service:
        case model::FailureType::receiver_stalled: return false;
        case model::FailureType::connection_exhaustion:
            return incident.cause != "file_descriptors" && incident.cause != "listen_backlog" &&
                   incident.cause != "close_wait_leak";
        default: return true;
    }
}

std::string label(const model::DestinationRef& ref) {
    if (!ref.name) return ref.endpoint.to_display();
    const std::string name = inert(*ref.name);
    return ref.endpoint.port == 0
               ? fmt::format("{} ({})", name, ref.endpoint.ip.to_string())
               : fmt::format("{}:{} ({})", name, ref.endpoint.port, ref.endpoint.ip.to_string());
}

std::string where(const model::Incident& incident) {
    const auto& scope = incident.scope;
    if (scope.kind == model::ScopeKind::destination) {
        if (incident.destination) return label(*incident.destination);
        return scope.members.empty() ? "no single destination" : inert(scope.members.front());
    }
    const std::string value = scope.value ? " " + inert(*scope.value) : std::string();
    return fmt::format("{}{}{}", model::to_string(scope.kind), value, members_text(scope));
}

std::string type_and_cause(model::FailureType type, const std::optional<std::string>& cause) {
    return cause ? fmt::format("{} ({})", model::to_string(type), inert(*cause))
                 : std::string(model::to_string(type));
}

std::string alternatives(const model::Incident& incident) {
    std::string text;
    for (std::size_t i = 1; i < set_size(incident); ++i) {
        const auto& candidate = incident.candidates[i];
        text += fmt::format("{}{} {:.2f}", text.empty() ? "or " : ", ",
                            type_and_cause(candidate.type, candidate.cause), candidate.probability);
    }
    return text;
}

std::string would_split(const model::Incident& incident) {
    if (set_size(incident) < 2) return {};
    for (const auto& candidate : incident.candidates) {
        if (candidate.would_split) return inert(*candidate.would_split);
    }
    return {};
}

std::string change_text(const model::Incident& incident, const model::Change& change) {
    const bool before = change.at <= incident.first_affected_at;
    const std::string distance = before ? age_words(change.at, incident.first_affected_at)
                                        : age_words(incident.first_affected_at, change.at);
    return fmt::format("{} {}: {}{}", distance, before ? "before" : "after", inert(change.what),
                       by_whom(change));
}

std::vector<const model::Change*> changes_by_bearing(const model::Incident& incident) {
    std::vector<const model::Change*> changes;
    for (const auto& change : incident.changes) changes.push_back(&change);
    std::ranges::stable_sort(changes, std::greater{}, &model::Change::bearing);
    return changes;
}

std::string foremost_change(const model::Incident& incident) {
    const auto changes = changes_by_bearing(incident);
    const bool none = changes.empty() || changes.front()->bearing == model::Bearing::beside;
    return none ? std::string() : change_text(incident, *changes.front());
}

std::string state_note(const model::Incident& incident) {
    switch (incident.state) {
        case model::IncidentState::open: return {};
        case model::IncidentState::suspected: return "suspected: one observation short of a verdict";
        case model::IncidentState::stale: return "stale: nothing has tried it since, nothing has succeeded";
        case model::IncidentState::resolved: break;
    }
    const std::string_view how = incident.resolution ? model::to_string(*incident.resolution) : "resolved";
    if (!incident.resolved_at) return std::string(how);
    return fmt::format("{} at {} UTC after {}", how, core::to_time_of_day(*incident.resolved_at),
                       age_words(incident.first_affected_at, *incident.resolved_at));
}

std::uint64_t unreadable(const model::ObserverStatus& observer) {
    std::uint64_t count = 0;
    for (const auto& row : observer.accounts) {
        if (row.kind == "dns_message" || row.kind == "tls_event") count += row.filtered;
    }
    return count;
}

std::vector<std::string> blind_spots(const model::HostView& view) {
    constexpr std::int64_t short_watch_ns = 600'000'000'000;
    const auto& observer = view.observer;
    std::vector<std::string> spots;
    if (observer.lost_records > 0) {
        spots.push_back(
            fmt::format("{} records were lost: counts may be too low", grouped(observer.lost_records)));
    }
    for (const auto& hook : observer.hooks) {
        if (hook.state == "missing") spots.push_back(hook_sentence(hook));
    }
    for (const auto& hook : observer.hooks) {
        if (hook.state != "missing" && !hook.lost.empty()) spots.push_back(hook_sentence(hook));
    }
    if (observer.evicted_destinations > 0) {
        spots.push_back(fmt::format("{} destinations were evicted to stay within the memory limit",
                                    grouped(observer.evicted_destinations)));
    }
    if (const std::uint64_t count = unreadable(observer); count > 0) {
        spots.push_back(
            fmt::format("{} DNS messages or TLS handshakes could not be read: they are counted, not judged",
                        grouped(count)));
    }
    if (observer.recording_error) spots.push_back("not recorded: " + inert(*observer.recording_error));
    if (observer.udp_not_judged > 0) {
        spots.push_back(
            fmt::format("UDP without DNS is counted, not judged: {} seen", grouped(observer.udp_not_judged)));
    }
    if (view.at.ns - view.started_at.ns < short_watch_ns) {
        spots.push_back(fmt::format("watching for only {}: no history to compare with",
                                    age_words(view.started_at, view.at)));
    }
    return spots;
}

}  // namespace netwatch::present
