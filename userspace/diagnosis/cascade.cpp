// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/cascade.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnosis/explain.h"
#include "diagnosis/incident_book.h"

namespace netwatch::diagnosis {
namespace {

// How much earlier a service may seem to ail than what it waits for: requests to both are judged in looks a
// second apart. And how much later: pools drain, queues fill; what comes later still is another fault.
constexpr std::uint64_t cascade_slack_ns = 5 * core::ns_per_s;
constexpr std::uint64_t cascade_span_ns = 120 * core::ns_per_s;
constexpr std::uint64_t call_remembered_ns = 60 * core::ns_per_s;
constexpr std::uint64_t outlived_ns = 15 * core::ns_per_s;  // what a service has passed on is over by then
constexpr std::uint64_t unnamed_ns = 5 * core::ns_per_s;

// What a service does to its callers when something that it needs itself ails: it is slow, its pool and its
// queue fill up, it refuses.
bool may_be_passed_on(const model::Incident& incident) {
    switch (incident.type) {
        case model::FailureType::slow_service:
        case model::FailureType::connection_reset:
        case model::FailureType::receiver_stalled:
        case model::FailureType::load_balancer:
        case model::FailureType::port_blocked: return true;
        default: break;
    }
    return std::ranges::any_of(incident.candidates, [](const model::Candidate& candidate) {
        return candidate.type == model::FailureType::connection_exhaustion && candidate.cause &&
               (*candidate.cause == "listen_backlog" || *candidate.cause == "file_descriptors" ||
                *candidate.cause == "remote_limit");
    });
}

}  // namespace

std::vector<DestinationKey> listeners_of(const Scene& scene, const DestinationKey& key) {
    if (key.perspective == model::Perspective::server) return {key};
    std::vector<DestinationKey> listeners = {{key.endpoint, model::Perspective::server, key.netns}};
    const Destination* destination = scene.destinations.find(key);
    const auto real = destination == nullptr ? std::nullopt : destination->other_names().real;
    if (real) listeners.push_back({*real, model::Perspective::server, key.netns});
    return listeners;
}

// The trouble of what the service behind this incident calls, if it came before or with its own; the
// earliest.
const IncidentBook::Entry* IncidentBook::passes_on_to(const Entry& entry, const Scene& scene) const {
    if (!may_be_passed_on(entry.incident)) return nullptr;
    struct Served {
        DestinationKey key;
        DestinationKey listener;  // on this host
    };
    std::vector<Served> served;
    for (const DestinationKey& key : entry.members) {
        for (const DestinationKey& listener : listeners_of(scene, key)) {
            if (scene.calls.knows(listener)) served.push_back({key, listener});
        }
    }
    if (served.empty()) return nullptr;
    const core::BootNs called_since = entry.onset_ns - std::min(entry.onset_ns, call_remembered_ns);
    const auto calls = [&](const Served& one, const Entry& cause) {
        return std::ranges::any_of(cause.members, [&](DestinationKey called) {
            called.perspective = model::Perspective::client;
            return called != one.key && scene.calls.leads(one.listener, called, called_since);
        });
    };
    const Entry* earliest = nullptr;
    for (const Entry& cause : entries_) {
        const bool counts = &cause != &entry && cause.active() && !cause.is_suspicion() &&
                            cause.incident.severity != model::Severity::info;
        const bool in_time = cause.onset_ns <= entry.onset_ns + cascade_slack_ns &&
                             entry.onset_ns <= cause.onset_ns + cascade_span_ns;
        if (!counts || !in_time || (earliest != nullptr && earliest->onset_ns <= cause.onset_ns)) continue;
        if (std::ranges::any_of(served, [&](const Served& one) { return calls(one, cause); }))
            earliest = &cause;
    }
    return earliest;
}

// Down the calls to what ails by itself. Services that call each other: the first to ail.
const IncidentBook::Entry* IncidentBook::root_of(const Entry& entry, const Scene& scene) const {
    std::vector<const Entry*> way{&entry};
    while (const Entry* next = passes_on_to(*way.back(), scene)) {
        if (std::ranges::find(way, next) != way.end()) {
            return std::ranges::min(way, {}, [](const Entry* e) { return std::pair(e->onset_ns, e); });
        }
        way.push_back(next);
    }
    const Entry* root = way.back();
    return root->incident.symptom && !root->passed_on ? find_entry(root->incident.root_cause.incident) : root;
}

void IncidentBook::trace_cascades(const Scene& scene) {
    for (Entry& entry : entries_) {
        const bool settled = entry.incident.symptom && !entry.passed_on;
        if (!entry.active() || entry.is_suspicion() || settled) continue;
        const Entry* root = root_of(entry, scene);
        if (root == nullptr || root == &entry) continue;
        entry.passed_on = true;
        make_symptom(entry, *root);
    }
    for (Entry& entry : entries_) {
        const Entry* root = entry.active() && entry.incident.symptom
                                ? find_entry(entry.incident.root_cause.incident)
                                : nullptr;
        if (root == nullptr) continue;
        entry.incident.root_cause.type = root->incident.type;
        entry.incident.root_cause.statement = "A consequence of another incident: " + root->incident.summary;
        if (!entry.passed_on) continue;
        std::erase_if(entry.incident.evidence,
                      [](const auto& item) { return item.signal == passed_on_signal; });
        entry.incident.evidence.push_back(
            {passed_on_signal, root->incident.id,
             fmt::format("whoever serves it calls {}, which fails since {} earlier or at the same time",
                         subject_of(root->incident),
                         core::to_duration(entry.onset_ns - std::min(entry.onset_ns, root->onset_ns))),
             scene.anchor.utc(scene.now)});
    }
}

// What a service has passed on heals after its root did. What does not was a fault of its own.
void IncidentBook::outlive_root(Entry& entry, bool root_is_over, const Scene& scene) {
    if (!root_is_over) {
        entry.orphaned_ns = 0;
    } else if (entry.orphaned_ns == 0) {
        entry.orphaned_ns = scene.now;
    } else if (entry.orphaned_ns + outlived_ns <= scene.now) {
        if (entry.last_named_ns + unnamed_ns <= scene.now)
            return resolve(entry, model::Resolution::superseded, scene);
        entry.passed_on = entry.incident.symptom = false;
        entry.orphaned_ns = 0;
        entry.incident.root_cause.incident.reset();
    }
}

}  // namespace netwatch::diagnosis
