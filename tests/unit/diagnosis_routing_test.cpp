// SPDX-License-Identifier: Apache-2.0
// Routes that are missing here, on the way, or for a whole network; and local ports that ran out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;
using support::Story;
using support::Watch;
using testing::ElementsAre;
using testing::IsEmpty;

struct LocalRoute {
    int error;
    std::string_view cause;
};

class DiagnosisLocalRoute : public testing::TestWithParam<LocalRoute> {};

TEST_P(DiagnosisLocalRoute, TheErrnoOfConnectNamesTheRoute) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}) {
        story.healthy(0, 10, 0.5, peer);
        for (int i = 0; i < 20; ++i) story.call_fails(10 + i * 0.5, peer, GetParam().error);
    }
    story.healthy(0, 20, 0.5, "10.7.0.1:80");
    Watch watch(story);
    watch.until(14);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::routing_failure);
    EXPECT_EQ(alarm.cause, GetParam().cause);
    EXPECT_EQ(alarm.scope.kind, ScopeKind::prefix);
    EXPECT_EQ(alarm.scope.value, "10.0.0.0/24");
    EXPECT_EQ(alarm.scope.members.size(), 3U);
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::routing_failure));
}

INSTANTIATE_TEST_SUITE_P(Errnos, DiagnosisLocalRoute,
                         testing::Values(LocalRoute{ENETUNREACH, "no_route"},
                                         LocalRoute{EINVAL, "local_blackhole"},
                                         LocalRoute{EHOSTUNREACH, "local_unreachable"},
                                         LocalRoute{EACCES, "local_prohibit"}));

// Answers come in where this host's route to their sender does not lead.
TEST(DiagnosisRouting, AnswersThatTheReversePathFilterDrops) {
    Story story;
    for (const std::string ip : {"10.0.0.1", "10.0.0.2", "10.0.0.3"}) {
        story.healthy(0, 10, 0.5, ip + ":80").unanswered(10, 20, 0.5, ip + ":80");
        for (std::uint16_t i = 0; i < 40; ++i)
            story.netfilter_drops_from(10 + i * 0.25, ip, static_cast<std::uint16_t>(40'000 + i), 2,
                                       "IP_RPFILTER");
    }
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
    EXPECT_EQ(watch.alarm().cause, "rp_filter");
    EXPECT_EQ(watch.alarm().scope.value, "10.0.0.0/24");
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::routing_failure));
}

TEST(DiagnosisRouting, DamagedAnswersAreNoReversePath) {
    Story story;
    story.healthy(0, 10, 0.5, "10.0.0.1:80").unanswered(10, 20, 0.5, "10.0.0.1:80");
    for (std::uint16_t i = 0; i < 40; ++i)
        story.netfilter_drops_from(10 + i * 0.25, "10.0.0.1", static_cast<std::uint16_t>(40'000 + i), 2,
                                   "TCP_CSUM");
    Watch watch(story);
    watch.until(15);
    EXPECT_NE(watch.alarm().cause, "rp_filter");
}

TEST(DiagnosisRouting, AStrayPacketInAHealthyHourThatTheReversePathFilterDropsIsNothing) {
    Story story;
    story.healthy(0, 60, 0.5, "10.0.0.1:80");
    for (std::uint16_t i = 0; i < 40; ++i)
        story.netfilter_drops_from(10 + i, "10.0.0.1", static_cast<std::uint16_t>(40'000 + i), 2,
                                   "IP_RPFILTER");
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// A kept connection's segments are answered with ICMP: each retransmission carries the error (RFC 6069).
TEST(DiagnosisRouting, EstablishedConnectionsThatARouterAnswersAreNamedByItsWord) {
    Story story;
    for (const std::string ip : {"10.0.0.1", "10.0.0.2"}) {
        const auto flow = story.flow(1, ip + ":80");
        for (int i = 0; i < 40; ++i)
            story.times_out(10 + i * 0.204, flow, static_cast<std::uint8_t>(std::min(i + 1, 15)), 0,
                            ENETUNREACH);
    }
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
    EXPECT_EQ(watch.alarm().cause, "icmp_net_unreachable");
    EXPECT_LE(watch.first_told(FailureType::routing_failure), 12.6);
}

// The last router has to give up its search for the host first: timeouts pass without a word, then with one.
TEST(DiagnosisRouting, AnEstablishedConnectionToAHostThatDiedIsAnsweredLate) {
    Story story;
    const auto flow = story.flow(1, "10.0.0.1:80");
    const std::array<double, 5> silent{10.2, 10.6, 11.4, 13.0, 13.2};
    for (std::uint8_t i = 0; i < 4; ++i)
        story.times_out(silent.at(i), flow, static_cast<std::uint8_t>(i + 1));
    for (int i = 0; i < 30; ++i)
        story.times_out(13.2 + i * 0.204, flow, static_cast<std::uint8_t>(std::min(i + 5, 15)), 0,
                        EHOSTUNREACH);
    Watch watch(story);
    watch.until(17);
    EXPECT_EQ(watch.alarm().type, FailureType::host_unreachable);
    EXPECT_EQ(watch.alarm().cause, "icmp_host_unreachable");
}

TEST(DiagnosisRouting, AnErrorOnAConnectionThatMovesOnIsNothing) {
    Story story;
    auto flow = story.flow(1, "10.0.0.1:80");
    for (int i = 0; i < 40; ++i) {
        story.times_out(10 + i, flow, 1, 0, EHOSTUNREACH);
        flow.sends(3);
        flow.since(0.1, 0.05);
        story.look(10.4 + i, flow);
    }
    Watch watch(story);
    watch.until(50);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisRouting, ErrorsOfTheCallerAreNone) {
    Story story;
    story.healthy(0, 10, 0.5, "10.0.0.1:80");
    for (int i = 0; i < 40; ++i)
        story.call_fails(10 + i * 0.5, "10.0.0.1:80", i % 2 == 0 ? EAFNOSUPPORT : EBADF);
    Watch watch(story);
    watch.until(20);
    EXPECT_THAT(watch.incidents(), IsEmpty());
}

TEST(DiagnosisRouting, NetUnreachableFromARouter) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80"}) {
        story.healthy(0, 10, 0.5, peer).rejected(10, 20, 0.5, peer, {3, 0, "10.9.9.1"});
    }
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().cause, "icmp_net_unreachable");
    EXPECT_EQ(watch.alarm().root_cause.offender, "10.9.9.1");
    EXPECT_EQ(watch.alarm().scope.value, "10.0.0.0/24");
}

TEST(DiagnosisRouting, IPv6NetUnreachableByErrno) {
    Story story;
    story.healthy(0, 10, 0.5, "[2001:db8::1]:80");
    for (int i = 0; i < 20; ++i) story.fails_with(10 + i * 0.5, "[2001:db8::1]:80", ENETUNREACH, 1.0);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
}

TEST(DiagnosisRouting, TimeExceededIsALoop) {
    Story story;
    story.healthy(0, 10, 0.5, "10.0.0.1:80").rejected(10, 20, 0.5, "10.0.0.1:80", {11, 0, "10.9.9.1"});
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
    EXPECT_EQ(watch.alarm().cause, "ttl_exceeded");
}

TEST(DiagnosisRouting, ThreeSilentAddressesOfOneNetworkAreOneFault) {
    Story story;
    const std::vector<std::string> peers{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"};
    for (std::size_t i = 0; i < peers.size(); ++i) {
        story.healthy(0, 10, 0.3, peers[i]).unanswered(10 + static_cast<double>(i) * 0.9, 40, 0.3, peers[i]);
    }
    story.healthy(0, 40, 0.3, "10.7.0.1:80");
    Watch watch(story);
    watch.until(11.5);
    const auto first = watch.alarm();
    watch.until(20);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::routing_failure);
    EXPECT_EQ(alarm.cause, "prefix_silent");
    EXPECT_EQ(alarm.id, first.id);
    EXPECT_EQ(alarm.scope.kind, ScopeKind::prefix);
    EXPECT_EQ(alarm.scope.value, "10.0.0.0/24");
    EXPECT_EQ(alarm.scope.members.size(), 3U);
    for (const auto& [id, incident] : watch.told()) {
        if (id == alarm.id) continue;
        EXPECT_EQ(incident.root_cause.incident, alarm.id);
    }
}

TEST(DiagnosisRouting, AnAnsweringNeighborVetoesThePrefix) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}) {
        story.healthy(0, 10, 0.3, peer).unanswered(10, 40, 0.3, peer);
    }
    story.healthy(0, 40, 0.3, "10.0.0.4:80");
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(std::ranges::count(watch.ever_alarmed(), FailureType::routing_failure), 0);
}

TEST(DiagnosisRouting, WhatKeptConnectionsMovedBeforeTheOnsetDoesNotVetoThePrefix) {
    Story story;
    const std::vector<std::string> peers{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"};
    for (std::size_t i = 0; i < peers.size(); ++i) {
        story.healthy(0, 10, 0.3, peers[i]).unanswered(10 + static_cast<double>(i) * 0.1, 40, 0.3, peers[i]);
        auto flow = story.flow(1, peers[i]);
        for (int second = 2; second < 20; ++second) {
            if (second <= 10) {
                flow.sends(3);
                flow.receives(3);
            }
            flow.since(0.8 + std::max(0, second - 10), 0.7 + std::max(0, second - 10));
            story.look(second + 0.6, flow);
        }
    }
    Watch watch(story);
    watch.until(16);
    EXPECT_EQ(watch.alarm().cause, "prefix_silent");
}

TEST(DiagnosisRouting, BrokenIPv6BehindAWorkingFallbackIsInfo) {
    // A new process each time: IPv6 fails at once, IPv4 takes over.
    Story story;
    for (std::uint32_t i = 0; i < 40; ++i) {
        const support::Who who{5'000 + i, "curl"};
        story.call_fails(1 + i * 0.5, "[2001:db8::1]:443", ENETUNREACH, who);
        story.connects(1.001 + i * 0.5, "203.0.113.1:443", who);
    }
    Watch watch(story);
    watch.until(20);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    ASSERT_EQ(watch.incidents().size(), 1U);
    EXPECT_EQ(watch.incidents().front().cause, "ipv6_broken");
    EXPECT_EQ(watch.incidents().front().severity, Severity::info);
}

TEST(DiagnosisRouting, BrokenIPv6OfOneSlowLoopBehindAFallbackIsInfo) {
    Story story;
    for (int i = 0; i < 10; ++i) {
        story.call_fails(1 + i * 5, "[2001:db8::1]:443", ENETUNREACH);
        story.connects(1.2 + i * 5, "203.0.113.1:443");
    }
    Watch watch(story);
    watch.until(50);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisRouting, BrokenIPv6WithoutAFallbackIsAWarning) {
    Story story;
    for (int i = 0; i < 20; ++i)
        story.call_fails(1 + i * 0.7 + (i % 3) * 0.2, "[2001:db8::1]:443", ENETUNREACH);
    story.healthy(0, 20, 0.5, "203.0.113.1:443", {9, "other"});
    Watch watch(story);
    watch.until(10);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
    EXPECT_EQ(watch.alarm().cause, "no_route");
}

TEST(DiagnosisExhaustion, NoLocalPortIsFree) {
    Story story;
    story.healthy(0, 10, 0.1, "10.0.0.1:80");
    for (int i = 0; i < 40; ++i) story.call_fails(10 + i * 0.2, "10.0.0.1:80", EADDRNOTAVAIL);
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().type, FailureType::connection_exhaustion);
    EXPECT_EQ(watch.alarm().cause, "ephemeral_ports");
    EXPECT_EQ(watch.alarm().severity, Severity::critical);
}

// Silence in several networks at once, while next to nothing else answers: what they share is the path.
TEST(DiagnosisRouting, SeveralSilentNetworksAndNothingElseAreTheirSharedPath) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80", "10.1.0.1:80", "10.2.0.1:443", "10.2.0.2:443"})
        story.healthy(0, 10, 0.3, peer).unanswered(10, 30, 0.3, peer);
    story.healthy(0, 30, 0.3, "192.168.0.9:80");
    Watch watch(story);
    watch.until(15);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::routing_failure);
    EXPECT_EQ(alarm.cause, "prefix_silent");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::path);
    EXPECT_EQ(alarm.scope.members.size(), 5U);
}

TEST(DiagnosisRouting, SilentNetworksBesideOthersThatAnswerShareNoPath) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.1.0.1:80", "10.2.0.1:443"})
        story.healthy(0, 10, 0.3, peer).unanswered(10, 30, 0.3, peer);
    for (const auto* peer : {"10.3.0.1:80", "10.4.0.1:80"}) story.healthy(0, 30, 0.3, peer);
    Watch watch(story);
    watch.until(15);
    for (const auto& alarm : watch.alarms()) EXPECT_NE(alarm.scope.kind, ScopeKind::path);
}

// When it is back, one host answers first while an attempt to it still waits, and those of the others do.
TEST(DiagnosisRouting, ANetworkThatIsBackIsNotRenamedForAttemptsThatStillWait) {
    Story story;
    story.healthy(0, 40, 0.3, "192.168.0.9:80");
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"})
        story.healthy(0, 10, 0.3, peer).unanswered(10, 15, 0.3, peer, 6);
    story.is_unanswered(15.29, "10.0.0.3:80", 1).connects(15.45, "10.0.0.3:80");
    story.healthy(16.3, 40, 0.3, "10.0.0.3:80");
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80"}) story.healthy(17, 40, 0.3, peer);
    Watch watch(story);
    for (double until = 13; until < 40; until += 0.1) {
        watch.until(until);
        for (const auto& alarm : watch.alarms()) EXPECT_EQ(alarm.cause, "prefix_silent") << until;
    }
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

// Two filters, at hosts whose other ports answer, and loss that takes a SYN now and then.
TEST(DiagnosisRouting, FilteredPortsAndALostSynElsewhereShareNoPath) {
    Story story;
    for (const auto* host : {"10.14.0.2", "[fd00:14::2]"}) {
        const std::string ip = host;
        story.healthy(0, 60, 1, ip + ":8011");
        story.healthy(0, 10, 0.3, ip + ":8014").unanswered(10, 60, 0.3, ip + ":8014", 3);
    }
    for (int i = 0; i < 60; ++i) {
        if (i % 7 == 6) {
            story.connects_at_retry(i, "10.16.0.2:8011");
        } else {
            story.connects(i, "10.16.0.2:8011");
        }
    }
    Watch watch(story);
    for (int until = 12; until < 60; ++until) {
        watch.until(until);
        EXPECT_EQ(watch.alarms().size(), 2U) << until;
        for (const auto& alarm : watch.alarms()) EXPECT_EQ(alarm.cause, "silent_drop") << until;
    }
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::firewall_block));
}

// Two dead hosts have been silent while the third was answered.
TEST(DiagnosisRouting, HostsThatDiedBeforeAnotherLosesASynShareNoPath) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.1.0.1:80"})
        story.healthy(0, 10, 0.3, peer).unanswered(10, 60, 0.3, peer, 3);
    story.healthy(0, 40, 1, "10.2.0.1:443").connects_at_retry(40.5, "10.2.0.1:443");
    story.healthy(42, 60, 1, "10.2.0.1:443");
    Watch watch(story);
    for (double until = 38; until < 60; until += 0.1) {
        watch.until(until);
        for (const auto& alarm : watch.alarms()) EXPECT_NE(alarm.scope.kind, ScopeKind::path) << until;
    }
    EXPECT_EQ(watch.alarms().size(), 2U);
}

// What was dead before is not part of the path's fault, and a SYN lost on another path does not end it.
TEST(DiagnosisRouting, ALostPathIsToldBesideAnOlderFault) {
    Story story;
    story.healthy(0, 10, 0.3, "10.9.0.1:80").unanswered(10, 60, 0.3, "10.9.0.1:80", 3);
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80", "10.1.0.1:80", "10.2.0.1:443", "10.2.0.2:443"})
        story.healthy(0, 30, 0.3, peer).unanswered(30, 60, 0.3, peer, 3);
    story.healthy(0, 50, 0.3, "192.168.0.9:80").connects_at_retry(50, "192.168.0.9:80");
    story.healthy(52, 60, 0.3, "192.168.0.9:80");
    Watch watch(story);
    for (int until = 36; until < 60; ++until) {
        watch.until(until);
        std::size_t paths = 0;
        for (const auto& alarm : watch.alarms()) {
            if (alarm.scope.kind != ScopeKind::path) continue;
            ++paths;
            EXPECT_EQ(alarm.scope.members.size(), 5U) << until;
        }
        EXPECT_EQ(paths, 1U) << until;
        EXPECT_EQ(watch.alarms().size(), 2U) << until;
    }
}

TEST(DiagnosisRouting, OneRouterWithoutAWayToSeveralNetworksIsOneFault) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.1.0.1:80"})
        story.healthy(0, 10, 0.3, peer).rejected(10, 30, 0.3, peer, {3, 0, "10.9.9.1"});
    Watch watch(story);
    watch.until(13);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.cause, "icmp_net_unreachable");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::path);
    EXPECT_EQ(alarm.scope.members.size(), 2U);
}

// A router that answers once a second leaves most of the block without a word.
TEST(DiagnosisRouting, SilenceBesideARoutersWordForTheBlockIsTheSameFault) {
    for (const std::uint8_t code : {std::uint8_t{1}, std::uint8_t{13}}) {
        Story story;
        for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80"}) story.healthy(0, 10, 0.25, peer);
        for (double at = 10; at < 20; at += 1) story.is_rejected(at, "10.0.0.1:80", {3, code, "10.9.9.1"});
        story.unanswered(10, 20, 0.25, "10.0.0.2:80");
        Watch watch(story);
        watch.until(20);
        EXPECT_EQ(watch.ever_alarmed().size(), 1U) << +code;
        EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::prefix);
        EXPECT_EQ(watch.alarm().scope.members.size(), 2U);
    }
}

TEST(DiagnosisRouting, SilenceLongBeforeARoutersWordIsAFaultOfItsOwn) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80"}) story.healthy(0, 10, 0.25, peer);
    story.unanswered(10, 40, 0.25, "10.0.0.2:80").healthy(10, 25, 0.25, "10.0.0.1:80");
    story.rejected(25, 40, 0.5, "10.0.0.1:80", {3, 13, "10.9.9.1"});
    Watch watch(story);
    watch.until(40);
    EXPECT_EQ(watch.alarms().size(), 2U);
}

}  // namespace
}  // namespace netwatch::diagnosis
