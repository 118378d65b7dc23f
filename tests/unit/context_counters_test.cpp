// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "context/counters.h"
#include "context/links.h"
#include "support/temporary_directory.h"

namespace netwatch::context {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;

constexpr std::uint32_t blue = 4711;

std::optional<std::uint64_t> value_of(const CounterReadings& readings, std::uint32_t counter,
                                      std::uint32_t netns) {
    for (const auto& one : readings.values) {
        if (one.counter == counter && one.netns == netns) return one.value;
    }
    return std::nullopt;
}

TEST(CounterFiles, OfANamespace) {
    const support::TemporaryDirectory proc;
    proc.write("thread-self/net/netstat",
               "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPTimeouts TCPSynRetrans\n"
               "TcpExt: 1 17 23 42 7\n"
               "IpExt: InNoRoutes ListenDrops\nIpExt: 5 99\n");
    proc.write("thread-self/net/snmp", "Ip: Forwarding DefaultTTL InDiscards OutDiscards\nIp: 1 64 3 4\n"
                                       "Tcp: RtoAlgorithm RtoMin MaxConn InErrs\nTcp: 1 200 -1 6\n");
    proc.write("thread-self/net/snmp6", "Ip6InReceives                   \t812\nIp6InDiscards  \t9\n");
    proc.write("thread-self/net/sockstat",
               "sockets: used 239\nTCP: inuse 5 orphan 2 tw 911 alloc 12 mem 77\nUDP: inuse 3 mem 4\n");
    proc.write(
        "thread-self/net/stat/nf_conntrack",
        "entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop\n"
        "00000012 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 0000000a "
        "00000002\n"
        "00000012 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000002 000000ff "
        "00000000\n");
    proc.write("sys/net/netfilter/nf_conntrack_count", "18\n");
    proc.write("sys/net/netfilter/nf_conntrack_max", "262144\n");
    proc.write("sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    CounterReadings readings;
    read_namespace_files(proc.path(), blue, readings);
    EXPECT_THAT(readings.missing, IsEmpty());
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_LISTEN_OVERFLOWS, blue), 17U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_LISTEN_DROPS, blue), 23U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_SYNS_AGAIN, blue), 7U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_SEGMENTS_DAMAGED, blue), 6U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_IP_OUT_DISCARDS, blue), 4U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_IP6_IN_DISCARDS, blue), 9U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_TIME_WAITS, blue), 911U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_TCP_PAGES, 0), 77U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_ORPHANS, 0), 2U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_CONNTRACK_INSERT_FAILED, blue), 3U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_CONNTRACK_DROP, blue), 265U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_CONNTRACK_EARLY_DROP, blue), 2U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_CONNTRACK_ENTRIES, blue), 18U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_CONNTRACK_LIMIT, blue), 262'144U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_LOCAL_PORTS, blue), 28'232U);
}

TEST(CounterFiles, OfTheHost) {
    const support::TemporaryDirectory proc;
    proc.write("thread-self/net/softnet_stat",
               "0000131d 00000003 00000002 00000000\n00001ed3 0000000f 00000001 00000000\n");
    proc.write("sys/net/ipv4/tcp_mem", "287898\t383867\t575796\n");
    proc.write("sys/net/ipv4/tcp_max_orphans", "131072\n");
    proc.write("pressure/cpu", "some avg10=90.23 avg60=34.24 avg300=9.04 total=33438743\n"
                               "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    proc.write("pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=12\n"
                                  "full avg10=0.00 avg60=0.00 avg300=0.00 total=11\n");
    proc.write("stat", "cpu  45036 2969 7981 27859 401 0 39 67 0 0\ncpu0 1 2 3 4 5 6 7 33 0 0\n"
                       "cpu1 1 2 3 4 5 6 7 34 0 0\nintr 17 0\n");
    CounterReadings readings;
    read_host_files(proc.path(), readings);
    EXPECT_THAT(readings.missing, IsEmpty());
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_SOFTNET_DROPPED, 0), 18U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_SOFTNET_SQUEEZED, 0), 3U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_TCP_PRESSURE_PAGES, 0), 383'867U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_TCP_LIMIT_PAGES, 0), 575'796U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_ORPHAN_LIMIT, 0), 131'072U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_CPU_WAITED_US, 0), 33'438'743U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_MEMORY_STALLED_US, 0), 11U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_STEAL_TICKS, 0), 67U);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_CPUS, 0), 2U);
}

TEST(CounterFiles, ThatAreNotThereAreNamed) {
    const support::TemporaryDirectory proc;
    proc.write("thread-self/net/sockstat", "TCP: inuse 5 orphan 2 tw 911 alloc 12 mem 77\n");
    CounterReadings readings;
    read_namespace_files(proc.path(), blue, readings);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_TIME_WAITS, blue), 911U);
    EXPECT_THAT(readings.missing, Contains(Key(NETWATCH_SOURCE_CONNTRACK)));
    EXPECT_THAT(readings.missing, Not(Contains(Key(NETWATCH_SOURCE_SOCKSTAT))));
    EXPECT_THAT(readings.missing.at(NETWATCH_SOURCE_NETSTAT), HasSubstr("No such file"));
}

TEST(CounterFiles, OfNonsenseGiveNothing) {
    const support::TemporaryDirectory proc;
    for (const auto* name : {"netstat", "snmp", "snmp6", "sockstat", "softnet_stat", "stat/nf_conntrack"})
        proc.write(std::string("thread-self/net/") + name,
                   "TcpExt:\nTCP: tw\n\n: :\nTcpExt: ListenDrops\nTcpExt: x\n");
    for (const auto* name : {"nf_conntrack_count", "nf_conntrack_max"})
        proc.write(std::string("sys/net/netfilter/") + name, "\n");
    proc.write("sys/net/ipv4/ip_local_port_range", "60999 32768\n");
    CounterReadings readings;
    read_namespace_files(proc.path(), blue, readings);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_LISTEN_DROPS, blue), std::nullopt);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_TIME_WAITS, blue), std::nullopt);
    EXPECT_EQ(value_of(readings, NETWATCH_COUNTER_LOCAL_PORTS, blue), std::nullopt);
}

TEST(Allowances, AreFoundByName) {
    const std::vector<std::string> names{"tx_timeout", "bw_out_allowance_exceeded", "queue_0_tx_cnt",
                                         "conntrack_allowance_exceeded"};
    const std::vector<std::uint64_t> values{1, 17, 9'000, 3};
    const auto found = allowances(names, values);
    EXPECT_EQ(found.size(), 2U);
    EXPECT_EQ(found.at(NETWATCH_COUNTER_BANDWIDTH_OUT_EXCEEDED), 17U);
    EXPECT_EQ(found.at(NETWATCH_COUNTER_CONNECTIONS_EXCEEDED), 3U);
    EXPECT_THAT(allowances(std::vector<std::string>{"rx_bytes"}, values), IsEmpty());
}

TEST(Links, OfThisHostAreListed) {
    const auto links = list_links();
    ASSERT_TRUE(links) << links.error().message;
    ASSERT_FALSE(links->empty());
    EXPECT_THAT(*links, Contains(testing::Field(&Link::loopback, true)));
    EXPECT_TRUE(list_root_qdiscs());
}

}  // namespace
}  // namespace netwatch::context
