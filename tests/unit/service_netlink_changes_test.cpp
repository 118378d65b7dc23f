// SPDX-License-Identifier: Apache-2.0
// What the kernel says over netlink, as it says it, and what becomes of it.
#include "service/netlink_changes.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>

#include "model/record.h"

namespace netwatch::service {
namespace {

constexpr std::uint32_t netns = 17;
constexpr unsigned works = IFF_UP | IFF_LOWER_UP | IFF_RUNNING;

// One message after the other, as one datagram brings them.
class Datagram {
public:
    nlmsghdr* begin(std::uint16_t type, std::uint16_t flags = 0) {
        auto* message = mnl_nlmsg_put_header(bytes_.data() + used_);
        message->nlmsg_type = type;
        message->nlmsg_flags = flags;
        return message;
    }
    void end(const nlmsghdr* message) { used_ += message->nlmsg_len; /* padded already */ }

    Datagram& link(std::uint32_t index, const char* name, unsigned flags, std::uint16_t type = RTM_NEWLINK,
                   std::uint16_t message_flags = 0, std::uint32_t mtu = 1'500) {
        auto* message = begin(type, message_flags);
        auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
        info->ifi_index = static_cast<int>(index);
        info->ifi_flags = flags;
        mnl_attr_put_strz(message, IFLA_IFNAME, name);
        mnl_attr_put_u32(message, IFLA_MTU, mtu);
        end(message);
        return *this;
    }
    Datagram& address(std::uint32_t index, const char* ip, std::uint16_t type = RTM_NEWADDR) {
        auto* message = begin(type);
        auto* info = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg)));
        info->ifa_family = AF_INET;
        info->ifa_prefixlen = 24;
        info->ifa_index = index;
        mnl_attr_put_u32(message, IFA_LOCAL, inet_addr(ip));
        end(message);
        return *this;
    }
    Datagram& route(const char* to, std::uint8_t bits, const char* gateway, std::uint16_t type = RTM_NEWROUTE,
                    std::uint8_t kind = RTN_UNICAST, std::uint16_t flags = 0) {
        auto* message = begin(type, flags);
        auto* info = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
        info->rtm_family = AF_INET;
        info->rtm_dst_len = bits;
        info->rtm_table = kind == RTN_LOCAL ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
        info->rtm_protocol = RTPROT_BOOT;
        info->rtm_type = kind;
        if (bits > 0) mnl_attr_put_u32(message, RTA_DST, inet_addr(to));
        if (gateway != nullptr) mnl_attr_put_u32(message, RTA_GATEWAY, inet_addr(gateway));
        mnl_attr_put_u32(message, RTA_OIF, 2);
        end(message);
        return *this;
    }
    Datagram& generation(std::uint32_t id, std::uint32_t pid, const char* comm) {
        auto* message = begin((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN);
        mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg));
        mnl_attr_put_u32(message, NFTA_GEN_ID, htonl(id));
        if (pid != 0) mnl_attr_put_u32(message, NFTA_GEN_PROC_PID, htonl(pid));
        if (comm != nullptr) mnl_attr_put_strz(message, NFTA_GEN_PROC_NAME, comm);
        end(message);
        return *this;
    }
    [[nodiscard]] std::span<const std::byte> bytes() const {
        return std::as_bytes(std::span(bytes_).first(used_));
    }

private:
    alignas(nlmsghdr) std::array<char, 8'192> bytes_{};
    std::size_t used_ = 0;
};

class NetlinkChangesTest : public ::testing::Test {
protected:
    std::vector<netwatch_change> take(const Datagram& datagram) {
        std::vector<netwatch_change> changes;
        decoder_.take(datagram.bytes(), 5, changes);
        return changes;
    }
    NetlinkChanges decoder_{netns};
};

TEST_F(NetlinkChangesTest, ALinkIsToldWhenItsStateChanges) {
    take(Datagram().link(2, "eth0", works, RTM_NEWLINK, NLM_F_MULTI));
    EXPECT_TRUE(take(Datagram().link(2, "eth0", works)).empty()) << "no news";
    auto changes = take(Datagram().link(2, "eth0", IFF_UP));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].header.netns, netns);
    EXPECT_EQ(changes[0].subject, NETWATCH_CHANGE_LINK);
    EXPECT_EQ(changes[0].action, NETWATCH_CHANGE_CHANGED);
    EXPECT_EQ(changes[0].link_state, NETWATCH_LINK_UP);
    EXPECT_EQ(changes[0].old_link_state, NETWATCH_LINK_UP | NETWATCH_LINK_CARRIER);
    EXPECT_STREQ(changes[0].interface, "eth0");
    changes = take(Datagram().link(2, "eth0", IFF_UP, RTM_NEWLINK, 0, 1'400));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].mtu_bytes, 1'400U);
    EXPECT_EQ(changes[0].old_mtu_bytes, 1'500U);
    changes = take(Datagram().link(2, "eth0", 0, RTM_DELLINK));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].action, NETWATCH_CHANGE_REMOVED);
}

TEST_F(NetlinkChangesTest, WhatADumpTellsIsFound) {
    const auto changes =
        take(Datagram()
                 .link(2, "eth0", works, RTM_NEWLINK, NLM_F_MULTI)
                 .route("10.2.0.0", 16, "192.0.2.1", RTM_NEWROUTE, RTN_UNICAST, NLM_F_MULTI));
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_EQ(changes[0].action, NETWATCH_CHANGE_FOUND);
    EXPECT_EQ(changes[1].action, NETWATCH_CHANGE_FOUND);
    EXPECT_STREQ(changes[1].interface, "eth0");
}

TEST_F(NetlinkChangesTest, AnAddressIsToldOnceHoweverOftenItIsRefreshed) {
    EXPECT_EQ(take(Datagram().address(2, "192.0.2.10")).size(), 1U);
    EXPECT_TRUE(take(Datagram().address(2, "192.0.2.10")).empty());
    const auto changes = take(Datagram().address(2, "192.0.2.10", RTM_DELADDR));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].action, NETWATCH_CHANGE_REMOVED);
    EXPECT_EQ(changes[0].prefix_bits, 24);
    EXPECT_EQ(model::IpAddress(changes[0].ip).to_string(), "192.0.2.10");
}

TEST_F(NetlinkChangesTest, RoutesThatSomebodySetsUpAreTold) {
    auto changes = take(Datagram().route("10.2.0.0", 16, "192.0.2.1"));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].action, NETWATCH_CHANGE_ADDED);
    EXPECT_EQ(model::IpAddress(changes[0].ip).to_string(), "10.2.0.0");
    EXPECT_EQ(model::IpAddress(changes[0].gateway).to_string(), "192.0.2.1");
    EXPECT_EQ(changes[0].table, static_cast<unsigned>(RT_TABLE_MAIN));
    changes = take(Datagram().route("10.2.0.0", 16, nullptr, RTM_NEWROUTE, RTN_BLACKHOLE, NLM_F_REPLACE));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].action, NETWATCH_CHANGE_CHANGED);
    EXPECT_EQ(changes[0].route_type, RTN_BLACKHOLE);
    EXPECT_TRUE(take(Datagram().route("192.0.2.255", 32, nullptr, RTM_NEWROUTE, RTN_LOCAL)).empty());
}

TEST_F(NetlinkChangesTest, ADefaultRouteLeadsToAllOfItsFamily) {
    const auto changes = take(Datagram().route(nullptr, 0, "192.0.2.1"));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_TRUE(model::IpAddress(changes[0].ip).is_v4());
    EXPECT_EQ(changes[0].prefix_bits, 0);
}

TEST_F(NetlinkChangesTest, ARulesetNamesWhoLoadedIt) {
    auto changes = take(Datagram().generation(41, 812, "firewalld"));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].generation, 41U);
    EXPECT_EQ(changes[0].pid, 812U);
    EXPECT_STREQ(changes[0].comm, "firewalld");
    changes = take(Datagram().generation(42, 0, nullptr));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].pid, 0U);
    EXPECT_STREQ(changes[0].comm, "");
}

TEST_F(NetlinkChangesTest, WhatIsCutOffIsLeftOut) {
    const Datagram whole = Datagram().link(2, "eth0", works).route("10.2.0.0", 16, "192.0.2.1");
    for (std::size_t bytes = 0; bytes < whole.bytes().size(); ++bytes) {
        // A buffer of that size alone: reading on would be seen by the sanitizer.
        const std::vector<std::byte> part(whole.bytes().begin(),
                                          whole.bytes().begin() + static_cast<long>(bytes));
        std::vector<netwatch_change> changes;
        NetlinkChanges(netns).take(part, 5, changes);
        EXPECT_LT(changes.size(), 2U);
    }
}

TEST_F(NetlinkChangesTest, NamesOfAnyLengthAreCut) {
    const auto changes = take(Datagram().generation(41, 812, "a-process-with-a-name-that-is-too-long"));
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(model::text_of(changes[0].comm).size(), sizeof(changes[0].comm) - 1);
}

}  // namespace
}  // namespace netwatch::service
