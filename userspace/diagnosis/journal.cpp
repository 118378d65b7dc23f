// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/record.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t events_kept = 1'024;  // and as many of those that come with containers
constexpr std::size_t listeners_kept = 16'384;
constexpr core::BootNs young_link_ns = 60 * core::ns_per_s;
constexpr std::uint16_t first_ephemeral_port = 32'768;
constexpr std::uint32_t table_main = 254;
constexpr std::uint8_t protocol_kernel = 2;
constexpr std::string_view somebody = "unknown";

// Programs that keep routes by themselves (linux/rtnetlink.h, RTPROT_*).
std::string_view keeper_of(std::uint8_t protocol) {
    switch (protocol) {
        case 9: return "router advertisements";
        case 11: return "zebra";
        case 12: return "bird";
        case 16: return "dhcp";
        case 18: return "keepalived";
        case 42: return "babel";
        case 186: return "bgp";
        case 187: return "isis";
        case 188: return "ospf";
        case 189: return "rip";
        default: return {};
    }
}

std::string_view kind_of_route(std::uint8_t type) {
    switch (type) {
        case 6: return "blackhole ";
        case 7: return "unreachable ";
        case 8: return "prohibit ";
        case 9: return "throw ";
        default: return {};
    }
}

std::string_view verb_of(std::uint8_t action, std::string_view changed) {
    switch (action) {
        case NETWATCH_CHANGE_ADDED: return "added";
        case NETWATCH_CHANGE_REMOVED: return "removed";
        default: return changed;
    }
}

std::string name_of_link(const netwatch_change& change) {
    const std::string name = model::text_of(change.interface);
    return name.empty() ? fmt::format("#{}", change.ifindex) : name;
}

std::string owner_of(const netwatch_process& process) {
    const std::string comm = model::text_of(process.comm);
    return process.pid == 0 || comm.empty() ? std::string("an unknown process")
                                            : fmt::format("{}[{}]", comm, process.pid);
}

void describe_link(Event& event, const netwatch_change& change) {
    const std::string name = name_of_link(change);
    const bool up = (change.link_state & NETWATCH_LINK_UP) != 0;
    const bool was_up = (change.old_link_state & NETWATCH_LINK_UP) != 0;
    const bool carrier = (change.link_state & NETWATCH_LINK_CARRIER) != 0;
    const bool had_carrier = (change.old_link_state & NETWATCH_LINK_CARRIER) != 0;
    event.by = somebody;
    if (change.action != NETWATCH_CHANGE_CHANGED) {
        event.ended = change.action == NETWATCH_CHANGE_REMOVED;
        event.what = fmt::format("link {} {}", name, verb_of(change.action, ""));
    } else if (up != was_up) {
        event.ended = !up;
        event.what = fmt::format("link {} set {}", name, up ? "up" : "down");
    } else if (carrier != had_carrier) {
        event.ended = !carrier;
        event.by.reset();
        event.what = fmt::format("link {} {}", name, carrier ? "has its carrier again" : "lost its carrier");
    } else if (change.mtu_bytes != change.old_mtu_bytes) {
        event.what = fmt::format("MTU of {} set from {} to {}", name, change.old_mtu_bytes, change.mtu_bytes);
    } else {
        event.what = fmt::format("link #{} renamed to {}", change.ifindex, name);
    }
}

void describe_route(Event& event, const netwatch_change& change) {
    const model::Prefix block = block_of(change);
    const model::IpAddress gateway(change.gateway);
    std::string what = fmt::format("{}route {}", kind_of_route(change.route_type),
                                   block.bits == 0 ? "default" : block.to_string());
    if (!gateway.is_unspecified()) what += " via " + gateway.to_string();
    if (change.ifindex != 0) what += " dev " + name_of_link(change);
    if (change.table != table_main) what += fmt::format(" in table {}", change.table);
    event.what = fmt::format("{} {}", what, verb_of(change.action, "replaced what was there"));
    const std::string_view keeper = keeper_of(change.protocol);
    event.by = keeper.empty() ? std::string(somebody) : std::string(keeper);
    event.route_type = change.route_type;
    event.block = block;
}

void describe_rule(Event& event, const netwatch_change& change) {
    const model::Prefix source = block_of(change);
    event.what = fmt::format("routing rule {}{} lookup {} {}", change.priority,
                             source.bits == 0 ? "" : " from " + source.to_string(), change.table,
                             verb_of(change.action, "changed"));
    event.by = somebody;
}

void describe_space(Event& event, const netwatch_change& change) {
    const std::string comm = model::text_of(change.comm);
    const std::string who = change.pid == 0 ? std::string() : fmt::format("{}[{}]", comm, change.pid);
    event.what = event.ended ? fmt::format("network namespace {} ended{}", change.header.netns,
                                           who.empty() ? "" : ", its last process was " + who)
                             : fmt::format("network namespace {} appeared with {}", change.header.netns, who);
}

Topic topic_of(std::uint8_t subject) {
    switch (subject) {
        case NETWATCH_CHANGE_LINK: return Topic::link;
        case NETWATCH_CHANGE_ADDRESS: return Topic::address;
        case NETWATCH_CHANGE_ROUTE: return Topic::route;
        case NETWATCH_CHANGE_RULE: return Topic::rule;
        case NETWATCH_CHANGE_RULESET: return Topic::ruleset;
        case NETWATCH_CHANGE_NAMESPACE: return Topic::space;
        default: return Topic::agent;
    }
}

Event event_of(const netwatch_change& change) {
    Event event{.at = change.header.at_ns,
                .topic = topic_of(change.subject),
                .ended = change.action == NETWATCH_CHANGE_REMOVED,
                .netns = change.header.netns,
                .ifindex = change.ifindex};
    switch (event.topic) {
        case Topic::link: describe_link(event, change); break;
        case Topic::route: describe_route(event, change); break;
        case Topic::rule: describe_rule(event, change); break;
        case Topic::space: describe_space(event, change); break;
        case Topic::address:
            event.block = block_of(change);
            event.what = fmt::format("address {}/{} {} {} {}", event.block->network.to_string(),
                                     change.prefix_bits, event.ended ? "removed" : "added",
                                     event.ended ? "from" : "to", name_of_link(change));
            event.by = somebody;
            break;
        case Topic::ruleset:
            event.what = fmt::format("nft ruleset loaded (generation {})", change.generation);
            event.by = change.pid == 0 ? std::string(somebody)
                                       : fmt::format("{}[{}]", model::text_of(change.comm), change.pid);
            break;
        default: event.what = "netwatch missed changes: the kernel had more to tell than its queue holds";
    }
    return event;
}

}  // namespace

std::string_view to_string(Topic topic) {
    switch (topic) {
        case Topic::link: return "link";
        case Topic::address: return "address";
        case Topic::route: return "route";
        case Topic::rule: return "rule";
        case Topic::ruleset: return "ruleset";
        case Topic::neighbor: return "neighbor";
        case Topic::listener: return "listener";
        case Topic::space: return "namespace";
        case Topic::clock: return "clock";
        case Topic::agent: break;
    }
    return "agent";
}

void Journal::keep(std::deque<Event>& events, Event event) {
    if (events.size() >= events_kept) events.pop_front();
    events.push_back(std::move(event));
    std::size_t& untold = &events == &churn_ ? untold_churn_ : untold_events_;
    untold = std::min(untold + 1, events.size());
}

std::vector<const Event*> Journal::take_news() {
    std::vector<const Event*> news;
    for (std::size_t n = std::exchange(untold_events_, 0); n > 0; --n)
        news.push_back(&*(events_.end() - static_cast<std::ptrdiff_t>(n)));
    for (std::size_t n = std::exchange(untold_churn_, 0); n > 0; --n)
        news.push_back(&*(churn_.end() - static_cast<std::ptrdiff_t>(n)));
    std::ranges::stable_sort(news, {}, &Event::at);
    return news;
}

// What a container brings and takes: a link that was not there a minute ago, its addresses, its routes, and
// the namespace itself.
bool Journal::is_churn(const netwatch_change& change, const Network& network) {
    if (change.subject == NETWATCH_CHANGE_NAMESPACE) return true;
    const bool of_link = change.subject == NETWATCH_CHANGE_LINK ||
                         change.subject == NETWATCH_CHANGE_ADDRESS || change.subject == NETWATCH_CHANGE_ROUTE;
    if (!of_link || change.ifindex == 0) return false;
    const Link* link = network.link(change.header.netns, change.ifindex);
    if (link == nullptr) return change.action == NETWATCH_CHANGE_ADDED;
    return link->removed ||
           (link->known_since != 0 && link->known_since + young_link_ns > change.header.at_ns);
}

void Journal::add(const netwatch_change& change, const Network& network) {
    if (change.action == NETWATCH_CHANGE_FOUND) return;
    // The kernel's own routes follow its addresses and links, which are told.
    if (change.subject == NETWATCH_CHANGE_ROUTE && change.protocol == protocol_kernel) return;
    keep(is_churn(change, network) ? churn_ : events_, event_of(change));
}

void Journal::add(Event event) { keep(events_, std::move(event)); }

void Journal::add(const netwatch_listener_sample& record) {
    const Listener key{record.header.netns, model::local_endpoint(record.tuple)};
    if (key.endpoint.port >= first_ephemeral_port) return;  // one process's own, for a while
    if (listeners_.size() >= listeners_kept && !listeners_.contains(key)) return;
    const auto [entry, is_new] = listeners_.try_emplace(key);
    if (is_new && walked_) new_listeners_.insert(key);
    entry->second = {record.header.at_ns, owner_of(record.process)};
}

void Journal::end_walk(core::BootNs started) {
    const auto tell = [this](const Listener& listener, const Seen& seen, core::BootNs at, bool ended) {
        add(Event{.at = at,
                  .topic = Topic::listener,
                  .ended = ended,
                  .netns = listener.netns,
                  .port = listener.endpoint.port,
                  .block = model::Prefix::of(listener.endpoint.ip, listener.endpoint.ip.is_v4() ? 32 : 128),
                  .what = fmt::format("listener {} of {} {}", listener.endpoint.to_display(), seen.owner,
                                      ended ? "gone" : "appeared")});
    };
    for (const Listener& listener : std::exchange(new_listeners_, {}))
        tell(listener, listeners_[listener], started, false);
    std::erase_if(listeners_, [&](const auto& entry) {
        const bool gone = entry.second.at < started;
        // It went at some time between the two walks; it was there when the earlier one looked.
        if (gone) tell(entry.first, entry.second, entry.second.at, true);
        return gone;
    });
    walked_ = true;
}

Journal::Span Journal::between(core::BootNs from, core::BootNs to) const {
    const auto inside = [&](const std::deque<Event>& events) {
        std::vector<const Event*> found;
        for (const Event& event : events) {
            if (event.at >= from && event.at <= to) found.push_back(&event);
        }
        std::ranges::stable_sort(found, {}, &Event::at);
        return found;
    };
    return {inside(events_), inside(churn_)};
}

}  // namespace netwatch::diagnosis
