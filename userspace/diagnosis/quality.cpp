// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diagnosis/dns_tries.h"
#include "diagnosis/latency.h"
#include "diagnosis/stall.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::Severity;

constexpr std::uint64_t judged_span_ns = 30 * core::ns_per_s;
constexpr double late_floor_us = 3e5;          // answers are timed in ticks of the kernel's clock
constexpr double unknown_late_floor_us = 1e6;  // where nobody knows how long they usually take
constexpr double late_factor = 8;              // of the usual 99th percentile
constexpr std::uint32_t known_answers = 10;    // that make a baseline
constexpr std::size_t enough_late = 3;
constexpr double short_late_us = 1e6;  // a slow page or a pause of the runtime: takes more of them
constexpr std::size_t enough_short_late = 8;
constexpr double waiting_us =
    3e6;  // a request that still waits may be a long poll; a short wait says nothing
constexpr std::uint64_t release_ns = 2 * core::ns_per_s;  // in which those who waited are answered
constexpr double small_answers = 0.9;  // share of answers of one segment that clears the path of an MTU hole
constexpr double clean_share = 0.003;  // loss on the path that could not make answers late
constexpr std::uint64_t unread_ns = core::ns_per_s;  // two looks: a process at work reads what has come
constexpr std::uint64_t quiet_ns = 2 * core::ns_per_s;
constexpr double flights_of_an_answer = 6;  // of 64 KiB, from a window of ten segments

double threshold_us(const Answers& answers) {
    if (answers.baseline_us.count() < known_answers) return unknown_late_floor_us;
    return std::max(late_floor_us, late_factor * answers.baseline_us.quantile(0.99).value_or(0));
}

// What the late requests of the last 30 s say together.
struct Lateness {
    std::size_t arrived = 0;
    std::size_t given_up = 0;  // or waiting in vain until the service came back
    std::size_t waiting = 0;
    std::size_t beyond_usual = 0;  // of all
    std::size_t by_a_second = 0;   // of all
    double worst_us = 0;

    explicit Lateness(const Answers& answers) : waiting(requests_waiting(answers)) {
        beyond_usual = by_a_second = waiting;
        for (const Answers::Late& late : answers.late) {
            worst_us = std::max(worst_us, late.us);
            if (late.state == AnswerState::awaited) continue;
            ++(late.state == AnswerState::arrived && !late.released ? arrived : given_up);
            beyond_usual += late.beyond_usual ? 1 : 0;
            by_a_second += late.us >= short_late_us ? 1 : 0;
        }
    }
    [[nodiscard]] std::size_t over() const { return arrived + given_up + waiting; }
    [[nodiscard]] bool mostly_in_vain() const { return given_up + waiting > arrived; }
    // Against that many prompt answers beside them. Long polls are late beside prompt answers; a slow service
    // is late with most, and one that is late by little with nearly all.
    [[nodiscard]] bool outweighs(std::size_t prompt) const {
        return (by_a_second >= enough_late && prompt < over()) ||
               (over() >= enough_short_late && 3 * prompt < over());
    }
};

// An answer that never comes may have been sent: full segments are swallowed where the MTU shrinks on the way
// here. Small answers pass any path; and where this host has the service's end, too, it knows what was sent.
std::vector<model::Candidate> unanswered(const Answers& answers, bool known, bool nothing_sent) {
    const bool small = static_cast<double>(answers.one_segment) >=
                       small_answers * static_cast<double>(std::max<std::uint64_t>(answers.prompt, 1));
    if (known && (small || nothing_sent)) return {{FailureType::slow_service, "waiting", 0.92, std::nullopt}};
    return {{FailureType::slow_service, "waiting", 0.65, "a small answer does not come either"},
            {FailureType::path_mtu_blackhole, "reverse", 0.27, "a small answer comes, large ones do not"}};
}

// What the other ends of the waiting connections say, as far as this host has them.
struct ServingEnd {
    std::size_t seen = 0;
    std::size_t unread = 0;   // the request lies there and nobody reads it
    std::size_t sending = 0;  // it sends, and is not acknowledged
    core::BootNs unread_since = 0;
    const Process* process = nullptr;
};

ServingEnd serving_end(const Scene& scene, const Answers& answers) {
    ServingEnd ends;
    for (const Answers::Late& late : answers.late) {
        const Socket* asking = late.state == AnswerState::awaited ? scene.sockets.find(late.sock) : nullptr;
        const Socket* serving = asking == nullptr ? nullptr : scene.sockets.find(asking->other_end);
        if (serving == nullptr) continue;
        ++ends.seen;
        ends.process = scene.processes.find(serving->process);
        ends.sending += serving->stalled || serving->stuck_flight > 0 ? 1 : 0;
        if (serving->unread_since == 0 || serving->unread_since + unread_ns > scene.now) continue;
        if (ends.unread++ == 0 || serving->unread_since < ends.unread_since)
            ends.unread_since = serving->unread_since;
    }
    return ends;
}

void note_serving_end(Finding& finding, const Scene& scene, const ServingEnd& ends) {
    if (ends.seen == 0) return;
    const std::string who = ends.process != nullptr ? ends.process->label() : "its process";
    if (ends.unread > 0) {
        note(finding, scene, "requests_unread", static_cast<double>(ends.unread),
             fmt::format(
                 "seen at the service's own end: {} of {} waiting requests lie unread, for up to {}: {} "
                 "does not read",
                 ends.unread, ends.seen, core::to_duration(scene.now - ends.unread_since), who));
    } else if (ends.sending == 0) {
        note(
            finding, scene, "requests_read", static_cast<double>(ends.seen),
            fmt::format("seen at the service's own end: {} has read all {} waiting requests and sent nothing",
                        who, ends.seen));
    }
}

Finding late(const Scene& scene, const Destination& destination) {
    const Answers& answers = destination.detail->answers;
    const ServingEnd ends = serving_end(scene, answers);
    Finding finding = finding_at(destination, Family::service, "late");
    const Lateness lateness(answers);
    const bool known = lateness.beyond_usual >= enough_late;
    finding.severity = known ? Severity::warning : Severity::info;
    if (lateness.mostly_in_vain()) {
        finding.candidates = unanswered(answers, known, ends.seen > 0 && ends.sending == 0);
    } else {
        finding.candidates = {{FailureType::slow_service, "slow", known ? 0.93 : 0.7, std::nullopt}};
    }
    finding.first_affected = answers.late.front().asked_at;
    finding.flows = static_cast<std::int64_t>(answers.late.size());
    if (lateness.given_up > 0) {
        note(finding, scene, "requests_in_vain", static_cast<double>(lateness.given_up),
             fmt::format("{} requests were acknowledged and got no byte back for up to {:.1f} s",
                         lateness.given_up, lateness.worst_us / 1e6));
    }
    if (lateness.waiting > 0) {
        note(finding, scene, "requests_waiting", static_cast<double>(lateness.waiting),
             fmt::format("{} requests are acknowledged and wait, for up to {:.1f} s by now; nobody has been "
                         "answered since",
                         lateness.waiting, lateness.worst_us / 1e6));
    }
    if (lateness.arrived > 0) {
        note(finding, scene, "answers_late", static_cast<double>(lateness.arrived),
             fmt::format("{} answers came late, up to {:.1f} s after their request was acknowledged",
                         lateness.arrived, lateness.worst_us / 1e6));
    }
    note_serving_end(finding, scene, ends);
    if (const auto usual = answers.baseline_us.quantile(0.5); usual && known) {
        note(finding, scene, "usual_answer_time", *usual,
             fmt::format("usual answer time: {:.1f} ms", *usual / 1000));
    }
    if (const auto rtt = destination.detail->rtt_us.quantile(0.5)) {
        note(finding, scene, "round_trip_flat", *rtt,
             fmt::format("its host acknowledges in {:.1f} ms", *rtt / 1000));
    }
    rule_out(finding, FailureType::packet_loss, "no segment lost and no hole in what arrived");
    rule_out(finding, FailureType::latency_spike, "the host acknowledges at once");
    return finding;
}

// Round trips have become so much longer that the answers are late for that: the request and its answer, and
// the flights that an answer of some size takes to grow into its window.
bool late_for_the_way(const Scene& scene, const Destination& destination) {
    const auto shift = slower_by(destination, scene.now);
    if (!shift) return false;
    std::vector<double> late_us;
    for (const Answers::Late& late : destination.detail->answers.late) late_us.push_back(late.us);
    const auto middle = late_us.begin() + static_cast<std::ptrdiff_t>(late_us.size() / 2);
    std::ranges::nth_element(late_us, middle);
    return *middle < flights_of_an_answer * (shift->now_us - shift->usual_us);
}

bool path_clean(const Address* address, core::BootNs now) {
    if (address == nullptr || !address->quality) return true;
    const auto window = address->quality->window(now, judged_span_ns);
    return window.loss_share().value_or(0) < clean_share &&
           window.loss_in_share().value_or(0) < clean_share && window.open_holes == 0;
}

// Some of its requests wait or waited, by the count of segments.
bool is_known_to_wait(const Answers& answers, core::BootNs now) {
    return std::ranges::any_of(answers.late, [&](const Answers::Late& late) {
        return late.counted && late.at + judged_span_ns >= now;
    });
}

}  // namespace

bool add_answer(Answers& answers, const AnswerLook& look, core::BootNs at, std::uint64_t sock) {
    const double threshold = threshold_us(answers);
    const bool is_late = look.time_us >= threshold;
    const bool arrived = look.state == AnswerState::arrived;
    if (look.last_word && is_known_to_wait(answers, at)) return false;  // as this one may, too
    if (arrived) {
        if (requests_waiting(answers) >= enough_late) answers.silence_ended = at;
        answers.last_answer = std::max(answers.last_answer, at);
    }
    if (!is_late) {
        if (!arrived) return false;  // still in time, or whoever left was in a hurry
        answers.baseline_us.add(look.time_us);
        answers.last_prompt = at;
        ++answers.prompt;
        if (look.one_segment) ++answers.one_segment;
        ++answers.prompt_since_late;
        return false;
    }
    // Whoever waits longer than what is judged waits for no answer.
    const bool awaited = look.state == AnswerState::awaited;
    if (awaited && look.time_us * 1000 > static_cast<double>(judged_span_ns)) return false;
    // One request is one observation, however often it is looked at.
    const auto known = std::ranges::find_if(answers.late, [&](const Answers::Late& late) {
        return late.sock == sock && late.state == AnswerState::awaited;
    });
    if (known != answers.late.end()) {
        known->us = std::max(known->us, look.time_us);
        known->state = look.state;
        known->released = arrived && known->us >= waiting_us && answers.silence_ended != 0 &&
                          at <= answers.silence_ended + release_ns;
        if (awaited) return true;
    } else {
        const core::BootNs asked_at = at - std::min(at, static_cast<core::BootNs>(look.time_us * 1000));
        const bool beyond_usual = answers.baseline_us.count() >= known_answers;
        answers.late.push_back({at, look.time_us, look.state, sock, asked_at, beyond_usual, answers.prompt,
                                false, look.counted});
    }
    while (answers.late.size() > 64 ||
           (!answers.late.empty() && answers.late.front().at + judged_span_ns < at)) {
        answers.late.pop_front();
    }
    // A service that nobody has seen prompt sets its own measure.
    if (arrived && answers.baseline_us.count() < known_answers) answers.baseline_us.add(look.time_us);
    answers.prompt_since_late = 0;
    return true;
}

std::size_t requests_waiting(const Answers& answers) {
    const auto waits = [&](const Answers::Late& late) {
        return late.state == AnswerState::awaited && late.beyond_usual && late.us >= waiting_us &&
               late.asked_at > answers.last_answer;
    };
    return static_cast<std::size_t>(std::ranges::count_if(answers.late, waits));
}

bool answers_healed(const Answers& answers, core::BootNs now) {
    const core::BootNs last_late = answers.late.empty() ? 0 : answers.late.back().at;
    return answers.prompt_since_late >= enough_late && last_late + quiet_ns <= now;
}

std::vector<Finding> judge_service(const Scene& scene, const std::set<DestinationKey>& suspects) {
    std::vector<Finding> findings;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->detail) continue;
        if (resolver_at(scene, key) != nullptr) continue;  // told where names are judged
        const Answers& answers = destination->detail->answers;
        const bool explained = is_stalled(scene, *destination) || destination->detail->cuts.alarms(scene.now);
        if (answers.late.empty() || explained) continue;
        if (late_for_the_way(scene, *destination)) continue;
        const std::size_t prompt_beside = answers.prompt - answers.late.front().prompt_before;
        const bool enough = Lateness(answers).outweighs(prompt_beside);
        const bool old = answers.late.back().at + judged_span_ns < scene.now;
        const Address* address = scene.destinations.find_address({key.endpoint.ip, key.netns});
        if (enough && !old && path_clean(address, scene.now)) findings.push_back(late(scene, *destination));
    }
    return findings;
}

}  // namespace netwatch::diagnosis
