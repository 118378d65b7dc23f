// SPDX-License-Identifier: Apache-2.0
// Links of this host that go down, and gateways that do not resolve: what everything is reached over.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using support::Story;
using support::Watch;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint8_t works = NETWATCH_LINK_UP | NETWATCH_LINK_CARRIER;
constexpr std::uint8_t no_carrier = NETWATCH_LINK_UP;

// Two uplinks: eth0 to everything, eth1 to 10.1.0.0/16.
Story a_host(double found_at = -290) {
    Story story(300);
    story.link(found_at, NETWATCH_CHANGE_FOUND, "eth0", 2, works)
        .link(found_at, NETWATCH_CHANGE_FOUND, "eth1", 3, works);
    story.route(found_at, NETWATCH_CHANGE_FOUND, "0.0.0.0/0", "192.0.2.1", 2);
    return story.route(found_at, NETWATCH_CHANGE_FOUND, "10.1.0.0/16", "198.51.100.1", 3);
}

TEST(DiagnosisLinkDown, SetDownIsOneIncidentOfAllThatItCarried) {
    Story story = a_host();
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, 0, works);
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80", "10.9.0.1:443"}) {
        story.healthy(0, 20, 0.4, peer);
        for (int i = 0; i < 20; ++i) story.call_fails(20.1 + i * 0.4, peer, ENETUNREACH);
    }
    story.healthy(0, 40, 0.4, "10.1.0.1:80");
    Watch watch(story);
    watch.until(26);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::link_down);
    EXPECT_EQ(alarm.cause, "admin");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::uplink);
    EXPECT_EQ(alarm.scope.value, "eth0");
    EXPECT_FALSE(alarm.destination);
    EXPECT_THAT(alarm.scope.members, ElementsAre("10.0.0.1:80/tcp", "10.0.0.2:80/tcp", "10.9.0.1:443/tcp"));
    EXPECT_THAT(alarm.summary, HasSubstr("eth0"));
    EXPECT_THAT(alarm.root_cause.statement, HasSubstr("link eth0 set down by an unknown process."));
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::link_down));
}

TEST(DiagnosisLinkDown, ALostCarrierExplainsSilenceAndUnresolvedNeighbors) {
    Story story = a_host();
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, no_carrier, works);
    story.healthy(0, 20, 0.4, "10.0.0.1:80").unanswered(20.1, 40, 0.4, "10.0.0.1:80");
    story.healthy(0, 20, 0.4, "10.0.0.2:80");
    for (int i = 0; i < 20; ++i) story.cannot_leave(20.1 + i * 0.4, "10.0.0.2:80", 4, -EBUSY);
    story.neighbor_fails(23, "192.0.2.1");
    Watch watch(story);
    watch.until(30);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::link_down);
    EXPECT_EQ(alarm.cause, "carrier");
    EXPECT_EQ(alarm.scope.members.size(), 2U);
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::link_down));
}

TEST(DiagnosisLinkDown, ItIsNamedByAnAgentThatCameLater) {
    Story story;
    story.link(0.1, NETWATCH_CHANGE_FOUND, "eth0", 2, no_carrier);
    story.route(0.1, NETWATCH_CHANGE_FOUND, "0.0.0.0/0", "192.0.2.1", 2);
    story.unanswered(0, 20, 0.4, "10.0.0.1:80");
    Watch watch(story);
    watch.until(8);
    EXPECT_EQ(watch.alarm().type, FailureType::link_down);
}

TEST(DiagnosisLinkDown, ALinkThatNobodyUsesIsNoAlarm) {
    Story story = a_host();
    story.healthy(0, 60, 0.4, "10.0.0.1:80").link(20, NETWATCH_CHANGE_CHANGED, "eth1", 3, 0, works);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.incidents(), IsEmpty());
}

// What fails goes another way.
TEST(DiagnosisLinkDown, SilenceOverAnotherLinkIsNotItsDoing) {
    Story story = a_host();
    story.healthy(0, 20, 0.4, "10.0.0.1:80").link(20, NETWATCH_CHANGE_CHANGED, "eth1", 3, 0, works);
    story.unanswered(20.1, 40, 0.4, "10.0.0.1:80");
    Watch watch(story);
    watch.until(30);
    EXPECT_NE(watch.alarm().type, FailureType::link_down);
}

// It was silent before the link went.
TEST(DiagnosisLinkDown, WhatFailedBeforeIsNotItsDoing) {
    Story story = a_host();
    story.healthy(0, 10, 0.4, "10.0.0.1:80").unanswered(10, 40, 0.4, "10.0.0.1:80");
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, 0, works);
    Watch watch(story);
    watch.until(30);
    EXPECT_NE(watch.alarm().type, FailureType::link_down);
}

TEST(DiagnosisLinkDown, WhatIsReachedOverItMeanwhileExoneratesIt) {
    Story story = a_host();
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, no_carrier, works);
    story.healthy(0, 20, 0.4, "10.0.0.1:80").unanswered(20.1, 40, 0.4, "10.0.0.1:80");
    story.healthy(0, 40, 0.4, "10.7.0.1:80");
    Watch watch(story);
    watch.until(30);
    EXPECT_NE(watch.alarm().type, FailureType::link_down);
}

TEST(DiagnosisLinkDown, ARefusalCameOverALinkThatWorks) {
    Story story = a_host();
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, no_carrier, works);
    story.healthy(0, 20, 0.4, "10.0.0.1:80").refused(20.1, 40, 0.4, "10.0.0.1:80");
    Watch watch(story);
    watch.until(30);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
}

TEST(DiagnosisLinkDown, ItHealsWhenWhatItCarriedIsReachedAgain) {
    Story story = a_host();
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, 0, works);
    story.link(30, NETWATCH_CHANGE_CHANGED, "eth0", 2, works, 0);
    story.healthy(0, 20, 0.4, "10.0.0.1:80").healthy(30.2, 40, 0.4, "10.0.0.1:80");
    for (int i = 0; i < 20; ++i) story.call_fails(20.1 + i * 0.4, "10.0.0.1:80", ENETUNREACH);
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    ASSERT_EQ(watch.incidents().size(), 1U);
    EXPECT_EQ(watch.incidents().front().resolution, model::Resolution::healed);
}

// While neighbours are resolved anew the failures go on for a moment, with another errno.
TEST(DiagnosisLinkDown, ALinkThatIsBackIsNotAnotherFaultMeanwhile) {
    Story story = a_host();
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, no_carrier, works);
    story.link(26, NETWATCH_CHANGE_CHANGED, "eth0", 2, works, no_carrier);
    story.healthy(0, 20, 0.4, "10.0.0.1:80").unanswered(20.1, 25, 0.4, "10.0.0.1:80");
    for (int i = 0; i < 12; ++i) story.cannot_leave(25 + i * 0.2, "10.0.0.1:80", 3, -EBUSY);
    story.healthy(28.5, 45, 0.4, "10.0.0.1:80");
    Watch watch(story);
    watch.until(45);
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::link_down));
    ASSERT_EQ(watch.incidents().size(), 1U);
    EXPECT_EQ(watch.incidents().front().cause, "carrier");
}

// A link that is set up has its carrier a moment later: that is no other cause.
TEST(DiagnosisLinkDown, OneThatComesUpWithoutItsCarrierAtFirstWasSetDown) {
    Story story = a_host();
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, 0, works);
    story.link(26, NETWATCH_CHANGE_CHANGED, "eth0", 2, no_carrier, 0);
    story.healthy(0, 20, 0.4, "10.0.0.1:80");
    for (int i = 0; i < 40; ++i) story.call_fails(20.1 + i * 0.4, "10.0.0.1:80", ENETUNREACH);
    Watch watch(story);
    watch.until(28);
    EXPECT_EQ(watch.alarm().cause, "admin");
    watch.until(33);
    EXPECT_EQ(watch.alarm().cause, "carrier");
}

// It is back and what it took with it is not: that is what fails then.
TEST(DiagnosisLinkDown, RoutesThatAreNotBackAreMissedLater) {
    Story story = a_host();
    story.link(20, NETWATCH_CHANGE_CHANGED, "eth0", 2, 0, works);
    story.link(26, NETWATCH_CHANGE_CHANGED, "eth0", 2, works, 0);
    story.healthy(0, 20, 0.4, "10.0.0.1:80");
    for (int i = 0; i < 60; ++i) story.call_fails(20.1 + i * 0.5, "10.0.0.1:80", ENETUNREACH);
    Watch watch(story);
    watch.until(45);
    EXPECT_EQ(watch.alarm().cause, "no_route");
}

TEST(DiagnosisGateway, TheInterfaceIsItsScope) {
    Story story = a_host();
    story.healthy(0, 20, 0.4, "10.0.0.1:80");
    for (int i = 0; i < 20; ++i) story.cannot_leave(20.1 + i * 0.4, "10.0.0.1:80", 4, -EBUSY);
    story.neighbor_fails(23, "192.0.2.1");
    Watch watch(story);
    watch.until(30);
    EXPECT_EQ(watch.alarm().type, FailureType::neighbor_failure);
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::uplink);
    EXPECT_EQ(watch.alarm().scope.value, "eth0");
    EXPECT_FALSE(watch.alarm().destination);
}

// Connections that stall are stuck behind it too: to a destination that opens none.
TEST(DiagnosisGateway, StalledConnectionsBelongToIt) {
    Story story = a_host();
    story.healthy(0, 20, 0.4, "10.0.0.1:80");
    for (int i = 0; i < 40; ++i) story.cannot_leave(20.1 + i * 0.4, "10.0.0.1:80", 4, -EBUSY);
    auto flow = story.flow(1, "10.9.0.1:5432");
    for (int second = 2; second < 20; ++second) {
        flow.sends(3);
        flow.receives(3);
        story.look(second, flow);
    }
    double at = 20.2;
    for (std::uint8_t n = 1; n < 6; ++n) {
        story.times_out(at, flow, n);
        at += 0.2 * (1 << n);
    }
    story.neighbor_fails(23, "192.0.2.1");
    Watch watch(story);
    watch.until(32);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::neighbor_failure);
    EXPECT_THAT(alarm.scope.members, ElementsAre("10.0.0.1:80/tcp", "10.9.0.1:5432/tcp"));
}

// A host on the link that is gone is not the gateway, and silence elsewhere is not its doing.
TEST(DiagnosisGateway, ANeighborThatIsNoGatewayExplainsItselfOnly) {
    Story story = a_host();
    story.route(-290, NETWATCH_CHANGE_FOUND, "192.0.2.0/24", "", 2);
    story.healthy(0, 20, 0.4, "10.0.0.1:80").unanswered(20.1, 40, 0.4, "10.0.0.1:80");
    story.neighbor_fails(21, "192.0.2.77");
    Watch watch(story);
    watch.until(30);
    EXPECT_NE(watch.alarm().type, FailureType::neighbor_failure);
}

}  // namespace
}  // namespace netwatch::diagnosis
