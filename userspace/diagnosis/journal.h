// SPDX-License-Identifier: Apache-2.0
// What changed on this host, in words: the latest changes, those that come with every container apart so that
// they push out no other. Pure. Bounded. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "diagnosis/network.h"
#include "model/address.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

enum class Topic : std::uint8_t {
    link,
    address,
    route,
    rule,
    ruleset,
    neighbor,
    listener,
    space,  // a network namespace
    clock,
    agent,  // netwatch itself: it began, did not look, or lost records
};

struct Event {
    core::BootNs at = 0;
    Topic topic = Topic::agent;
    bool ended = false;  // it is gone, or down
    std::uint32_t netns = 0;
    std::uint32_t ifindex = 0;
    std::uint16_t port = 0;  // of a listener
    std::uint8_t route_type = 0;
    std::int64_t clock_step_ns = 0;  // how far the clock was set forward; back where negative
    std::optional<model::Prefix> block = std::nullopt;  // where a route leads; an address alone
    std::string what = {};
    // "nft[812]"; "unknown" where somebody did it and the kernel does not tell who; nothing where it came
    // about.
    std::optional<std::string> by = std::nullopt;
};

// "link", "route", …: as a recording names them.
[[nodiscard]] std::string_view to_string(Topic topic);

class Journal {
public:
    // `network`: as it was before the change.
    void add(const netwatch_change& change, const Network& network);
    void add(Event event);

    // A look at a listener, and the end of all looks of one walk, begun then.
    void add(const netwatch_listener_sample& record);
    void end_walk(core::BootNs started);

    // Those of that span, oldest first; the ones that come with containers apart.
    struct Span {
        std::vector<const Event*> events;
        std::vector<const Event*> churn;
    };
    [[nodiscard]] Span between(core::BootNs from, core::BootNs to) const;

    // Those that came since the last call and are still kept, oldest first.
    [[nodiscard]] std::vector<const Event*> take_news();

private:
    struct Listener {
        std::uint32_t netns = 0;
        model::Endpoint endpoint;
        auto operator<=>(const Listener&) const = default;
    };
    struct Seen {
        core::BootNs at = 0;
        std::string owner;
    };
    void keep(std::deque<Event>& events, Event event);
    [[nodiscard]] static bool is_churn(const netwatch_change& change, const Network& network);

    std::deque<Event> events_;  // in the order of their arrival, which is nearly that of their times
    std::deque<Event> churn_;
    std::size_t untold_events_ = 0;  // at the end of events_, of churn_
    std::size_t untold_churn_ = 0;
    std::map<Listener, Seen> listeners_;
    std::set<Listener> new_listeners_;  // since the last walk ended
    bool walked_ = false;
};

}  // namespace netwatch::diagnosis
