// SPDX-License-Identifier: Apache-2.0
// What the sensor says about connections that the test makes itself.
#include "sensor/sensor.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>

#include "core/time.h"
#include "kernel/sensor_fixture.h"
#include "model/record.h"
#include "sensor/plan.h"

namespace netwatch::sensor {
namespace {

using namespace netwatch::testing;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SensorTest, TellsBothEndsOfAConnectionFromBeginningToEnd) {
    open();
    const auto address = ipv4("127.0.0.1", 7001);
    const auto listener = listen_on(address);
    auto client = connect_to(address);
    ASSERT_EQ(client.error, 0);
    core::Fd server(::accept(listener.get(), nullptr, nullptr));
    ASSERT_EQ(::write(client.socket.get(), "hello", 5), 5);
    char text[8];
    ASSERT_EQ(::read(server.get(), text, sizeof text), 5);
    client.socket.reset();
    server.reset();
    drain();

    const auto connects = all<netwatch_connect>();
    ASSERT_THAT(connects, SizeIs(1));
    const auto& connect = connects[0];
    EXPECT_EQ(connect.outcome, NETWATCH_OUTCOME_ESTABLISHED);
    EXPECT_EQ(connect.header.netns, netns_);
    EXPECT_EQ(model::remote_endpoint(connect.tuple).to_string(), "127.0.0.1:7001/tcp");
    EXPECT_NE(connect.tuple.local_port, 0);
    EXPECT_EQ(connect.tuple.family, 4);
    if (sensor_->facts().user_registers) {
        EXPECT_EQ(connect.asked_port, 7001);
        EXPECT_TRUE(std::ranges::equal(connect.asked_ip, connect.tuple.remote_ip));
    }
    EXPECT_LT(connect.rtt_us, 1'000'000U);
    EXPECT_LE(connect.start_ns, connect.header.at_ns);
    expect_own_process(connect.process);

    const auto accepts = all<netwatch_accept>();
    ASSERT_THAT(accepts, SizeIs(1));
    EXPECT_EQ(accepts[0].tuple.local_port, 7001);
    EXPECT_EQ(accepts[0].tuple.remote_port, connect.tuple.local_port);
    if (sensor_->facts().storage_in_tracing) expect_own_process(accepts[0].process);

    const auto closes = all<netwatch_close>();
    ASSERT_THAT(closes, SizeIs(2));
    for (const auto& close : closes) {
        const bool of_client = close.sock == connect.sock;
        EXPECT_EQ(close.passive, of_client ? 0 : 1);
        EXPECT_EQ(close.peer_closed_first, of_client ? 0 : 1);
        EXPECT_EQ(close.counters.bytes_received, of_client ? 1U : 6U);  // a FIN counts as one
        EXPECT_EQ(close.error, 0);
        EXPECT_EQ(close.sock, of_client ? connect.sock : accepts[0].sock);
    }
    expect_balanced_books();
}

TEST_F(SensorTest, TellsARefusalOnIpv4AndIpv6) {
    open();
    EXPECT_EQ(connect_to(ipv4("127.0.0.1", 7002)).error, ECONNREFUSED);
    EXPECT_EQ(connect_to(ipv6("::1", 7002)).error, ECONNREFUSED);
    EXPECT_EQ(connect_to(ipv6("::ffff:127.0.0.1", 7002)).error, ECONNREFUSED);
    drain();

    const auto connects = all<netwatch_connect>();
    const auto calls = all<netwatch_call_failed>();
    const auto resets = all<netwatch_reset_received>();
    ASSERT_THAT(connects, SizeIs(3));
    ASSERT_THAT(calls, SizeIs(3));
    ASSERT_THAT(resets, SizeIs(3));
    const int families[] = {4, 6, 4};
    for (std::size_t i = 0; i < connects.size(); ++i) {
        EXPECT_EQ(connects[i].outcome, NETWATCH_OUTCOME_FAILED);
        EXPECT_EQ(connects[i].error, ECONNREFUSED);
        EXPECT_EQ(connects[i].reset, 1);
        EXPECT_EQ(connects[i].tuple.family, families[i]);
        EXPECT_EQ(connects[i].rtt_us, NETWATCH_ABSENT_U32);
        EXPECT_EQ(calls[i].sock, connects[i].sock);
        EXPECT_EQ(calls[i].error, ECONNREFUSED);
        EXPECT_EQ(calls[i].tuple.family, families[i]);
        EXPECT_EQ(calls[i].tuple.remote_port, 7002);
        EXPECT_EQ(resets[i].sock, connects[i].sock);
    }
    expect_balanced_books();
}

// What the peer sends carries this TTL (hop limit), which is nobody's default.
constexpr int peers_hop_limit = 44;

void set_hop_limit(const core::Fd& socket, int family) {
    const int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    const int option = family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS;
    ASSERT_EQ(::setsockopt(socket.get(), level, option, &peers_hop_limit, sizeof peers_hop_limit), 0);
}

// The server accepts, and resets the connection.
template <typename Address>
void connect_and_be_reset(const Address& address) {
    const auto listener = listen_on(address);
    ASSERT_NO_FATAL_FAILURE(set_hop_limit(listener, generic(address)->sa_family));
    const auto client = connect_to(address);
    ASSERT_EQ(client.error, 0);
    core::Fd server(::accept(listener.get(), nullptr, nullptr));
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ASSERT_EQ(::setsockopt(server.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    server.reset();
}

void expect_headers(const std::vector<netwatch_connect>& connects,
                    const std::vector<netwatch_close>& closes) {
    EXPECT_THAT(connects, SizeIs(4));
    for (const auto& connect : connects) {
        const bool refused = connect.outcome == NETWATCH_OUTCOME_FAILED;
        EXPECT_EQ(connect.syn_ack_look.hop_limit, refused ? 0 : peers_hop_limit);
        EXPECT_EQ(connect.reset_look.hop_limit, refused ? 64 : 0);
    }
    int clients = 0;
    for (const auto& close : closes) {
        if (close.passive != 0) continue;
        ++clients;
        EXPECT_EQ(close.reset_received, 1);
        EXPECT_EQ(close.syn_ack_look.hop_limit, peers_hop_limit);
        EXPECT_EQ(close.reset_look.hop_limit, peers_hop_limit);
    }
    EXPECT_EQ(clients, 2);
}

void answer_in_all_ways() {
    connect_and_be_reset(ipv4("127.0.0.1", 7012));
    connect_and_be_reset(ipv6("::1", 7012));
    connect_to(ipv4("127.0.0.1", 7012));
    connect_to(ipv6("::1", 7012));
}

TEST_F(SensorTest, TellsTheHeadersOfSynAcksAndResets) {
    open();
    if (!sees("headers of answers")) GTEST_SKIP() << "this kernel does not show: headers of answers";
    answer_in_all_ways();
    drain();
    expect_headers(all<netwatch_connect>(), all<netwatch_close>());
}

TEST_F(SensorTest, TellsTheHeadersWithoutCgroups) {
    open({.netns = {}, .disabled_features = {"cgroup-skb"}});
    if (!sees("headers of answers")) GTEST_SKIP() << "this kernel does not show them at the functions";
    answer_in_all_ways();
    drain();
    expect_headers(all<netwatch_connect>(), all<netwatch_close>());
}

TEST_F(SensorTest, WithoutCgroupsNoHeaderIsMadeUp) {
    open({.netns = {}, .disabled_features = {"cgroup-skb", "fexit"}});
    EXPECT_FALSE(sees("headers of answers"));
    connect_and_be_reset(ipv4("127.0.0.1", 7013));
    drain();
    ASSERT_THAT(all<netwatch_connect>(), SizeIs(1));
    EXPECT_EQ(all<netwatch_connect>()[0].syn_ack_look.hop_limit, 0);
}

TEST_F(SensorTest, TellsAMissingRouteWithoutASocketsLife) {
    open();
    EXPECT_EQ(connect_to(ipv4("192.0.2.1", 443)).error, ENETUNREACH);
    EXPECT_EQ(connect_to(ipv6("2001:db8::1", 443)).error, ENETUNREACH);
    EXPECT_EQ(connect_to(ipv4("192.0.2.1", 53), SOCK_DGRAM).error, ENETUNREACH);
    drain();

    EXPECT_THAT(all<netwatch_connect>(), IsEmpty());
    const auto calls = all<netwatch_call_failed>();
    ASSERT_THAT(calls, SizeIs(3));
    for (const auto& call : calls) {
        EXPECT_EQ(call.call, NETWATCH_CALL_CONNECT);
        EXPECT_EQ(call.error, ENETUNREACH);
        EXPECT_EQ(call.sock, 0U);
        expect_own_process(call.process);
    }
    EXPECT_EQ(model::remote_endpoint(calls[0].tuple).to_string(), "192.0.2.1:443/tcp");
    EXPECT_EQ(calls[1].tuple.family, 6);
    EXPECT_EQ(calls[2].tuple.protocol, IPPROTO_UDP);
}

TEST_F(SensorTest, TellsAnErrorOfAUdpSocket) {
    open();
    if (!sees("socket errors")) GTEST_SKIP() << "this kernel does not show: socket errors";
    const auto udp = connect_to(ipv4("127.0.0.1", 7003), SOCK_DGRAM);
    ASSERT_EQ(::send(udp.socket.get(), "x", 1, 0), 1);
    drain();
    const auto errors = all<netwatch_socket_error>();
    ASSERT_THAT(errors, SizeIs(1));
    EXPECT_EQ(errors[0].error, ECONNREFUSED);
    EXPECT_EQ(errors[0].tuple.protocol, IPPROTO_UDP);
    EXPECT_EQ(model::remote_endpoint(errors[0].tuple).to_string(), "127.0.0.1:7003/udp");
}

TEST_F(SensorTest, WalksEarlierSocketsWithTheirOwner) {
    const auto address = ipv4("127.0.0.1", 7004);
    const auto listener = listen_on(address);
    const auto client = connect_to(address);
    ASSERT_EQ(client.error, 0);
    const core::Fd server(::accept(listener.get(), nullptr, nullptr));
    open();
    if (!sees("earlier sockets")) GTEST_SKIP() << "this kernel does not show: earlier sockets";
    walk();

    const auto listeners = all<netwatch_listener_sample>();
    ASSERT_THAT(listeners, SizeIs(1));
    EXPECT_EQ(listeners[0].tuple.local_port, 7004);
    EXPECT_EQ(listeners[0].backlog_limit, 64U);
    expect_own_process(listeners[0].process);
    const auto sockets = all<netwatch_socket_sample>();
    ASSERT_THAT(sockets, SizeIs(2));
    for (const auto& socket : sockets) {
        EXPECT_EQ(socket.passive, 2);
        EXPECT_EQ(socket.start_ns, 0U);
        EXPECT_EQ(socket.counters.state, 1);
        expect_own_process(socket.process);
    }
    const auto ends = all<netwatch_walk_end>();
    ASSERT_THAT(ends, SizeIs(1));
    EXPECT_EQ(ends[0].sockets, 2U);
    EXPECT_EQ(ends[0].listeners, 1U);
}

// What a request that went out in the tick of the answer before is told by.
TEST_F(SensorTest, TellsWhoSpokeLast) {
    open();
    const auto address = ipv4("127.0.0.1", 7005);
    const auto listener = listen_on(address);
    const auto client = connect_to(address);
    ASSERT_EQ(client.error, 0);
    const core::Fd server(::accept(listener.get(), nullptr, nullptr));
    const auto heard_by_client = [&] {
        walk();
        const auto samples = all<netwatch_socket_sample>();
        const auto latest = std::ranges::find(samples.rbegin(), samples.rend(), 7005,
                                              [](const auto& sample) { return sample.tuple.remote_port; });
        return latest == samples.rend() ? 0 : latest->counters.heard;
    };
    char text[8];
    ASSERT_EQ(::write(client.socket.get(), "ask", 3), 3);
    ASSERT_EQ(::read(server.get(), text, sizeof text), 3);
    ASSERT_EQ(::write(server.get(), "answer", 6), 6);
    ASSERT_EQ(::read(client.socket.get(), text, sizeof text), 6);
    EXPECT_EQ(heard_by_client(), 2);
    ASSERT_EQ(::write(client.socket.get(), "ask", 3), 3);
    tcp_info info{};
    do {  // until the server's kernel has acknowledged it, a few ticks later at most
        socklen_t length = sizeof info;
        ASSERT_EQ(::getsockopt(client.socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    } while (info.tcpi_unacked > 0);
    EXPECT_EQ(heard_by_client(), 1);
}

TEST_F(SensorTest, OtherNamespacesAreCountedAndNotTold) {
    const auto elsewhere = netns_;
    netns_ = enter_private_netns();
    open({.netns = {elsewhere}, .disabled_features = {}});
    EXPECT_EQ(connect_to(ipv4("127.0.0.1", 7005)).error, ECONNREFUSED);
    drain();
    walk();
    EXPECT_THAT(all<netwatch_connect>(), IsEmpty());
    EXPECT_THAT(all<netwatch_call_failed>(), IsEmpty());
    const auto books = accounts();
    EXPECT_GE(books.at(NETWATCH_RECORD_CONNECT).filtered, 1U);
    EXPECT_EQ(books.at(NETWATCH_RECORD_CONNECT).emitted, 0U);
    expect_balanced_books();
}

TEST_F(SensorTest, AFullRingIsCountedAndTheBooksBalance) {
    open({.netns = {}, .ring_bytes = 4096, .disabled_features = {}});
    constexpr int attempts = 200;
    for (int i = 0; i < attempts; ++i) EXPECT_EQ(connect_to(ipv4("127.0.0.1", 7006)).error, ECONNREFUSED);
    drain();
    const auto books = accounts();
    const auto& connects = books.at(NETWATCH_RECORD_CONNECT);
    EXPECT_EQ(connects.seen - connects.filtered, attempts);
    EXPECT_GT(connects.dropped_full, 0U);
    EXPECT_EQ(connects.emitted, all<netwatch_connect>().size());
    expect_balanced_books();
}

// A socket whose filter accepts nothing drops what comes for any address of 127.0.0.0/8.
core::Fd socket_that_drops(std::uint16_t port) {
    core::Fd receiver(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto any = ipv4("0.0.0.0", port);
    sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog program{1, &nothing};
    if (::bind(receiver.get(), generic(any), sizeof any) != 0 ||
        ::setsockopt(receiver.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        return {};
    return receiver;
}

TEST_F(SensorTest, AFullTableOfDropsGoesOnCountingByReason) {
    open();
    if (!sees("drops")) GTEST_SKIP() << "this kernel does not show: drops";
    const auto receiver = socket_that_drops(7007);
    ASSERT_TRUE(receiver);
    const core::Fd sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    constexpr std::uint32_t room = 8192, packets = room + 500;
    auto to = ipv4("127.0.0.1", 7007);
    for (std::uint32_t i = 0; i < packets; ++i) {
        to.sin_addr.s_addr = htonl(0x7f010000U + i);
        ASSERT_EQ(::sendto(sender.get(), "x", 1, 0, generic(to), sizeof to), 1);
    }
    sensor_->read_drops(keep_);

    std::uint64_t counted = 0, without_destination = 0;
    for (const auto& drops : all<netwatch_drops>())
        (drops.tuple.family ? counted : without_destination) += drops.packets;
    EXPECT_EQ(counted, room);
    EXPECT_EQ(without_destination, packets - room);
    EXPECT_EQ(accounts().at(NETWATCH_RECORD_DROPS).dropped_map, packets - room);
    expect_balanced_books();
}

// The latest map of that name, which is this test's: the kernel keeps 15 characters of a name.
core::Fd map_of(std::string_view name, bpf_map_info& info) {
    core::Fd found;
    for (std::uint32_t id = 0; bpf_map_get_next_id(id, &id) == 0;) {
        core::Fd map(bpf_map_get_fd_by_id(id));
        bpf_map_info one{};
        std::uint32_t size = sizeof one;
        if (!map || bpf_obj_get_info_by_fd(map.get(), &one, &size) != 0) continue;
        if (name.substr(0, sizeof one.name - 1) != one.name) continue;
        info = one;
        found = std::move(map);
    }
    return found;
}

// Twice as many entries as fit, of keys that nobody else has.
void overfill(std::string_view name) {
    bpf_map_info info{};
    const auto map = map_of(name, info);
    ASSERT_TRUE(map) << name;
    std::vector<std::byte> key(info.key_size), value(info.value_size);
    for (std::uint32_t i = 0; i < 2 * info.max_entries; ++i) {
        std::memcpy(key.data(), &i, sizeof i);
        ASSERT_EQ(bpf_map_update_elem(map.get(), key.data(), value.data(), BPF_ANY), 0);
    }
}

TEST_F(SensorTest, AFullTableOfSocketsTakesTheNew) {
    open({.netns = {}, .disabled_features = {"socket-storage"}});
    overfill("sockets_by_address");
    const auto address = ipv4("127.0.0.1", 7009);
    {
        const auto listener = listen_on(address);
        EXPECT_EQ(connect_to(address).error, 0);
    }
    EXPECT_EQ(connect_to(address).error, ECONNREFUSED);
    drain();
    const auto connects = all<netwatch_connect>();
    ASSERT_THAT(connects, SizeIs(2));
    for (const auto& connect : connects) expect_own_process(connect.process);
    EXPECT_EQ(connects[0].outcome, NETWATCH_OUTCOME_ESTABLISHED);
    EXPECT_EQ(connects[1].outcome, NETWATCH_OUTCOME_FAILED);
    expect_balanced_books();
}

void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

// A link whose other end answers no ARP, and gives up on it after 50 ms.
void make_deaf_link() {
    run("ip link add deaf0 type veth peer name deaf1 && ip link set deaf1 arp off up && "
        "ip address add 10.76.0.1/24 dev deaf0 && ip link set deaf0 up");
    for (const auto* setting : {"ucast_solicit=0", "mcast_solicit=1", "retrans_time_ms=50"})
        run(std::string("sysctl -q -w net.ipv4.neigh.deaf0.") + setting);
}

TEST_F(SensorTest, AFullTableOfFailedNeighborsTakesTheNew) {
    ASSERT_NO_FATAL_FAILURE(make_deaf_link());
    open();
    if (!sees("neighbours")) GTEST_SKIP() << "this kernel does not show: neighbours";
    const core::Fd sender(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto fails = [&](const char* ip) {
        const auto to = ipv4(ip, 7011);
        ::sendto(sender.get(), "x", 1, 0, generic(to), sizeof to);
        records_.clear();
        for (int i = 0; i < 50 && all<netwatch_neighbor>().empty(); ++i) {
            ::usleep(20'000);
            drain();
        }
        return all<netwatch_neighbor>().size() == 1;
    };
    const auto recovers = [&](const std::string& ip) {
        records_.clear();
        run("ip neigh replace " + ip + " dev deaf0 lladdr 02:00:00:00:00:01 nud reachable");
        drain();
        return all<netwatch_neighbor>().size() == 1;
    };
    overfill("failed_neighbors");
    EXPECT_TRUE(fails("10.76.0.2"));
    EXPECT_TRUE(recovers("10.76.0.2"));
    EXPECT_FALSE(recovers("10.76.0.2")) << "told twice";
    expect_balanced_books();
}

TEST_F(SensorTest, MoreNamespacesThanFitAreRefused) {
    std::vector<std::uint32_t> many(4097);
    std::iota(many.begin(), many.end(), 1U);
    const auto opened = Sensor::open({.netns = many, .disabled_features = {}});
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().exit_code, core::ExitCode::usage);
}

// One of several is sent before a peer that does not read has to acknowledge them.
TEST_F(SensorTest, TellsHowManySegmentsAProbeIsAbout) {
    open();
    const auto address = ipv4("127.0.0.1", 7010);
    const auto listener = listen_on(address);
    const auto client = connect_to(address);
    ASSERT_EQ(client.error, 0);
    const int on = 1;
    ::setsockopt(client.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const core::Fd server(::accept(listener.get(), nullptr, nullptr));
    const auto ask_and_answer = [&](unsigned wait_us) {
        char text[8];
        ASSERT_EQ(::write(client.socket.get(), "a", 1), 1);
        ASSERT_EQ(::write(client.socket.get(), "b", 1), 1);
        ::usleep(wait_us);
        for (ssize_t asked = 0; asked < 2;) asked += std::max<ssize_t>(::read(server.get(), text, 2), 0);
        ASSERT_EQ(::write(server.get(), "answer", 6), 6);
        ASSERT_EQ(::read(client.socket.get(), text, sizeof text), 6);
    };
    std::vector<netwatch_retransmit> probes;
    for (int attempt = 0; attempt < 20 && probes.empty(); ++attempt) {
        // Whoever answers at once is left time to, the next time.
        for (int quick = 0; quick < 5; ++quick) ask_and_answer(0);
        ask_and_answer(150'000);
        drain();
        probes = all<netwatch_retransmit>();
    }
    ASSERT_FALSE(probes.empty());
    EXPECT_EQ(probes[0].why, NETWATCH_RETRANSMIT_TAIL_PROBE);
    EXPECT_EQ(probes[0].packets_out, 2U);
}

TEST_F(SensorTest, WithoutAnyOneFeatureConnectionsAreStillSeen) {
    for (const auto feature : feature_names()) {
        SCOPED_TRACE(feature);
        records_.clear();
        open({.netns = {}, .disabled_features = {std::string(feature)}});
        const auto address = ipv4("127.0.0.1", 7008);
        {
            const auto listener = listen_on(address);
            EXPECT_EQ(connect_to(address).error, 0);
            walk();
        }
        drain();
        ASSERT_THAT(all<netwatch_connect>(), SizeIs(1));
        EXPECT_EQ(all<netwatch_connect>()[0].outcome, NETWATCH_OUTCOME_ESTABLISHED);
        expect_own_process(all<netwatch_connect>()[0].process);
        EXPECT_THAT(all<netwatch_listener_sample>(), SizeIs(1));
        expect_balanced_books();
        sensor_.reset();
    }
}

TEST_F(SensorTest, NamesEveryHookAndKnowsTheTimer) {
    open();
    EXPECT_GE(sensor_->hooks().size(), 14U);
    EXPECT_THAT((std::vector<std::uint32_t>{100, 250, 300, 1000}), ::testing::Contains(sensor_->hz()));
    EXPECT_EQ(sensor_->drop_reasons().size() > 50, sees("drops"));
}

TEST(SensorClock, DerivesTheTimerFromTwoClocks) {
    constexpr std::uint64_t wrap = 1ULL << 32;
    EXPECT_EQ(derive_hz(wrap + 1000 * 250, 1300 * core::ns_per_s), 250U);
    EXPECT_EQ(derive_hz(wrap + 86'400ULL * 1000, 86'700 * core::ns_per_s), 1000U);
    EXPECT_EQ(derive_hz(wrap - 290 * 300, 10 * core::ns_per_s), 300U);
    EXPECT_EQ(derive_hz(wrap, 300 * core::ns_per_s), 0U);
}

}  // namespace
}  // namespace netwatch::sensor
