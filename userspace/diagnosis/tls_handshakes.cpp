// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/tls_handshakes.h"

#include <algorithm>
#include <utility>

#include "model/record.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t span_ns = 60 * core::ns_per_s;  // of outcomes that are judged together
constexpr std::uint64_t silence_ns = 3 * core::ns_per_s;
constexpr std::uint64_t given_up_ns = core::ns_per_s;  // a client that left sooner was in a hurry
constexpr std::uint64_t refusal_ns = 2 * core::ns_per_s;
constexpr std::uint64_t unheard_ns = 600 * core::ns_per_s;
constexpr std::uint64_t idle_target_ns = 86'400 * core::ns_per_s;
constexpr std::int64_t soon_s = std::int64_t{7} * 86'400;  // a certificate runs out
constexpr std::uint8_t fatal = 2;
constexpr std::uint16_t tls13 = 0x0304;
// As when reachability heals: three that span a second, or two so far apart that the fault would have shown.
constexpr std::uint32_t healthy_successes = 3;
constexpr std::uint64_t healthy_ns = core::ns_per_s;
constexpr std::uint32_t rare_successes = 2;
constexpr std::uint64_t rare_span_ns = 4 * core::ns_per_s;
constexpr std::uint64_t silent_party_ns = 30 * core::ns_per_s;  // not heard of since: it holds nothing open
constexpr std::uint32_t enough_swallowed = 3;
constexpr std::uint32_t after_a_mixture = 12;  // in a row, after successes and failures had mixed

void remember(TlsParty& party, core::BootNs start, bool good, core::BootNs at, std::size_t most) {
    while (!party.outcomes.empty() &&
           (party.outcomes.size() >= most || party.outcomes.front().start + span_ns < at)) {
        party.outcomes.pop_front();
    }
    const core::BootNs since = party.outcomes.empty() ? start : party.outcomes.front().start;
    while (!party.failures.empty() && party.failures.front().start < since) party.failures.pop_front();
    party.outcomes.push_back({start, good});
    std::ranges::stable_sort(party.outcomes, {}, &TlsParty::Outcome::start);
    party.last_at = at;
}

// A server that refuses a client of TLS 1.3 does so as soon as it has the client's Finished. One that closes
// later ends what it has accepted.
bool accepted_by_now(const TlsFailure& progress, core::BootNs at) {
    return progress.client_done && progress.done_at + refusal_ns <= at;
}

// All of the connection was read: what is behind the part that is handed on may have ended the handshake
// well.
bool is_seen_whole(const netwatch_close& record) {
    constexpr std::uint64_t most_of_client = 4'096;
    constexpr std::uint64_t most_of_server = 16'384;
    return record.counters.bytes_sent <= most_of_client && record.counters.bytes_received <= most_of_server;
}

bool recovered(const TlsParty& party, core::BootNs now) {
    const std::uint32_t row = party.successes_in_row;
    if (party.relapses() > 0) return row >= after_a_mixture;
    if (row >= rare_successes && party.row_since + rare_span_ns <= party.last_success) return true;
    return row >= healthy_successes && party.row_since + healthy_ns <= now;
}

}  // namespace

std::vector<TlsFailure> TlsParty::run() const {
    const auto row = static_cast<std::size_t>(std::ranges::distance(
        outcomes.rbegin(), std::ranges::find(outcomes.rbegin(), outcomes.rend(), true, &Outcome::good)));
    const std::size_t known = std::min(row, failures.size());
    return {failures.end() - static_cast<std::ptrdiff_t>(known), failures.end()};
}

std::uint32_t TlsParty::served_between() const {
    const auto first = std::ranges::find(outcomes, false, &Outcome::good);
    return static_cast<std::uint32_t>(
        std::count_if(first, outcomes.end(), [](const Outcome& one) { return one.good; }));
}

std::uint32_t TlsParty::relapses() const {
    const auto first = std::ranges::find(outcomes, false, &Outcome::good);
    std::uint32_t count = 0;
    for (auto one = first; one != outcomes.end() && std::next(one) != outcomes.end(); ++one) {
        if (one->good && !std::next(one)->good) ++count;
    }
    return count;
}

bool TlsTarget::swallows(core::BootNs start) const {
    if (swallowed_since == 0 || start < swallowed_since) return false;
    return swallowed >= enough_swallowed || (swallowed_until != 0 && start <= swallowed_until);
}

bool TlsHandshakes::owns(std::uint64_t sock) const {
    const auto known = connections_.find(sock);
    if (known == connections_.end()) return false;
    // Whatever the client makes of the name, the handshake is over.
    return known->second.told || !known->second.unsure_of_name;
}

bool TlsHandshakes::is_swallowed(std::uint64_t sock) const {
    const auto known = connections_.find(sock);
    if (known == connections_.end()) return false;
    const auto target = targets_.find(known->second.target);
    return target != targets_.end() && target->second.swallows(known->second.progress.start);
}

TlsHandshakes::Connection* TlsHandshakes::begin(const netwatch_tls_event& event, const DestinationKey& server,
                                                const std::string& party, const ProcessKey& process) {
    const auto known = connections_.find(event.sock);
    if (known != connections_.end()) return &known->second;
    if (connections_.size() >= most_connections) return nullptr;
    Connection& connection = connections_[event.sock];
    connection.target = {server, model::text_of(event.sni)};
    connection.party = party;
    connection.process = process;
    connection.progress.start = event.header.at_ns;
    return &connection;
}

void TlsHandshakes::add(const netwatch_tls_event& event, const DestinationKey& server,
                        const std::string& party, const ProcessKey& process) {
    const core::BootNs at = event.header.at_ns;
    if (event.step == NETWATCH_TLS_UNREADABLE) {
        connections_.erase(event.sock);
        return;
    }
    const bool begins = event.step == NETWATCH_TLS_CLIENT_HELLO || event.step == NETWATCH_TLS_ALERT ||
                        event.step == NETWATCH_TLS_PLAINTEXT;
    if (!begins && !connections_.contains(event.sock)) return;
    Connection* connection = begin(event, server, party, process);
    if (connection == nullptr || connection->told) return;
    connection->last_at = at;
    TlsFailure& progress = connection->progress;
    progress.version = event.version;
    progress.flags = event.flags;
    const bool by_client = event.by_client != 0;
    switch (event.step) {
        case NETWATCH_TLS_CLIENT_HELLO:
            waiting_.emplace_back(at, event.sock);
            if (waiting_.size() > most_connections) waiting_.pop_front();
            return;
        case NETWATCH_TLS_SERVER_HELLO: progress.server_spoke = true; return;
        case NETWATCH_TLS_CLIENT_DONE:
            progress.client_done = true;
            progress.done_at = at;
            return;
        case NETWATCH_TLS_ESTABLISHED:
            progress.client_done = true;
            if (name_differs(*connection)) {
                connection->unsure_of_name = true;
                return;
            }
            succeed(*connection, at);
            connections_.erase(event.sock);
            return;
        case NETWATCH_TLS_ALERT:
            // A warning is none of ours; TLS 1.3 knows no warnings that end a handshake.
            if (event.alert_level != fatal && event.version < tls13) return;
            progress.alert = event.alert;
            return fail(*connection, TlsEnd::alert, by_client, at);
        case NETWATCH_TLS_HIDDEN_ALERT:
            // After its Finished a client says no more than that it goes.
            if (by_client && progress.client_done) {
                connection->told = !name_differs(*connection);
                progress.refuses_name = !connection->told;
                if (connection->told) return;
            } else if (accepted_by_now(progress, at)) {
                return succeed(*connection, at);
            }
            return fail(*connection, TlsEnd::hidden_alert, by_client, at);
        case NETWATCH_TLS_PLAINTEXT:
            progress.http_status = event.http_status;
            return fail(*connection, TlsEnd::plaintext, by_client, at);
        default: return;
    }
}

bool TlsHandshakes::name_differs(const Connection& connection) const {
    const auto target = targets_.find(connection.target);
    return target != targets_.end() && target->second.certificate &&
           target->second.certificate->matches == false;
}

void TlsHandshakes::add(const netwatch_tls_certificate& record, const DestinationKey& server,
                        core::UtcNs now) {
    const TargetKey key{server, model::text_of(record.sni)};
    TlsTarget* target = obtain_target(key, record.header.at_ns);
    if (target == nullptr) return;
    const std::int64_t now_s = now.ns / static_cast<std::int64_t>(core::ns_per_s);
    if (record.not_after_s < now_s + soon_s)
        running_out_.insert(key);
    else
        running_out_.erase(key);
    std::optional<bool> matches;
    if ((record.flags & (NETWATCH_TLS_NAME_MATCHES | NETWATCH_TLS_NAME_DIFFERS)) != 0)
        matches = (record.flags & NETWATCH_TLS_NAME_MATCHES) != 0;
    std::array<std::uint8_t, 8> fingerprint{};
    std::ranges::copy(record.fingerprint, fingerprint.begin());
    const bool known = target->certificate && target->certificate->fingerprint == fingerprint;
    const core::BootNs since = known ? target->certificate->first_seen_at : record.header.at_ns;
    target->certificate = {.not_before_s = record.not_before_s,
                           .not_after_s = record.not_after_s,
                           .self_signed = (record.flags & NETWATCH_TLS_SELF_SIGNED) != 0,
                           .matches = matches,
                           .subject = model::text_of(record.subject),
                           .issuer = model::text_of(record.issuer),
                           .names = model::text_of(record.names),
                           .fingerprint = fingerprint,
                           .first_seen_at = since,
                           .seen_at = record.header.at_ns};
}

void TlsHandshakes::close(const netwatch_close& record, Sender sender) {
    const auto known = connections_.find(record.sock);
    if (known == connections_.end()) return;
    Connection& connection = known->second;
    const core::BootNs at = record.header.at_ns;
    TlsFailure& progress = connection.progress;
    const bool by_peer = record.reset_received != 0 || record.peer_closed_first != 0;
    const bool is_server = connection.target.first.perspective == model::Perspective::server;
    if (connection.told || (is_server && !connection.unsure_of_name)) {
        // Nothing is left to tell; clients leave as they please.
    } else if (connection.unsure_of_name || (by_peer && accepted_by_now(progress, at))) {
        succeed(connection, at);
    } else if (by_peer && !progress.client_done && is_seen_whole(record)) {
        progress.sender = sender;
        fail(connection, record.reset_received != 0 ? TlsEnd::reset : TlsEnd::closed, false, at);
    } else if (at >= progress.start + given_up_ns && !progress.server_spoke && record.error == 0) {
        progress.acknowledged = record.counters.total_retrans == 0;
        fail(connection, TlsEnd::silent, false, at);
    }
    connections_.erase(known);
}

void TlsHandshakes::look_for_silence(core::BootNs now, const Acknowledged& acknowledged) {
    while (!waiting_.empty() && waiting_.front().first + silence_ns <= now) {
        const auto [begun, sock] = waiting_.front();
        waiting_.pop_front();
        const auto known = connections_.find(sock);
        if (known == connections_.end()) continue;
        Connection& connection = known->second;
        const bool is_server = connection.target.first.perspective == model::Perspective::server;
        if (connection.told || connection.progress.server_spoke || is_server) continue;
        const auto taken = acknowledged(sock);
        if (!taken) continue;  // its end will tell
        connection.progress.acknowledged = *taken;
        fail(connection, TlsEnd::silent, false, now);
    }
}

void TlsHandshakes::fail(Connection& connection, TlsEnd end, bool by_client, core::BootNs at) {
    connection.told = true;
    TlsTarget* target = obtain_target(connection.target, at);
    if (target == nullptr) return;
    TlsFailure failure = connection.progress;
    failure.at = at;
    failure.end = end;
    failure.by_client = by_client;
    TlsParty& party = party_of(*target, connection, at);
    remember(party, failure.start, false, at, most_outcomes);
    party.failures.push_back(failure);
    std::ranges::stable_sort(party.failures, {}, &TlsFailure::start);
    if (!party.outcomes.back().good) party.successes_in_row = 0;
    if (end == TlsEnd::silent && !failure.acknowledged) note_silence(*target, failure.start);
    ailing_.insert(connection.target);
}

void TlsHandshakes::succeed(Connection& connection, core::BootNs at) {
    connection.told = true;
    TlsTarget* target = obtain_target(connection.target, at);
    if (target == nullptr) return;
    target->last_success = at;
    ++target->successes;
    target->last_good_start = std::max(target->last_good_start, connection.progress.start);
    if (target->swallowed >= enough_swallowed) target->swallowed_until = at;
    target->swallowed = 0;
    TlsParty& party = party_of(*target, connection, at);
    remember(party, connection.progress.start, true, at, most_outcomes);
    if (party.successes_in_row++ == 0) party.row_since = at;
    party.last_success = at;
    ++party.successes;
}

void TlsHandshakes::note_silence(TlsTarget& target, core::BootNs start) {
    if (start <= target.last_good_start) return;  // a later one was answered
    if (target.swallowed++ == 0) {
        target.swallowed_since = start;
        target.swallowed_until = 0;
    }
    target.swallowed_since = std::min(target.swallowed_since, start);
}

TlsTarget* TlsHandshakes::obtain_target(const TargetKey& key, core::BootNs now) {
    const auto known = targets_.find(key);
    if (known != targets_.end()) return &known->second;
    if (targets_.size() >= most_targets) housekeep(now);
    if (targets_.size() >= most_targets) return nullptr;
    TlsTarget& target = targets_[key];
    target.server = key.first;
    target.sni = key.second;
    return &target;
}

TlsParty& TlsHandshakes::party_of(TlsTarget& target, const Connection& connection, core::BootNs at) {
    auto party = std::ranges::find(target.parties, connection.party, &TlsParty::name);
    if (party == target.parties.end()) {
        if (target.parties.size() >= most_parties)
            target.parties.erase(std::ranges::min_element(target.parties, {}, &TlsParty::last_at));
        target.parties.push_back({.name = connection.party});
        party = std::prev(target.parties.end());
    }
    party->process = connection.process;
    party->last_at = at;
    return *party;
}

void TlsHandshakes::housekeep(core::BootNs now) {
    std::erase_if(connections_, [&](const auto& entry) { return entry.second.last_at + unheard_ns < now; });
    const auto last_of = [](const TlsTarget& target) {
        core::BootNs last = target.certificate ? target.certificate->seen_at : 0;
        for (const TlsParty& party : target.parties) last = std::max(last, party.last_at);
        return last;
    };
    // What is asked for under ever new names goes first.
    const core::BootNs kept_ns = targets_.size() >= most_targets ? span_ns : idle_target_ns;
    std::erase_if(targets_, [&](const auto& entry) { return last_of(entry.second) + kept_ns < now; });
    std::erase_if(running_out_, [&](const TargetKey& key) { return !targets_.contains(key); });
    std::erase_if(ailing_, [&](const TargetKey& key) {
        const auto target = targets_.find(key);
        return target == targets_.end() ||
               std::ranges::none_of(target->second.parties, [&](const TlsParty& party) {
                   return !party.failures.empty() && party.failures.back().at + span_ns >= now;
               });
    });
}

std::optional<bool> TlsHandshakes::healed(const DestinationKey& server, const std::optional<std::string>& sni,
                                          const std::optional<std::string>& party, core::BootNs now) const {
    bool any = false;
    for (auto at = targets_.lower_bound({server, ""}); at != targets_.end() && at->first.first == server;
         ++at) {
        if (sni && at->second.sni != *sni) continue;
        for (const TlsParty& one : at->second.parties) {
            if (party && one.name != *party) continue;
            if (one.successes > 0 && recovered(one, now)) {
                any = true;
            } else if (!one.failures.empty() && one.failures.back().at >= one.last_success &&
                       one.failures.back().at + silent_party_ns >= now) {
                return false;
            }
        }
    }
    return any ? std::optional(true) : std::nullopt;
}

}  // namespace netwatch::diagnosis
