// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/network.h"

#include <algorithm>
#include <tuple>

#include "model/record.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t links_kept = 16'384;
constexpr std::size_t addresses_kept = 16'384;
constexpr std::size_t blocks_kept = 16'384;
constexpr std::size_t routes_of_a_block = 8;
constexpr std::uint32_t table_default = 253;
constexpr std::uint32_t table_main = 254;
constexpr std::uint8_t unicast = 1;

}  // namespace

model::Prefix block_of(const netwatch_change& change) {
    const model::IpAddress ip(change.ip);
    const std::uint8_t most = ip.is_v4() ? 32 : 128;
    const bool address = change.subject == NETWATCH_CHANGE_ADDRESS;
    return model::Prefix::of(ip, address ? most : std::min(change.prefix_bits, most));
}

void Network::add(const netwatch_change& change) {
    switch (change.subject) {
        case NETWATCH_CHANGE_LINK: return add_link(change);
        case NETWATCH_CHANGE_ADDRESS: return add_address(change);
        case NETWATCH_CHANGE_ROUTE: return add_route(change);
        case NETWATCH_CHANGE_NAMESPACE:
            if (change.action == NETWATCH_CHANGE_REMOVED) forget_namespace(change.header.netns);
            return;
        default: return;
    }
}

void Network::add_link(const netwatch_change& change) {
    const LinkKey key{change.header.netns, change.ifindex};
    if (links_.size() >= links_kept && !links_.contains(key)) forget_removed();
    const auto [entry, is_new] = links_.try_emplace(key);
    Link& link = entry->second;
    const bool found = change.action == NETWATCH_CHANGE_FOUND;
    const bool worked = !is_new && link.works();
    if (is_new && !found) link.known_since = change.header.at_ns;
    link.name = model::text_of(change.interface);
    link.removed = change.action == NETWATCH_CHANGE_REMOVED;
    link.up = !link.removed && (change.link_state & NETWATCH_LINK_UP) != 0;
    link.carrier = link.up && (change.link_state & NETWATCH_LINK_CARRIER) != 0;
    link.state_since = change.header.at_ns;
    if (link.works()) {
        if (!worked && !is_new) link.back_since = change.header.at_ns;
    } else if (worked || is_new || link.removed) {
        if (worked || (is_new && !found)) link.down_since = change.header.at_ns;
        link.went_down = link.removed ? "removed" : link.up ? "carrier" : "admin";
    }
    // The kernel takes the routes of a link that is set down, those of IPv4 without a word.
    if (!link.up) lose_routes(key);
}

void Network::add_address(const netwatch_change& change) {
    const std::pair key{std::uint32_t{change.header.netns}, model::IpAddress(change.ip)};
    if (change.action == NETWATCH_CHANGE_REMOVED) {
        addresses_.erase(key);
        return;
    }
    if (addresses_.size() >= addresses_kept) addresses_.clear();
    addresses_.insert(key);
}

void Network::add_route(const netwatch_change& change) {
    const bool followed = change.table == table_main || change.table == table_default;
    if (!followed) return;
    const std::pair key{std::uint32_t{change.header.netns}, block_of(change)};
    const auto known = routes_.find(key);
    const auto same = [&](const Route& route) {
        return route.table == change.table && route.metric == change.priority &&
               (route.ifindex == change.ifindex || change.action == NETWATCH_CHANGE_CHANGED);
    };
    if (change.action == NETWATCH_CHANGE_REMOVED) {
        if (known == routes_.end()) return;
        const Link* through = link(key.first, change.ifindex);
        if (through != nullptr && !through->up) {
            for (Route& route : known->second) route.lost = route.lost || same(route);
            return;
        }
        std::erase_if(known->second, same);
        if (known->second.empty()) routes_.erase(known);
        return;
    }
    if (known == routes_.end() && routes_.size() >= blocks_kept) return;
    std::vector<Route>& routes = routes_[key];
    std::erase_if(routes, same);
    if (change.route_type != unicast) return;  // one that refuses leads nowhere
    if (routes.size() >= routes_of_a_block) routes.erase(routes.begin());
    const model::IpAddress gateway(change.gateway);
    routes.push_back({change.table, change.priority, change.ifindex, gateway, false});
    if (gateway.is_unspecified()) return;
    if (gateways_.size() >= blocks_kept) gateways_.clear();
    gateways_.insert({key.first, gateway});
}

void Network::lose_routes(const LinkKey& link) {
    for (auto& [where, routes] : routes_) {
        if (where.first != link.first) continue;
        for (Route& route : routes) route.lost = route.lost || route.ifindex == link.second;
    }
}

// What containers have left behind goes first.
void Network::forget_removed() {
    for (auto& [where, routes] : routes_) {
        std::erase_if(routes, [&, netns = where.first](const Route& route) {
            const Link* through = link(netns, route.ifindex);
            return through == nullptr || through->removed;
        });
    }
    std::erase_if(routes_, [](const auto& entry) { return entry.second.empty(); });
    std::erase_if(links_, [](const auto& entry) { return entry.second.removed; });
    if (links_.size() >= links_kept) links_.clear();
}

void Network::forget_namespace(std::uint32_t netns) {
    std::erase_if(links_, [&](const auto& entry) { return entry.first.first == netns; });
    std::erase_if(addresses_, [&](const auto& entry) { return entry.first == netns; });
    std::erase_if(routes_, [&](const auto& entry) { return entry.first.first == netns; });
    std::erase_if(gateways_, [&](const auto& entry) { return entry.first == netns; });
}

const Link* Network::link(std::uint32_t netns, std::uint32_t ifindex) const {
    const auto found = links_.find({netns, ifindex});
    return found == links_.end() ? nullptr : &found->second;
}

std::optional<Network::Way> Network::way_to(std::uint32_t netns, const model::IpAddress& ip) const {
    for (int bits = ip.is_v4() ? 32 : 128; bits >= 0; --bits) {
        const auto found = routes_.find({netns, model::Prefix::of(ip, static_cast<std::uint8_t>(bits))});
        if (found == routes_.end() || found->second.empty()) continue;
        const Route& best = std::ranges::min(found->second, {}, [](const Route& route) {
            return std::tuple(route.lost, route.table != table_main, route.metric);
        });
        Way way{best.ifindex, std::nullopt};
        if (!best.gateway.is_unspecified()) way.gateway = best.gateway;
        return way;
    }
    return std::nullopt;
}

bool Network::is_gateway(std::uint32_t netns, const model::IpAddress& ip) const {
    return gateways_.contains({netns, ip});
}

bool Network::has_address(std::uint32_t netns, const model::IpAddress& ip) const {
    return addresses_.contains({netns, ip});
}

}  // namespace netwatch::diagnosis
