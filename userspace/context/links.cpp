// SPDX-License-Identifier: Apache-2.0
#include "context/links.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/gen_stats.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>

#include "core/fd.h"

namespace netwatch::context {
namespace {

constexpr std::size_t answer_bytes = 32'768;  // what the kernel puts into one part of a dump, at most
constexpr std::uint32_t most_names = 8'192;

struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};

core::Error refused(std::string_view what) {
    return {fmt::format("{}: {}", what, std::strerror(errno)), {}, core::ExitCode::failure};
}

// The payload of an attribute as a T; what a kernel does not know of it yet is 0.
template <typename T>
T payload(const nlattr* attribute) {
    T value{};
    std::memcpy(&value, mnl_attr_get_payload(attribute),
                std::min<std::size_t>(sizeof(T), mnl_attr_get_payload_len(attribute)));
    return value;
}

// Asks for a dump of that type, with a header of type H and nothing else, and takes each message.
template <typename H>
core::Result<void> dump(std::uint16_t type, mnl_cb_t take, void* into) {
    const std::unique_ptr<mnl_socket, Close> socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) != 0)
        return std::unexpected(refused("rtnetlink"));
    std::array<char, 256> question{};
    nlmsghdr* header = mnl_nlmsg_put_header(question.data());
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = 1;
    mnl_nlmsg_put_extra_header(header, sizeof(H));
    if (mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0)
        return std::unexpected(refused("rtnetlink"));
    std::vector<char> answer(answer_bytes);
    for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
        const ssize_t got = mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
        if (got < 0) return std::unexpected(refused("rtnetlink"));
        more = mnl_cb_run(answer.data(), static_cast<std::size_t>(got), 1,
                          mnl_socket_get_portid(socket.get()), take, into);
        // A change in the middle ends the dump (EINTR); the next look is a second away.
        if (more < 0 && errno != EINTR) return std::unexpected(refused("rtnetlink"));
    }
    return {};
}

// Attributes by type, those that are wanted.
template <std::size_t N>
using Attributes = std::array<const nlattr*, N>;

template <std::size_t N>
int keep(const nlattr* attribute, void* attributes) {
    const std::uint16_t type = mnl_attr_get_type(attribute);
    if (type < N) (*static_cast<Attributes<N>*>(attributes))[type] = attribute;
    return MNL_CB_OK;
}

int take_link(const nlmsghdr* message, void* into) {
    const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    Link link;
    link.ifindex = static_cast<std::uint32_t>(info->ifi_index);
    link.loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
    constexpr std::size_t wanted = IFLA_STATS64 + 1;
    Attributes<wanted> found{};
    if (mnl_attr_parse(message, sizeof(ifinfomsg), keep<wanted>, &found) < 0) return MNL_CB_OK;
    if (const nlattr* name = found[IFLA_IFNAME];
        name != nullptr && mnl_attr_validate(name, MNL_TYPE_NUL_STRING) >= 0)
        link.name = mnl_attr_get_str(name);
    if (found[IFLA_STATS64] != nullptr) {
        const auto stats = payload<rtnl_link_stats64>(found[IFLA_STATS64]);
        link.rx_errors = stats.rx_errors;
        link.rx_missed = stats.rx_missed_errors + stats.rx_fifo_errors;
        link.tx_errors = stats.tx_errors;
        link.tx_dropped = stats.tx_dropped;
    }
    static_cast<std::vector<Link>*>(into)->push_back(std::move(link));
    return MNL_CB_OK;
}

int take_qdisc(const nlmsghdr* message, void* into) {
    const auto* info = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
    if (info->tcm_parent != TC_H_ROOT) return MNL_CB_OK;
    Qdisc qdisc;
    qdisc.ifindex = static_cast<std::uint32_t>(info->tcm_ifindex);
    constexpr std::size_t wanted = TCA_STATS2 + 1;
    Attributes<wanted> found{};
    if (mnl_attr_parse(message, sizeof(tcmsg), keep<wanted>, &found) < 0 || found[TCA_STATS2] == nullptr)
        return MNL_CB_OK;
    constexpr std::size_t wanted_inside = TCA_STATS_QUEUE + 1;
    Attributes<wanted_inside> inside{};
    if (mnl_attr_parse_nested(found[TCA_STATS2], keep<wanted_inside>, &inside) < 0) return MNL_CB_OK;
    if (const nlattr* basic = inside[TCA_STATS_BASIC])
        qdisc.packets = payload<gnet_stats_basic>(basic).packets;
    if (const nlattr* queue = inside[TCA_STATS_QUEUE]) qdisc.drops = payload<gnet_stats_queue>(queue).drops;
    static_cast<std::vector<Qdisc>*>(into)->push_back(qdisc);
    return MNL_CB_OK;
}

// One SIOCETHTOOL command; `command` begins with its number.
bool ask_ethtool(const std::string& interface, void* command) {
    const core::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::memcpy(request.ifr_name, interface.data(), std::min(interface.size(), sizeof(request.ifr_name) - 1));
    request.ifr_data = static_cast<char*>(command);
    return socket && ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

}  // namespace

core::Result<std::vector<Link>> list_links() {
    std::vector<Link> links;
    if (auto done = dump<ifinfomsg>(RTM_GETLINK, take_link, &links); !done)
        return std::unexpected(done.error());
    return links;
}

core::Result<std::vector<Qdisc>> list_root_qdiscs() {
    std::vector<Qdisc> qdiscs;
    if (auto done = dump<tcmsg>(RTM_GETQDISC, take_qdisc, &qdiscs); !done)
        return std::unexpected(done.error());
    return qdiscs;
}

std::vector<std::string> ethtool_names(const std::string& interface) {
    // ethtool_sset_info and ethtool_gstrings end in arrays that the kernel fills.
    alignas(ethtool_sset_info) std::array<char, sizeof(ethtool_sset_info) + sizeof(std::uint32_t)> sizes{};
    auto* info = reinterpret_cast<ethtool_sset_info*>(sizes.data());
    info->cmd = ETHTOOL_GSSET_INFO;
    info->sset_mask = 1ULL << ETH_SS_STATS;
    if (!ask_ethtool(interface, info) || info->sset_mask == 0) return {};
    const std::uint32_t count = std::min(info->data[0], most_names);
    std::vector<char> bytes(sizeof(ethtool_gstrings) + std::size_t{count} * ETH_GSTRING_LEN);
    auto* strings = reinterpret_cast<ethtool_gstrings*>(bytes.data());
    strings->cmd = ETHTOOL_GSTRINGS;
    strings->string_set = ETH_SS_STATS;
    strings->len = count;
    if (count == 0 || !ask_ethtool(interface, strings)) return {};
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < std::min(count, strings->len); ++i) {
        const char* name = bytes.data() + sizeof(ethtool_gstrings) + std::size_t{i} * ETH_GSTRING_LEN;
        names.emplace_back(name, ::strnlen(name, ETH_GSTRING_LEN));
    }
    return names;
}

std::vector<std::uint64_t> ethtool_values(const std::string& interface, std::size_t count) {
    std::vector<std::uint64_t> words(sizeof(ethtool_stats) / sizeof(std::uint64_t) + count);
    auto* stats = reinterpret_cast<ethtool_stats*>(words.data());
    stats->cmd = ETHTOOL_GSTATS;
    stats->n_stats = static_cast<std::uint32_t>(count);
    if (!ask_ethtool(interface, stats)) return {};
    words.erase(words.begin(), words.begin() + sizeof(ethtool_stats) / sizeof(std::uint64_t));
    return words;
}

}  // namespace netwatch::context
