// SPDX-License-Identifier: Apache-2.0
#include "service/netlink_changes.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "model/record.h"

namespace netwatch::service {
namespace {

constexpr std::size_t links_kept = 4'096;
constexpr std::size_t addresses_kept = 4'096;
constexpr std::size_t mapped_head_bytes = 12;

// The attributes of one message by type; null where one is missing, too short or unknown.
class Attributes {
public:
    Attributes(const nlmsghdr* message, std::size_t header_bytes) {
        mnl_attr_parse(message, static_cast<unsigned>(header_bytes), keep, this);
    }
    explicit Attributes(std::span<const std::byte> attributes) {
        mnl_attr_parse_payload(attributes.data(), attributes.size(), keep, this);
    }
    [[nodiscard]] const nlattr* find(std::uint16_t type) const {
        return type < found_.size() ? found_[type] : nullptr;
    }
    [[nodiscard]] std::uint32_t u32(std::uint16_t type, std::uint32_t otherwise = 0) const {
        const nlattr* attribute = find(type);
        return attribute != nullptr && mnl_attr_get_payload_len(attribute) >= sizeof(std::uint32_t)
                   ? mnl_attr_get_u32(attribute)
                   : otherwise;
    }
    template <std::size_t N>
    void copy_text(char (&to)[N], std::uint16_t type) const {
        const nlattr* attribute = find(type);
        if (attribute == nullptr) return;
        const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
        model::set_text(to, {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))});
    }
    // An address of either family, IPv4 as a mapped one.
    void copy_ip(__u8 (&to)[16], std::uint16_t type) const {
        const nlattr* attribute = find(type);
        if (attribute == nullptr) return;
        const std::size_t bytes = mnl_attr_get_payload_len(attribute);
        if (bytes == 4) {
            map_ipv4(to);
            std::memcpy(to + mapped_head_bytes, mnl_attr_get_payload(attribute), bytes);
        } else if (bytes == sizeof(to)) {
            std::memcpy(to, mnl_attr_get_payload(attribute), bytes);
        }
    }
    static void map_ipv4(__u8 (&to)[16]) { to[10] = to[11] = 0xff; }

private:
    static int keep(const nlattr* attribute, void* self) {
        auto& found = static_cast<Attributes*>(self)->found_;
        const std::uint16_t type = mnl_attr_get_type(attribute);
        if (type < found.size()) found[type] = attribute;
        return MNL_CB_OK;
    }
    std::array<const nlattr*, 72> found_{};  // IFLA_ has the most that are asked for
};

bool is_long_enough(const nlmsghdr* message, std::size_t header_bytes) {
    return mnl_nlmsg_get_payload_len(message) >= header_bytes;
}

template <typename Header>
const Header* header_of(const nlmsghdr* message) {
    return is_long_enough(message, sizeof(Header))
               ? static_cast<const Header*>(mnl_nlmsg_get_payload(message))
               : nullptr;
}

// Only answers to a dump come in parts.
bool is_found(const nlmsghdr* message) { return (message->nlmsg_flags & NLM_F_MULTI) != 0; }

netwatch_change_action action_of(const nlmsghdr* message, bool removed, bool known) {
    if (is_found(message)) return NETWATCH_CHANGE_FOUND;
    if (removed) return NETWATCH_CHANGE_REMOVED;
    return known ? NETWATCH_CHANGE_CHANGED : NETWATCH_CHANGE_ADDED;
}

// Kinds of routes that somebody sets up; the others are the kernel's own for its addresses.
bool is_set_up(const rtmsg& route) {
    switch (route.rtm_type) {
        case RTN_UNICAST:
        case RTN_BLACKHOLE:
        case RTN_UNREACHABLE:
        case RTN_PROHIBIT:
        case RTN_THROW: return (route.rtm_flags & RTM_F_CLONED) == 0 && route.rtm_table != RT_TABLE_LOCAL;
        default: return false;
    }
}

bool is_link_local(const model::IpAddress& ip) {
    return !ip.is_v4() && ip.bytes()[0] == 0xfe && (ip.bytes()[1] & 0xc0) == 0x80;
}

// The gateway and interface of the first hop; a multipath route is told by that.
void copy_next_hop(netwatch_change& change, const Attributes& attributes) {
    attributes.copy_ip(change.gateway, RTA_GATEWAY);
    change.ifindex = attributes.u32(RTA_OIF);
    const nlattr* several = attributes.find(RTA_MULTIPATH);
    if (several == nullptr) return;
    const auto hops = std::as_bytes(std::span(static_cast<const char*>(mnl_attr_get_payload(several)),
                                              mnl_attr_get_payload_len(several)));
    rtnexthop hop{};
    if (hops.size() < sizeof(hop)) return;
    std::memcpy(&hop, hops.data(), sizeof(hop));
    if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > hops.size()) return;
    change.ifindex = static_cast<std::uint32_t>(hop.rtnh_ifindex);
    Attributes(hops.subspan(sizeof(hop), hop.rtnh_len - sizeof(hop))).copy_ip(change.gateway, RTA_GATEWAY);
}

}  // namespace

bool NetlinkChanges::take(std::span<const std::byte> datagram, core::BootNs at,
                          std::vector<netwatch_change>& changes) {
    bool complete = false;
    const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
    int left = static_cast<int>(datagram.size());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        constexpr std::uint16_t new_generation = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN;
        switch (message->nlmsg_type) {
            case RTM_NEWLINK:
            case RTM_DELLINK: take_link(message, at, changes); break;
            case RTM_NEWADDR:
            case RTM_DELADDR: take_address(message, at, changes); break;
            case RTM_NEWROUTE:
            case RTM_DELROUTE: take_route(message, at, changes); break;
            case RTM_NEWRULE:
            case RTM_DELRULE: take_rule(message, at, changes); break;
            case new_generation: take_generation(message, at, changes); break;
            case NLMSG_DONE: complete = true; break;
            default: break;
        }
    }
    return complete;
}

netwatch_change NetlinkChanges::make(netwatch_change_subject subject, netwatch_change_action action,
                                     core::BootNs at) const {
    auto change = model::make_record<netwatch_change>(at, netns_);
    change.subject = static_cast<__u8>(subject);
    change.action = static_cast<__u8>(action);
    return change;
}

void NetlinkChanges::name_interface(netwatch_change& change) const {
    const auto link = links_.find(change.ifindex);
    if (link != links_.end()) model::set_text(change.interface, link->second.name);
}

void NetlinkChanges::take_link(const nlmsghdr* header, core::BootNs at,
                               std::vector<netwatch_change>& changes) {
    const auto* info = header_of<ifinfomsg>(header);
    // A bridge tells of its ports in messages of its own family.
    if (info == nullptr || info->ifi_family != AF_UNSPEC) return;
    const Attributes attributes(header, sizeof(*info));
    const auto index = static_cast<std::uint32_t>(info->ifi_index);
    const auto before = links_.find(index);
    const bool known = before != links_.end();
    auto change = make(NETWATCH_CHANGE_LINK, action_of(header, header->nlmsg_type == RTM_DELLINK, known), at);
    change.ifindex = index;
    change.mtu_bytes = attributes.u32(IFLA_MTU);
    attributes.copy_text(change.interface, IFLA_IFNAME);
    const bool up = (info->ifi_flags & IFF_UP) != 0;
    // A link that is down has no carrier to speak of.
    const bool carrier = up && (info->ifi_flags & IFF_LOWER_UP) != 0 && (info->ifi_flags & IFF_RUNNING) != 0;
    change.link_state =
        static_cast<__u8>((up ? NETWATCH_LINK_UP : 0) | (carrier ? NETWATCH_LINK_CARRIER : 0));
    if (known) {
        change.old_link_state = before->second.state;
        change.old_mtu_bytes = before->second.mtu_bytes;
    }
    const Link now{model::text_of(change.interface), change.link_state, change.mtu_bytes};
    const bool same = known && before->second.name == now.name && before->second.state == now.state &&
                      before->second.mtu_bytes == now.mtu_bytes;
    if (change.action == NETWATCH_CHANGE_REMOVED) {
        links_.erase(index);
    } else {
        if (same && !is_found(header)) return;
        if (!known && links_.size() >= links_kept) links_.clear();
        links_[index] = now;
    }
    changes.push_back(change);
}

void NetlinkChanges::take_address(const nlmsghdr* header, core::BootNs at,
                                  std::vector<netwatch_change>& changes) {
    const auto* info = header_of<ifaddrmsg>(header);
    if (info == nullptr) return;
    const Attributes attributes(header, sizeof(*info));
    const bool removed = header->nlmsg_type == RTM_DELADDR;
    auto change = make(NETWATCH_CHANGE_ADDRESS, action_of(header, removed, false), at);
    // On a point-to-point link ADDRESS is the other end.
    attributes.copy_ip(change.ip, attributes.find(IFA_LOCAL) != nullptr ? IFA_LOCAL : IFA_ADDRESS);
    const model::IpAddress ip(change.ip);
    if (ip.is_unspecified() || is_link_local(ip)) return;
    change.ifindex = info->ifa_index;
    change.family = info->ifa_family == AF_INET ? 4 : 6;
    change.prefix_bits = info->ifa_prefixlen;
    name_interface(change);
    const std::pair key{std::uint32_t{change.ifindex}, ip};
    if (removed) {
        addresses_.erase(key);
    } else {
        if (addresses_.size() >= addresses_kept) addresses_.clear();
        if (!addresses_.insert(key).second && !is_found(header)) return;  // only its lifetime is new
    }
    changes.push_back(change);
}

void NetlinkChanges::take_route(const nlmsghdr* header, core::BootNs at,
                                std::vector<netwatch_change>& changes) {
    const auto* info = header_of<rtmsg>(header);
    const bool ip = info != nullptr && (info->rtm_family == AF_INET || info->rtm_family == AF_INET6);
    if (!ip || !is_set_up(*info)) return;
    const Attributes attributes(header, sizeof(*info));
    const bool replaced = (header->nlmsg_flags & NLM_F_REPLACE) != 0;
    auto change =
        make(NETWATCH_CHANGE_ROUTE, action_of(header, header->nlmsg_type == RTM_DELROUTE, replaced), at);
    change.family = info->rtm_family == AF_INET ? 4 : 6;
    if (change.family == 4) Attributes::map_ipv4(change.ip);  // a default route names no destination
    attributes.copy_ip(change.ip, RTA_DST);
    const model::IpAddress destination(change.ip);
    if (is_link_local(destination)) return;
    change.prefix_bits = info->rtm_dst_len;
    change.table = attributes.u32(RTA_TABLE, info->rtm_table);
    change.priority = attributes.u32(RTA_PRIORITY);
    change.route_type = info->rtm_type;
    change.protocol = info->rtm_protocol;
    copy_next_hop(change, attributes);
    name_interface(change);
    changes.push_back(change);
}

void NetlinkChanges::take_rule(const nlmsghdr* header, core::BootNs at,
                               std::vector<netwatch_change>& changes) {
    const auto* info = header_of<fib_rule_hdr>(header);
    if (info == nullptr || is_found(header) || (info->family != AF_INET && info->family != AF_INET6)) return;
    const Attributes attributes(header, sizeof(*info));
    auto change = make(NETWATCH_CHANGE_RULE, action_of(header, header->nlmsg_type == RTM_DELRULE, false), at);
    change.family = info->family == AF_INET ? 4 : 6;
    if (change.family == 4) Attributes::map_ipv4(change.ip);
    attributes.copy_ip(change.ip, FRA_SRC);
    change.prefix_bits = info->src_len;
    change.table = attributes.u32(FRA_TABLE, info->table);
    change.priority = attributes.u32(FRA_PRIORITY);
    changes.push_back(change);
}

void NetlinkChanges::take_generation(const nlmsghdr* header, core::BootNs at,
                                     std::vector<netwatch_change>& changes) {
    if (!is_long_enough(header, sizeof(nfgenmsg))) return;
    const Attributes attributes(header, sizeof(nfgenmsg));
    auto change = make(NETWATCH_CHANGE_RULESET, NETWATCH_CHANGE_CHANGED, at);
    change.generation = ntohl(attributes.u32(NFTA_GEN_ID));
    change.pid = ntohl(attributes.u32(NFTA_GEN_PROC_PID));
    attributes.copy_text(change.comm, NFTA_GEN_PROC_NAME);
    changes.push_back(change);
}

}  // namespace netwatch::service
