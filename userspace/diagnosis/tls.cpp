// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/tls.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "diagnosis/partial.h"
#include "diagnosis/tls_cause.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;

constexpr std::size_t enough = 3;
constexpr std::size_t enough_mixed =
    8;  // in a row, where failures and successes mix: a third fails by chance
constexpr std::size_t enough_partly = 5;
constexpr std::uint32_t enough_served = 3;
constexpr std::uint32_t enough_relapses = 2;
constexpr std::ptrdiff_t enough_others = 2;
constexpr std::uint64_t answers_on_the_way_ns = core::ns_per_s;
constexpr std::uint64_t restart_ns = 1'200 * core::ns_per_ms;  // a server restarts in less
constexpr std::uint64_t span_ns = 60 * core::ns_per_s;
constexpr std::size_t many = 3;  // servers that one trust failure concerns
constexpr std::size_t kinds_of_a_scan = 3;

using Key = TlsHandshakes::TargetKey;

// What fails at one target.
struct Ailment {
    const TlsTarget* target = nullptr;
    const TlsParty* party = nullptr;   // whom alone it concerns; null: everybody
    std::vector<TlsFailure> failures;  // oldest first
    std::uint32_t served = 0;          // handshakes in between that went well
    bool partly = false;
    std::vector<model::Candidate> candidates = {};

    [[nodiscard]] const DestinationKey& server() const { return target->server; }
    [[nodiscard]] const TlsFailure& last() const { return failures.back(); }
    [[nodiscard]] core::BootNs onset() const { return failures.front().start; }
    [[nodiscard]] const std::optional<std::string>& cause() const { return candidates.front().cause; }
};
using Ailments = std::vector<Ailment>;

// An end that gives no reason.
bool is_wordless(const TlsFailure& failure) {
    return failure.end == TlsEnd::reset || failure.end == TlsEnd::closed || failure.end == TlsEnd::silent;
}

// One that tries what a server takes, not one that wants something.
bool scans(const TlsParty& party) {
    if (party.successes > 0) return false;
    std::set<decltype(std::declval<TlsFailure>().kind())> kinds;
    for (const TlsFailure& failure : party.failures) kinds.insert(failure.kind());
    return kinds.size() >= kinds_of_a_scan;
}

// The failures that are like most of them.
std::vector<TlsFailure> alike(std::vector<TlsFailure> failures) {
    std::map<decltype(std::declval<TlsFailure>().kind()), std::size_t> counts;
    for (const TlsFailure& failure : failures) ++counts[failure.kind()];
    const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    std::erase_if(failures, [&](const TlsFailure& failure) { return failure.kind() != most->first; });
    return failures;
}

bool is_recent(const Scene& scene, const std::vector<TlsFailure>& failures) {
    return !failures.empty() && failures.back().at + span_ns >= scene.now;
}

// Long enough to be no restart, for ends that say nothing.
bool lasts(const std::vector<TlsFailure>& failures) {
    return !is_wordless(failures.back()) || failures.back().start - failures.front().start >= restart_ns;
}

// Silence that the way there explains is none of TLS, unless other names pass.
bool is_of_transport(const std::vector<TlsFailure>& failures, bool others_pass) {
    const auto lost = std::ranges::count_if(failures, [](const TlsFailure& failure) {
        return failure.end == TlsEnd::silent && !failure.acknowledged;
    });
    return !others_pass && 2 * static_cast<std::size_t>(lost) > failures.size();
}

std::int64_t utc_s(const Scene& scene, core::BootNs at) {
    return scene.anchor.utc(at).ns / static_cast<std::int64_t>(core::ns_per_s);
}

bool worked_under_other_name(const Scene& scene, const TlsTarget& target, core::BootNs since) {
    const auto& targets = scene.tls.targets();
    for (auto at = targets.lower_bound({target.server, ""}); at != targets.end(); ++at) {
        if (at->first.first != target.server) break;
        if (at->second.sni != target.sni && at->second.last_success > since) return true;
    }
    return false;
}

// It ends connections beyond a limit as soon as it has accepted them, handshakes or not.
bool is_of_a_limit(const Scene& scene, const TlsTarget& target) {
    const Destination* server = scene.destinations.find(target.server);
    return server != nullptr && server->detail &&
           (is_limited(scene, *server) || may_be_limited(scene, *server));
}

void conclude(const Scene& scene, Ailments& ailments, Ailment ailment) {
    ailment.failures = alike(std::move(ailment.failures));
    if (is_wordless(ailment.last()) && is_of_a_limit(scene, *ailment.target)) return;
    const bool others = worked_under_other_name(scene, *ailment.target, ailment.onset());
    if (is_of_transport(ailment.failures, others)) return;
    ailment.candidates =
        causes_of(ailment.last(), ailment.target->certificate, utc_s(scene, ailment.last().at));
    if (ailment.last().end == TlsEnd::silent && (others || ailment.party != nullptr))
        ailment.candidates = {{FailureType::tls_handshake_failure, "silent", 0.92, std::nullopt}};
    ailments.push_back(std::move(ailment));
}

// Another party succeeded more than once since it fails, and it went on failing: that is not the end of a
// failure of all.
bool fails_beside_others(const TlsTarget& target, const TlsParty& party, const std::vector<TlsFailure>& run) {
    const core::BootNs onset = run.front().start;
    for (const TlsParty& other : target.parties) {
        if (&other == &party) continue;
        const auto good = [&](const TlsParty::Outcome& one) { return one.good && one.start > onset; };
        const auto first = std::ranges::find_if(other.outcomes, good);
        if (std::count_if(first, other.outcomes.end(), good) < enough_others) continue;
        const auto since = std::ranges::count_if(
            run, [&](const TlsFailure& failure) { return failure.start > first->start; });
        if (since >= static_cast<std::ptrdiff_t>(enough)) return true;
    }
    return false;
}

// Handshakes begun since then succeed; but for one whose answer was on the way.
bool succeeds_since(const TlsTarget& target, core::BootNs onset) {
    std::ptrdiff_t prompt = 0;
    for (const TlsParty& party : target.parties) {
        for (const TlsParty::Outcome& one : party.outcomes) {
            if (!one.good || one.start <= onset) continue;
            if (one.start > onset + answers_on_the_way_ns) return true;
            ++prompt;
        }
    }
    return prompt >= enough_others;
}

void look_at(const Scene& scene, Ailments& ailments, const TlsTarget& target) {
    std::vector<TlsFailure> together;
    bool known = target.successes == 0;  // strangers who fail say nothing of a server that others use
    for (const TlsParty& party : target.parties) {
        const auto run = party.run();
        if (!is_recent(scene, run) || scans(party)) continue;
        known = known || party.successes > 0;
        together.insert(together.end(), run.begin(), run.end());
    }
    if (together.empty()) return;
    std::ranges::sort(together, {}, &TlsFailure::start);
    if (known && together.size() + 1 >= enough && !succeeds_since(target, together.front().start)) {
        const bool mixed =
            std::ranges::any_of(target.parties, [](const TlsParty& party) { return party.relapses() > 0; });
        if (together.size() + 1 >= (mixed ? enough_mixed : enough))
            return conclude(scene, ailments, {.target = &target, .failures = std::move(together)});
    }
    for (const TlsParty& party : target.parties) {
        if (scans(party)) continue;
        auto run = party.run();
        const std::uint32_t relapses = party.relapses();
        if (is_recent(scene, run) && run.size() + 1 >= (relapses > 0 ? enough_mixed : enough) &&
            fails_beside_others(target, party, run)) {
            conclude(scene, ailments, {.target = &target, .party = &party, .failures = std::move(run)});
            continue;
        }
        std::vector<TlsFailure> some(party.failures.begin(), party.failures.end());
        const std::uint32_t served = party.served_between();
        const bool mixes = relapses >= enough_relapses && served >= enough_served;
        if (!is_recent(scene, some) || some.size() < enough_partly || !mixes) continue;
        conclude(scene, ailments,
                 {.target = &target, .failures = std::move(some), .served = served, .partly = true});
    }
}

// A client at a server of ours that never got in is a stranger; that others do not share its trouble is all
// there is to say.
bool is_strangers(const Ailment& ailment) {
    return ailment.server().perspective == model::Perspective::server && ailment.party != nullptr &&
           ailment.party->successes == 0;
}

bool is_confirmed(const Ailment& ailment) {
    return ailment.failures.size() >= enough && lasts(ailment.failures);
}

// --- what is said of it ---

std::string_view who_refuses(const TlsFailure& failure) {
    return failure.by_client ? "the client" : "the server";
}

std::string subject_of(const Ailment& ailment) {
    const std::string where = ailment.server().endpoint.to_display();
    return ailment.target->sni.empty() ? where : ailment.target->sni + " at " + where;
}

std::string what_happened(const Ailment& ailment) {
    const TlsFailure& last = ailment.last();
    const std::string version = version_name(last.version);
    switch (last.end) {
        case TlsEnd::alert:
            if (!last.by_client && last.version == 0)
                return "the server answers what is no ClientHello with a TLS alert";
            return fmt::format("{} refuses with alert {}, {} ({})", who_refuses(last), last.alert,
                               alert_name(last.alert), version);
        case TlsEnd::hidden_alert:
            if (last.refuses_name) return "the client leaves after the handshake, without a request";
            return fmt::format("{} refuses with an encrypted alert ({})", who_refuses(last), version);
        case TlsEnd::plaintext:
            if (last.by_client) return "the client speaks plain text to a TLS port";
            return last.http_status == 0
                       ? std::string("the server answers the ClientHello in plain text")
                       : fmt::format("the server answers the ClientHello with plain HTTP, status {}",
                                     last.http_status);
        case TlsEnd::reset:
            return fmt::format("a RST answers the {}", last.server_spoke ? "handshake" : "ClientHello");
        case TlsEnd::closed:
            return fmt::format("the server closes the connection after the {}, without an alert",
                               last.server_spoke ? "ServerHello" : "ClientHello");
        case TlsEnd::silent:
            return last.acknowledged ? "the server acknowledges the ClientHello and says nothing"
                                     : "the ClientHello is not acknowledged";
    }
    return {};
}

void note_failures(Finding& finding, const Scene& scene, const Ailment& ailment) {
    const std::uint64_t span = scene.now - std::min(scene.now, ailment.onset());
    const std::string served =
        ailment.served > 0 ? fmt::format(", {} between them succeeded", ailment.served) : std::string();
    note(finding, scene, "tls_handshakes_failed", static_cast<double>(ailment.failures.size()),
         fmt::format("{} handshakes with {} failed in {}{}: {}", ailment.failures.size(), subject_of(ailment),
                     core::to_duration(span), served, what_happened(ailment)));
}

std::string date_of(std::int64_t at_s) {
    constexpr std::size_t date_length = 10;  // of 2026-11-22T19:42:25.118Z
    constexpr std::int64_t most_s = 9'000'000'000;
    const std::int64_t within = std::clamp<std::int64_t>(at_s, 0, most_s);
    return core::to_rfc3339({within * static_cast<std::int64_t>(core::ns_per_s)}).substr(0, date_length);
}

void note_certificate(Finding& finding, const Scene& scene, const TlsTarget& target) {
    if (!target.certificate) return;
    const TlsCertificate& certificate = *target.certificate;
    const std::string names = certificate.names.empty() ? "no name" : certificate.names;
    note(finding, scene, "certificate",
         static_cast<double>(certificate.not_after_s - utc_s(scene, scene.now)),
         fmt::format("its certificate: {}, for {}, {}, valid from {} to {}", certificate.subject, names,
                     certificate.self_signed ? "signed by itself" : "issued by " + certificate.issuer,
                     date_of(certificate.not_before_s), date_of(certificate.not_after_s)));
}

void note_sender(Finding& finding, const Scene& scene, const Ailment& ailment) {
    const auto by = [&](Sender sender) {
        return std::ranges::count(ailment.failures, sender, &TlsFailure::sender);
    };
    if (by(Sender::other) > 0) {
        note(finding, scene, "resets_from_others", static_cast<double>(by(Sender::other)),
             fmt::format("{} of the RSTs are not the server's: another TTL than its SYN-ACKs, or sooner than "
                         "it can answer",
                         by(Sender::other)));
    } else if (by(Sender::peer) > 0) {
        note(finding, scene, "resets_from_peer", static_cast<double>(by(Sender::peer)),
             fmt::format("{} of the RSTs arrived with the TTL of the server's SYN-ACKs", by(Sender::peer)));
    }
}

void note_others(Finding& finding, const Scene& scene, const Ailment& ailment) {
    const TlsTarget& target = *ailment.target;
    if (worked_under_other_name(scene, target, ailment.onset())) {
        note(finding, scene, "other_names_work", 1,
             fmt::format("handshakes with {} under other names succeed since",
                         target.server.endpoint.to_display()));
    }
    if (ailment.party != nullptr && target.last_success > ailment.onset()) {
        note(finding, scene, "others_succeed", 1,
             fmt::format("only {} fails; others succeed with the same name, the last one {}",
                         ailment.party->name, scene.ago(target.last_success)));
    }
    if (target.successes > 0) {
        note(finding, scene, "worked_before", static_cast<double>(target.successes),
             fmt::format("{} handshakes succeeded, the last one {}", target.successes,
                         scene.ago(target.last_success)));
    } else {
        note(finding, scene, "no_earlier_success",
             static_cast<double>(scene.now - scene.watching_since) / 1e9,
             fmt::format("no handshake with it succeeded in the {} since netwatch started",
                         core::to_duration(scene.now - scene.watching_since)));
    }
}

// A change of the clock makes certificates expire, or not be valid yet, everywhere at once.
void note_clock(Finding& finding, const Scene& scene) {
    const core::BootNs onset = finding.first_affected;
    for (const Event* event : scene.journal.between(onset - std::min(onset, span_ns), scene.now).events) {
        if (event->topic != Topic::clock) continue;
        note(finding, scene, "clock_stepped", 1, event->what + " " + scene.ago(event->at));
    }
}

void rule_out_others(Finding& finding, const Ailment& ailment) {
    rule_out(finding, FailureType::port_blocked, "connections are accepted");
    if (ailment.last().acknowledged)
        rule_out(finding, FailureType::packet_loss, "what is sent in the handshake is acknowledged");
    if (ailment.last().end == TlsEnd::alert || ailment.last().end == TlsEnd::hidden_alert)
        rule_out(finding, FailureType::firewall_block, "one of the two ends ends the handshake, in words");
}

model::Severity severity_of(const Scene& scene, const Ailment& ailment) {
    if (ailment.party != nullptr || ailment.partly) return model::Severity::warning;
    if (ailment.target->successes > 0) return model::Severity::critical;
    return scene.watched_briefly() ? model::Severity::warning : model::Severity::info;
}

Finding finding_of(const Scene& scene, const Ailment& ailment) {
    const Destination* destination = scene.destinations.find(ailment.server());
    Finding finding;
    finding.family = Family::tls;
    finding.in_words = !is_wordless(ailment.last());
    finding.group = fmt::format("tls {} {} {}", ailment.server().endpoint.to_string(), ailment.server().netns,
                                ailment.target->sni);
    finding.confirmed = is_confirmed(ailment);
    finding.scope = {ScopeKind::destination, std::nullopt, {ailment.server().endpoint.to_string()}};
    finding.perspective = ailment.server().perspective;
    finding.members = {ailment.server()};
    finding.destination = destination != nullptr
                              ? destination->ref()
                              : model::DestinationRef{.endpoint = ailment.server().endpoint};
    finding.destination->sni =
        ailment.target->sni.empty() ? std::nullopt : std::optional(ailment.target->sni);
    finding.candidates = ailment.candidates;
    finding.severity = severity_of(scene, ailment);
    finding.first_affected = ailment.onset();
    finding.tally = Tally{static_cast<std::int64_t>(ailment.failures.size() + ailment.served),
                          static_cast<std::int64_t>(ailment.failures.size())};
    if (ailment.partly) {
        finding.candidates = {{FailureType::load_balancer, "backend_tls", 0.86,
                               "the certificates and settings of the backends, one by one"},
                              {FailureType::tls_handshake_failure, ailment.cause(), 0.1,
                               "whether the handshakes that fail are those of one client"}};
    }
    note_failures(finding, scene, ailment);
    if (ailment.last().by_client) note_certificate(finding, scene, *ailment.target);
    note_sender(finding, scene, ailment);
    note_others(finding, scene, ailment);
    note_clock(finding, scene);
    rule_out_others(finding, ailment);
    return finding;
}

// --- how far it reaches ---

void join(Finding& finding, const Finding& other) {
    for (const DestinationKey& key : other.members) {
        if (std::ranges::find(finding.members, key) != finding.members.end()) continue;
        finding.members.push_back(key);
        finding.scope.members.push_back(key.endpoint.to_string());
    }
    std::ranges::sort(finding.scope.members);
    finding.confirmed = finding.confirmed || other.confirmed;
    finding.severity = std::max(finding.severity, other.severity);
    finding.first_affected = std::min(finding.first_affected, other.first_affected);
    finding.tally->attempts += other.tally->attempts;
    finding.tally->failed += other.tally->failed;
}

// The finding for all of them, told by the most affected.
Finding all_of(const Scene& scene, const std::vector<const Ailment*>& ailments) {
    const Ailment& most =
        **std::ranges::max_element(ailments, {}, [](const Ailment* one) { return one->failures.size(); });
    Finding finding = finding_of(scene, most);
    for (const Ailment* other : ailments) {
        if (other != &most) join(finding, finding_of(scene, *other));
    }
    return finding;
}

// The same refusal of certificates at many servers: their clients' store of authorities, or this host's
// clock.
Finding of_trust(const Scene& scene, const std::vector<const Ailment*>& ailments) {
    Finding finding = all_of(scene, ailments);
    finding.group = "tls trust " + finding.cause().value_or("");
    finding.scope.kind = ScopeKind::trust;
    finding.destination->sni.reset();
    note(finding, scene, "servers_refused_alike", static_cast<double>(ailments.size()),
         fmt::format("{} servers are refused in the same way since {}: it is not theirs", ailments.size(),
                     scene.ago(finding.first_affected)));
    return finding;
}

// By one program alone, while others take the same certificate.
Finding of_one_store(const Scene& scene, const Ailment& ailment) {
    Finding finding = finding_of(scene, ailment);
    finding.group += " " + ailment.party->name;
    finding.scope.kind = ScopeKind::trust;
    finding.scope.value = ailment.party->name;
    if (finding.perspective == model::Perspective::client) finding.process = ailment.party->process;
    return finding;
}

using Pick = std::vector<const Ailment*>;

std::size_t distinct_places(const Pick& ailments) {
    std::set<std::string> places;
    for (const Ailment* one : ailments) {
        places.insert(one->target->sni.empty() ? one->server().endpoint.ip.to_string() : one->target->sni);
    }
    return places.size();
}

// Takes out what `which` holds for.
Pick take(Pick& from, const auto& which) {
    Pick taken;
    std::erase_if(from, [&](const Ailment* one) {
        if (!which(*one)) return false;
        taken.push_back(one);
        return true;
    });
    return taken;
}

std::vector<Finding> by_reach(const Scene& scene, const Ailments& ailments) {
    std::vector<Finding> findings;
    Pick left;
    for (const Ailment& ailment : ailments) left.push_back(&ailment);

    std::map<std::string, Pick> refusals;
    for (const Ailment* one : left) {
        if (!one->partly && refuses_certificate(one->last()))
            refusals[one->cause().value_or("")].push_back(one);
    }
    for (const auto& [cause, alike] : refusals) {
        const auto [first, last] =
            std::ranges::minmax(alike, {}, [](const Ailment* one) { return one->onset(); });
        if (distinct_places(alike) < many || last->onset() > first->onset() + span_ns) continue;
        findings.push_back(of_trust(scene, alike));
        take(left, [&](const Ailment& one) { return std::ranges::find(alike, &one) != alike.end(); });
    }
    for (const Ailment* one : take(left, [](const Ailment& one) {
             return one.party != nullptr && refuses_certificate(one.last());
         })) {
        findings.push_back(of_one_store(scene, *one));
    }
    while (!left.empty()) {
        const Ailment& first = *left.front();
        const auto same_cause = [&](const Ailment& one) {
            return one.cause() == first.cause() && one.partly == first.partly;
        };
        const bool other_names = worked_under_other_name(scene, *first.target, first.onset());
        const Pick of_server = take(left, [&](const Ailment& one) {
            return &one == &first || (one.server() == first.server() && same_cause(one) && !other_names);
        });
        const Pick of_name = take(left, [&](const Ailment& one) {
            return of_server.size() == 1 && !first.target->sni.empty() &&
                   one.target->sni == first.target->sni && same_cause(one);
        });
        Pick together = of_server;
        together.insert(together.end(), of_name.begin(), of_name.end());
        Finding finding = all_of(scene, together);
        if (of_server.size() > 1) finding.destination->sni.reset();
        if (!first.target->sni.empty() && (!of_name.empty() || other_names)) {
            finding.scope.kind = ScopeKind::name;
            finding.scope.value = first.target->sni;
        }
        findings.push_back(std::move(finding));
    }
    return findings;
}

// --- certificates ---

constexpr std::int64_t tenth = 10;  // of its life: short-lived certificates are renewed later

bool runs_out(const TlsTarget& target, std::int64_t now_s) {
    if (!target.certificate) return false;
    const TlsCertificate& certificate = *target.certificate;
    if (target.last_success < certificate.first_seen_at) return false;
    const std::int64_t left = certificate.not_after_s - now_s;
    return left < (certificate.not_after_s - certificate.not_before_s) / tenth;
}

Finding of_certificate(const Scene& scene, const Destination& destination, const TlsTarget& target) {
    Finding finding = finding_at(destination, Family::certificate, "certificate " + target.sni);
    const std::int64_t left = target.certificate->not_after_s - utc_s(scene, scene.now);
    finding.severity = model::Severity::info;
    finding.perspective = target.server.perspective;
    finding.first_affected = target.certificate->first_seen_at;
    finding.candidates = {{FailureType::tls_handshake_failure,
                           left < 0 ? "certificate_expired" : "certificate_expiring", 0.97, std::nullopt}};
    if (!target.sni.empty()) finding.destination->sni = target.sni;
    const auto seconds = static_cast<std::uint64_t>(std::abs(left));
    note(finding, scene, left < 0 ? "certificate_expired_for_s" : "certificate_expires_in_s",
         static_cast<double>(std::abs(left)),
         left < 0 ? fmt::format("it expired {} ago, and clients take it all the same",
                                core::to_duration(seconds * core::ns_per_s))
                  : fmt::format("it expires in {}", core::to_duration(seconds * core::ns_per_s)));
    note_certificate(finding, scene, target);
    return finding;
}

}  // namespace

std::vector<Finding> judge_tls(const Scene& scene) {
    Ailments ailments;
    for (const Key& key : scene.tls.ailing()) {
        const auto target = scene.tls.targets().find(key);
        if (target != scene.tls.targets().end()) look_at(scene, ailments, target->second);
    }
    std::erase_if(ailments, is_strangers);
    return by_reach(scene, ailments);
}

std::vector<Finding> judge_certificates(const Scene& scene) {
    std::vector<Finding> findings;
    const std::int64_t now_s = utc_s(scene, scene.now);
    for (const Key& key : scene.tls.running_out()) {
        const TlsTarget& target = scene.tls.targets().at(key);
        const Destination* destination = scene.destinations.find(target.server);
        if (destination != nullptr && runs_out(target, now_s) && !scene.tls.ailing().contains(key))
            findings.push_back(of_certificate(scene, *destination, target));
    }
    return findings;
}

bool certificate_renewed(const Scene& scene, const DestinationKey& server) {
    const std::int64_t now_s = utc_s(scene, scene.now);
    return std::ranges::none_of(scene.tls.running_out(), [&](const Key& key) {
        return key.first == server && runs_out(scene.tls.targets().at(key), now_s);
    });
}

}  // namespace netwatch::diagnosis
