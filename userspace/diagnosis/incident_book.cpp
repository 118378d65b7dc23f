// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/incident_book.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnosis/cascade.h"
#include "diagnosis/changes.h"
#include "diagnosis/explain.h"
#include "diagnosis/ladder.h"
#include "diagnosis/loss.h"

namespace netwatch::diagnosis {
namespace {

using model::IncidentState;
using model::Resolution;
using model::Severity;

constexpr std::uint64_t reopen_ns = 600 * core::ns_per_s;
constexpr std::uint64_t healing_ns = 15 * core::ns_per_s;
constexpr std::size_t processes_shown = 8;
constexpr std::string_view resumed_group = "resumed";           // which place it is, is not known yet
constexpr std::uint64_t changes_ripen_ns = 2 * core::ns_per_s;  // a walk may have to end that tells of one
constexpr std::uint32_t full_baseline_successes = 30;

// FNV-1a, 64 bits (Fowler, Noll, Vo): stable across builds, which std::hash is not.
std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return hash;
}

Family family_of(const model::Incident& incident) {
    switch (incident.type) {
        case model::FailureType::packet_loss:
            return incident.cause == "local_queue" ? Family::resources
                   : incident.cause == "syn_only"  ? Family::handshakes
                                                   : Family::loss;
        case model::FailureType::load_balancer:
            return incident.cause == "stale_endpoint" ? Family::names
                   : incident.cause == "backend_tls"  ? Family::tls
                   : incident.cause == "address_dead" ? Family::reachability
                                                      : Family::handshakes;
        case model::FailureType::dns_failure: return Family::names;
        case model::FailureType::tls_handshake_failure:
            return incident.severity == Severity::info ? Family::certificate : Family::tls;
        case model::FailureType::connection_exhaustion:
            if (incident.cause == "ephemeral_ports" || incident.cause == "time_wait")
                return Family::reachability;
            return incident.cause == "remote_limit" || incident.cause == "nat_ports_remote"
                       ? Family::handshakes
                       : Family::resources;
        case model::FailureType::path_mtu_blackhole: return Family::size;
        case model::FailureType::latency_spike: return Family::latency;
        case model::FailureType::firewall_block:
            return incident.cause == "state_lost" ? Family::service : Family::reachability;
        case model::FailureType::slow_service:
        case model::FailureType::receiver_stalled:
        case model::FailureType::connection_reset:
        case model::FailureType::idle_timeout_drop: return Family::service;
        default: return Family::reachability;
    }
}

std::string scope_text(const model::Scope& scope) {
    std::string text = std::string(model::to_string(scope.kind)) + " " + scope.value.value_or("");
    for (const auto& member : scope.members) text += " " + member;
    return text;
}

// What a follower is told of: a change in any of these is a change of the incident.
std::string telling(const model::Incident& incident) {
    const auto bear = std::ranges::count_if(incident.changes, [](const model::Change& change) {
        return change.bearing != model::Bearing::beside;
    });
    return fmt::format("{} {} {} {} {:.1f} {} {} {} {}", model::to_string(incident.state),
                       model::to_string(incident.type), incident.cause.value_or(""),
                       model::to_string(incident.severity), incident.confidence, incident.symptom,
                       scope_text(incident.scope), incident.occurrences, bear);
}

int rank(const model::Incident& incident) {
    if (incident.state == IncidentState::resolved) return 4;
    if (incident.state == IncidentState::suspected) return 3;
    if (incident.severity == Severity::info) return 2;
    return incident.symptom ? 1 : 0;
}

// Blames the whole address or more, not one of its ports.
bool covers_address(const model::Incident& incident) {
    return incident.scope.kind != model::ScopeKind::destination ||
           (incident.destination && incident.destination->endpoint.port == 0);
}

// A resolver beyond the network or the link that is lost.
bool lies_on_the_way(const model::Incident& cause, const DestinationKey& key, const Scene& scene) {
    if (key.endpoint.ip.is_loopback()) return false;
    if (cause.scope.kind == model::ScopeKind::prefix && cause.scope.value) {
        const auto block = model::Prefix::sibling_block(key.endpoint.ip);
        return block.to_string() == *cause.scope.value;
    }
    if (cause.scope.kind == model::ScopeKind::path) return true;
    if (cause.scope.kind != model::ScopeKind::uplink || !cause.scope.value) return false;
    const Destination* resolver = scene.destinations.find(key);
    if (resolver == nullptr) return false;
    const auto way = scene.network.way_to(resolver->netns, key.endpoint.ip);
    const Link* link = way ? scene.network.link(resolver->netns, way->ifindex) : nullptr;
    return link == nullptr || link->name == *cause.scope.value;
}

// Of two names at one server each has an incident of its own; one for all names has those of any.
bool same_name(const model::Incident& incident, const Finding& finding) {
    if (finding.family != Family::tls || !incident.destination || !finding.destination) return true;
    const auto& before = incident.destination->sni;
    const auto& now = finding.destination->sni;
    return !before || !now || *before == *now;
}

// Of a thousand incidents most are of one destination each, and have nothing in common.
bool overlap(const std::set<DestinationKey>& a, const std::set<DestinationKey>& b) {
    if (a.empty() || b.empty() || *a.rbegin() < *b.begin() || *b.rbegin() < *a.begin()) return false;
    return std::ranges::any_of(b, [&](const DestinationKey& key) { return a.contains(key); });
}

bool same_address(const DestinationKey& a, const DestinationKey& b) {
    return a.endpoint.ip == b.endpoint.ip && a.netns == b.netns;
}

}  // namespace

// A fault of the host explains loss and lateness at any port, one of a port only what is late there. What is
// known at the listener itself explains what its clients see.
bool IncidentBook::explains(const Entry& cause, Family family, const DestinationKey& key,
                            const Scene& scene) {
    if (cause.family >= family || cause.incident.severity == Severity::info) return false;
    const bool of_service =
        family == Family::reachability || family == Family::handshakes || family == Family::service;
    if (cause.family == Family::resources && of_service) {
        const bool served = std::ranges::any_of(
            listeners_of(scene, key), [&](const auto& listener) { return cause.members.contains(listener); });
        if (served) return true;
    }
    const bool of_port = family == Family::service || family == Family::handshakes || family == Family::names;
    if (family == Family::names && lies_on_the_way(cause.incident, key, scene)) return true;
    if (of_port && cause.members.contains(key)) return true;
    return covers_address(cause.incident) &&
           std::ranges::any_of(cause.members,
                               [&](const DestinationKey& one) { return same_address(one, key); });
}

IncidentBook::Entry* IncidentBook::match(const Finding& finding) {
    Entry* overlapping = nullptr;
    for (Entry& entry : entries_) {
        const bool hidden = entry.incident.symptom && !entry.passed_on;
        if (!entry.active() || entry.family != finding.family || hidden) continue;
        if (entry.group == finding.group) return &entry;
        const bool shares =
            std::ranges::any_of(finding.members, [&](const auto& m) { return entry.members.contains(m); });
        if (shares && overlapping == nullptr && same_name(entry.incident, finding)) overlapping = &entry;
    }
    return overlapping;
}

bool IncidentBook::explained_by_another(const Finding& finding, const Scene& scene) const {
    return !finding.in_words && std::ranges::any_of(entries_, [&](const Entry& entry) {
        if (!entry.active() || entry.is_suspicion() || entry.family >= finding.family) return false;
        return std::ranges::any_of(finding.members, [&](const DestinationKey& key) {
            return explains(entry, finding.family, key, scene);
        });
    });
}

IncidentBook::Entry& IncidentBook::open(const Finding& finding, const Scene& scene,
                                        const BookContext& context) {
    Entry& entry = entries_.emplace_back();
    entry.family = finding.family;
    entry.opened_ns = scene.now;
    entry.lost_before = context.lost_records;
    model::Incident& incident = entry.incident;
    incident.type = finding.type();
    incident.cause = finding.cause();
    incident.opened_at = incident.detected_at = scene.anchor.utc(scene.now);
    incident.id = fmt::format(
        "n{:012x}", fnv1a(fmt::format("{} {} {} {}", context.boot_id, scene.now,
                                      model::to_string(finding.type()), scope_text(finding.scope))) &
                        0xffff'ffff'ffffULL);
    return entry;
}

IncidentBook::Entry* IncidentBook::reopen(const Finding& finding, const Scene& scene) {
    const auto earliest = scene.anchor.utc(scene.now - std::min(scene.now, reopen_ns));
    for (Entry& entry : entries_) {
        const model::Incident& old = entry.incident;
        const bool same = old.state == IncidentState::resolved && old.resolution == Resolution::healed &&
                          old.type == finding.type() && old.scope.members == finding.scope.members &&
                          old.severity == finding.severity && *old.resolved_at >= earliest;
        if (!same) continue;
        ++entry.incident.occurrences;
        entry.incident.state = IncidentState::open;
        entry.incident.resolved_at.reset();
        entry.incident.resolution.reset();
        entry.opened_ns = scene.now;
        return &entry;
    }
    return nullptr;
}

// Members that work again leave a narrower finding behind. While they do, that is the healing of the fault,
// not another.
bool IncidentBook::healing_narrows(const Entry& entry, const Finding& finding, const Scene& scene) {
    const std::set<DestinationKey> named(finding.members.begin(), finding.members.end());
    if (!std::ranges::includes(entry.members, named)) return false;
    return std::ranges::any_of(entry.members, [&](const DestinationKey& key) {
        const Destination* destination = named.contains(key) ? nullptr : scene.destinations.find(key);
        if (destination == nullptr) return false;
        // An attempt that began before the latest success waits for its SYN to be sent again.
        if (destination->run && destination->run->first_start_ns > destination->last_success_at) return false;
        // Of a fault behind the handshakes that they succeed says nothing: what heals is what is used at all.
        const bool connects_tell = entry.family == Family::reachability && destination->successes_in_row > 0;
        const core::BootNs works_since =
            connects_tell ? destination->row_since : destination->last_success_at;
        return works_since > entry.opened_ns && works_since + healing_ns >= scene.now;
    });
}

void IncidentBook::revise(Entry& entry, const Finding& finding, const Scene& scene,
                          const BookContext& context) {
    model::Incident& incident = entry.incident;
    // What is known for sure is not renamed by what is one observation short of it.
    const bool unsure = entry.is_suspicion();
    if (!unsure && (!finding.confirmed || healing_narrows(entry, finding, scene))) {
        entry.last_named_ns = scene.now;
        return refresh(entry, scene, context);
    }
    const auto now = scene.anchor.utc(scene.now);
    const bool fresh = entry.group.empty();
    const bool elsewhere = entry.family == Family::reachability && !fresh && entry.group != resumed_group &&
                           entry.group != finding.group;
    entry.last_named_ns = scene.now;
    entry.group = finding.group;
    // Seen to be another place, it is no longer about what that does not have.
    if (elsewhere) entry.members.clear();
    entry.onset_ns = fresh ? finding.first_affected : std::min(entry.onset_ns, finding.first_affected);
    // The wall clock may have been set back: times stay in order.
    if (fresh || incident.type != finding.type()) entry.detected_ns = scene.now;
    if (incident.type != finding.type()) incident.detected_at = std::max(now, incident.detected_at);
    if (finding.confirmed && entry.is_suspicion()) {
        incident.state = IncidentState::open;
        incident.opened_at = incident.detected_at = std::max(now, incident.first_affected_at);
        entry.opened_ns = entry.detected_ns = scene.now;
    }
    incident.type = finding.type();
    incident.cause = finding.cause();
    incident.candidates = finding.candidates;
    incident.confidence = finding.candidates.front().probability;
    // A harmless look of a moment does not take back that somebody was hurt.
    incident.severity = fresh || unsure ? finding.severity : std::max(incident.severity, finding.severity);
    incident.scope = finding.scope;
    incident.perspective = finding.perspective;
    incident.destination = finding.destination;
    incident.evidence = finding.evidence;
    incident.ruled_out = finding.ruled_out;
    incident.impact.flows = finding.flows;
    entry.process = finding.process;
    entry.tally = finding.tally;
    entry.root = finding.root;
    if (finding.offender) incident.root_cause.offender = finding.offender->to_string();
    const auto affected = scene.anchor.utc(finding.first_affected);
    if (fresh || affected < incident.first_affected_at)
        incident.first_affected_at = std::min(affected, incident.opened_at);
    for (const DestinationKey& key : finding.members) {
        if (!entry.members.insert(key).second) continue;
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr) continue;
        const std::uint64_t in_run = destination->run ? destination->run->attempts : 0;
        entry.before[key] = {destination->attempts - in_run,
                             destination->failed - std::min(destination->failed, in_run)};
    }
    const bool of_address = finding.family == Family::loss || finding.family == Family::size;
    if (of_address) {
        const std::uint32_t netns = finding.members.empty() ? 0 : finding.members.front().netns;
        for (const std::string& member : finding.scope.members)
            entry.addresses.insert({*model::IpAddress::parse(member), netns});
    }
    if (elsewhere) release_symptoms(entry, scene);
    refresh(entry, scene, context);
}

void IncidentBook::refresh(Entry& entry, const Scene& scene, const BookContext& context) {
    model::Incident& incident = entry.incident;
    std::map<std::string, core::BootNs> processes;
    const Process* worst = nullptr;
    std::uint32_t worst_failed = 0;
    std::set<std::string> comms;
    std::set<std::uint32_t> namespaces;
    std::set<std::uint32_t> homes;  // of the processes: a destination may be used from several
    incident.impact.attempts = incident.impact.failed = 0;
    bool worked = false;
    std::uint64_t successes = 0;
    for (const DestinationKey& key : entry.members) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr) continue;
        const auto [attempts_before, failed_before] = entry.before[key];
        const std::uint64_t pending = destination->run ? destination->run->pending : 0;
        incident.impact.attempts +=
            static_cast<std::int64_t>(destination->attempts - attempts_before + pending);
        incident.impact.failed += static_cast<std::int64_t>(destination->failed - failed_before + pending);
        worked = worked || destination->ever_worked();
        successes += destination->established;
        if (destination->netns != 0) namespaces.insert(destination->netns);
        if (!destination->detail) continue;
        for (const auto& who : destination->detail->who) {
            const Process* process = scene.processes.find(who.key);
            if (process == nullptr || (who.failed == 0 && entry.family == Family::reachability)) continue;
            processes[process->label()] = who.last;
            comms.insert(process->comm);
            if (process->netns != 0) homes.insert(process->netns);
            if (worst == nullptr || who.failed > worst_failed) {
                worst = process;
                worst_failed = who.failed;
            }
        }
    }
    if (const Process* at_fault = entry.process ? scene.processes.find(*entry.process) : nullptr) {
        worst = at_fault;
        comms = {at_fault->comm};
        processes = {{at_fault->label(), scene.now}};
        homes = {at_fault->netns};
    }
    if (entry.tally) {
        incident.impact.attempts = entry.tally->attempts;
        incident.impact.failed = entry.tally->failed;
    }
    incident.impact.failed = std::min(incident.impact.failed, incident.impact.attempts);
    incident.impact.share.reset();
    if (incident.impact.attempts > 0) {
        incident.impact.share =
            static_cast<double>(incident.impact.failed) / static_cast<double>(incident.impact.attempts);
    }
    std::vector<std::pair<core::BootNs, std::string>> latest;
    for (const auto& [label, last] : processes) latest.emplace_back(last, label);
    std::ranges::sort(latest, std::greater{});
    incident.impact.processes.clear();
    for (std::size_t i = 0; i < std::min(latest.size(), processes_shown); ++i) {
        incident.impact.processes.push_back(latest[i].second);
    }
    if (worst != nullptr) {
        incident.source.comm = comms.size() == 1 ? std::optional(worst->comm) : std::nullopt;
        const auto cgroup = scene.cgroups.find(worst->cgroup_id);
        const bool one_group = comms.size() == 1 && cgroup != scene.cgroups.end();
        incident.source.cgroup = one_group ? std::optional(cgroup->second) : std::nullopt;
        incident.source.pid = processes.size() == 1 ? std::optional(worst->key.pid) : std::nullopt;
    }
    if (!homes.empty()) namespaces = homes;
    incident.source.netns = namespaces.size() == 1 ? std::optional(*namespaces.begin()) : std::nullopt;

    if (incident.destination)
        incident.destination->region = scene.regions.of(incident.destination->endpoint.ip);
    const bool named = incident.destination && entry.family != Family::names;
    if (const std::string* name = named ? scene.names.of(incident.destination->endpoint.ip) : nullptr)
        incident.destination->name = *name;

    incident.observer.lost_records = static_cast<std::int64_t>(context.lost_records - entry.lost_before);
    incident.observer.missing_hooks = context.missing_hooks;
    incident.observer.baseline = !worked ? model::Baseline::none
                                 : scene.watched_briefly() || successes < full_baseline_successes
                                     ? model::Baseline::short_
                                     : model::Baseline::full;
    if (scene.now <= entry.detected_ns + changes_ripen_ns)
        incident.changes = changes_around(scene, incident, entry.members, entry.onset_ns);
    const Words words = words_for(incident);
    incident.summary = words.summary;
    incident.root_cause.statement = words.statement;
    if (!incident.symptom) incident.root_cause.type = entry.root.value_or(incident.type);
    incident.owner_hint = words.owner;
    incident.advice = words.advice;
    const DestinationKey key{incident.destination ? incident.destination->endpoint : model::Endpoint{},
                             incident.perspective, entry.members.empty() ? 0 : entry.members.begin()->netns};
    incident.ladder = ladder_of(scene, key, &incident);
}

bool IncidentBook::accounts_for(const Entry& root, const Entry& entry, const Scene& scene) {
    if (root.family > entry.family) return false;
    if (root.family == entry.family) return overlap(root.members, entry.members);
    return std::ranges::any_of(
        entry.members, [&](const DestinationKey& key) { return explains(root, entry.family, key, scene); });
}

void IncidentBook::release_symptoms(const Entry& root, const Scene& scene) {
    for (Entry& entry : entries_) {
        const bool attached = entry.active() && entry.incident.symptom && !entry.passed_on &&
                              entry.incident.root_cause.incident == root.incident.id;
        if (!attached || accounts_for(root, entry, scene)) continue;
        entry.incident.symptom = false;
        entry.incident.root_cause.incident.reset();
    }
}

void IncidentBook::attach_symptoms(Entry& root, const Scene& scene) {
    for (Entry& entry : entries_) {
        const bool settled = entry.incident.symptom && !entry.passed_on;
        if (&entry == &root || !entry.active() || settled || !accounts_for(root, entry, scene)) continue;
        const Entry* deepest = root.incident.symptom ? find_entry(root.incident.root_cause.incident) : &root;
        if (deepest == &entry) continue;
        entry.passed_on = false;
        make_symptom(entry, deepest == nullptr ? root : *deepest);
    }
}

const IncidentBook::Entry* IncidentBook::find_entry(const std::optional<std::string>& id) const {
    const auto found = std::ranges::find_if(entries_, [&](const Entry& e) { return e.incident.id == id; });
    return found == entries_.end() ? nullptr : &*found;
}

// What it was the root of has a deeper one now.
void IncidentBook::make_symptom(Entry& entry, const Entry& root) {
    entry.incident.symptom = true;
    for (Entry& one : entries_) {
        const bool below = &one == &entry || one.incident.root_cause.incident == entry.incident.id;
        if (!below || &one == &root) continue;
        one.incident.root_cause.incident = root.incident.id;
        one.incident.root_cause.type = root.incident.type;
    }
}

void IncidentBook::apply(const std::vector<Finding>& findings, const Scene& scene,
                         const BookContext& context) {
    for (Entry& entry : entries_) {
        if (entry.last_named_ns == 0) entry.last_named_ns = scene.now;  // resumed
    }
    for (const Finding& finding : findings) {
        if (explained_by_another(finding, scene)) continue;
        Entry* entry = match(finding);
        if (finding.confirmed && (entry == nullptr || entry->is_suspicion())) {
            if (Entry* old = reopen(finding, scene)) {
                if (entry != nullptr) resolve(*entry, Resolution::superseded, scene);
                entry = old;
            }
        }
        if (entry == nullptr) {
            entry = &open(finding, scene, context);
            entry->incident.state = finding.confirmed ? IncidentState::open : IncidentState::suspected;
        }
        revise(*entry, finding, scene, context);
        if (!entry->is_suspicion()) attach_symptoms(*entry, scene);
    }
    for (Entry& entry : entries_) {
        if (entry.active() && entry.last_named_ns != scene.now) refresh(entry, scene, context);
    }
    trace_cascades(scene);
    for (Entry& entry : entries_) {
        if (entry.active()) check_life(entry, scene);
    }
    forget_surplus();
    note_needed();
}

void IncidentBook::resume(std::vector<model::Incident> incidents) {
    for (model::Incident& incident : incidents) {
        Entry& entry = entries_.emplace_back();
        for (const std::string& member : incident.scope.members) {
            if (const auto endpoint = model::Endpoint::parse(member)) {
                entry.members.insert({*endpoint, incident.perspective, 0});
                entry.addresses.insert({endpoint->ip, 0});
            }
        }
        entry.family = family_of(incident);
        const bool one_path = entry.family == Family::loss && entry.addresses.size() == 1;
        entry.group = one_path ? loss_group(*entry.addresses.begin()) : std::string(resumed_group);
        if (!incident.symptom && incident.root_cause.type != incident.type)
            entry.root = incident.root_cause.type;
        entry.passed_on = incident.symptom && std::ranges::any_of(incident.evidence, [](const auto& item) {
                              return item.signal == passed_on_signal;
                          });
        entry.incident = std::move(incident);
        entry.told = telling(entry.incident);
    }
    note_needed();
}

void IncidentBook::forget_surplus() {
    while (entries_.size() > capacity_) {
        auto victim = std::ranges::find_if(entries_, [](const Entry& entry) { return !entry.active(); });
        if (victim == entries_.end()) victim = entries_.begin();
        const std::string id = victim->incident.id;
        entries_.erase(victim);
        std::erase_if(entries_, [&](const Entry& entry) { return entry.incident.root_cause.incident == id; });
    }
}

std::vector<model::Incident> IncidentBook::take_changes() {
    std::vector<model::Incident> changes;
    for (Entry& entry : entries_) {
        std::string now = telling(entry.incident);
        if (now == entry.told) continue;
        entry.told = std::move(now);
        changes.push_back(entry.incident);
    }
    return changes;
}

std::vector<model::Incident> IncidentBook::all() const {
    std::vector<model::Incident> incidents;
    incidents.reserve(entries_.size());
    for (const Entry& entry : entries_) incidents.push_back(entry.incident);
    std::ranges::stable_sort(incidents, [](const model::Incident& a, const model::Incident& b) {
        return std::tuple(rank(a), -static_cast<int>(a.severity), a.first_affected_at) <
               std::tuple(rank(b), -static_cast<int>(b.severity), b.first_affected_at);
    });
    return incidents;
}

const model::Incident* IncidentBook::explaining(const DestinationKey& key) const {
    const Entry* best = nullptr;
    for (const Entry& entry : entries_) {
        if (!entry.active() || entry.is_suspicion()) continue;
        const bool named = std::ranges::any_of(entry.members, [&](const DestinationKey& member) {
            const bool port = key.endpoint.port == 0 || member.endpoint.port == 0 ||
                              member.endpoint.port == key.endpoint.port;
            return port && member.endpoint.ip == key.endpoint.ip && member.netns == key.netns;
        });
        if (named && (best == nullptr || std::pair(rank(entry.incident), entry.family) <
                                             std::pair(rank(best->incident), best->family))) {
            best = &entry;
        }
    }
    return best == nullptr ? nullptr : &best->incident;
}

bool IncidentBook::needs(const DestinationKey& key) const { return needed_.contains(key); }

void IncidentBook::note_needed() {
    needed_.clear();
    for (const Entry& entry : entries_) {
        if (entry.active()) needed_.insert(entry.members.begin(), entry.members.end());
    }
}

std::vector<AddressKey> IncidentBook::lossy_addresses() const {
    std::vector<AddressKey> addresses;
    for (const Entry& entry : entries_) {
        if (entry.active() && entry.family == Family::loss)
            addresses.insert(addresses.end(), entry.addresses.begin(), entry.addresses.end());
    }
    return addresses;
}

}  // namespace netwatch::diagnosis
