// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/partial.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnosis/crowd.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;

constexpr std::uint64_t judged_span_ns = 30 * core::ns_per_s;
constexpr double enough_expected =
    7;                              // losses of data, if it were lost as SYNs are: none then says something
constexpr double hardly_any = 0.2;  // of those
constexpr std::size_t enough_late = 3;
constexpr std::size_t several = 2;
constexpr std::uint32_t enough_between = 4;
constexpr double least_share = 0.05;
constexpr std::uint64_t enough_span_ns = 900 * core::ns_per_ms;  // what one instant lost is over
constexpr std::uint64_t turning_away_ns = 5 * core::ns_per_s;

struct Partial {
    const Destination* destination;
    Handshakes::Summary sum;
    [[nodiscard]] const DestinationKey& key() const { return destination->key; }
    [[nodiscard]] AddressKey address() const { return {key().endpoint.ip, key().netns}; }
};
using Partials = std::vector<Partial>;

Finding finding_of(const Scene& scene, const Partial& partial, std::string_view what) {
    Finding finding = finding_at(*partial.destination, Family::handshakes, what);
    finding.severity = model::Severity::warning;
    finding.first_affected = partial.destination->detail->handshakes_made.onset();
    finding.flows = partial.destination->flows;
    const Handshakes::Summary& sum = partial.sum;
    note(finding, scene, "first_syn_unanswered", sum.first_lost,
         fmt::format("{} of the latest {} attempts got no answer to their first SYN, between others that did",
                     sum.first_lost, sum.attempts));
    return finding;
}

void note_retries(Finding& finding, const Scene& scene, const Handshakes::Summary& sum) {
    note(finding, scene, "syn_retries_answered", sum.again_answered,
         fmt::format("{} SYNs sent again were answered, {} were not", sum.again_answered, sum.again_lost));
}

// Data on established connections that would be lost if it fared as SYNs do, and is not.
bool data_passes(const Scene& scene, const Partial& partial) {
    const Address* address = scene.destinations.find_address(partial.address());
    if (address == nullptr || !address->quality) return false;
    // SYNs are lost by chance, too, where packets are.
    if (address->quality->forward_alarms(scene.now) || address->quality->reverse_alarms(scene.now))
        return false;
    const core::BootNs onset = partial.destination->detail->handshakes_made.onset();
    const auto window =
        address->quality->window(scene.now, std::min(judged_span_ns, scene.now - std::min(scene.now, onset)));
    const double expected = partial.sum.share() * static_cast<double>(window.segments);
    // Answers to SYNs are lost with whatever comes from there.
    const bool comes_through = window.loss_in_share().value_or(0) <= hardly_any * partial.sum.share();
    return expected >= enough_expected && comes_through &&
           static_cast<double>(window.lost) <= hardly_any * expected;
}

bool answers_late(const Scene& scene, const Destination& destination) {
    const auto& late = destination.detail->answers.late;
    return late.size() >= enough_late && late.back().at + judged_span_ns >= scene.now;
}

// Retries help, and data is not lost: what is scarce there, or a filter that drops SYNs by chance.
Finding thinned_out(const Scene& scene, const Partial& partial) {
    Finding finding = finding_of(scene, partial, "thinned");
    note_retries(finding, scene, partial.sum);
    const std::string queue = "the listener's queue on its host: if it overflows, the queue";
    const std::string table = "the ports or table entries in use at the NAT gateway on the way";
    const std::string rule = "a capture at both ends: if SYNs get lost on the way whatever the load, loss";
    const auto known_crowding = partial.destination->detail->handshakes_made.crowding();
    const double crowding = known_crowding.value_or((crowded + uncrowded) / 2);
    if (known_crowding) {
        note(finding, scene, "crowding", crowding,
             fmt::format("an attempt that got no answer was beside more connections than one that did with a "
                         "chance of {:.2f}",
                         crowding));
    }
    const model::Candidate backlog{FailureType::connection_exhaustion, "listen_backlog", 0, queue};
    const model::Candidate nat{FailureType::connection_exhaustion, "nat_ports_remote", 0, table};
    const model::Candidate loss{FailureType::packet_loss, "syn_only", 0, rule};
    const auto set = [&](model::Candidate first, double p1, model::Candidate second, double p2) {
        first.probability = p1;
        second.probability = p2;
        finding.candidates = {std::move(first), std::move(second)};
    };
    if (answers_late(scene, *partial.destination)) {
        note(finding, scene, "answers_late",
             static_cast<double>(partial.destination->detail->answers.late.size()),
             "answers on connections that were made are late, too: they wait to be accepted");
        set(backlog, 0.82, nat, 0.1);
    } else if (crowding >= crowded) {
        set(nat, 0.55, backlog, 0.37);
    } else if (crowding <= uncrowded) {
        set(loss, 0.75, nat, 0.17);  // a gateway keeps the ports of connections that have ended for a while
    } else {
        set(loss, 0.7, nat, 0.22);
    }
    if (finding.type() == FailureType::packet_loss) finding.destination->endpoint.port = 0;
    rule_out(finding, FailureType::host_unreachable, "connections are made and move data");
    rule_out(finding, FailureType::load_balancer, "the same connection succeeds when its SYN is sent again");
    return finding;
}

// What is lost once is lost always: it depends on who is asked, or on the way that a connection takes.
Finding dead_backend(const Scene& scene, const Partial& partial) {
    Finding finding = finding_of(scene, partial, "sticky");
    note_retries(finding, scene, partial.sum);
    finding.candidates = {
        {FailureType::load_balancer, "backend_silent", 0.85, "the backends' health at the load balancer"},
        {FailureType::routing_failure, "path_member", 0.1,
         "another destination with the same share: then a path"}};
    rule_out(finding, FailureType::packet_loss,
             "lost packets are lost by chance; a SYN sent again would be answered");
    rule_out(finding, FailureType::firewall_block, "other connections to the same port are made");
    return finding;
}

Finding dead_path(const Scene& scene, const Partials& partials) {
    Finding finding = finding_of(scene, partials.front(), "sticky");
    finding.group = "path member";
    finding.members.clear();
    finding.scope.members.clear();
    std::set<model::Prefix> blocks;
    std::set<AddressKey> addresses;
    for (const Partial& partial : partials) {
        finding.members.push_back(partial.key());
        finding.scope.members.push_back(partial.key().endpoint.to_string());
        blocks.insert(model::Prefix::sibling_block(partial.key().endpoint.ip));
        addresses.insert(partial.address());
        finding.first_affected =
            std::min(finding.first_affected, partial.destination->detail->handshakes_made.onset());
    }
    std::ranges::sort(finding.scope.members);
    finding.scope.kind = blocks.size() > 1 ? ScopeKind::path : ScopeKind::prefix;
    if (blocks.size() == 1) finding.scope.value = blocks.begin()->to_string();
    note_retries(finding, scene, partials.front().sum);
    note(finding, scene, "addresses_partly_silent", static_cast<double>(addresses.size()),
         fmt::format("{} addresses lose connections for good, each with some of its local ports: what they "
                     "share is a path",
                     addresses.size()));
    finding.candidates = {{FailureType::routing_failure, "path_member", 0.92, std::nullopt}};
    rule_out(finding, FailureType::load_balancer, "unrelated destinations lose the same share at once");
    rule_out(finding, FailureType::packet_loss,
             "lost packets are lost by chance; a SYN sent again would be answered");
    return finding;
}

// It accepts, and ends what is too much at once.
Finding too_many(const Scene& scene, const Destination& destination) {
    const TurnedAway& away = destination.detail->turned_away;
    Finding finding = finding_at(destination, Family::handshakes, "limit");
    finding.severity = model::Severity::warning;
    finding.first_affected = away.onset();
    finding.flows = destination.flows;
    finding.candidates = {{FailureType::connection_exhaustion, "remote_limit", 0.92, std::nullopt}};
    note(finding, scene, "ended_at_once", away.count(),
         fmt::format(
             "{} connections were accepted and ended within a round trip, without a byte; {} were served",
             away.count(), away.served()));
    note(
        finding, scene, "beside", away.limit(),
        fmt::format(
            "they were made beside {} others or more; one turned away was beside more than one served with a "
            "chance of {:.2f}",
            away.limit(), away.crowding().value_or(0)));
    rule_out(finding, FailureType::port_blocked, "connections are accepted first");
    rule_out(finding, FailureType::connection_reset, "connections in use are not reset");
    return finding;
}

}  // namespace

bool is_limited(const Scene& scene, const Destination& destination) {
    const TurnedAway& away = destination.detail->turned_away;
    return away.alarms(scene.now) && away.crowding().value_or(0) >= crowded;
}

bool may_be_limited(const Scene& scene, const Destination& destination) {
    const TurnedAway& away = destination.detail->turned_away;
    return away.alarms(scene.now) && !away.crowding() && 3 * away.served() >= away.count();
}

// Named while it turns connections away. Whether it has healed is for those that it serves to tell.
std::vector<Finding> judge_limits(const Scene& scene, const std::set<DestinationKey>& suspects) {
    std::vector<Finding> findings;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->detail || !is_limited(scene, *destination)) continue;
        if (destination->detail->turned_away.last() + turning_away_ns >= scene.now)
            findings.push_back(too_many(scene, *destination));
    }
    return findings;
}

double share_lost_for_good(const Scene& scene, const std::set<DestinationKey>& suspects) {
    std::set<AddressKey> addresses;
    double share = 0;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->detail) continue;
        const Handshakes& made = destination->detail->handshakes_made;
        if (!made.partly_lost(scene.now) || !made.summary().sticky()) continue;
        addresses.insert({key.endpoint.ip, key.netns});
        share = std::max(share, made.summary().share());
    }
    return addresses.size() >= several ? share : 0;
}

double share_lost_between(const Scene& scene, const std::set<DestinationKey>& suspects) {
    std::set<AddressKey> addresses;
    std::uint32_t between = 0;
    core::BootNs first = scene.now;
    core::BootNs last = 0;
    double attempts = 0;
    double lost = 0;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->detail) continue;
        const Handshakes& made = destination->detail->handshakes_made;
        const Handshakes::Between some = made.between(scene.now);
        const Handshakes::Summary sum = made.summary();
        if (some.count == 0 || sum.first_lost == 0) continue;
        addresses.insert({key.endpoint.ip, key.netns});
        between += some.count;
        first = std::min(first, some.first);
        last = std::max(last, some.last);
        attempts += sum.attempts - 1;  // the first of them is there because it was lost
        lost += sum.first_lost - 1;
    }
    const bool enough = addresses.size() >= several && between >= enough_between;
    const bool lasts = last >= first + enough_span_ns;
    return enough && lasts && lost >= least_share * attempts && lost > 0 ? lost / attempts : 0;
}

std::vector<Finding> judge_handshakes(const Scene& scene, const std::set<DestinationKey>& suspects) {
    Partials sticky;
    std::vector<Finding> findings;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->detail) continue;
        if (!destination->detail->handshakes_made.partly_lost(scene.now)) continue;
        const Partial partial{destination, destination->detail->handshakes_made.summary()};
        if (partial.sum.sticky()) {
            sticky.push_back(partial);
        } else if (partial.sum.helped_by_retries() && data_passes(scene, partial)) {
            findings.push_back(thinned_out(scene, partial));
        }
    }
    std::set<AddressKey> addresses;
    for (const Partial& partial : sticky) addresses.insert(partial.address());
    if (addresses.size() >= several) {
        findings.push_back(dead_path(scene, sticky));
    } else {
        for (const Partial& partial : sticky) findings.push_back(dead_backend(scene, partial));
    }
    return findings;
}

}  // namespace netwatch::diagnosis
