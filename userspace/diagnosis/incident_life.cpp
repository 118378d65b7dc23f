// SPDX-License-Identifier: Apache-2.0
// When an incident is over: what shows that its kind has healed, and what becomes of one that nothing is
// heard of.
#include <algorithm>

#include "diagnosis/dns.h"
#include "diagnosis/host_trouble.h"
#include "diagnosis/incident_book.h"
#include "diagnosis/latency.h"
#include "diagnosis/path_mtu.h"
#include "diagnosis/quality.h"
#include "diagnosis/stall.h"
#include "diagnosis/tls.h"

namespace netwatch::diagnosis {
namespace {

using model::IncidentState;
using model::Resolution;
using model::Severity;

constexpr std::uint64_t dwell_ns = 5 * core::ns_per_s;  // an incident stays at least this long
constexpr std::uint64_t healthy_ns = core::ns_per_s;    // successes have to span this
constexpr std::uint32_t healthy_successes = 3;          // after a total failure: (0.05/0.99)^3 = 1e-4
// Where connections are rare two do, so far apart that the fault would have shown between them: 0.3 %.
constexpr std::uint32_t rare_successes = 2;
constexpr std::uint64_t rare_span_ns = 4 * core::ns_per_s;
constexpr std::uint64_t silent_member_ns =
    10 * core::ns_per_s;  // a member not heard of since does not hold it open
constexpr std::uint64_t stale_ns = 30 * core::ns_per_s;
constexpr std::uint64_t forgotten_ns = 86'400 * core::ns_per_s;
constexpr std::uint64_t suspicion_ns = 10 * core::ns_per_s;

bool is_cut(const model::Incident& incident) {
    return incident.type == model::FailureType::connection_reset ||
           incident.type == model::FailureType::idle_timeout_drop || incident.cause == "state_lost";
}

// One fault had them all: what they make since tells together that it has gone.
bool path_carries_all(const std::set<DestinationKey>& members, const Scene& scene) {
    double health = 0;
    for (const DestinationKey& key : members) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->detail) continue;
        const Handshakes& made = destination->detail->handshakes_made;
        if (!made.alarms(scene.now)) continue;
        const auto of_member = made.health(scene.now);
        if (!of_member) return false;
        health += *of_member;
    }
    return Handshakes::is_enough(health);
}

}  // namespace

bool IncidentBook::healed(const Entry& entry, const Scene& scene) const {
    const auto any_member = [&](const auto& holds) {
        return std::ranges::any_of(entry.members, [&](const DestinationKey& key) {
            const Destination* destination = scene.destinations.find(key);
            return destination != nullptr && destination->detail && holds(*destination);
        });
    };
    switch (entry.family) {
        case Family::resources:
            return scene.exhaustion.healed(entry.group, scene.now) || scene.close_waits.healed(entry.group) ||
                   host_healed(scene, entry.group);
        case Family::reachability: return reachable_again(entry, scene);
        case Family::names: return names_healed(scene, entry.incident, entry.group);
        case Family::handshakes: {
            if (entry.incident.cause == "path_member" && path_carries_all(entry.members, scene)) return true;
            const bool limit = entry.incident.cause == "remote_limit";
            const auto ails = [&](const Destination& d) {
                return limit ? d.detail->turned_away.alarms(scene.now)
                             : d.detail->handshakes_made.alarms(scene.now);
            };
            return any_member([&](const Destination& d) { return !ails(d); }) && !any_member(ails);
        }
        case Family::loss: {
            const auto whole = [&](const AddressKey& key) {
                const Address* address = scene.destinations.find_address(key);
                return address != nullptr && address->quality && address->quality->healed(scene.now);
            };
            return !entry.addresses.empty() && std::ranges::all_of(entry.addresses, whole);
        }
        case Family::size: {
            const Address* address =
                entry.addresses.empty() ? nullptr : scene.destinations.find_address(*entry.addresses.begin());
            return address != nullptr &&
                   full_segments_pass(*address, entry.incident.cause == "reverse", scene.now);
        }
        case Family::latency:
            return any_member([&](const Destination& d) { return as_quick_as_usual(d, scene.now); }) &&
                   !any_member([&](const Destination& d) { return slower_by(d, scene.now).has_value(); });
        case Family::tls: return handshakes_succeed(entry, scene);
        case Family::certificate:
            return std::ranges::all_of(
                entry.members, [&](const DestinationKey& key) { return certificate_renewed(scene, key); });
        case Family::service:
            if (entry.incident.type == model::FailureType::receiver_stalled) return any_member(windows_open);
            if (is_cut(entry.incident))
                return any_member([&](const Destination& d) { return d.detail->cuts.healed(scene.now); });
            return any_member(
                [&](const Destination& d) { return answers_healed(d.detail->answers, scene.now); });
    }
    return false;
}

// Each of its servers that is still used, for whom it concerns.
bool IncidentBook::handshakes_succeed(const Entry& entry, const Scene& scene) {
    const model::Incident& incident = entry.incident;
    const bool one_party = incident.scope.kind == model::ScopeKind::trust;
    const auto sni = incident.destination ? incident.destination->sni : std::nullopt;
    const auto party = one_party ? incident.scope.value : std::nullopt;
    bool any = false;
    for (const DestinationKey& key : entry.members) {
        const auto succeeds = scene.tls.healed(key, sni, party, scene.now);
        if (succeeds == false) return false;
        any = any || succeeds == true;
    }
    return any;
}

bool IncidentBook::reachable_again(const Entry& entry, const Scene& scene) const {
    std::uint32_t successes = 0;
    core::BootNs since = scene.now;
    core::BootNs last = 0;
    for (const DestinationKey& key : entry.members) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr) continue;
        if (destination->run) {
            if (destination->run->last_at_ns + silent_member_ns >= scene.now) return false;
            continue;
        }
        if (destination->successes_in_row > 0) since = std::min(since, destination->row_since);
        successes += destination->successes_in_row;
        last = std::max(last, destination->last_success_at);
        const bool moves =
            destination->flows > 0 && destination->last_progress_at > destination->last_failure_at;
        if (moves && destination->successes_in_row == 0) {
            successes += healthy_successes;
            since = std::min(since, destination->last_failure_at);
        }
    }
    if (successes >= rare_successes && since + rare_span_ns <= last) return true;
    return successes >= healthy_successes && since + healthy_ns <= scene.now;
}

void IncidentBook::resolve(Entry& entry, Resolution how, const Scene& scene) {
    // A suspicion that came to nothing hurt nobody.
    if (entry.is_suspicion()) entry.incident.severity = Severity::info;
    entry.incident.state = IncidentState::resolved;
    entry.incident.resolution = how;
    entry.incident.resolved_at = std::max(scene.anchor.utc(scene.now), entry.incident.detected_at);
}

void IncidentBook::check_life(Entry& entry, const Scene& scene) {
    model::Incident& incident = entry.incident;
    if (entry.is_suspicion()) {
        if (entry.last_named_ns + suspicion_ns < scene.now || healed(entry, scene))
            resolve(entry, Resolution::healed, scene);
        return;
    }
    if (incident.symptom) {
        const Entry* root = find_entry(incident.root_cause.incident);
        const bool over = root == nullptr || !root->active();
        if (!entry.passed_on) {
            if (over) resolve(entry, Resolution::superseded, scene);
            return;
        }
        outlive_root(entry, over, scene);
        if (!entry.active()) return;
    }
    if (entry.opened_ns + dwell_ns <= scene.now && healed(entry, scene)) {
        if (entry.family == Family::loss) {
            // The next suspicion starts from nothing.
            for (const AddressKey& key : entry.addresses) {
                const Address* address = scene.destinations.find_address(key);
                if (address != nullptr && address->quality) address->quality->forget_alarm();
            }
        }
        if (entry.family == Family::handshakes && incident.cause == "path_member") {
            for (const DestinationKey& key : entry.members) {
                const Destination* destination = scene.destinations.find(key);
                if (destination != nullptr && destination->detail)
                    destination->detail->handshakes_made.forget_alarm();
            }
        }
        resolve(entry, Resolution::healed, scene);
        return;
    }
    if (entry.last_named_ns + forgotten_ns < scene.now) return resolve(entry, Resolution::forgotten, scene);
    core::BootNs last_active = 0;
    for (const DestinationKey& key : entry.members) {
        const Destination* destination = scene.destinations.find(key);
        if (destination != nullptr) last_active = std::max(last_active, destination->last_active);
    }
    if (last_active == 0) last_active = entry.last_named_ns;  // resumed, and not heard of since
    incident.state = last_active + stale_ns < scene.now ? IncidentState::stale : IncidentState::open;
}

}  // namespace netwatch::diagnosis
