// SPDX-License-Identifier: Apache-2.0
// Questions to conntrack of the running kernel, in a network namespace of the test's own. Needs root: skipped
// without.
#include "context/conntrack.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>

#include "model/record.h"
#include "private_netns.h"

namespace netwatch::context {
namespace {

constexpr std::uint16_t service_port = 8080;
constexpr const char* here = "192.0.2.1";
constexpr const char* there = "192.0.2.9";
constexpr const char* backend = "192.0.2.17";

// A connection that the kernel tracks, whose answers come from `replier`.
bool track(std::uint16_t local_port, const char* replier) {
    const std::unique_ptr<nfct_handle, decltype(&nfct_close)> handle(nfct_open(CONNTRACK, 0), nfct_close);
    const std::unique_ptr<nf_conntrack, decltype(&nfct_destroy)> entry(nfct_new(), nfct_destroy);
    if (!handle || !entry) return false;
    nf_conntrack* ct = entry.get();
    nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
    nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_TCP);
    nfct_set_attr_u32(ct, ATTR_IPV4_SRC, ::inet_addr(here));
    nfct_set_attr_u32(ct, ATTR_IPV4_DST, ::inet_addr(there));
    nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons(local_port));
    nfct_set_attr_u16(ct, ATTR_PORT_DST, htons(service_port));
    nfct_set_attr_u8(ct, ATTR_REPL_L3PROTO, AF_INET);
    nfct_set_attr_u8(ct, ATTR_REPL_L4PROTO, IPPROTO_TCP);
    nfct_set_attr_u32(ct, ATTR_REPL_IPV4_SRC, ::inet_addr(replier));
    nfct_set_attr_u32(ct, ATTR_REPL_IPV4_DST, ::inet_addr(here));
    nfct_set_attr_u16(ct, ATTR_REPL_PORT_SRC, htons(service_port));
    nfct_set_attr_u16(ct, ATTR_REPL_PORT_DST, htons(local_port));
    nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
    nfct_set_attr_u32(ct, ATTR_TIMEOUT, 100);
    return nfct_query(handle.get(), NFCT_Q_CREATE, ct) == 0;
}

Conntrack::Question question(std::uint32_t netns, std::uint16_t local_port) {
    Conntrack::Question asked{.tuple = {}, .netns = netns, .pid = 0};
    const auto put = [](const char* text, std::uint8_t* ip) {
        std::ranges::copy(model::IpAddress::parse(text)->bytes(), ip);
    };
    put(here, asked.tuple.local_ip);
    put(there, asked.tuple.remote_ip);
    asked.tuple.local_port = local_port;
    asked.tuple.remote_port = service_port;
    asked.tuple.family = 4;
    asked.tuple.protocol = IPPROTO_TCP;
    return asked;
}

// In a thread of its own: the namespace goes with it.
void in_private_netns(const std::function<void(std::uint32_t)>& what) {
    bool entered = false;
    std::thread([&] {
        const std::uint32_t netns = testing::enter_private_netns();
        entered = netns != 0;
        if (entered) what(netns);
    }).join();
    if (!entered) GTEST_SKIP() << "a network namespace of one's own needs CAP_SYS_ADMIN";
}

// One question's answer is never taken for another's.
TEST(ConntrackTest, EachQuestionGetsItsOwnAnswer) {
    in_private_netns([](std::uint32_t netns) {
        ASSERT_TRUE(track(1001, backend));
        ASSERT_TRUE(track(1002, there));
        ASSERT_TRUE(track(1003, backend));
        ASSERT_TRUE(track(1004, there));
        Conntrack conntrack;
        const std::vector questions = {question(netns, 1001), question(netns, 1009), question(netns, 1002),
                                       question(netns, 1003), question(netns, 1004)};
        const auto found = conntrack.translated(questions);
        ASSERT_EQ(found.size(), 2U);
        EXPECT_EQ(found[0].tuple.local_port, 1001);
        EXPECT_EQ(found[1].tuple.local_port, 1003);
        for (const auto& one : found) {
            EXPECT_EQ(one.real.ip.to_string(), backend);
            EXPECT_EQ(one.real.port, service_port);
            EXPECT_EQ(one.netns, netns);
        }
    });
}

}  // namespace
}  // namespace netwatch::context
