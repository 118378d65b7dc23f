// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/dns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "diagnosis/dns_tries.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;

constexpr double sure = 0.97;
constexpr double fairly_sure = 0.92;
constexpr double sure_unproven = 0.8;  // it never answered, and too short a watch for that to mean anything
constexpr std::uint32_t fewest = 3;
constexpr std::uint32_t fewest_questions = 4;                  // A and AAAA of two tries
constexpr std::uint64_t restart_ns = 1'200 * core::ns_per_ms;  // a resolver restarts in less
constexpr std::uint64_t late_window_ns = 20 * core::ns_per_s;
constexpr std::uint64_t loss_window_ns = 30 * core::ns_per_s;
constexpr std::uint64_t names_window_ns = 60 * core::ns_per_s;
constexpr std::uint64_t elsewhere_ns = 15 * core::ns_per_s;
constexpr double late_share = 0.5;
constexpr double usual_loss = 0.01;
constexpr std::size_t raced_pairs = 4;
constexpr std::size_t raced_pairs_proven = 3;  // beside conntrack's own count of what it could not insert
constexpr std::size_t names_shown = 32;

std::string group_of(const DestinationKey& key, std::string_view what) {
    return fmt::format("dns {} {} {}", what, key.endpoint.to_string(), key.netns);
}

std::string times(std::size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

Finding finding_for(const Scene& scene, const DestinationKey& key, std::string_view what) {
    Finding finding;
    finding.family = Family::names;
    finding.group = group_of(key, what);
    finding.confirmed = true;
    finding.scope = {ScopeKind::destination, std::nullopt, {key.endpoint.to_string()}};
    finding.members = {key};
    const Destination* destination = scene.destinations.find(key);
    finding.destination =
        destination != nullptr ? destination->ref() : model::DestinationRef{.endpoint = key.endpoint};
    finding.severity = Severity::warning;
    return finding;
}

void blame(Finding& finding, std::string cause, double probability = sure) {
    finding.candidates = {{FailureType::dns_failure, std::move(cause), probability, std::nullopt}};
}

// The tries whose process was answered for the same name by another resolver.
std::size_t answered_elsewhere(const Scene& scene, const DestinationKey& key, const Tries& bad) {
    std::size_t count = 0;
    for (const Try* one : bad) {
        const bool answered = std::ranges::any_of(scene.resolvers.all(), [&](const auto& entry) {
            return entry.first != key && std::ranges::any_of(entry.second.tries, [&](const Try& other) {
                       return other.good() && other.process() == one->process() && other.name == one->name &&
                              other.at + together_ns >= one->at && other.at <= one->at + elsewhere_ns;
                   });
        });
        count += answered ? 1 : 0;
    }
    return count;
}

void note_history(Finding& finding, const Scene& scene, const Resolver& resolver) {
    if (resolver.good > 0) {
        note(finding, scene, "worked_before", static_cast<double>(resolver.good),
             fmt::format("it answered {} before, the last one {}", times(resolver.good, "question"),
                         scene.ago(resolver.last_good_at)));
        return;
    }
    note(finding, scene, "no_earlier_success", static_cast<double>(scene.now - scene.watching_since) / 1e9,
         fmt::format("no answer of it was seen in the {} since netwatch started: it may never have worked",
                     core::to_duration(scene.now - scene.watching_since)));
    finding.severity = scene.watched_briefly() ? Severity::warning : Severity::info;
    for (model::Candidate& candidate : finding.candidates)
        candidate.probability = std::min(candidate.probability, sure_unproven);
}

std::string_view words_for(Fate fate) {
    switch (fate) {
        case Fate::failed: return "answered with SERVFAIL";
        case Fate::denied: return "answered with REFUSED";
        case Fate::closed: return "refused: nothing listens on the port";
        case Fate::gone: return "answered: no such name";
        default: return "not answered";
    }
}

struct Verdict {
    Fate fate = Fate::silent;
    std::string_view cause;
    std::string_view signal;
};

Verdict verdict_of(Fate fate) {
    switch (fate) {
        case Fate::failed: return {fate, "servfail", "dns_servfail"};
        case Fate::denied: return {fate, "refused_by_policy", "dns_refused"};
        case Fate::closed: return {fate, "resolver_refused", "dns_port_unreachable"};
        case Fate::gone: return {fate, "name_gone", "dns_nxdomain"};
        default: return {fate, "resolver_silent", "dns_unanswered"};
    }
}

// What it says most, where it says anything: an answer in words outranks silence.
std::optional<Fate> fate_in_words(const Tries& tries) {
    std::map<Fate, Tries> by_fate;
    for (const Try* one : tries) {
        if (one->fate != Fate::silent) by_fate[one->fate].push_back(one);
    }
    std::optional<Fate> most;
    std::uint32_t seen = 1;  // one alone may be an accident
    for (const auto& [fate, of_fate] : by_fate) {
        const std::uint32_t count = observations(of_fate);
        if (count <= seen && !(by_fate.size() == 1 && of_fate.size() == tries.size())) continue;
        most = fate;
        seen = count;
    }
    return most;
}

// Nothing good came from it since: silence, a closed port, or nothing but errors.
std::optional<Finding> outage(const Scene& scene, const DestinationKey& key, const Resolver& resolver) {
    const Tries bad = since_last_good(scene, resolver);
    if (bad.empty()) return std::nullopt;
    const Fate fate = fate_in_words(bad).value_or(Fate::silent);
    Tries tries = bad;
    std::erase_if(tries, [&](const Try* one) { return one->fate != fate; });
    if (tries.empty()) return std::nullopt;
    const std::uint32_t seen = observations(bad);
    const std::uint64_t span = tries.back()->known_at - tries.front()->at;
    const bool enough = seen >= fewest ||
                        (fate == Fate::silent && seen >= 2 && unanswered_questions(bad) >= fewest_questions);
    const bool restart = fate == Fate::closed && span < restart_ns;
    if (!enough && (seen + 1 < fewest || resolver.good == 0)) return std::nullopt;
    // Errors for one name alone are that name's.
    const auto names = names_of(bad);
    if ((fate == Fate::failed || fate == Fate::denied) && names.size() == 1 && resolver.good > 0)
        return std::nullopt;

    const Verdict verdict = verdict_of(fate);
    Finding finding = finding_for(scene, key, "resolver");
    finding.confirmed = enough && !restart;
    finding.first_affected = bad.front()->at;
    for (const Try* one : bad) finding.first_affected = std::min(finding.first_affected, one->at);
    const std::size_t elsewhere = answered_elsewhere(scene, key, bad);
    const bool masked = elsewhere * 2 >= bad.size();
    finding.severity = masked ? Severity::warning : Severity::critical;
    blame(finding, std::string(verdict.cause));
    const auto over_tcp =
        static_cast<std::size_t>(std::ranges::count_if(tries, [](const Try* one) { return one->over_tcp; }));
    const std::string what = over_tcp == tries.size() ? times(over_tcp, "connection") + " over TCP"
                                                      : times(questions_of(tries), "question") + " for " +
                                                            times(names.size(), "name");
    note(finding, scene, std::string(verdict.signal), static_cast<double>(tries.size()),
         fmt::format("{} in {}: {}", what, core::to_duration(scene.now - finding.first_affected),
                     words_for(fate)));
    if (over_tcp > 0) {
        DestinationKey connected = key;
        connected.endpoint.protocol = model::Protocol::tcp;
        finding.members.push_back(connected);
        finding.scope.members.push_back(connected.endpoint.to_string());
        std::ranges::sort(finding.scope.members);
    }
    if (tries.size() < bad.size()) {
        note(finding, scene, "dns_unanswered", static_cast<double>(bad.size() - tries.size()),
             fmt::format("{} others failed otherwise, or were not answered in time",
                         bad.size() - tries.size()));
    }
    note_history(finding, scene, resolver);
    if (elsewhere > 0) {
        note(finding, scene, "other_resolver_answers", static_cast<double>(elsewhere),
             fmt::format("{} of them were answered by another resolver", elsewhere));
    }
    if (fate != Fate::silent) {
        rule_out(finding, FailureType::host_unreachable, "the resolver's host answers");
        rule_out(finding, FailureType::routing_failure, "packets reach the resolver and come back");
    }
    return finding;
}

// Of the names that this host was told before, those that it is no longer told while others resolve.
std::vector<Finding> lost_names(const Scene& scene, const DestinationKey& key, const Resolver& resolver) {
    std::map<std::string, Tries> by_name;
    for (const Try* one : outside_outages(resolver)) {
        if (one->known_at + names_window_ns < scene.now) continue;
        Tries& tries = by_name[one->name];
        if (one->fate == Fate::answered && one->addresses) tries.clear();
        const bool bad = one->fate == Fate::gone || one->fate == Fate::failed || one->fate == Fate::denied;
        if (bad) tries.push_back(one);
    }
    std::map<Fate, std::vector<std::pair<std::string, Tries>>> lost;
    for (auto& [name, tries] : by_name) {
        const Name* known = scene.names.find(name);
        if (tries.empty() || known == nullptr || known->resolved_at >= tries.front()->known_at) continue;
        std::erase_if(tries, [&](const Try* one) { return resolved_otherwise(scene, *one); });
        if (tries.empty() || !other_names_worked(resolver, name)) continue;
        lost[tries.back()->fate].emplace_back(name, tries);
    }
    std::vector<Finding> findings;
    for (auto& [fate, names] : lost) {
        const Verdict verdict = verdict_of(fate);
        Finding finding = finding_for(scene, key, verdict.cause);
        finding.scope = {
            ScopeKind::name, names.size() == 1 ? std::optional(names.front().first) : std::nullopt, {}};
        finding.confirmed = false;
        finding.first_affected = scene.now;
        std::size_t tries = 0;
        std::size_t flows = 0;
        bool used = false;
        for (const auto& [name, of_name] : names) {
            const std::uint32_t seen = observations(of_name);
            const std::uint64_t span = of_name.back()->known_at - of_name.front()->known_at;
            finding.confirmed =
                finding.confirmed || ((seen >= 2 || of_name.size() >= fewest) && span >= restart_ns);
            finding.first_affected = std::min(finding.first_affected, of_name.front()->at);
            tries += of_name.size();
            if (finding.scope.members.size() < names_shown) finding.scope.members.push_back(name);
            const Name& known = *scene.names.find(name);
            used = used || known.used;
            for (const model::IpAddress& ip : known.addresses) flows += flows_to(scene, ip);
        }
        finding.severity = used ? Severity::critical : Severity::warning;
        blame(finding, std::string(verdict.cause), fate == Fate::gone ? fairly_sure : sure);
        const Name& first = *scene.names.find(names.front().first);
        note(finding, scene, std::string(verdict.signal), static_cast<double>(tries),
             fmt::format("{} for {} in {}: {}", times(tries, "question"),
                         names.size() == 1 ? names.front().first : times(names.size(), "name"),
                         core::to_duration(scene.now - finding.first_affected), words_for(fate)));
        note(finding, scene, "resolved_before", static_cast<double>(first.resolved),
             fmt::format("{} resolved to {} until {}", names.front().first,
                         first.addresses.back().to_string(), scene.ago(first.resolved_at)));
        if (flows > 0) {
            note(finding, scene, "connections_to_old_addresses", static_cast<double>(flows),
                 fmt::format("{} still go to addresses that it had", times(flows, "connection")));
            finding.flows = static_cast<std::int64_t>(flows);
        }
        rule_out(finding, FailureType::host_unreachable, "the resolver answers, for other names as usual");
        findings.push_back(std::move(finding));
    }
    return findings;
}

std::optional<Finding> slowness(const Scene& scene, const DestinationKey& key, const Resolver& resolver) {
    const double late_us = resolver.late_us();
    Tries late;
    std::size_t answered = 0;  // since the first that was late
    for (const Try& one : resolver.tries) {
        if (!one.good() || one.known_at + late_window_ns < scene.now || one.unanswered > 0) continue;
        if (static_cast<double>(one.took_us) >= late_us) late.push_back(&one);
        if (!late.empty()) ++answered;
    }
    const std::uint32_t seen = observations(late);
    if (late.empty() || answers_again(scene, resolver, false) || end_a_silence(late)) return std::nullopt;
    if (seen + 1 < fewest || static_cast<double>(late.size()) < late_share * static_cast<double>(answered))
        return std::nullopt;
    Finding finding = finding_for(scene, key, "resolver");
    finding.confirmed = seen >= fewest;
    finding.first_affected = late.front()->at;
    finding.severity = Severity::warning;
    blame(finding, "slow", 0.95);
    std::vector<std::uint64_t> took;
    for (const Try* one : late) took.push_back(one->took_us);
    std::ranges::nth_element(took, took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2));
    note(finding, scene, "dns_answer_ms", static_cast<double>(took[took.size() / 2]) / 1000,
         fmt::format("{} of {} answers late, {:.2f} s at the median of these", late.size(), answered,
                     static_cast<double>(took[took.size() / 2]) / 1e6));
    if (resolver.usual_us.count() > 0) {
        note(finding, scene, "usual_answer_ms", *resolver.usual_us.quantile(0.5) / 1000,
             fmt::format("usually {:.1f} ms at the median, {:.1f} ms at p99 of {}",
                         *resolver.usual_us.quantile(0.5) / 1000, *resolver.usual_us.quantile(0.99) / 1000,
                         resolver.usual_us.count()));
    }
    rule_out(finding, FailureType::packet_loss,
             "the late answers came to the first question, not to a retry");
    return finding;
}

// What is lost between answers.
struct Losses {
    Tries tries;                 // of which a question was not answered
    std::size_t questions = 0;   // all that were asked
    std::size_t lost = 0;        // of them
    std::size_t halves = 0;      // pairs of which one was answered
    std::size_t later_ones = 0;  // of these, the ones of which the later was lost
    std::size_t wholes = 0;      // tries without any answer
    std::size_t again = 0;       // retries lost
    std::set<std::uint64_t> sockets;
    std::size_t answered_between = 0;  // tries answered after the first loss
};

Losses losses_of(const Scene& scene, const Resolver& resolver) {
    Losses losses;
    for (const Try* one : outside_outages(resolver)) {
        if (one->known_at + loss_window_ns < scene.now) continue;
        losses.questions += one->questions;
        if (one->unanswered == 0) {
            if (one->good() && !losses.tries.empty()) ++losses.answered_between;
            continue;
        }
        losses.tries.push_back(one);
        losses.lost += one->unanswered;
        losses.sockets.insert(one->sock);
        if (one->questions == 2 && one->unanswered == 1) {
            ++losses.halves;
            losses.later_ones += one->later_one ? 1 : 0;
        } else {
            ++losses.wholes;
        }
        losses.again += one->again ? 1 : 0;
    }
    return losses;
}

bool inserts_failed(const Scene& scene, core::BootNs since) {
    constexpr auto counter = NETWATCH_COUNTER_CONNTRACK_INSERT_FAILED;
    return std::ranges::any_of(scene.counters.namespaces_with(counter), [&](std::uint32_t netns) {
        return scene.counters.grown(netns, counter, since) > 0;
    });
}

// One socket's questions go nowhere, while it was answered before and others are: what NAT remembers of it
// leads to where nobody is.
std::optional<Finding> stale_flow(const Scene& scene, const DestinationKey& key, const Resolver& resolver) {
    struct Held {
        Tries unanswered;  // since its last answer
        bool answered_before = false;
    };
    std::map<std::uint64_t, Held> sockets;
    for (const Try& one : resolver.tries) {
        Held& held = sockets[one.sock];
        if (one.fate == Fate::silent) {
            held.unanswered.push_back(&one);
        } else {
            held = {{}, true};
        }
    }
    const auto stale = std::ranges::find_if(sockets, [](const auto& entry) {
        return entry.second.answered_before && entry.second.unanswered.size() + 1 >= fewest;
    });
    if (stale == sockets.end()) return std::nullopt;
    const Tries& tries = stale->second.unanswered;
    if (tries.back()->known_at + loss_window_ns < scene.now) return std::nullopt;  // not asked any more
    const core::BootNs since = tries.front()->at;
    std::set<std::uint64_t> others;
    for (const Try& one : resolver.tries) {
        if (one.at <= since || one.sock == stale->first) continue;
        if (one.unanswered > 0) return std::nullopt;  // it is not this socket's alone
        if (one.good()) others.insert(one.sock);
    }
    if (others.size() < 2) return std::nullopt;
    Finding finding = finding_for(scene, key, "flow");
    finding.confirmed = tries.size() >= fewest;
    finding.first_affected = since;
    finding.process = tries.front()->process();
    finding.candidates = {{FailureType::load_balancer, "stale_endpoint", fairly_sure, std::nullopt}};
    note(finding, scene, "stale_source_port", tries.front()->local_port,
         fmt::format("{} from local port {} unanswered in {}, which was answered before",
                     times(tries.size(), "question"), tries.front()->local_port,
                     core::to_duration(scene.now - since)));
    note(finding, scene, "other_ports_answered", static_cast<double>(others.size()),
         fmt::format("{} were answered meanwhile", times(others.size(), "other socket")));
    rule_out(finding, FailureType::packet_loss, "everything else to the resolver is answered");
    rule_out(finding, FailureType::dns_failure, "the resolver answers whoever asks from another port");
    return finding;
}

std::optional<Finding> lossiness(const Scene& scene, const DestinationKey& key, const Resolver& resolver) {
    if (auto stale = stale_flow(scene, key, resolver)) return stale;
    const Losses losses = losses_of(scene, resolver);
    if (losses.tries.empty() || losses.answered_between < 2) return std::nullopt;
    if (answers_again(scene, resolver, true)) return std::nullopt;
    const core::BootNs since = losses.tries.front()->at;
    const bool one_side = losses.later_ones == 0 || losses.later_ones == losses.halves;
    const bool paired = losses.wholes == 0 && losses.again == 0;
    const bool inserts = inserts_failed(scene, since);
    const bool race = paired && ((losses.halves >= raced_pairs && one_side) ||
                                 (losses.halves >= raced_pairs_proven && inserts));
    const double usual = usual_loss * static_cast<double>(losses.questions);
    const double enough = fewest + usual + 3 * std::sqrt(usual);
    // Pairs that may turn out to have raced are no loss yet.
    const bool lossy = static_cast<double>(losses.lost) >= enough && losses.tries.size() >= fewest &&
                       losses.sockets.size() >= 2 && (!paired || !one_side);
    if (!race && !lossy) return std::nullopt;
    Finding finding = finding_for(scene, key, "resolver");
    finding.first_affected = since;
    finding.severity = Severity::warning;
    if (race) {
        blame(finding, "pair_race", inserts ? sure : 0.9);
        note(finding, scene, "dns_pairs_halved", static_cast<double>(losses.halves),
             fmt::format(
                 "of {} for A and AAAA together one question was answered and the {} was not; asked again, "
                 "all were",
                 times(losses.halves, "pair"), losses.later_ones > 0 ? "later one" : "other"));
        if (inserts)
            note(finding, scene, "conntrack_insert_failed", 1,
                 "conntrack could not insert entries meanwhile");
        rule_out(finding, FailureType::packet_loss, "only one of two questions sent together is ever lost");
    } else {
        blame(finding, "lossy", 0.95);
        note(finding, scene, "dns_questions_lost", static_cast<double>(losses.lost),
             fmt::format("{} of {} questions unanswered in {}, while others are answered as usual",
                         losses.lost, losses.questions, core::to_duration(scene.now - since)));
    }
    rule_out(finding, FailureType::host_unreachable, "the resolver answers");
    return finding;
}

}  // namespace

std::vector<Finding> judge_dns(const Scene& scene) {
    std::vector<Finding> findings;
    for (const auto& [key, resolver] : scene.resolvers.all()) {
        const double late_us = resolver.late_us();
        const bool sound = std::ranges::all_of(resolver.tries, [&](const Try& one) {
            return one.fate == Fate::answered && one.unanswered == 0 &&
                   static_cast<double>(one.took_us) < late_us;
        });
        if (sound) continue;
        if (auto found = outage(scene, key, resolver)) {
            findings.push_back(std::move(*found));
            continue;
        }
        std::ranges::move(lost_names(scene, key, resolver), std::back_inserter(findings));
        if (auto found = lossiness(scene, key, resolver)) {
            findings.push_back(std::move(*found));
        } else if (auto late = slowness(scene, key, resolver)) {
            findings.push_back(std::move(*late));
        }
    }
    attribute_to_upstream(scene, findings);
    return findings;
}

bool names_healed(const Scene& scene, const model::Incident& incident, const std::string& group) {
    const auto found = std::ranges::find_if(scene.resolvers.all(), [&](const auto& entry) {
        return incident.destination && entry.first.endpoint == incident.destination->endpoint &&
               group.ends_with(fmt::format(" {}", entry.first.netns));
    });
    if (found == scene.resolvers.all().end()) return false;
    if (incident.scope.kind == ScopeKind::name) {
        return std::ranges::all_of(incident.scope.members, [&](const std::string& name) {
            return resolves_again(scene, found->second, name);
        });
    }
    return answers_again(scene, found->second, incident.cause == "lossy" || incident.cause == "pair_race");
}

model::LadderStep dns_step(const Scene& scene, const DestinationKey& key) {
    using model::LadderStatus;
    DestinationKey resolver_key = key;
    resolver_key.endpoint.protocol = model::Protocol::udp;
    if (const Resolver* resolver = scene.resolvers.find(resolver_key);
        resolver != nullptr && key.endpoint.protocol == model::Protocol::udp) {
        const auto good = std::ranges::count_if(resolver->tries, &Try::good);
        const bool works = !resolver->tries.empty() && resolver->tries.back().good();
        return {model::Rung::dns, works ? LadderStatus::ok : LadderStatus::unknown,
                fmt::format("a resolver: {} of {} answered in the last minute", good,
                            times(resolver->tries.size(), "question"))};
    }
    const std::string* name = scene.names.of(key.endpoint.ip);
    if (name == nullptr) return {model::Rung::dns, LadderStatus::unknown, "no name was asked"};
    const Name& known = *scene.names.find(*name);
    return {model::Rung::dns, LadderStatus::ok,
            fmt::format("{} resolved by {} in {:.1f} ms, {}", *name, known.resolver.endpoint.ip.to_string(),
                        static_cast<double>(known.took_us) / 1000, scene.ago(known.resolved_at))};
}

}  // namespace netwatch::diagnosis
