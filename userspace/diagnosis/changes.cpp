// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace netwatch::diagnosis {
namespace {

using model::Bearing;

constexpr core::BootNs before_ns = 60 * core::ns_per_s;
constexpr core::BootNs after_ns = 2 * core::ns_per_s;
// Of an onset that is known from a look at counters, a second apart, and of answers that were on the way.
constexpr core::BootNs onset_error_ns = core::ns_per_s;
constexpr core::BootNs in_flight_ns = 250 * core::ns_per_ms;
constexpr core::BootNs walks_apart_ns = 2 * core::ns_per_s;
constexpr std::size_t most_changes = 8;
constexpr std::uint8_t blackhole = 6;
constexpr std::uint8_t unreachable = 7;
constexpr std::uint8_t prohibit = 8;

struct Member {
    const Destination* destination = nullptr;
    std::uint32_t netns = 0;
    std::optional<Network::Way> way;
    [[nodiscard]] const model::Endpoint& endpoint() const { return destination->key.endpoint; }
};

std::vector<Member> members_of(const Scene& scene, const std::set<DestinationKey>& keys) {
    constexpr std::size_t enough = 64;  // what touches none of so many is another's
    std::vector<Member> members;
    for (const DestinationKey& key : keys) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || members.size() >= enough) continue;
        members.push_back(
            {destination, destination->netns, scene.network.way_to(destination->netns, key.endpoint.ip)});
    }
    return members;
}

bool is_here(const Scene& scene, const Member& member, std::uint32_t netns) {
    const bool loopback = member.endpoint().ip.is_loopback() && member.netns == netns;
    return loopback || member.destination->key.perspective == model::Perspective::server ||
           scene.network.has_address(netns, member.endpoint().ip);
}

bool touches(const Scene& scene, const Event& event, const Member& member) {
    const bool same_space = event.netns == member.netns;
    const bool same_link = same_space && member.way && member.way->ifindex == event.ifindex;
    const model::IpAddress& ip = member.endpoint().ip;
    switch (event.topic) {
        case Topic::link: return same_link;
        case Topic::address: return same_link || (event.block && event.block->contains(ip));
        case Topic::route: return same_space && event.block && event.block->contains(ip);
        case Topic::rule:
        case Topic::ruleset: return same_space;
        case Topic::neighbor:
            return same_space && event.block &&
                   (event.block->network == ip ||
                    (member.way && event.block->network == member.way->gateway));
        case Topic::listener:
            return event.port == member.endpoint().port && is_here(scene, member, event.netns);
        case Topic::space:
        case Topic::clock:
        case Topic::agent: return false;
    }
    return false;
}

// A client of this host refuses a certificate for its dates: by the clock of this host.
bool is_about_dates(const model::Incident& incident) {
    return incident.type == model::FailureType::tls_handshake_failure &&
           incident.perspective == model::Perspective::client &&
           (incident.cause == "certificate_expired" || incident.cause == "certificate_not_yet_valid");
}

// By the time after the step, and not by that before, the certificate does not hold; where none was seen, a
// step in that direction.
bool spoils(const Scene& scene, const Event& event, const TlsTarget& target, std::string_view cause) {
    const bool forward = event.clock_step_ns > 0;
    if (forward != (cause == "certificate_expired")) return false;
    if (!target.certificate) return true;
    const std::int64_t after_s = scene.anchor.utc(event.at).ns / 1'000'000'000;
    const std::int64_t before_s = after_s - event.clock_step_ns / 1'000'000'000;
    const auto holds = [&](std::int64_t at_s) {
        return target.certificate->not_before_s <= at_s && at_s <= target.certificate->not_after_s;
    };
    return holds(before_s) && !holds(after_s);
}

// All handshakes that fail did not before the step, and do since.
bool spoils_all(const Scene& scene, const model::Incident& incident, const Event& event,
                const std::set<DestinationKey>& keys, core::BootNs onset) {
    if (!is_about_dates(incident) || event.at > onset + onset_error_ns) return false;
    bool any = false;
    for (const auto& place : scene.tls.ailing()) {
        const auto found = scene.tls.targets().find(place);
        if (!keys.contains(place.first) || found == scene.tls.targets().end()) continue;
        const TlsTarget& target = found->second;
        if (target.last_success > event.at + in_flight_ns) return false;
        if (!spoils(scene, event, target, *incident.cause)) return false;
        any = true;
    }
    return any;
}

// Does a change of that kind do exactly what the incident says?
bool does_it(const model::Incident& incident, const Event& event) {
    const std::string cause = incident.cause.value_or("");
    const auto route = [&](std::uint8_t type) {
        return event.topic == Topic::route && !event.ended && event.route_type == type;
    };
    if (cause == "local_rule") return event.topic == Topic::ruleset;
    if (cause == "no_route") return event.topic == Topic::route && event.ended;
    if (cause == "local_blackhole") return route(blackhole);
    if (cause == "local_unreachable") return route(unreachable);
    if (cause == "local_prohibit") return route(prohibit);
    if (incident.type == model::FailureType::link_down) return event.topic == Topic::link && event.ended;
    if (cause == "closed_port") return event.topic == Topic::listener && event.ended;
    return false;
}

// It worked until then, and not since.
bool is_where_it_broke(const Event& event, const std::vector<Member>& members, core::BootNs onset) {
    if (event.at > onset + onset_error_ns) return false;
    // A listener is known to be gone from two walks; its time is that of the first.
    const core::BootNs worked_until =
        event.at + (event.topic == Topic::listener ? walks_apart_ns : in_flight_ns);
    return std::ranges::none_of(
        members, [&](const Member& member) { return member.destination->last_success_at > worked_until; });
}

struct Choice {
    const Event* event = nullptr;
    Bearing bearing = Bearing::beside;
};

// One program that loads its ruleset again and again, or a route that flaps, is one line: the latest.
bool repeats(const Choice& choice, const std::vector<Choice>& chosen) {
    const auto program = [](const Event& event) {
        const std::string who = event.by.value_or("");
        return who.substr(0, who.find('['));
    };
    const Event& event = *choice.event;
    return choice.bearing != Bearing::cause && std::ranges::any_of(chosen, [&](const Choice& other) {
               const bool same = other.event->topic == event.topic && other.event->netns == event.netns;
               if (event.topic == Topic::ruleset) return same && program(*other.event) == program(event);
               return same && other.event->what == event.what;
           });
}

model::Change told(const Scene& scene, const Choice& choice) {
    return {scene.anchor.utc(choice.event->at), choice.event->what, choice.event->by, choice.bearing};
}

}  // namespace

std::vector<model::Change> changes_around(const Scene& scene, const model::Incident& incident,
                                          const std::set<DestinationKey>& keys, core::BootNs onset) {
    const auto span = scene.journal.between(onset - std::min(onset, before_ns), onset + after_ns);
    const std::vector<Member> members = members_of(scene, keys);
    const auto bearing_of = [&](const Event& event) {
        const bool on_it =
            std::ranges::any_of(members, [&](const Member& one) { return touches(scene, event, one); }) ||
            (event.topic == Topic::clock && is_about_dates(incident));
        return on_it ? Bearing::touches : Bearing::beside;
    };
    std::vector<Choice> all;
    for (const Event* event : span.events) all.push_back({event, bearing_of(*event)});
    std::vector<const Event*> churn;
    for (const Event* event : span.churn) {
        if (bearing_of(*event) == Bearing::touches) {
            all.push_back({event, Bearing::touches});
        } else {
            churn.push_back(event);
        }
    }
    if (churn.size() == 1) all.push_back({churn.front()});
    std::ranges::stable_sort(all, std::greater{}, [](const Choice& choice) { return choice.event->at; });
    const auto cause = std::ranges::find_if(all, [&](const Choice& choice) {
        if (choice.bearing != Bearing::touches) return false;
        if (choice.event->topic == Topic::clock)
            return spoils_all(scene, incident, *choice.event, keys, onset);
        return does_it(incident, *choice.event) && is_where_it_broke(*choice.event, members, onset);
    });
    if (cause != all.end()) cause->bearing = Bearing::cause;
    std::vector<Choice> chosen;
    for (const Choice& choice : all) {
        if (!repeats(choice, chosen)) chosen.push_back(choice);
    }
    std::ranges::stable_sort(chosen, std::greater{}, &Choice::bearing);
    chosen.resize(std::min(chosen.size(), most_changes - (churn.size() > 1 ? 1 : 0)));

    std::vector<model::Change> changes;
    for (const Choice& choice : chosen) changes.push_back(told(scene, choice));
    if (churn.size() > 1) {
        changes.push_back(
            {scene.anchor.utc(churn.back()->at),
             fmt::format("{} links, addresses, routes and namespaces of containers came and went",
                         churn.size()),
             std::nullopt, Bearing::beside});
    }
    std::ranges::stable_sort(changes, std::greater{}, &model::Change::at);
    return changes;
}

}  // namespace netwatch::diagnosis
