// SPDX-License-Identifier: Apache-2.0
// Hosts that are down, the gateway that is, and what only looks like it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

constexpr auto web = "10.0.0.1:80";

TEST(DiagnosisHostUnreachable, ALateHostUnreachableIsADeadHost) {
    Story story;
    story.healthy(0, 10, 0.5, web).rejected(10, 30, 0.5, web, {3, 1, "10.9.9.1"}, 3.06);
    Watch watch(story);
    watch.until(18);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::host_unreachable);
    EXPECT_EQ(alarm.cause, "icmp_host_unreachable");
    EXPECT_EQ(alarm.root_cause.offender, "10.9.9.1");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::destination);
    ASSERT_TRUE(alarm.destination);
    EXPECT_EQ(alarm.destination->endpoint.to_string(), "10.0.0.1");
}

TEST(DiagnosisHostUnreachable, AnImmediateOneIsARoute) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80"}) {
        story.healthy(0, 10, 0.5, peer).rejected(10, 30, 0.5, peer, {3, 1, "10.9.9.1"}, 0.001);
    }
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
}

TEST(DiagnosisHostUnreachable, AnImmediateOneForASingleAddressIsASet) {
    Story story;
    story.healthy(0, 10, 0.5, web).rejected(10, 30, 0.5, web, {3, 1, "10.9.9.1"}, 0.001);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
    EXPECT_EQ(watch.alarm().candidates[1].type, FailureType::host_unreachable);
}

TEST(DiagnosisHostUnreachable, AllPortsOfADeadHostAreOneIncident) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.1:81", "10.0.0.1:82"}) {
        story.healthy(0, 10, 0.5, peer).rejected(10, 30, 0.5, peer, {3, 1, "10.9.9.1"}, 3.06);
    }
    Watch watch(story);
    watch.until(18);
    EXPECT_EQ(watch.alarm().scope.members.size(), 3U);
    EXPECT_EQ(watch.alarm().type, FailureType::host_unreachable);
}

// Whoever asks while the router searches already is answered when that search ends. A network beside it that
// is rejected at once is a route.
TEST(DiagnosisHostUnreachable, WhoJoinsASearchIsToldOfTheSameDeadHost) {
    Story story;
    const support::Icmp icmp{3, 1, "10.9.9.1"};
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.1:81", "10.1.0.1:80"}) story.healthy(0, 10, 0.5, peer);
    story.rejected(10, 30, 0.5, "10.0.0.1:80", icmp, 3.06);
    story.rejected(12.9, 30, 0.5, "10.0.0.1:81", icmp, 0.16);
    story.rejected(14, 30, 0.5, "10.1.0.1:80", icmp, 0.001);
    Watch watch(story);
    watch.until(20);
    const auto alarms = watch.alarms();
    ASSERT_EQ(alarms.size(), 2U);
    const auto dead = std::ranges::find(alarms, FailureType::host_unreachable, &model::Incident::type);
    ASSERT_NE(dead, alarms.end());
    EXPECT_THAT(dead->scope.members, testing::ElementsAre("10.0.0.1:80/tcp", "10.0.0.1:81/tcp"));
    EXPECT_EQ(std::ranges::count(alarms, FailureType::routing_failure, &model::Incident::type), 1);
}

TEST(DiagnosisHostUnreachable, AnOnLinkNeighborThatDoesNotResolve) {
    Story story;
    story.healthy(0, 10, 0.5, web);
    for (int i = 0; i < 40; ++i) story.cannot_leave(10 + i * 0.5, web, 3.08, -EBUSY);
    story.neighbor_fails(13, "10.0.0.1");
    Watch watch(story);
    watch.until(16);
    EXPECT_EQ(watch.alarm().type, FailureType::host_unreachable);
    EXPECT_EQ(watch.alarm().cause, "neighbor_failed");
    EXPECT_EQ(watch.alarm().destination->endpoint.to_string(), "10.0.0.1");
}

TEST(DiagnosisHostUnreachable, OwnHostUnreachableAfterThreeSecondsIsTheSame) {
    Story story;
    story.healthy(0, 10, 0.5, web).rejected(10, 30, 0.5, web, {3, 1, "192.0.2.10"}, 3.08);
    Watch watch(story);
    watch.until(18);
    EXPECT_EQ(watch.alarm().type, FailureType::host_unreachable);
    EXPECT_EQ(watch.alarm().cause, "neighbor_failed");
}

TEST(DiagnosisHostUnreachable, AGatewayThatDoesNotResolveIsOneIncidentForAllBehindIt) {
    Story story;
    for (const auto* peer : {"10.1.0.1:80", "10.2.0.1:443", "10.3.0.1:5432"}) {
        story.healthy(0, 10, 0.5, peer);
        for (int i = 0; i < 40; ++i) story.cannot_leave(10 + i * 0.5, peer, 3.08, -EBUSY);
    }
    story.neighbor_fails(11, "192.0.2.1");
    Watch watch(story);
    watch.until(16);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::neighbor_failure);
    EXPECT_EQ(alarm.cause, "gateway");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::uplink);
    EXPECT_EQ(alarm.scope.members.size(), 3U);
}

// A route to that one address that swallows, or a filter for all of its ports, look the same from here.
TEST(DiagnosisHostUnreachable, SilenceOfAllPortsWhileNeighborsAnswerIsMostProbablyTheHost) {
    Story story;
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.1:81"})
        story.healthy(0, 10, 0.3, peer).unanswered(10, 30, 0.3, peer);
    story.healthy(0, 30, 0.4, "10.0.0.2:80");
    Watch watch(story);
    watch.until(14);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::host_unreachable);
    EXPECT_EQ(alarm.cause, "silent");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::destination);
    ASSERT_EQ(alarm.candidates.size(), 3U);
    EXPECT_GE(alarm.candidates[0].probability, 0.7);
    EXPECT_EQ(alarm.candidates[1].type, FailureType::firewall_block);
    EXPECT_EQ(alarm.candidates[2].type, FailureType::routing_failure);
    EXPECT_EQ(alarm.destination->endpoint.to_string(), "10.0.0.1");
}

TEST(DiagnosisHostUnreachable, SilenceOfOnePortWhileNeighborsAnswerIsASet) {
    Story story;
    story.healthy(0, 10, 0.3, web).unanswered(10, 30, 0.3, web).healthy(0, 30, 0.4, "10.0.0.2:80");
    Watch watch(story);
    watch.until(14);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::host_unreachable);
    EXPECT_LT(alarm.confidence, 0.9);
    ASSERT_GE(alarm.candidates.size(), 2U);
    EXPECT_EQ(alarm.candidates[1].type, FailureType::firewall_block);
}

TEST(DiagnosisHostUnreachable, EstablishedConnectionsThatStallTogether) {
    Story story;
    story.healthy(0, 30, 0.4, "10.0.0.2:80");
    std::vector<support::Flow> flows;
    for (int i = 0; i < 4; ++i) flows.push_back(story.flow(1 + i * 0.1, web));
    for (int second = 2; second <= 10; ++second) {
        for (auto& flow : flows) {
            flow.sends(3);
            flow.receives(3);
            flow.since(0.3, 0.2);
            story.look(second, flow);
        }
    }
    for (const auto& flow : flows) {
        story.times_out(10.92, flow, 1)
            .times_out(11.34, flow, 2)
            .times_out(12.2, flow, 3)
            .times_out(13.9, flow, 4);
        story.look(11, flow).look(12, flow).look(13, flow).look(14, flow);
    }
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().type, FailureType::host_unreachable);
    EXPECT_LE(*watch.first_told(FailureType::host_unreachable), 12);
}

TEST(DiagnosisHostUnreachable, OneRetransmissionTimeoutThatIsAnsweredIsNothing) {
    Story story;
    auto flow = story.flow(1, web);
    for (int second = 2; second <= 30; ++second) {
        flow.sends(5, second % 7 == 0 ? 1 : 0);
        story.look(second, flow);
        if (second % 7 == 0) story.times_out(second - 0.5, flow, 1);
    }
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// A router that is asked too often leaves SYNs without a word; their retries are answered a second later.
TEST(DiagnosisHostUnreachable, TheFirstAnswerTellsARouteFromARateLimit) {
    Story story;
    story.healthy(0, 10, 0.5, web).is_rejected(10, web, {3, 1, "10.9.9.1"}, 0.001);
    story.rejected(10.1, 30, 0.5, web, {3, 1, "10.9.9.1"}, 1.032);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
}

TEST(DiagnosisHostUnreachable, TheAnswerToARetryIsNoSearchThatGaveUp) {
    Story story;
    story.healthy(0, 10, 0.5, web).rejected(10, 30, 0.5, web, {3, 1, "10.9.9.1"}, 1.032);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
}

// Whoever asked first gives up before the search for the neighbour ends; of those who wait then, SYNs have
// just been sent again.
TEST(DiagnosisHostUnreachable, WhoAskedFirstMayHaveGivenUpWhenTheSearchEnds) {
    Story story;
    story.healthy(0, 10, 0.5, web);
    for (double at = 10.02; at < 10.3; at += 0.05) story.is_unanswered(at, web, 2.8);
    for (double at = 10.9; at < 13; at += 0.2) story.is_rejected(at, web, {3, 1, "10.9.9.1"}, 13.08 - at);
    for (double at = 13.2; at < 30; at += 0.3) story.is_unanswered(at, web, 2.8);
    Watch watch(story);
    watch.until(18);
    EXPECT_EQ(watch.alarm().type, FailureType::host_unreachable);
    EXPECT_EQ(watch.alarm().cause, "icmp_host_unreachable");
}

// Over IPv6 connect() hears of the error with its next SYN: attempts that joined the search for the neighbour
// late hear of it first, as soon as of a route.
TEST(DiagnosisHostUnreachable, IPv6ErrorsOfADeadHostSurfaceInAnyOrder) {
    constexpr auto web6 = "[2001:db8::1]:80";
    Story story;
    story.healthy(0, 10, 0.5, web6);
    story.fails_with(12.06, web6, EHOSTUNREACH, 1.03).fails_with(12.56, web6, EHOSTUNREACH, 1.03);
    story.fails_with(11.06, web6, EHOSTUNREACH, 2.06).fails_with(10.06, web6, EHOSTUNREACH, 3.08);
    story.fails_with(10.56, web6, EHOSTUNREACH, 3.08);
    for (double at = 13.2; at < 30; at += 3) story.fails_with(at, web6, EHOSTUNREACH, 3.08);
    Watch watch(story);
    watch.until(18);
    EXPECT_EQ(watch.alarm().type, FailureType::host_unreachable);
    EXPECT_EQ(watch.alarm().destination->endpoint.to_string(), "2001:db8::1");
}

}  // namespace
}  // namespace netwatch::diagnosis
