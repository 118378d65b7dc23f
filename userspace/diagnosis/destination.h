// SPDX-License-Identifier: Apache-2.0
// What is known of one destination: totals, the run of failures since it last worked, and, for those that
// matter, the detail behind a judgement. Plain state; destinations.h bounds how many there are. One thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "diagnosis/cuts.h"
#include "diagnosis/handshakes.h"
#include "diagnosis/histogram.h"
#include "diagnosis/hop_limits.h"
#include "diagnosis/local_drops.h"
#include "diagnosis/outcome.h"
#include "diagnosis/process_table.h"
#include "diagnosis/recent.h"
#include "diagnosis/round_trips.h"
#include "diagnosis/turned_away.h"
#include "model/address.h"
#include "model/incident.h"
#include "model/taxonomy.h"

namespace netwatch::diagnosis {

// A client's destination is the remote end; a server's is its own listener. `netns` is 0 except for addresses
// that mean something else in every namespace (loopback, link-local).
struct DestinationKey {
    model::Endpoint endpoint;
    model::Perspective perspective = model::Perspective::client;
    std::uint32_t netns = 0;
    auto operator<=>(const DestinationKey&) const = default;
};

// The failures since the last success. A success, at whatever port state, starts it anew.
struct FailureRun {
    core::BootNs first_start_ns = 0;  // of the first attempt affected
    core::BootNs first_at_ns = 0;     // when that was known
    core::BootNs last_at_ns = 0;
    std::uint32_t attempts = 0;
    std::uint32_t observations = 0;  // answered in words, with the retries of one loop counted once
    std::uint32_t silent_syns = 0;   // SYNs sent again, or given up after a long wait, that nothing answered
    std::array<core::BootNs, 8> silent_syns_at{};  // when the latest of them were sent
    std::uint32_t pending = 0;                     // attempts whose SYN was sent again and that are not over
    std::uint32_t stalled_rtos = 0;       // second and later unanswered RTOs of established connections
    std::uint32_t flow_observations = 0;  // of the observations, those that such connections made
    OutcomeClass flow_answer =
        OutcomeClass::silent;  // what ICMP told such connections: the errno is left of it
    std::array<std::uint32_t, outcome_class_count> by_class{};
    // Of the attempts answered in words the earliest begun: later ones may be rate limited, or join a search
    // for the neighbour that is under way. IPv6 errors surface in any order.
    core::BootNs answered_start_ns = 0;
    std::uint64_t answer_delay_ns = 0;  // what its answer took; 0: none yet
    bool answer_seen = false;           // when it came, not when connect() heard of it
    std::optional<model::IpAddress> offender;
    HopLimits refusals;                // of the RSTs that answered SYNs
    std::uint32_t early_refusals = 0;  // of them, those that came sooner than the host can answer
    bool is_v4 = true;
    bool single_process = true;
    bool scanned = false;  // its process was touching many destinations
    ProcessKey process;    // of the first failure
    struct Attempt {
        core::BootNs start = 0;
        core::BootNs at = 0;
        ProcessKey process;
        bool hidden =
            false;  // its process reached something over the other address family right before or after
    };
    std::vector<Attempt> latest;  // that ended, at most 8

    void add_silent_syn(core::BootNs at);
    // Nothing failed for so long that it says nothing of the present.
    [[nodiscard]] bool over(core::BootNs now) const { return last_at_ns + remembered_ns < now; }
    // A fallback hides the failures. Those of the last second may still fall back.
    [[nodiscard]] bool masked(core::BootNs now) const;

    static constexpr std::uint64_t remembered_ns = 60 * core::ns_per_s;
};

// One second of a destination's life.
struct Second {
    core::BootNs at = 0;  // start of the second
    std::uint32_t attempts = 0;
    std::uint32_t failed = 0;
    std::uint32_t established = 0;
    float rtt_us = 0;  // smallest; 0: none
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint32_t segments = 0;
    std::uint32_t lost = 0;
    std::uint32_t segments_in = 0;
    std::uint32_t lost_in = 0;
};

enum class AnswerState : std::uint8_t {
    awaited,  // the request is acknowledged
    arrived,
    given_up,  // the client closed the connection without a byte of an answer
};

// How long answers take: from the last byte of a request acknowledged to the last byte of the answer.
struct Answers {
    Histogram baseline_us;
    struct Late {
        core::BootNs at = 0;
        double us = 0;
        AnswerState state = AnswerState::awaited;
        std::uint64_t sock = 0;
        core::BootNs asked_at = 0;
        bool beyond_usual = false;        // what is usual was known
        std::uint64_t prompt_before = 0;  // `prompt` at that time
        bool released = false;  // answered together with others, after a silence of the whole service
        bool counted = false;   // as AnswerLook says
    };
    Recent<Late> late;               // of the last 30 s
    core::BootNs last_prompt = 0;    // when an answer last came in its usual time
    core::BootNs last_answer = 0;    // in time or late
    core::BootNs silence_ended = 0;  // when the service, silent to all who asked, last began to answer again
    std::uint64_t prompt = 0;        // answers that came in their usual time, ever
    std::uint64_t one_segment = 0;   // of those, the ones that fit one segment
    std::uint32_t prompt_since_late = 0;
};

// A connection that has data for its peer, which lets none of it come.
struct ShutWindow {
    std::uint64_t sock = 0;
    core::BootNs since = 0;
    core::BootNs at = 0;  // of the latest look
    std::uint64_t unsent_bytes = 0;
};

// What a full destination has and a compact one has not.
struct Detail {
    static constexpr std::size_t seconds_kept = 120;
    static constexpr double delayed_ack_us =
        50'000;  // a peer that has no answer yet waits so long to acknowledge
    Recent<Second> seconds;
    Histogram rtt_us;
    HopLimits hop_limits;  // of SYN-ACKs
    RoundTrips handshakes{0, 1};
    RoundTrips acknowledgements{delayed_ack_us, 4};  // a walk looks at all connections at once
    Answers answers;
    Cuts cuts;
    Handshakes handshakes_made;
    TurnedAway turned_away;
    struct Who {
        ProcessKey key;
        std::uint32_t attempts = 0;
        std::uint32_t failed = 0;
        core::BootNs last = 0;
        core::BootNs last_observation = 0;  // the failure of this process that was last counted
        std::uint32_t successes = 0;
        core::BootNs first_success = 0;
        core::BootNs last_success = 0;
        core::BootNs last_failure = 0;
        // A failure at that time is one more try of what failed before, no observation of its own: it comes
        // within a second, and faster than this process connected while all was well.
        [[nodiscard]] bool tries_again(core::BootNs at) const;
    };
    std::vector<Who> who;  // at most 8, the latest
    struct Attempt {
        std::uint64_t sock = 0;
        core::BootNs start = 0;
        core::BootNs answered_at = 0;    // by an ICMP error; a blocking connect() hears of it a second later
        core::BootNs sent_again_at = 0;  // its latest SYN but the first
        std::uint32_t beside = 0;        // connections when it began
        bool amid_failures = false;      // nothing was answered just before it
        bool passed_by = false;          // it is overdue, and one that began later was answered
    };
    std::vector<Attempt> in_flight;     // at most 16, the latest
    std::vector<ShutWindow> shut;       // at most 16, the oldest
    core::BootNs window_opened_at = 0;  // when one of them last took data again
    LocalDrops local_drops;             // packets to it, since the run began
    std::uint32_t dropped_netns = 0;    // in which namespace, the latest of them

    // Its round trips take longer than they used to.
    [[nodiscard]] bool is_slower() const {
        return handshakes.shift().has_value() || acknowledgements.shift().has_value();
    }
};

// What else a destination is known as.
struct OtherNames {
    std::optional<model::Endpoint> real;   // where NAT sends it
    std::optional<model::Endpoint> asked;  // what the application asked for, where it differs
    std::optional<std::string> sni;        // asked for in TLS; nothing where that differs
    bool several_sni = false;

    void note_sni(const std::string& name);
};

// There may be a hundred thousand: what few of them need lies behind a pointer.
struct Destination {
    DestinationKey key;
    std::uint32_t netns = 0;  // of the latest record
    core::BootNs first_seen = 0;
    core::BootNs last_active = 0;
    core::BootNs last_success_at = 0;
    core::BootNs last_answered_syn =
        0;  // when the latest SYN went out that was answered: silence since counts
    core::BootNs last_failure_at = 0;
    core::BootNs last_looked_at = 0;  // at its live connections
    core::BootNs last_progress_at =
        0;  // an established connection moved data both ways or had data acknowledged
    std::uint64_t attempts = 0;
    std::uint64_t established = 0;
    std::uint64_t failed = 0;
    std::uint64_t abandoned = 0;
    std::uint32_t flows = 0;
    std::uint32_t successes_in_row = 0;
    core::BootNs row_since = 0;          // start of the present row of successes
    float background_failure_share = 0;  // of attempts outside of outages, decayed over about 32
    std::unique_ptr<FailureRun> run;     // only while failing
    std::unique_ptr<Detail> detail;
    std::unique_ptr<OtherNames> names;  // only where it has any

    [[nodiscard]] OtherNames other_names() const { return names ? *names : OtherNames{}; }
    // How an incident names it.
    [[nodiscard]] model::DestinationRef ref() const;
    OtherNames& add_names() {
        if (!names) names = std::make_unique<OtherNames>();
        return *names;
    }
    [[nodiscard]] bool ever_worked() const { return established > 0 || last_progress_at != 0; }
    // Takes in the end of an attempt. `process` may be null.
    void add(const Outcome& outcome, Process* process);
    // An attempt begins.
    void add_attempt(const netwatch_attempt& record);
    // An ICMP error answered an attempt that is not over.
    void note_answer(std::uint64_t sock, core::BootNs at);
    // A SYN of an attempt that is not over left this host again (error 0) or could not (a negative errno).
    void add_syn_retransmit(const netwatch_retransmit& record, Process* process);
    // An established connection's data was sent again for the second time or more, or could not be.
    void add_stall(const netwatch_retransmit& record, Process* process);
    // An attempt that is not over, and whose SYN is older than any handshake takes, begins a run of failures:
    // a suspicion, until its SYN is sent again. True if it does.
    bool suspect(std::uint64_t sock, core::BootNs now);
    [[nodiscard]] bool awaits(std::uint64_t sock) const;
    // A run that nothing but a suspicion began, which came to nothing.
    void forget_suspicion(core::BootNs now);
    // Looks up whose failures were followed by a success over the other address family.
    void note_fallbacks(const ProcessTable& processes);
    // This host dropped packets to it, in that namespace.
    void add_local_drops(LocalDrop who, std::uint64_t packets, core::BootNs at, bool is_v4,
                         std::uint32_t where);
    // An established connection moved on.
    void add_progress(core::BootNs at);
    // A process holds a connection to it.
    void note_user(const Process& process, core::BootNs at) { who(process, at); }
    [[nodiscard]] Second& second_at(core::BootNs at);
    // The class that the present run is judged by: any answer outranks silence, and this host's own rule any
    // answer of an unknown sender.
    [[nodiscard]] OutcomeClass dominant() const;
    // SYNs of the present run that should have been answered by now: sent again and still silent, or first
    // ones older than any handshake with it takes.
    [[nodiscard]] std::uint32_t overdue_syns(core::BootNs now) const;
    // The attempts of the present run that wait in vain or did: SYNs sent again go the way of the first.
    [[nodiscard]] std::uint32_t overdue_attempts(core::BootNs now) const;
    // Of attempts that are not over, first SYNs older than any handshake with it takes.
    [[nodiscard]] std::uint32_t overdue_first_syns(core::BootNs now) const;

private:
    void add_success(const Outcome& outcome, Process* process);
    void note_background(bool bad);
    void add_failure(OutcomeClass cls, core::BootNs start_ns, core::BootNs at_ns, bool is_v4,
                     Process* process);
    // How many connections there were when an attempt began.
    [[nodiscard]] std::uint32_t begun_beside(std::uint64_t sock) const;
    // Those in flight that are overdue while this one was answered.
    void note_passed_by(const Outcome& outcome);
    void note_passed_by(Detail::Attempt& attempt);
    void note_handshake(const Outcome& outcome);
    // An attempt that its owner gave up: did it wait longer than any handshake with this destination takes?
    [[nodiscard]] bool gave_up_late(const Outcome& outcome) const;
    // A failure of an established connection.
    void add_flow_failure(OutcomeClass cls, const netwatch_retransmit& record, Process* process);
    // A RST that answered a SYN.
    void note_refusal(const Outcome& outcome);
    // How long a SYN to it may go unanswered; nothing where its round trips are not known.
    [[nodiscard]] std::optional<std::uint64_t> usual_patience_ns() const;
    // How long the answer to an attempt took since the SYN that it answers, where it was seen to come; and
    // the end of following it.
    [[nodiscard]] std::optional<std::uint64_t> settle(const Outcome& outcome);
    FailureRun& run_from(core::BootNs start_ns, core::BootNs at_ns, bool is_v4, const Process* process);
    Detail::Who* who(const Process& process, core::BootNs at);
};

}  // namespace netwatch::diagnosis
