// SPDX-License-Identifier: Apache-2.0
// What this host's processes asked resolvers, and what became of it. Questions of one process for one name
// that go to one resolver together (A and AAAA) are one try. Bounded. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/time.h"
#include "diagnosis/destination.h"
#include "diagnosis/histogram.h"
#include "diagnosis/process_table.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

enum class Fate : std::uint8_t {
    answered,  // with records, or with the word that there are none
    gone,      // there is no such name
    failed,    // SERVFAIL
    denied,    // REFUSED: a policy of the resolver
    closed,    // ICMP port unreachable: nothing listens
    silent,    // nothing came back
};

// One try that is over, or that has waited too long.
struct Try {
    DestinationKey resolver;
    netwatch_process asker{};
    std::uint32_t netns = 0;
    std::string name;
    std::uint64_t sock = 0;
    std::uint16_t local_port = 0;
    core::BootNs at = 0;        // when it was asked
    core::BootNs known_at = 0;  // when its fate was known
    std::uint64_t took_us = 0;  // until the last answer
    Fate fate = Fate::answered;
    std::uint8_t questions = 0;
    std::uint8_t unanswered = 0;  // of them
    bool later_one = false;       // of two, the one that was sent later was not answered
    bool again = false;           // the process had asked for the name before, in vain
    bool addresses = false;       // an answer had some
    bool more = false;            // it had been told as answered, and then one more question came
    bool late = false;            // it had been told as silent before
    bool over_tcp = false;        // it failed before a question could be put: its name is not known
    [[nodiscard]] ProcessKey process() const { return {asker.pid, asker.start_ns}; }
    [[nodiscard]] bool good() const { return fate == Fate::answered || fate == Fate::gone; }
};

struct Resolver {
    static constexpr std::size_t tries_kept = 512;
    static constexpr std::uint64_t remembered_ns = 60 * core::ns_per_s;
    std::deque<Try> tries;  // of the last minute
    Histogram usual_us;     // of answers in time
    core::BootNs first_seen = 0;
    core::BootNs last_good_at = 0;  // when it last answered well
    std::uint64_t good = 0;         // tries, ever
    std::uint64_t asked = 0;
    // Silence is late from here on: 8 times what 99 of 100 answers take, a second at least.
    [[nodiscard]] std::uint64_t patience_ns() const;
    // An answer that takes so long is late: 8 times as above, half a second at least.
    [[nodiscard]] double late_us() const;
};

// A try as the engine takes it in: which resolver has to be told of it, and what.
using Settled = std::vector<Try>;

class Resolvers {
public:
    // A question or an answer. Gives the tries whose fate is known by it.
    [[nodiscard]] Settled add(const netwatch_dns_message& message, const DestinationKey& resolver);
    // A socket's error: nothing listens at the resolver.
    [[nodiscard]] Settled add_refusal(std::uint64_t sock, const DestinationKey& resolver, core::BootNs at);
    // A connection to the resolver was refused: nobody listens there over TCP. Nothing where it is not known
    // as one.
    void add_failed_connection(const Try& one);
    // Time goes on: the tries that have waited too long.
    [[nodiscard]] Settled wait(core::BootNs now);

    [[nodiscard]] const Resolver* find(const DestinationKey& key) const;
    [[nodiscard]] const std::map<DestinationKey, Resolver>& all() const { return resolvers_; }
    struct Asked {
        std::string name;
        std::uint64_t took_us = 0;  // until this answer
    };
    // The question that this is the answer to; nothing where it was not seen, or is another.
    [[nodiscard]] std::optional<Asked> asked(const netwatch_dns_message& answer) const;

private:
    static constexpr std::size_t resolvers_kept = 256;
    static constexpr std::size_t tries_open = 8'192;
    struct Question {
        std::uint16_t id = 0;
        std::uint16_t type = 0;
        core::BootNs at = 0;
        core::BootNs answered_at = 0;
        Fate fate = Fate::silent;
    };
    struct Open {
        Try is;
        std::vector<Question> questions;
        bool told = false;     // that it has waited too long
        bool cut_off = false;  // an answer did not fit
        bool done = false;     // all is answered; for a moment one more question may still belong to it
    };
    using OpenTries = std::list<Open>;
    using QuestionKey = std::pair<std::uint64_t, std::uint16_t>;  // socket and id
    struct Hash {
        std::size_t operator()(const QuestionKey& key) const noexcept {
            return std::hash<std::uint64_t>{}(key.first * 65'599 + key.second);
        }
    };

    void ask(const netwatch_dns_message& message, const DestinationKey& key);
    void answer(const netwatch_dns_message& message, Settled& settled);
    void cut_off(Open& open, std::uint16_t id);
    void settle(Open& open, core::BootNs at, Settled& settled);
    void keep(const Try& one);
    void close(OpenTries::iterator open);
    Resolver* obtain(const DestinationKey& key, core::BootNs at);
    [[nodiscard]] bool asked_before(const Try& one) const;

    std::map<DestinationKey, Resolver> resolvers_;
    OpenTries open_;  // in the order of asking
    std::unordered_map<QuestionKey, OpenTries::iterator, Hash> by_question_;
    std::unordered_map<std::uint64_t, OpenTries::iterator> by_socket_;  // the latest try of each
    std::size_t told_ = 0;  // how many of the open ones have waited too long
};

}  // namespace netwatch::diagnosis
