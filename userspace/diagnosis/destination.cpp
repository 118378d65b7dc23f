// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/destination.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t retry_window_ns = core::ns_per_s;
constexpr std::uint64_t shortest_gap_ns = 100 * core::ns_per_ms;
constexpr std::uint32_t known_rhythm = 5;                           // successes that show a process's rhythm
constexpr std::uint64_t known_rhythm_span_ns = 2 * core::ns_per_s;  // and how long they must span: no burst
constexpr std::uint64_t fallback_window_ns =
    2 * core::ns_per_s;                                        // Happy Eyeballs: the other family within it
constexpr std::uint64_t fallback_pending_ns = core::ns_per_s;  // and mostly within that
constexpr float background_weight = 1.0F / 32;
constexpr std::uint32_t background_run = 6;  // a longer run of failures was an outage
constexpr std::uint64_t min_rto_ns = 200 * core::ns_per_ms;
constexpr std::size_t failures_kept = 8;
constexpr std::size_t attempts_followed = 16;
constexpr std::uint32_t known_handshakes = 10;
constexpr double patience_factor = 8;  // of the 99th percentile of the round trips to it
constexpr std::uint64_t least_patience_ns = 50 * core::ns_per_ms;
constexpr std::uint64_t unknown_patience_ns = 200 * core::ns_per_ms;
constexpr std::uint64_t slowest_handshake_ns = 400 * core::ns_per_ms;  // around the world
constexpr std::size_t processes_kept = 8;
constexpr std::uint64_t at_once_ns = 500 * core::ns_per_ms;
// What a search for an IPv4 neighbour takes: three probes a second apart, and the slack of the kernel's
// timers.
constexpr std::pair search_ns{2'900 * core::ns_per_ms, 3'300 * core::ns_per_ms};

bool other_family_works(const Process& process, bool is_v4, core::BootNs at) {
    const core::BootNs success = is_v4 ? process.last_success_v6 : process.last_success_v4;
    return success != 0 && success + fallback_window_ns >= at && success <= at + fallback_window_ns;
}

}  // namespace

bool Detail::Who::tries_again(core::BootNs at) const {
    if (last_observation + retry_window_ns <= at) return false;
    const std::uint64_t span = last_success - first_success;
    if (successes < known_rhythm || span < known_rhythm_span_ns) return true;
    const std::uint64_t half_usual_gap = span / (successes - 1) / 2;
    return at - std::min(at, last_failure) < std::max(half_usual_gap, shortest_gap_ns);
}

void FailureRun::add_silent_syn(core::BootNs at) {
    silent_syns_at[silent_syns++ % silent_syns_at.size()] = at;
}

bool FailureRun::masked(core::BootNs now) const {
    const auto hidden_or_pending = [now](const Attempt& a) {
        return a.hidden || a.at + fallback_pending_ns >= now;
    };
    return std::ranges::any_of(latest, &Attempt::hidden) && std::ranges::all_of(latest, hidden_or_pending);
}

void Destination::note_fallbacks(const ProcessTable& processes) {
    if (!run) return;
    for (FailureRun::Attempt& attempt : run->latest) {
        const Process* process = attempt.hidden ? nullptr : processes.find(attempt.process);
        if (process != nullptr) attempt.hidden = other_family_works(*process, run->is_v4, attempt.at);
    }
}

Detail::Who* Destination::who(const Process& process, core::BootNs at) {
    if (!detail) return nullptr;
    auto& list = detail->who;
    auto found = std::ranges::find(list, process.key, &Detail::Who::key);
    if (found == list.end()) {
        if (list.size() >= processes_kept) list.erase(std::ranges::min_element(list, {}, &Detail::Who::last));
        found = list.insert(list.end(), Detail::Who{.key = process.key});
    }
    found->last = at;
    return &*found;
}

Second& Destination::second_at(core::BootNs at) {
    auto& seconds = detail->seconds;
    const core::BootNs start = at - at % core::ns_per_s;
    if (seconds.empty() || seconds.back().at < start) {
        seconds.push_back({.at = start});
        if (seconds.size() > Detail::seconds_kept) seconds.pop_front();
    }
    // Late records belong to a second that is already there; the newest takes what is older than all.
    for (auto second = seconds.rbegin(); second != seconds.rend(); ++second) {
        if (second->at <= start) return *second;
    }
    return seconds.back();
}

void Destination::add_attempt(const netwatch_attempt& record) {
    if (!detail) return;
    auto& attempts_made = detail->in_flight;
    if (attempts_made.size() >= attempts_followed) attempts_made.erase(attempts_made.begin());
    attempts_made.push_back({.sock = record.sock,
                             .start = record.header.at_ns,
                             .beside = flows,
                             .amid_failures = run != nullptr});
}

std::optional<std::uint64_t> Destination::usual_patience_ns() const {
    if (!detail || detail->rtt_us.count() < known_handshakes) return std::nullopt;
    const auto usual = static_cast<std::uint64_t>(*detail->rtt_us.quantile(0.99) * patience_factor);
    return std::max(least_patience_ns, usual * core::ns_per_us);
}

bool Destination::gave_up_late(const Outcome& outcome) const {
    const std::uint64_t long_wait =
        std::max(usual_patience_ns().value_or(slowest_handshake_ns), unknown_patience_ns);
    return outcome.cls == OutcomeClass::abandoned && outcome.delay_ns >= long_wait;
}

std::uint32_t Destination::overdue_syns(core::BootNs now) const {
    if (!run) return 0;
    const auto usual = usual_patience_ns();
    const std::uint64_t patience = usual.value_or(unknown_patience_ns);
    const auto ripe = [&](core::BootNs at) { return at + patience <= now; };
    const auto unripe = static_cast<std::uint32_t>(
        std::ranges::count_if(run->silent_syns_at, [&](core::BootNs at) { return at != 0 && !ripe(at); }));
    std::uint32_t overdue = run->silent_syns - std::min(unripe, run->silent_syns);
    return run->silent_syns > 0 ? overdue + overdue_first_syns(now) : overdue;
}

std::uint32_t Destination::overdue_attempts(core::BootNs now) const {
    return run ? run->attempts + run->pending + overdue_first_syns(now) : 0;
}

std::uint32_t Destination::overdue_first_syns(core::BootNs now) const {
    const auto patience = usual_patience_ns();
    if (!patience) return 0;
    const auto overdue = [&](const Detail::Attempt& attempt) {
        return attempt.sent_again_at == 0 && attempt.start > last_answered_syn &&
               attempt.start + *patience <= now;
    };
    return static_cast<std::uint32_t>(std::ranges::count_if(detail->in_flight, overdue));
}

bool Destination::awaits(std::uint64_t sock) const {
    return detail &&
           std::ranges::find(detail->in_flight, sock, &Detail::Attempt::sock) != detail->in_flight.end();
}

bool Destination::suspect(std::uint64_t sock, core::BootNs now) {
    const auto patience = usual_patience_ns();
    if (!patience || !awaits(sock)) return false;
    const auto attempt = std::ranges::find(detail->in_flight, sock, &Detail::Attempt::sock);
    if (attempt->start <= last_answered_syn || attempt->start + *patience > now) return false;
    run_from(attempt->start, now, key.endpoint.ip.is_v4(), nullptr);
    return true;
}

void Destination::forget_suspicion(core::BootNs now) {
    if (!run) return;
    const bool empty =
        run->attempts + run->observations + run->silent_syns + run->pending + run->stalled_rtos == 0;
    if (empty && overdue_first_syns(now) == 0) run.reset();
}

void Destination::note_answer(std::uint64_t sock, core::BootNs at) {
    if (!detail) return;
    const auto attempt = std::ranges::find(detail->in_flight, sock, &Detail::Attempt::sock);
    if (attempt != detail->in_flight.end() && attempt->answered_at == 0) attempt->answered_at = at;
}

std::optional<std::uint64_t> Destination::settle(const Outcome& outcome) {
    if (!detail) return std::nullopt;
    const auto attempt = std::ranges::find(detail->in_flight, outcome.sock, &Detail::Attempt::sock);
    if (attempt == detail->in_flight.end()) return std::nullopt;
    const Detail::Attempt settled = *attempt;
    detail->in_flight.erase(attempt);
    if (settled.answered_at <= settled.start) return std::nullopt;
    const std::uint64_t delay_ns = settled.answered_at - settled.start;
    // A router limits the rate of its errors: what comes with a SYN sent again is the answer to that one.
    // When a search for the neighbour ends, one may have been sent again by chance.
    const std::uint64_t since_syn_ns =
        settled.answered_at - std::min(settled.answered_at, settled.sent_again_at);
    const bool search_ends = delay_ns >= search_ns.first && delay_ns <= search_ns.second;
    return since_syn_ns < at_once_ns && !search_ends ? since_syn_ns : delay_ns;
}

std::uint32_t Destination::begun_beside(std::uint64_t sock) const {
    const auto attempt = std::ranges::find(detail->in_flight, sock, &Detail::Attempt::sock);
    return attempt != detail->in_flight.end() ? attempt->beside : flows;
}

void Destination::note_passed_by(Detail::Attempt& attempt) {
    if (attempt.passed_by || attempt.amid_failures) return;
    attempt.passed_by = true;
    detail->handshakes_made.add_between(attempt.start);
}

void Destination::note_passed_by(const Outcome& outcome) {
    if (detail->in_flight.empty()) return;
    const auto patience = usual_patience_ns();
    if (!patience) return;
    for (Detail::Attempt& attempt : detail->in_flight) {
        if (attempt.start < outcome.start_ns && attempt.start + *patience <= outcome.at_ns)
            note_passed_by(attempt);
    }
}

void Destination::note_handshake(const Outcome& outcome) {
    if (!detail) return;
    const std::uint32_t beside = begun_beside(outcome.sock);
    if (outcome.cls == OutcomeClass::established) {
        detail->handshakes_made.add_answer(outcome.start_ns, outcome.at_ns, outcome.syn_retransmits, beside);
    } else if (gave_up_late(outcome)) {
        detail->handshakes_made.add_silence(outcome.start_ns, outcome.at_ns, 0, beside);
    }
}

void OtherNames::note_sni(const std::string& name) {
    several_sni = several_sni || (sni && *sni != name);
    if (!several_sni)
        sni = name;
    else
        sni.reset();
}

model::DestinationRef Destination::ref() const {
    const OtherNames also = other_names();
    return {.endpoint = key.endpoint, .sni = also.sni, .real = also.real, .asked = also.asked};
}

void Destination::add(const Outcome& outcome, Process* process) {
    note_handshake(outcome);
    const std::optional<std::uint64_t> answered_after_ns = settle(outcome);
    OutcomeClass cls = outcome.cls;
    last_active = std::max(last_active, outcome.at_ns);
    ++attempts;
    if (detail) ++second_at(outcome.at_ns).attempts;
    if (process != nullptr) {
        if (auto* known = who(*process, outcome.at_ns)) ++known->attempts;
    }
    switch (outcome.cls) {
        case OutcomeClass::established: add_success(outcome, process); return;
        case OutcomeClass::abandoned:
        case OutcomeClass::other:
            if (!gave_up_late(outcome)) {
                ++abandoned;
                return;
            }
            cls = OutcomeClass::silent;
            break;
        default: break;
    }
    ++failed;
    if (detail) ++second_at(outcome.at_ns).failed;
    // A silent attempt that began before the latest success is contradicted by it.
    const bool stale = cls == OutcomeClass::silent && outcome.start_ns <= last_answered_syn;
    if (stale) {
        if (cls != outcome.cls)
            note_background(true);  // the others have been counted by their retransmissions
        return;
    }
    add_failure(cls, outcome.start_ns, outcome.at_ns, outcome.is_v4, process);
    ++run->attempts;
    if (cls != outcome.cls) run->add_silent_syn(outcome.start_ns);
    if (outcome.syn_retransmits > 0 && run->pending > 0) --run->pending;
    if (outcome.offender) run->offender = outcome.offender;
    if (outcome.cls == OutcomeClass::refused) note_refusal(outcome);
    const bool earliest = run->answer_delay_ns == 0 || outcome.start_ns < run->answered_start_ns;
    const std::uint64_t silence_ns = outcome.at_ns - std::min(outcome.at_ns, run->first_start_ns);
    const bool after_search =
        silence_ns >= search_ns.first && silence_ns <= search_ns.second && run->silent_syns > 1;
    if (is_explicit(outcome.cls) && run->answer_delay_ns == 0 && after_search) {
        // Whoever asked first has given up meanwhile, and of those who wait SYNs have been sent again.
        run->answered_start_ns = run->first_start_ns;
        run->answer_delay_ns = silence_ns;
        run->answer_seen = true;
    } else if (is_explicit(outcome.cls) && earliest) {
        run->answered_start_ns = outcome.start_ns;
        run->answer_delay_ns = answered_after_ns.value_or(outcome.delay_ns);
        run->answer_seen = answered_after_ns.has_value();
    }
}

// Half of the shortest round trip is no more than the way to the host.
void Destination::note_refusal(const Outcome& outcome) {
    constexpr double least_rtt_us = 2'000;  // below that the kernel's own delays are as long
    run->refusals.add(outcome.reset_look);
    if (!detail || detail->rtt_us.count() < known_handshakes || outcome.syn_retransmits > 0) return;
    const double shortest_us = *detail->rtt_us.quantile(0.01);
    const double delay_us = static_cast<double>(outcome.delay_ns) / core::ns_per_us;
    if (shortest_us >= least_rtt_us && delay_us < shortest_us / 2) ++run->early_refusals;
}

void Destination::note_background(bool bad) {
    background_failure_share += background_weight * ((bad ? 1.0F : 0.0F) - background_failure_share);
}

void Destination::add_success(const Outcome& outcome, Process* process) {
    ++established;
    last_success_at = std::max(last_success_at, outcome.at_ns);
    // The answered SYN is the first, or one sent again, at latest a round trip before the answer.
    const core::BootNs answered_syn =
        outcome.syn_retransmits == 0
            ? outcome.start_ns
            : std::max(outcome.start_ns, outcome.at_ns - std::min(outcome.at_ns, unknown_patience_ns));
    last_answered_syn = std::max(last_answered_syn, answered_syn);
    if (successes_in_row++ == 0) row_since = outcome.at_ns;
    constexpr auto silent = static_cast<std::size_t>(OutcomeClass::silent);
    const std::uint32_t failures = run ? run->observations + run->pending + run->by_class[silent] : 0;
    for (std::uint32_t i = 0; failures <= background_run && i < failures; ++i) note_background(true);
    note_background(false);
    run.reset();
    if (process != nullptr) {
        (outcome.is_v4 ? process->last_success_v4 : process->last_success_v6) = outcome.at_ns;
    }
    if (!detail) return;
    if (auto* known = process == nullptr ? nullptr : who(*process, outcome.at_ns)) {
        if (known->successes++ == 0) known->first_success = outcome.at_ns;
        known->last_success = std::max(known->last_success, outcome.at_ns);
    }
    detail->hop_limits.add(outcome.syn_ack_look);
    note_passed_by(outcome);
    Second& second = second_at(outcome.at_ns);
    ++second.established;
    detail->local_drops = {};
    if (!outcome.rtt_us) return;
    const auto rtt = static_cast<float>(*outcome.rtt_us);
    if (second.rtt_us == 0 || rtt < second.rtt_us) second.rtt_us = rtt;
    detail->rtt_us.add(rtt);
    detail->handshakes.add(rtt, outcome.at_ns);
}

FailureRun& Destination::run_from(core::BootNs start_ns, core::BootNs at_ns, bool is_v4,
                                  const Process* process) {
    last_active = std::max(last_active, at_ns);
    last_failure_at = std::max(last_failure_at, at_ns);
    successes_in_row = 0;
    if (!run || (run->over(at_ns) && !ever_worked())) {
        run = std::make_unique<FailureRun>();
        run->first_start_ns = start_ns;
        run->first_at_ns = at_ns;
        run->is_v4 = is_v4;
        if (process != nullptr) run->process = process->key;
    }
    run->first_start_ns = std::min(run->first_start_ns, start_ns);
    run->last_at_ns = std::max(run->last_at_ns, at_ns);
    run->single_process = run->single_process && process != nullptr && process->key == run->process;
    run->scanned = run->scanned || (run->single_process && process->scans(at_ns));
    return *run;
}

void Destination::add_failure(OutcomeClass cls, core::BootNs start_ns, core::BootNs at_ns, bool is_v4,
                              Process* process) {
    if (process != nullptr && !ever_worked()) {
        process->note_unanswered(std::hash<model::Endpoint>{}(key.endpoint), at_ns);
    }
    run_from(start_ns, at_ns, is_v4, process);
    ++run->by_class[static_cast<std::size_t>(cls)];
    for (FailureRun::Attempt& attempt : run->latest) {
        const bool own = process != nullptr && attempt.process == process->key;
        if (own && !attempt.hidden) attempt.hidden = other_family_works(*process, is_v4, attempt.at);
    }
    run->latest.push_back({start_ns, at_ns, process == nullptr ? ProcessKey{} : process->key});
    if (run->latest.size() > failures_kept) run->latest.erase(run->latest.begin());

    bool counted = cls != OutcomeClass::silent;  // unanswered SYNs are counted one by one instead
    if (auto* known = process == nullptr ? nullptr : who(*process, at_ns)) {
        ++known->failed;
        const bool retry = known->last_observation >= run->first_at_ns && known->tries_again(at_ns);
        known->last_failure = at_ns;
        counted = counted && !retry;
        if (counted) known->last_observation = at_ns;
    }
    if (counted) ++run->observations;
}

void Destination::add_syn_retransmit(const netwatch_retransmit& record, Process* process) {
    const core::BootNs at = record.header.at_ns;
    // One that began before the agent: its SYNs go out about a second apart.
    const core::BootNs start = record.start_ns != 0 ? record.start_ns : at - std::min(at, core::ns_per_s);
    if (detail && record.error == 0)
        detail->handshakes_made.add_silence(start, at, record.retransmits, begun_beside(record.sock));
    if (start <= last_answered_syn) {  // a later attempt got through: some fail beside those that work
        if (record.retransmits > 1) return;
        note_background(true);
        if (!detail || record.error != 0) return;
        const auto attempt = std::ranges::find(detail->in_flight, record.sock, &Detail::Attempt::sock);
        if (attempt != detail->in_flight.end()) note_passed_by(*attempt);
        return;
    }
    const bool is_v4 = record.tuple.family == 4;
    if (process != nullptr && !ever_worked()) {
        process->note_unanswered(std::hash<model::Endpoint>{}(key.endpoint), at);
    }
    FailureRun& failing = run_from(start, at, is_v4, process);
    if (detail) {
        const auto attempt = std::ranges::find(detail->in_flight, record.sock, &Detail::Attempt::sock);
        if (attempt != detail->in_flight.end()) attempt->sent_again_at = at;
    }
    if (record.retransmits <= 1 || failing.pending == 0) ++failing.pending;
    if (record.error == 0) {
        failing.add_silent_syn(at);
    } else if (record.error == -EPERM) {
        add_failure(OutcomeClass::local_filter, start, at, is_v4, process);
    } else if (record.error == -EBUSY || record.error == -EHOSTUNREACH) {
        add_failure(OutcomeClass::neighbor_failed, start, at, is_v4, process);
    }
}

void Destination::add_flow_failure(OutcomeClass cls, const netwatch_retransmit& record, Process* process) {
    const core::BootNs at = record.header.at_ns;
    const std::uint32_t before = run ? run->observations : 0;
    add_failure(cls, at - std::min(at, min_rto_ns), at, record.tuple.family == 4, process);
    run->flow_observations += run->observations - before;
}

void Destination::add_stall(const netwatch_retransmit& record, Process* process) {
    const core::BootNs at = record.header.at_ns;
    if (record.error == -EPERM) return add_flow_failure(OutcomeClass::local_filter, record, process);
    if (record.error == -EBUSY) return add_flow_failure(OutcomeClass::neighbor_failed, record, process);
    const OutcomeClass answer = class_of_errno(record.soft_error);
    const bool answered = is_explicit(answer) && answer != OutcomeClass::other;
    if (record.retransmits < 2 && !answered) return;
    // Each RTO in a row took twice the one before. What was connected since then exonerates the host.
    const auto elapsed_ns = [](unsigned timeouts) -> std::uint64_t {
        return ((1ULL << std::min(timeouts, 10U)) - 1) * min_rto_ns;
    };
    // An ICMP error is newer than that: the kernel does not double the timeout then (RFC 6069).
    const std::uint64_t since_ns = answered ? 2 * min_rto_ns : elapsed_ns(record.retransmits);
    if (last_answered_syn > at - std::min(at, since_ns)) return;
    if (!answered) {
        run_from(at - std::min(at, min_rto_ns), at, record.tuple.family == 4, process);
        ++run->stalled_rtos;
        return;
    }
    // An acknowledgement clears the error: what it names came since. Timeouts without it say how long it
    // took.
    add_flow_failure(answer, record, process);
    --run->by_class[static_cast<std::size_t>(answer)];  // what attempts hear is more exact
    run->flow_answer = answer;
    if (run->answer_delay_ns != 0) return;
    run->answer_delay_ns =
        std::max<std::uint64_t>(elapsed_ns(std::max<unsigned>(record.retransmits, 1) - 1), 1);
    run->answered_start_ns = at - std::min(at, run->answer_delay_ns);
    run->answer_seen = true;
}

void Destination::add_local_drops(LocalDrop who, std::uint64_t packets, core::BootNs at, bool is_v4,
                                  std::uint32_t where) {
    // What still works beside the drops is not blocked: the drops are seen a second after they happened.
    const core::BootNs worked = std::max(last_success_at, last_progress_at);
    if (worked + 2 * core::ns_per_s > at) return;
    const core::BootNs start = std::max(at - std::min(at, core::ns_per_s), std::min(worked, at));
    const auto cls = who == LocalDrop::program ? OutcomeClass::local_bpf : OutcomeClass::local_filter;
    add_failure(cls, start, at, is_v4, nullptr);
    if (!detail) return;
    detail->local_drops.add(who, packets, at);
    detail->dropped_netns = where;
}

void Destination::add_progress(core::BootNs at) {
    last_progress_at = std::max(last_progress_at, at);
    last_active = std::max(last_active, at);
    if (!run || at <= run->last_at_ns) return;
    run->stalled_rtos = 0;
    const bool only_stalls =
        run->pending == 0 && run->silent_syns == 0 && run->observations == run->flow_observations;
    if (only_stalls) run.reset();
}

OutcomeClass Destination::dominant() const {
    if (!run) return OutcomeClass::established;
    // A rule of this host that rejects makes a RST or an ICMP error of its own, of which IPv6 leaves no more
    // than the errno: the packets it dropped give it away. They are counted once a second.
    const std::uint32_t filtered = run->by_class[static_cast<std::size_t>(OutcomeClass::local_filter)];
    const std::uint32_t resets = run->by_class[static_cast<std::size_t>(OutcomeClass::refused)];
    const LocalDrops none;
    const LocalDrops& drops = detail ? detail->local_drops : none;
    const std::uint64_t dropped = drops.count(LocalDrop::netfilter).packets;
    // A transmission that fails with EPERM does not say whose rule that was.
    if (drops.count(LocalDrop::program).packets > dropped) return OutcomeClass::local_bpf;
    if (filtered > 0 && !run->offender && 2 * dropped >= resets) return OutcomeClass::local_filter;
    auto best = run->flow_answer;
    std::uint32_t most = 0;
    for (std::size_t i = static_cast<std::size_t>(OutcomeClass::refused); i < outcome_class_count; ++i) {
        const auto cls = static_cast<OutcomeClass>(i);
        if (cls == OutcomeClass::silent || run->by_class[i] <= most) continue;
        most = run->by_class[i];
        best = cls;
    }
    return best;
}

}  // namespace netwatch::diagnosis
