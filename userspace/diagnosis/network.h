// SPDX-License-Identifier: Apache-2.0
// This host's links, addresses and routes as CHANGE records tell of them: which way leads to a destination,
// and in which state it is. Policy routing is not followed: tables main and default only. Bounded. One
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"
#include "model/address.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

struct Link {
    std::string name;
    bool up = false;       // administratively
    bool carrier = false;  // never without `up`
    bool removed = false;
    core::BootNs down_since = 0;   // when it last went down; 0: before it was watched, or never
    core::BootNs back_since = 0;   // when it last came back
    core::BootNs state_since = 0;  // its latest change of state
    std::string_view went_down;    // how it last did: admin, carrier, removed; empty: it never did
    core::BootNs known_since = 0;  // 0: it was there when the watch began
    [[nodiscard]] bool works() const { return up && carrier && !removed; }
    // Why it is down, or was. A link that is set up has its carrier a moment later; where it does not come,
    // that is why.
    [[nodiscard]] std::string_view cause(core::BootNs now) const {
        const bool left_without = up && !carrier && state_since + 5 * core::ns_per_s < now;
        return left_without ? "carrier" : went_down;
    }
};

class Network {
public:
    using LinkKey = std::pair<std::uint32_t, std::uint32_t>;  // namespace and index
    struct Way {
        std::uint32_t ifindex = 0;
        std::optional<model::IpAddress> gateway;
    };

    void add(const netwatch_change& change);

    [[nodiscard]] const Link* link(std::uint32_t netns, std::uint32_t ifindex) const;
    // The most specific route, one that a link took with it when it went down included.
    [[nodiscard]] std::optional<Way> way_to(std::uint32_t netns, const model::IpAddress& ip) const;
    // Of any route, present or past.
    [[nodiscard]] bool is_gateway(std::uint32_t netns, const model::IpAddress& ip) const;
    [[nodiscard]] bool has_address(std::uint32_t netns, const model::IpAddress& ip) const;

private:
    struct Route {
        std::uint32_t table = 0;
        std::uint32_t metric = 0;
        std::uint32_t ifindex = 0;
        model::IpAddress gateway;  // unspecified: none
        bool lost = false;         // with its link
    };
    void add_link(const netwatch_change& change);
    void add_address(const netwatch_change& change);
    void add_route(const netwatch_change& change);
    void forget_removed();
    void forget_namespace(std::uint32_t netns);
    void lose_routes(const LinkKey& link);

    std::map<LinkKey, Link> links_;
    std::set<std::pair<std::uint32_t, model::IpAddress>> addresses_;
    std::map<std::pair<std::uint32_t, model::Prefix>, std::vector<Route>> routes_;
    std::set<std::pair<std::uint32_t, model::IpAddress>> gateways_;
};

// The block that a change names: where a route leads, an address alone.
[[nodiscard]] model::Prefix block_of(const netwatch_change& change);

}  // namespace netwatch::diagnosis
