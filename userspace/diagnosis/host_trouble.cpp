// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/host_trouble.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "model/counters.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;

constexpr std::uint64_t recent_ns = 5 * core::ns_per_s;
constexpr std::uint64_t failing_ns = 10 * core::ns_per_s;  // a failure older than that is not of now
constexpr double full_share = 0.98;
// Where entries are evicted as fast as they come, the table stands a little below its limit.
constexpr double nearly_full_share = 0.9;

// A queue drops what a bulk transfer has too much of, without harm: one packet in fifty of CUBIC's, one in
// nine of BBR's before a short queue. One in five is more than any sender asks for; where SYNs fall to it,
// somebody waits for a second.
constexpr std::uint64_t queue_span_ns = 10 * core::ns_per_s;
constexpr double queue_share = 0.03;
constexpr double queue_share_alone = 0.2;
constexpr std::uint64_t queue_drops = 50;
constexpr std::size_t queue_looks = 4;
constexpr std::uint64_t queue_connects = 3;

constexpr std::size_t memory_looks = 2;

core::BootNs before(const Scene& scene, std::uint64_t span_ns) {
    return scene.now - std::min(scene.now, span_ns);
}

std::string table_group(std::uint32_t netns) { return fmt::format("conntrack {}", netns); }
std::string queue_group(std::uint32_t netns, const std::string& interface) {
    return fmt::format("queue {} {}", netns, interface);
}
constexpr const char* memory_group = "tcp memory";
constexpr const char* allowance_group = "tracked connections allowance";

double fullness(const HostCounters& counters, std::uint32_t netns) {
    const auto entries = counters.value(netns, NETWATCH_COUNTER_CONNTRACK_ENTRIES);
    const auto limit = counters.value(netns, NETWATCH_COUNTER_CONNTRACK_LIMIT);
    if (!entries || !limit || *limit == 0) return 0;
    return static_cast<double>(*entries) / static_cast<double>(*limit);
}

bool table_drops(const Scene& scene, std::uint32_t netns) {
    return fullness(scene.counters, netns) >= nearly_full_share &&
           scene.counters.grown(netns, NETWATCH_COUNTER_CONNTRACK_DROP, before(scene, recent_ns)) > 0;
}

// New connections that fail as those do that a full table of this host lets not in: refused here without a
// word, or, where the table is another namespace's on the way, unanswered.
std::vector<const Destination*> kept_out(const Scene& scene, const std::set<DestinationKey>& failing,
                                         std::uint32_t netns) {
    std::vector<const Destination*> found;
    for (const DestinationKey& key : failing) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->run) continue;
        if (destination->run->last_at_ns + failing_ns < scene.now) continue;
        const OutcomeClass cls = destination->dominant();
        const bool in_table = destination->netns == netns;
        if (cls == (in_table ? OutcomeClass::local_filter : OutcomeClass::silent))
            found.push_back(destination);
    }
    return found;
}

Finding of_host(FailureType type, std::string cause, std::string group, double probability) {
    Finding finding;
    finding.family = Family::resources;
    finding.group = std::move(group);
    finding.confirmed = true;
    finding.candidates = {{type, std::move(cause), probability, std::nullopt}};
    finding.scope = {ScopeKind::host, std::nullopt, {}};
    return finding;
}

void name_members(Finding& finding, std::span<const Destination* const> destinations) {
    for (const Destination* destination : destinations) {
        finding.members.push_back(destination->key);
        finding.scope.members.push_back(destination->key.endpoint.to_string());
        if (destination->run)
            finding.first_affected = std::min(finding.first_affected, destination->run->first_start_ns);
    }
    std::ranges::sort(finding.scope.members);
    const auto repeated = std::ranges::unique(finding.scope.members);
    finding.scope.members.erase(repeated.begin(), repeated.end());
    if (destinations.size() == 1)
        finding.destination = finding_at(*destinations.front(), finding.family, "").destination;
}

void note_growth(Finding& finding, const Scene& scene, std::uint32_t counter, std::uint64_t grown,
                 std::string_view where = {}) {
    if (grown == 0) return;
    const std::string at = where.empty() ? std::string() : fmt::format(" at {}", where);
    note(finding, scene, model::counter_name(counter), static_cast<double>(grown),
         fmt::format("{} {}{} in the last {}", grown, model::counter_words(counter), at,
                     core::to_duration(scene.now - std::min(finding.first_affected, scene.now))));
}

// Established connections have their entries: what moves data proves that only new ones are kept out.
void note_established(Finding& finding, const Scene& scene, std::uint32_t netns) {
    core::BootNs moved = 0;
    for (const auto& [key, destination] : scene.destinations.all()) {
        if (destination.netns == netns) moved = std::max(moved, destination.last_progress_at);
    }
    if (moved > finding.first_affected)
        note(finding, scene, "established_flows_live", 1,
             fmt::format("established connections moved data {}", scene.ago(moved)));
}

std::optional<Finding> full_table(const Scene& scene, const std::set<DestinationKey>& failing,
                                  std::uint32_t netns) {
    const HostCounters& counters = scene.counters;
    if (!table_drops(scene, netns)) return std::nullopt;
    const auto destinations = kept_out(scene, failing, netns);
    Finding finding = of_host(FailureType::connection_exhaustion, "conntrack_full", table_group(netns), 0.97);
    finding.severity = destinations.empty() ? Severity::warning : Severity::critical;
    finding.confirmed = !destinations.empty() || counters.looks_grown(netns, NETWATCH_COUNTER_CONNTRACK_DROP,
                                                                      before(scene, recent_ns)) > 1;
    finding.first_affected = destinations.empty() ? before(scene, recent_ns) : scene.now;
    name_members(finding, destinations);
    note(finding, scene, "conntrack_entries", fullness(counters, netns),
         fmt::format("{} of {} entries of the connection table are taken",
                     *counters.value(netns, NETWATCH_COUNTER_CONNTRACK_ENTRIES),
                     *counters.value(netns, NETWATCH_COUNTER_CONNTRACK_LIMIT)));
    for (const auto counter : {NETWATCH_COUNTER_CONNTRACK_DROP, NETWATCH_COUNTER_CONNTRACK_EARLY_DROP,
                               NETWATCH_COUNTER_CONNTRACK_INSERT_FAILED})
        note_growth(finding, scene, counter, counters.grown(netns, counter, finding.first_affected));
    note_established(finding, scene, netns);
    rule_out(finding, FailureType::firewall_block,
             "the connection table is full: what is new is dropped before any rule sees it");
    rule_out(finding, FailureType::host_unreachable, "the packets never left this host");
    return finding;
}

// A cloud's own table of connections, which only its NIC's counters tell of.
std::optional<Finding> full_allowance(const Scene& scene, const std::set<DestinationKey>& failing,
                                      std::uint32_t netns, const HostCounters::Interface& interface) {
    constexpr std::uint32_t counter = NETWATCH_COUNTER_CONNECTIONS_EXCEEDED;
    if (interface.grown(counter, before(scene, recent_ns)) == 0) return std::nullopt;
    std::vector<const Destination*> silent;
    for (const DestinationKey& key : failing) {
        const Destination* destination = scene.destinations.find(key);
        const bool unanswered = destination != nullptr && destination->run &&
                                destination->dominant() == OutcomeClass::silent &&
                                destination->run->last_at_ns + failing_ns >= scene.now;
        if (unanswered && interface.looks_grown(counter, destination->run->first_start_ns) > 1)
            silent.push_back(destination);
    }
    if (silent.empty()) return std::nullopt;
    Finding finding = of_host(FailureType::connection_exhaustion, "conntrack_full", allowance_group, 0.9);
    finding.severity = Severity::critical;
    finding.first_affected = scene.now;
    name_members(finding, silent);
    note_growth(finding, scene, counter, interface.grown(counter, finding.first_affected), interface.name);
    note_established(finding, scene, netns);
    rule_out(finding, FailureType::firewall_block, "the instance's NIC counts what it drops, and why");
    return finding;
}

// Memory for TCP is short when the kernel refuses it: at its limit, or under pressure and with connections
// hurt for it.
std::optional<Finding> no_memory(const Scene& scene) {
    const HostCounters& counters = scene.counters;
    const auto pages = counters.value(0, NETWATCH_COUNTER_TCP_PAGES);
    const auto limit = counters.value(0, NETWATCH_COUNTER_TCP_LIMIT_PAGES);
    const auto pressure = counters.value(0, NETWATCH_COUNTER_TCP_PRESSURE_PAGES);
    if (!pages || !limit || !pressure || *limit == 0 || *pages < *pressure) return std::nullopt;
    constexpr std::array hurt{NETWATCH_COUNTER_ABORTED_FOR_MEMORY, NETWATCH_COUNTER_RECEIVE_PRUNED,
                              NETWATCH_COUNTER_RECEIVE_QUEUE_DROPS};
    const core::BootNs since = before(scene, queue_span_ns);
    std::size_t looks = 0;
    for (const std::uint32_t netns : counters.namespaces_with(NETWATCH_COUNTER_ABORTED_FOR_MEMORY)) {
        for (const auto counter : hurt) looks = std::max(looks, counters.looks_grown(netns, counter, since));
    }
    const bool full = static_cast<double>(*pages) >= full_share * static_cast<double>(*limit);
    if (looks == 0) return std::nullopt;
    Finding finding = of_host(FailureType::connection_exhaustion, "tcp_memory", memory_group, 0.95);
    finding.confirmed = looks >= memory_looks;
    finding.severity = full ? Severity::critical : Severity::warning;
    finding.first_affected = since;
    note(finding, scene, "tcp_memory_pages", static_cast<double>(*pages),
         fmt::format("TCP holds {} pages of memory; it is short of it from {} on and gets none beyond {}",
                     *pages, *pressure, *limit));
    for (const std::uint32_t netns : counters.namespaces_with(NETWATCH_COUNTER_ABORTED_FOR_MEMORY)) {
        for (const auto counter : hurt)
            note_growth(finding, scene, counter, counters.grown(netns, counter, since));
        constexpr std::uint32_t pressures = NETWATCH_COUNTER_MEMORY_PRESSURES;
        note_growth(finding, scene, pressures, counters.grown(netns, pressures, since));
    }
    rule_out(finding, FailureType::packet_loss, "the segments arrive: this host has no memory for them");
    return finding;
}

double dropped_share(const HostCounters::Interface& interface, core::BootNs since) {
    const auto dropped = static_cast<double>(interface.grown(NETWATCH_COUNTER_QDISC_DROPS, since));
    const auto passed = static_cast<double>(interface.grown(NETWATCH_COUNTER_QDISC_PACKETS, since));
    return dropped > 0 ? dropped / (dropped + passed) : 0;
}

// It drops next to nothing of late, or is gone: the counts of one that was taken away do not grow.
bool queue_passes(const Scene& scene, const HostCounters::Interface& interface) {
    return dropped_share(interface, before(scene, recent_ns)) < queue_share / 2;
}

// The kernel tells TCP at once what a queue of its own host drops, so that no retransmission shows it: the
// queue's own count does, and the SYNs that fall to it.
std::optional<Finding> full_queue(const Scene& scene, std::uint32_t netns,
                                  const HostCounters::Interface& interface) {
    if (queue_passes(scene, interface)) return std::nullopt;  // what it dropped before that is over
    const core::BootNs since = before(scene, queue_span_ns);
    const std::uint64_t drops = interface.grown(NETWATCH_COUNTER_QDISC_DROPS, since);
    const double share = dropped_share(interface, since);
    const bool drops_much = share >= queue_share && drops >= queue_drops &&
                            interface.looks_grown(NETWATCH_COUNTER_QDISC_DROPS, since) + 1 >= queue_looks;
    const CounterSeries* retried = scene.counters.retried(netns);
    const std::uint64_t connects = retried != nullptr ? retried->grown(since) : 0;
    // It goes on: a burst of connects at one moment is one.
    const bool lasts = connects > 0 && retried->grown(before(scene, queue_span_ns / 2)) > 0;
    const bool hurts = share >= queue_share_alone || (connects >= queue_connects && lasts);
    if (!drops_much || !hurts) return std::nullopt;
    Finding finding =
        of_host(FailureType::packet_loss, "local_queue", queue_group(netns, interface.name), 0.95);
    finding.confirmed = interface.looks_grown(NETWATCH_COUNTER_QDISC_DROPS, since) >= queue_looks;
    finding.scope = {ScopeKind::uplink, interface.name, {}};
    finding.first_affected = since;
    std::vector<const Destination*> users;
    for (const auto& [key, destination] : scene.destinations.all()) {
        const bool uses = key.perspective == model::Perspective::client && destination.netns == netns &&
                          !key.endpoint.ip.is_loopback() && destination.last_active >= since;
        if (uses) users.push_back(&destination);
    }
    std::ranges::sort(users, {}, [](const Destination* d) { return d->key; });
    name_members(finding, users);
    finding.first_affected = interface.counters.at(NETWATCH_COUNTER_QDISC_DROPS).first_growth(since);
    finding.destination.reset();
    for (const Destination* user : users) finding.flows += user->flows;
    note(finding, scene, "qdisc_drops", static_cast<double>(drops),
         fmt::format("{} packets ({:.1f} %) dropped by the queue of {} on this host in {}", drops,
                     100 * share, interface.name, core::to_duration(queue_span_ns)));
    if (connects > 0) {
        note(finding, scene, "connects_retried", static_cast<double>(connects),
             fmt::format("{} connects took a second and more: their SYN had to be sent again", connects));
    }
    rule_out(finding, FailureType::host_unreachable, "connections are made and move data");
    rule_out(finding, FailureType::slow_service, "packets are lost before they leave this host");
    return finding;
}

// What the counters of a namespace may say of a finding of that kind.
std::span<const netwatch_counter_number> counters_about(const Finding& finding) {
    static constexpr std::array loss{NETWATCH_COUNTER_TCP_TIMEOUTS,    NETWATCH_COUNTER_SEGMENTS_DAMAGED,
                                     NETWATCH_COUNTER_BACKLOG_DROPS,   NETWATCH_COUNTER_IP_IN_DISCARDS,
                                     NETWATCH_COUNTER_IP_OUT_DISCARDS, NETWATCH_COUNTER_IP6_IN_DISCARDS,
                                     NETWATCH_COUNTER_IP6_OUT_DISCARDS};
    static constexpr std::array queue{NETWATCH_COUNTER_LISTEN_OVERFLOWS, NETWATCH_COUNTER_LISTEN_DROPS,
                                      NETWATCH_COUNTER_REQUEST_DROPS};
    static constexpr std::array names{NETWATCH_COUNTER_UDP_OVERFLOWS};
    static constexpr std::array silence{NETWATCH_COUNTER_REVERSE_PATH};
    if (finding.family == Family::loss) return loss;
    if (finding.cause() == "listen_backlog") return queue;
    if (finding.type() == FailureType::dns_failure) return names;
    if (finding.family == Family::reachability && finding.candidates.size() > 1) return silence;
    return {};
}

std::span<const netwatch_counter_number> links_about(const Finding& finding) {
    static constexpr std::array loss{NETWATCH_COUNTER_QDISC_DROPS,
                                     NETWATCH_COUNTER_TX_DROPPED,
                                     NETWATCH_COUNTER_RX_MISSED,
                                     NETWATCH_COUNTER_RX_ERRORS,
                                     NETWATCH_COUNTER_TX_ERRORS,
                                     NETWATCH_COUNTER_BANDWIDTH_IN_EXCEEDED,
                                     NETWATCH_COUNTER_BANDWIDTH_OUT_EXCEEDED,
                                     NETWATCH_COUNTER_PACKETS_EXCEEDED};
    static constexpr std::array names{NETWATCH_COUNTER_LINK_LOCAL_EXCEEDED};
    if (finding.family == Family::loss || finding.family == Family::latency) return loss;
    if (finding.type() == FailureType::dns_failure) return names;
    return {};
}

// The namespace that all of it happens in; 0: several, or none known.
std::uint32_t namespace_of(const Scene& scene, const Finding& finding) {
    std::uint32_t netns = 0;
    for (const DestinationKey& key : finding.members) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || destination->netns == netns) continue;
        if (netns != 0) return 0;
        netns = destination->netns;
    }
    return netns;
}

// Loss that this host's own counts explain, for the greater part, was never on the path.
void blame_own_drops(const Scene& scene, Finding& finding, std::uint32_t netns) {
    constexpr double greater_part = 0.5;
    double lost_out = 0;
    double lost_in = 0;
    for (const auto& item : finding.evidence) {
        const double* value = std::get_if<double>(&item.value);
        if (value != nullptr && item.signal == "segments_lost") lost_out = *value;
        if (value != nullptr && item.signal == "holes_resent") lost_in = *value;
    }
    if ((lost_in > 0) == (lost_out > 0)) return;
    const auto input_queue = static_cast<double>(
        scene.counters.grown(0, NETWATCH_COUNTER_SOFTNET_DROPPED, finding.first_affected));
    for (const auto& [key, interface] : scene.counters.interfaces()) {
        if (key.first != netns) continue;
        const auto grown = [&](std::initializer_list<std::uint32_t> counters) {
            std::uint64_t sum = 0;
            for (const std::uint32_t counter : counters)
                sum += interface.grown(counter, finding.first_affected);
            return static_cast<double>(sum);
        };
        const double lost = std::max(lost_out, lost_in);
        const double driver = lost_out > 0 ? grown({NETWATCH_COUNTER_TX_DROPPED})
                                           : grown({NETWATCH_COUNTER_RX_MISSED}) + input_queue;
        const double queue = lost_out > 0 ? grown({NETWATCH_COUNTER_QDISC_DROPS}) : 0;
        const double over =
            grown({NETWATCH_COUNTER_BANDWIDTH_IN_EXCEEDED, NETWATCH_COUNTER_BANDWIDTH_OUT_EXCEEDED,
                   NETWATCH_COUNTER_PACKETS_EXCEEDED});
        const std::string seen = finding.cause().value_or("forward");
        if (driver >= greater_part * lost) {
            finding.candidates.front().cause = "local_queue";
        } else if (over >= greater_part * lost) {
            finding.candidates.front().cause = "rate_limited";
        } else if (queue >= greater_part * lost && queue <= 2 * lost) {
            // TCP hears at once of most of what a queue drops, and counts none of that as lost.
            finding.candidates = {
                {FailureType::packet_loss, "local_queue", 0.75,
                 "the queue drops nothing, and no more is lost"},
                {FailureType::packet_loss, seen, 0.2, "the queue drops nothing, and the loss goes on"}};
        } else {
            continue;
        }
        finding.scope.kind = ScopeKind::uplink;
        finding.scope.value = interface.name;
        return;
    }
}

// A host whose tasks wait for the CPU answers late by itself, and reads late what came in time.
void note_waiting(Finding& finding, const Scene& scene) {
    constexpr double much = 0.5;
    const double us = static_cast<double>(
        scene.counters.grown(0, NETWATCH_COUNTER_CPU_WAITED_US, before(scene, queue_span_ns)));
    const double share = std::min(us * 1000 / static_cast<double>(queue_span_ns), 1.0);
    if (share < much) return;
    note(finding, scene, "cpu_waited", share,
         fmt::format("some task of this host waited for the CPU {:.0f} % of the last {}", 100 * share,
                     core::to_duration(queue_span_ns)));
}

bool is_timed(const Finding& finding) {
    return finding.type() == FailureType::latency_spike || finding.type() == FailureType::slow_service;
}

// Silence is no more than that nothing came in time.
bool is_silence(const Finding& finding) {
    const auto& cause = finding.cause();
    return finding.family == Family::reachability && (cause == "silent" || cause == "silent_drop" ||
                                                      cause == "prefix_silent" || cause == "new_flows_only");
}

}  // namespace

std::vector<Finding> judge_host(const Scene& scene, const std::set<DestinationKey>& failing) {
    std::vector<Finding> findings;
    const auto take = [&](std::optional<Finding> finding) {
        if (finding) findings.push_back(std::move(*finding));
    };
    for (const std::uint32_t netns : scene.counters.namespaces_with(NETWATCH_COUNTER_CONNTRACK_ENTRIES))
        take(full_table(scene, failing, netns));
    take(no_memory(scene));
    for (const auto& [key, interface] : scene.counters.interfaces()) {
        take(full_allowance(scene, failing, key.first, interface));
        take(full_queue(scene, key.first, interface));
    }
    return findings;
}

bool host_healed(const Scene& scene, const std::string& group) {
    const core::BootNs since = before(scene, recent_ns);
    for (const std::uint32_t netns : scene.counters.namespaces_with(NETWATCH_COUNTER_CONNTRACK_ENTRIES)) {
        if (group != table_group(netns)) continue;
        return fullness(scene.counters, netns) < full_share &&
               scene.counters.grown(netns, NETWATCH_COUNTER_CONNTRACK_DROP, since) == 0;
    }
    if (group == memory_group) return !no_memory(scene);
    for (const auto& [key, interface] : scene.counters.interfaces()) {
        if (group == queue_group(key.first, interface.name)) return queue_passes(scene, interface);
        if (group == allowance_group && interface.grown(NETWATCH_COUNTER_CONNECTIONS_EXCEEDED, since) > 0)
            return false;
    }
    return group == allowance_group;
}

void weigh_counters(const Scene& scene, Finding& finding) {
    const std::uint32_t netns = namespace_of(scene, finding);
    if (finding.type() == FailureType::packet_loss && finding.family == Family::loss)
        blame_own_drops(scene, finding, netns);
    const core::BootNs since = finding.first_affected;
    for (const auto counter : counters_about(finding))
        note_growth(finding, scene, counter, scene.counters.grown(netns, counter, since));
    if (finding.family == Family::loss) {
        for (const auto counter : {NETWATCH_COUNTER_SOFTNET_DROPPED, NETWATCH_COUNTER_SOFTNET_SQUEEZED})
            note_growth(finding, scene, counter, scene.counters.grown(0, counter, since));
    }
    for (const auto& [key, interface] : scene.counters.interfaces()) {
        if (key.first != netns) continue;
        for (const auto counter : links_about(finding))
            note_growth(finding, scene, counter, interface.grown(counter, since), interface.name);
    }
    const bool timed = is_timed(finding);
    if (timed) note_waiting(finding, scene);
    if (!timed && !is_silence(finding)) return;
    const auto starvation = scene.counters.starvation(scene.now);
    if (!starvation) return;
    constexpr double doubt = 0.85;
    if (timed) finding.confirmed = false;
    for (model::Candidate& candidate : finding.candidates) candidate.probability *= doubt;
    std::erase_if(finding.candidates, [](const model::Candidate& c) { return c.probability < 0.05; });
    note(finding, scene, "host_starved", 1, *starvation + ": what was timed meanwhile says less");
}

}  // namespace netwatch::diagnosis
