// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/reachability.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "diagnosis/dead_address.h"
#include "diagnosis/dns_tries.h"
#include "diagnosis/fault.h"
#include "diagnosis/leaf.h"
#include "diagnosis/refusal.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t prefix_members = 3;
constexpr std::uint64_t recovery_ns = 10 * core::ns_per_s;
constexpr double path_share = 0.8;  // of the addresses in use that a lost path explains (BlameIt's threshold)

// Leaves of one fault at one place.
struct Place {
    Fault fault = Fault::silent;
    std::string where;
    auto operator<=>(const Place&) const = default;
};
using Groups = std::map<Place, Leaves>;

// Something was reached over the link since then.
bool carried_since(const Scene& scene, std::uint32_t netns, std::uint32_t ifindex, core::BootNs since) {
    return std::ranges::any_of(scene.destinations.all(), [&](const auto& entry) {
        const Destination& other = entry.second;
        if (other.netns != netns || std::max(other.last_success_at, other.last_progress_at) <= since)
            return false;
        const auto way = scene.network.way_to(netns, other.key.endpoint.ip);
        return way && way->ifindex == ifindex && !scene.network.has_address(netns, other.key.endpoint.ip);
    });
}

// The link that leads to it is down, and it is not seen to be reached otherwise.
std::optional<Place> dead_link_place(const Scene& scene, const Leaf& leaf) {
    const bool cut_off = leaf.cls == OutcomeClass::silent || leaf.cls == OutcomeClass::no_route ||
                         leaf.cls == OutcomeClass::neighbor_failed ||
                         leaf.cls == OutcomeClass::local_unreachable;
    if (!cut_off) return std::nullopt;
    const std::uint32_t netns = leaf.destination->netns;
    const auto way = scene.network.way_to(netns, leaf.endpoint().ip);
    const Link* link = way ? scene.network.link(netns, way->ifindex) : nullptr;
    // Back again it takes a while until neighbours are resolved and retries come round.
    const bool down = link != nullptr && (!link->works() || (link->back_since > link->down_since &&
                                                             link->back_since + recovery_ns >= scene.now));
    if (!down || leaf.endpoint().ip.is_loopback()) return std::nullopt;
    const core::BootNs since = link->down_since + in_flight_ns;
    const bool failed_before = leaf.run().first_at_ns + onset_spread_ns < link->down_since;
    if (failed_before || leaf.destination->last_success_at > since) return std::nullopt;
    if (!link->works() && carried_since(scene, netns, way->ifindex, since)) return std::nullopt;
    return Place{Fault::link, fmt::format("{} {}", netns, way->ifindex)};
}

// Connections that were there get no answer since the gateway does not resolve.
std::optional<Place> dead_gateway_place(const Scene& scene, const Leaf& leaf) {
    if (leaf.cls != OutcomeClass::silent) return std::nullopt;
    const std::uint32_t netns = leaf.destination->netns;
    const auto way = scene.network.way_to(netns, leaf.endpoint().ip);
    if (!way || !way->gateway) return std::nullopt;
    const auto failed = scene.failed_neighbors.find({netns, *way->gateway});
    const bool since = failed != scene.failed_neighbors.end() &&
                       leaf.destination->last_success_at <= failed->second.at &&
                       leaf.destination->last_progress_at <= failed->second.at;
    if (!since) return std::nullopt;
    return Place{Fault::gateway, fmt::format("{} {}", netns, way->gateway->to_string())};
}

// The next hop that does not resolve: the address itself on the local link, otherwise its gateway.
Place neighbor_place(const Scene& scene, const Leaf& leaf) {
    const std::uint32_t netns = leaf.destination->netns;
    const auto way = scene.network.way_to(netns, leaf.endpoint().ip);
    if (way && way->gateway) return {Fault::gateway, fmt::format("{} {}", netns, way->gateway->to_string())};
    if (!way && !scene.failed_neighbors.contains({netns, leaf.endpoint().ip})) {
        for (const auto& [where, failure] : scene.failed_neighbors) {
            const bool same_family = where.second.is_v4() == leaf.endpoint().ip.is_v4();
            if (where.first == netns && same_family && failure.at >= leaf.run().first_start_ns)
                return {Fault::gateway, fmt::format("{} {}", netns, where.second.to_string())};
        }
    }
    return {Fault::neighbor, leaf.endpoint().ip.to_string()};
}

// A router says that there is no way to the host. Where the host is reached otherwise, it is a filter's word.
Fault unless_reached(const Scene& scene, const Leaf& leaf, Fault fault) {
    return other_port_answer(scene, leaf) || flows_live(leaf) ? Fault::rejected : fault;
}

Place place_of(const Scene& scene, const Leaf& leaf) {
    if (const auto place = dead_link_place(scene, leaf)) return *place;
    if (const auto place = dead_gateway_place(scene, leaf)) return *place;
    const std::string address =
        fmt::format("{} {}", leaf.endpoint().ip.to_string(), leaf.destination->key.netns);
    const std::string endpoint =
        fmt::format("{} {}", leaf.endpoint().to_string(), leaf.destination->key.netns);
    const std::string offender = leaf.run().offender ? leaf.run().offender->to_string() : "-";
    const std::string block = offender + " " + leaf.block().to_string();
    const auto unroutable = [&](Fault fault) -> Place {
        const Fault found = unless_reached(scene, leaf, fault);
        return {found, found == Fault::rejected ? endpoint : found == Fault::dead ? address : block};
    };
    switch (leaf.cls) {
        case OutcomeClass::refused: {
            const Refuser refuser = refuser_of(scene, leaf);
            if (refuser == Refuser::host || refuser == Refuser::unknown) return {Fault::refused, address};
            return {Fault::refused_by_box, endpoint};
        }
        case OutcomeClass::icmp_port_unreachable: return {Fault::rejected, endpoint};
        case OutcomeClass::icmp_admin_prohibited: return {Fault::prohibited, block};
        case OutcomeClass::icmp_net_unreachable:
        case OutcomeClass::icmp_ttl_exceeded: return unroutable(Fault::unroutable);
        case OutcomeClass::icmp_host_unreachable:
            return unroutable(resolution_failed(leaf.run()) ? Fault::dead : Fault::unroutable);
        case OutcomeClass::neighbor_failed: return neighbor_place(scene, leaf);
        case OutcomeClass::local_filter: return {Fault::local_filter, ""};
        case OutcomeClass::local_bpf: return {Fault::local_bpf, ""};
        case OutcomeClass::no_route:
        case OutcomeClass::local_blackhole:
        case OutcomeClass::local_unreachable:
        case OutcomeClass::local_prohibit:
            return {Fault::local_route, fmt::format("{} {}", static_cast<int>(leaf.cls),
                                                    leaf.run().masked(scene.now) ? "masked" : "")};
        case OutcomeClass::ephemeral_ports: return {Fault::ports_exhausted, endpoint};
        default: break;
    }
    if (const auto who = answers_dropped_here(scene, leaf))
        return {Fault::local_input, std::to_string(static_cast<int>(*who))};
    return {Fault::silent, address};
}

// A resolver; over TCP one that refuses, without anything good from it meanwhile.
bool is_the_resolvers(const Scene& scene, const Leaf& leaf) {
    const DestinationKey& key = leaf.destination->key;
    if (scene.resolvers.find(key) != nullptr) return true;
    if (leaf.cls != OutcomeClass::refused && leaf.cls != OutcomeClass::icmp_port_unreachable) return false;
    const Resolver* resolver = resolver_at(scene, key);
    return resolver != nullptr && std::ranges::none_of(resolver->tries, [&](const Try& one) {
               return one.good() && one.known_at > leaf.run().first_start_ns &&
                      one.known_at < leaf.run().last_at_ns;
           });
}

bool is_on_the_way(Fault fault) {
    return fault == Fault::link || fault == Fault::gateway || fault == Fault::local_route ||
           fault == Fault::local_filter || fault == Fault::local_bpf;
}

Leaves all_of(const Groups& groups, Fault fault) {
    Leaves all;
    for (const auto& [place, leaves] : groups) {
        if (place.fault == fault) all.insert(all.end(), leaves.begin(), leaves.end());
    }
    return all;
}

bool block_answers(const Scene& scene, const Leaves& leaves) {
    const AddressKey whole_block{leaves.front().block().network, leaves.front().destination->key.netns};
    return !scene.destinations.answering_siblings(whole_block, silent_since(leaves)).empty();
}

// The largest part of them that one fault can have taken: no address of it was answered after it, or another
// one, began to fail.
Leaves fallen_together(const Scene& scene, const Leaves& leaves) {
    struct Silence {
        core::BootNs onset;
        core::BootNs answered;
    };
    std::map<AddressKey, Silence> silences;
    for (const Leaf& leaf : leaves) {
        const core::BootNs onset = leaf.run().first_start_ns;
        const Address* address = scene.destinations.find_address(leaf.address());
        const core::BootNs answered = address == nullptr ? 0 : address->last_answer_at();
        const auto found = silences.try_emplace(leaf.address(), onset, answered).first;
        found->second.onset = std::min(found->second.onset, onset);
    }
    std::erase_if(silences, [](const auto& entry) {
        return entry.second.answered > entry.second.onset + in_flight_ns;
    });
    std::vector<core::BootNs> onsets;
    std::vector<core::BootNs> answers;
    for (const auto& [address, silence] : silences) {
        onsets.push_back(silence.onset);
        answers.push_back(silence.answered);
    }
    std::ranges::sort(onsets);
    std::ranges::sort(answers);
    // Of a fault that began then. What was answered since is among what began to fail since.
    const auto taken = [&](core::BootNs since) {
        return (onsets.end() - std::ranges::lower_bound(onsets, since)) -
               (answers.end() - std::ranges::upper_bound(answers, since + onset_spread_ns));
    };
    if (onsets.empty()) return {};
    const core::BootNs since = std::ranges::max(onsets, {}, taken);
    Leaves together;
    for (const Leaf& leaf : leaves) {
        const auto found = silences.find(leaf.address());
        const bool same = found != silences.end() && found->second.onset >= since &&
                          found->second.answered <= since + onset_spread_ns;
        if (same) together.push_back(leaf);
    }
    return together;
}

void replace_silent(Groups& groups, Place place, Leaves leaves) {
    std::set<AddressKey> addresses;
    for (const Leaf& leaf : leaves) addresses.insert(leaf.address());
    std::erase_if(groups, [&](const auto& group) {
        return group.first.fault == Fault::silent && addresses.contains(group.second.front().address());
    });
    groups[std::move(place)] = std::move(leaves);
}

// Who comes while the last router still searches for the host waits less than the search takes: what it says
// at once of one port of an address is what it says of another after that time.
void join_dead_addresses(Groups& groups) {
    for (auto& [dead, leaves] : groups) {
        if (dead.fault != Fault::dead) continue;
        for (auto& [place, others] : groups) {
            if (place.fault != Fault::unroutable) continue;
            std::erase_if(others, [&, &into = leaves](const Leaf& leaf) {
                const bool same = leaf.cls == OutcomeClass::icmp_host_unreachable &&
                                  leaf.address() == into.front().address();
                if (same) into.push_back(leaf);
                return same;
            });
        }
    }
    std::erase_if(groups, [](const auto& group) { return group.second.empty(); });
}

// A router answers only so often (ICMP rate limits): silence beside its word for the same block, and since
// then, is the same fault.
void join_rate_limited(Groups& groups) {
    for (auto& [place, leaves] : groups) {
        if (place.fault != Fault::unroutable && place.fault != Fault::prohibited) continue;
        const model::Prefix block = leaves.front().block();
        const core::BootNs since = first_onset(leaves) - std::min(first_onset(leaves), onset_spread_ns);
        std::erase_if(groups, [&, &into = leaves](const auto& other) {
            const bool same = other.first.fault == Fault::silent &&
                              block.contains(other.second.front().endpoint().ip) &&
                              first_onset(other.second) >= since;
            if (same) into.insert(into.end(), other.second.begin(), other.second.end());
            return same;
        });
    }
}

// Silence at several addresses of one block, while none of it answers, is one fault of the route.
void merge_silent_blocks(const Scene& scene, Groups& groups) {
    std::map<model::Prefix, Leaves> blocks;
    for (const Leaf& leaf : all_of(groups, Fault::silent)) blocks[leaf.block()].push_back(leaf);
    for (const auto& [block, silent] : blocks) {
        Leaves leaves = fallen_together(scene, silent);
        if (distinct_addresses(leaves) < prefix_members || block_answers(scene, leaves)) continue;
        replace_silent(groups, {Fault::silent_block, block.to_string()}, std::move(leaves));
    }
}

// Of the addresses that something was asked of since they fail, the share that fails.
double share_of_addresses_in_use(const Scene& scene, const Leaves& leaves) {
    std::set<AddressKey> bad;
    for (const Leaf& leaf : leaves) bad.insert(leaf.address());
    const core::BootNs since = silent_since(leaves);
    std::set<AddressKey> good;
    for (const auto& [key, destination] : scene.destinations.all()) {
        const bool answered = destination.last_success_at > since || destination.last_progress_at > since;
        const AddressKey address{key.endpoint.ip, key.netns};
        const bool another = key.perspective == model::Perspective::client &&
                             !key.endpoint.ip.is_loopback() && !bad.contains(address);
        if (answered && another) good.insert(address);
    }
    return static_cast<double>(bad.size()) / static_cast<double>(bad.size() + good.size());
}

// What a region has lost, while others work, is the way there or its provider.
void merge_lost_regions(const Scene& scene, Groups& groups) {
    if (scene.regions.empty()) return;
    std::map<std::string, Leaves> regions;
    for (const Leaf& leaf : all_of(groups, Fault::silent)) {
        if (const auto region = scene.regions.of(leaf.endpoint().ip)) regions[*region].push_back(leaf);
    }
    for (const auto& [region, silent] : regions) {
        Leaves leaves = fallen_together(scene, silent);
        if (leaves.empty() || !any_worked(leaves) || !failed_region(scene, leaves)) continue;
        replace_silent(groups, {Fault::silent_region, region}, std::move(leaves));
    }
}

// What several networks have lost together, and nearly all that is in use, is the path that they share.
void merge_lost_path(const Scene& scene, Groups& groups) {
    Leaves leaves = fallen_together(scene, all_of(groups, Fault::silent));
    if (distinct_addresses(leaves) < prefix_members || distinct_blocks(leaves) < 2) return;
    if (!any_worked(leaves) || share_of_addresses_in_use(scene, leaves) < path_share) return;
    replace_silent(groups, {Fault::silent_path, ""}, std::move(leaves));
}

// One router that has lost the way to several networks is one fault.
void merge_by_router(Groups& groups) {
    std::map<model::IpAddress, Leaves> routers;
    for (const Leaf& leaf : all_of(groups, Fault::unroutable)) {
        if (leaf.run().offender) routers[*leaf.run().offender].push_back(leaf);
    }
    for (auto& [router, leaves] : routers) {
        if (distinct_blocks(leaves) < 2) continue;
        const auto by_router = [&, &router = router](const auto& entry) {
            return entry.first.fault == Fault::unroutable && entry.second.front().run().offender == router;
        };
        leaves.clear();
        for (const auto& entry : groups) {
            if (by_router(entry)) leaves.insert(leaves.end(), entry.second.begin(), entry.second.end());
        }
        std::erase_if(groups, by_router);
        groups[{Fault::unroutable, router.to_string()}] = leaves;
    }
}

}  // namespace

std::vector<Finding> judge_reachability(const Scene& scene, const std::set<DestinationKey>& failing) {
    Groups groups;
    for (const DestinationKey& key : failing) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->run) continue;
        const auto leaf = leaf_of(scene, *destination);
        if (!leaf) continue;
        const Place place = place_of(scene, *leaf);
        // What a resolver itself does wrong is told where names are judged.
        if (is_the_resolvers(scene, *leaf) && !is_on_the_way(place.fault)) continue;
        groups[place].push_back(*leaf);
    }
    join_dead_addresses(groups);
    join_rate_limited(groups);
    merge_lost_regions(scene, groups);
    merge_lost_path(scene, groups);
    merge_silent_blocks(scene, groups);
    merge_by_router(groups);
    std::vector<Finding> findings;
    // In the order in which they began to fail, not in that of their addresses.
    const auto onset = [](const Leaf& leaf) { return leaf.run().first_start_ns; };
    for (auto& [place, leaves] : groups) {
        std::ranges::stable_sort(leaves, {}, onset);
        findings.push_back(describe(scene, place.fault, place.where, leaves));
        tell_dead_address(scene, leaves, findings.back());
    }
    std::ranges::stable_sort(findings, {}, &Finding::first_affected);
    return findings;
}

}  // namespace netwatch::diagnosis
