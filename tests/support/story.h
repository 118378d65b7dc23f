// SPDX-License-Identifier: Apache-2.0
// Record streams for tests of the diagnosis, written as what happened: who connected where, when, and how it
// ended.
//
//     Story story;
//     story.healthy(0, 10, 0.25, "10.0.0.1:80").refused(10, 20, 0.25, "10.0.0.1:80");
//     Watch watch(story);
//     watch.until(13);
//     EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
//
// Times are seconds since the story's beginning, where the agent starts too unless told otherwise. Addresses
// are endpoints as people type them. A Watch plays the records in order with CLOCK records between them, and
// checks after each CLOCK what must hold of every incident at all times.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "diagnosis/engine.h"
#include "model/record.h"
#include "netwatch/abi/counters.h"

namespace netwatch::support {

constexpr double story_begins_s = 100'000;  // boot time of a story's second 0
constexpr std::uint32_t story_netns = 4'026'531'840;
constexpr std::uint32_t story_hz = 250;
constexpr std::int64_t story_utc_ns = 1'763'800'000'000'000'000;  // at second 0

[[nodiscard]] core::BootNs boot_ns(double story_s);
[[nodiscard]] core::UtcNs utc(double story_s);

struct Who {
    std::uint32_t pid = 2214;
    std::string_view comm = "checkout";
};

struct Icmp {
    std::uint8_t type = 3;
    std::uint8_t code = 1;
    std::string_view offender = {};  // empty: not told
};

// A connection whose counters the test moves on between two looks.
struct Flow {
    std::uint64_t sock = 0;
    std::string peer;
    Who who;
    double start_s = 0;
    bool passive = false;
    netwatch_header_look syn_ack_look{};
    std::string own = "192.0.2.10:443";  // of a passive one: the listener's address and port
    netwatch_tcp_counters counters{};

    // Sends that many segments of 1,000 bytes and has all but `lost` of them acknowledged at once; those are
    // sent again and then acknowledged.
    void sends(std::uint32_t segments, std::uint32_t lost = 0);
    // That many segments of 1,000 bytes arrive, of which so many came behind a hole.
    void receives(std::uint32_t segments, std::uint32_t out_of_order = 0);
    // So many holes were filled by retransmissions, so many segments arrived twice. A flow of which this was
    // never said is one of a kernel that does not tell.
    void fills_holes(std::uint32_t resent, std::uint32_t twice);
    // How long ago data was last sent and last received, at the next look.
    void since(double sent_s, double received_s);
    // A segment was sent so long ago, and again after each of so many timeouts; nothing is acknowledged.
    void waits(double sent_s, std::uint8_t timeouts);
};

class Story {
public:
    // `watched_for_s`: how long before second 0 the agent started.
    explicit Story(double watched_for_s = 0);

    // The TTL (0: not told) and identification of the SYN-ACKs and RSTs of what is written from here on.
    Story& arriving_with(std::uint8_t hop_limit, std::uint16_t ip_id = 0);

    // One attempt. The local port is its own.
    Story& connects(double at, std::string_view to, Who who = {}, double rtt_ms = 1);
    Story& is_refused(double at, std::string_view to, Who who = {}, double delay_s = 0.001);
    Story& is_rejected(double at, std::string_view to, Icmp icmp, double delay_s = 0.001, Who who = {});
    // An error of which only the errno is left, as IPv6 has it.
    Story& fails_with(double at, std::string_view to, int error, double delay_s = 0.001, Who who = {});
    // SYNs go out at 0, 1.03, 2.05, 3.07, 4.08 s until the owner gives up; nothing answers.
    Story& is_unanswered(double at, std::string_view to, double timeout_s, Who who = {});
    // The same, with each SYN's transmission failing here: -EPERM or -EBUSY.
    Story& cannot_leave(double at, std::string_view to, double timeout_s, int error, Who who = {});
    // The first SYN is lost, the retry answered.
    Story& connects_at_retry(double at, std::string_view to, Who who = {});
    // connect() itself fails, before a SYN.
    Story& call_fails(double at, std::string_view to, int error, Who who = {});

    // The same at a steady beat from `from` on, before `to_s`.
    Story& healthy(double from, double to_s, double every, std::string_view to, Who who = {});
    Story& refused(double from, double to_s, double every, std::string_view to, Who who = {});
    Story& rejected(double from, double to_s, double every, std::string_view to, Icmp icmp,
                    double delay_s = 0.001, Who who = {});
    Story& unanswered(double from, double to_s, double every, std::string_view to, double timeout_s = 4,
                      Who who = {});

    // Connections that live.
    [[nodiscard]] Flow flow(double at, std::string_view peer, Who who = {});
    [[nodiscard]] Flow accepted(double at, std::string_view client, std::uint16_t port, Who who = {});
    // The listener's end of that connection, on this host too.
    [[nodiscard]] Flow other_end(double at, const Flow& client, Who who);
    Story& look(double at, const Flow& flow);
    // It ends, by its peer's RST or in good order.
    Story& close(double at, const Flow& flow, bool reset = false);
    // The kernel ends it, because nobody answers its keepalive probes.
    Story& gives_up(double at, const Flow& flow);
    // A segment comes for it when it is gone already, and is answered with RST.
    Story& resets_late_segment(double at, const Flow& flow);
    // An unanswered RTO of it, the n-th in a row.
    // `soft_error`: the errno of an ICMP error that came since the last acknowledgement.
    Story& times_out(double at, const Flow& flow, std::uint8_t in_a_row, int error = 0, int soft_error = 0);
    // A tail-loss probe of it, with so many segments in flight.
    Story& probes(double at, const Flow& flow, std::uint32_t packets_out);
    Story& walk_ends(double at);

    Story& neighbor_fails(double at, std::string_view ip);
    // Netfilter of this host dropped so many packets to that destination so far; or another of the reasons
    // that a story knows.
    Story& netfilter_drops(double at, std::string_view to, std::uint64_t packets,
                           std::string_view reason = "NETFILTER_DROP");
    Story& netfilter_drops_from(double at, std::string_view source, std::uint16_t own_port,
                                std::uint64_t packets, std::string_view reason = "NETFILTER_DROP");
    // A look at an own listener.
    Story& listens(double at, std::string_view endpoint, std::uint32_t backlog, std::uint32_t limit,
                   std::uint64_t drops, Who who = {});
    // socket() or accept() finds no file descriptor: EMFILE or ENFILE.
    Story& lacks_descriptor(double at, netwatch_call call, int error, Who who = {});
    // A counter of the story's namespace, or of the whole host, stands at that value from now on.
    Story& counts(double at, netwatch_counter_number counter, std::uint64_t value);
    Story& host_counts(double at, netwatch_counter_number counter, std::uint64_t value);
    Story& link_counts(double at, netwatch_counter_number counter, std::uint64_t value);
    Story& misses(double at, std::string_view signal);
    // A link as it is found, or becomes; states as NETWATCH_LINK_* bits.
    Story& link(double at, netwatch_change_action action, std::string_view name, std::uint32_t ifindex,
                std::uint8_t state, std::uint8_t old_state = 0);
    // A route in table main to "10.0.0.0/24" or, with "0.0.0.0/0", to all; `type` as RTN_*.
    Story& route(double at, netwatch_change_action action, std::string_view to, std::string_view gateway,
                 std::uint32_t ifindex, std::uint8_t type = 1);
    Story& address(double at, netwatch_change_action action, std::string_view ip, std::uint32_t ifindex);
    Story& loads_ruleset(double at, std::uint64_t generation, Who who = {812, "firewalld"},
                         std::uint32_t netns = story_netns);
    Story& lost_records(double at, std::uint64_t records);

    Story& add(model::Record record);
    // The latest record, of that kind, for whoever has more to say in it.
    template <typename R>
    [[nodiscard]] R take_back() {
        const R record = std::get<R>(records_.back());
        records_.pop_back();
        return record;
    }
    [[nodiscard]] netwatch_tuple tuple_of(const Flow& flow);
    // All records in the order of their times.
    [[nodiscard]] std::vector<model::Record> records() const;
    // Those before `story_s`, in that order; the story goes on without them.
    [[nodiscard]] std::vector<model::Record> take(double story_s);

private:
    [[nodiscard]] netwatch_tuple tuple_to(std::string_view to);
    [[nodiscard]] netwatch_close end_of(double at, const Flow& flow, bool reset);
    [[nodiscard]] netwatch_retransmit retransmission_of(double at, const Flow& flow, std::uint8_t why);
    [[nodiscard]] netwatch_connect attempt(double at, double ends, std::string_view to, Who who);
    std::uint32_t retransmit_syns(const netwatch_connect& attempt, double at, double timeout_s, int error);

    netwatch_header_look hop_limit_{.hop_limit = 61, .reserved = 0, .ip_id = 0};
    std::uint64_t socks_ = 0;
    std::vector<model::Record> records_;
};

class Watch {
public:
    explicit Watch(const Story& story, double clock_every_s = 0.05, diagnosis::Limits limits = {});

    // Plays what happened up to that second.
    Watch& until(double story_s);
    // The wall clock jumps.
    void step_clock(double seconds) { step_ns_ += static_cast<std::int64_t>(seconds * 1e9); }

    [[nodiscard]] std::vector<model::Incident> incidents() const { return engine.incidents(); }
    // Those that count: open or stale, above info, no symptom.
    [[nodiscard]] std::vector<model::Incident> alarms() const;
    // The one alarm there is; a failed expectation and an empty incident where it is not exactly one.
    [[nodiscard]] model::Incident alarm() const;
    // Those that were ever told of, by id, as they were last told.
    [[nodiscard]] const std::map<std::string, model::Incident>& told() const { return told_; }
    // Types of the alarms that were ever told of.
    [[nodiscard]] std::vector<model::FailureType> ever_alarmed() const { return ever_alarmed_; }
    // Story second of the first telling of an alarm of that type.
    [[nodiscard]] std::optional<double> first_told(model::FailureType type) const;

    diagnosis::Engine engine;

private:
    void tick(double story_s);

    std::vector<model::Record> records_;
    std::size_t next_ = 0;
    double clock_every_s_;
    std::uint64_t ticks_ = 0;
    std::int64_t step_ns_ = 0;
    std::map<std::string, model::Incident> told_;
    std::vector<model::FailureType> ever_alarmed_;
    std::map<model::FailureType, double> first_told_;
    std::set<std::string> violations_;
};

// What must hold of incidents whenever they are looked at: docs/schemas and the contract's own rules.
// Sentences; none is a pass.
[[nodiscard]] std::vector<std::string> contract_violations(const std::vector<model::Incident>& incidents);

}  // namespace netwatch::support
