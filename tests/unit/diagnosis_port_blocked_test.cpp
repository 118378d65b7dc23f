// SPDX-License-Identifier: Apache-2.0
// Refused connections: a closed port, and what only looks like one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::IncidentState;
using model::ScopeKind;
using model::Severity;
using support::Story;
using support::Watch;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto web = "10.0.0.1:80";

TEST(DiagnosisPortBlocked, AClosedPortOfALivingHost) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web);
    Watch watch(story);
    watch.until(13);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::port_blocked);
    EXPECT_EQ(alarm.cause, "closed_port");
    EXPECT_EQ(alarm.severity, Severity::critical);
    EXPECT_GE(alarm.confidence, 0.9);
    EXPECT_EQ(alarm.scope.kind, ScopeKind::destination);
    EXPECT_THAT(alarm.scope.members, ElementsAre("10.0.0.1:80/tcp"));
    ASSERT_TRUE(alarm.destination);
    EXPECT_EQ(alarm.destination->endpoint.to_string(), "10.0.0.1:80/tcp");
    EXPECT_EQ(alarm.first_affected_at, support::utc(10));
    EXPECT_EQ(alarm.ladder[static_cast<std::size_t>(model::Rung::ip)].status, model::LadderStatus::ok);
    EXPECT_EQ(alarm.ladder[static_cast<std::size_t>(model::Rung::port)].status, model::LadderStatus::failing);
    EXPECT_EQ(alarm.source.comm, "checkout");
    EXPECT_EQ(alarm.impact.failed, alarm.impact.attempts);
}

TEST(DiagnosisPortBlocked, ThreeProcessesAreEnoughButNotBeforeARestartWouldBeOver) {
    Story story;
    story.healthy(0, 10, 0.25, web);
    for (std::uint32_t pid = 1; pid <= 40; ++pid) story.is_refused(10 + pid * 0.1, web, {pid, "curl"});
    Watch watch(story);
    watch.until(11.2);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    watch.until(12);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
    EXPECT_LE(*watch.first_told(FailureType::port_blocked), 11.5);
}

TEST(DiagnosisPortBlocked, ARestartOfASecondIsNoAlarm) {
    Story story;
    story.healthy(0, 10, 0.1, web).refused(10, 11, 0.1, web);
    for (std::uint32_t pid = 1; pid <= 10; ++pid) story.is_refused(10 + pid * 0.1, web, {pid, "curl"});
    story.healthy(11.05, 20, 0.1, web);
    Watch watch(story);
    watch.until(20);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisPortBlocked, OneOfThreePortsIsOnlyThatPort) {
    Story story;
    for (const auto* port : {"10.0.0.1:80", "10.0.0.1:81", "10.0.0.1:82"}) story.healthy(0, 10, 0.25, port);
    story.healthy(10, 20, 0.25, "10.0.0.1:80")
        .refused(10, 20, 0.25, "10.0.0.1:81")
        .healthy(10, 20, 0.25, "10.0.0.1:82");
    Watch watch(story);
    watch.until(15);
    EXPECT_THAT(watch.alarm().scope.members, ElementsAre("10.0.0.1:81/tcp"));
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
}

TEST(DiagnosisPortBlocked, AllPortsRefusedAreOneIncident) {
    Story story;
    for (const auto* port : {"10.0.0.1:80", "10.0.0.1:81", "10.0.0.1:82"}) {
        story.healthy(0, 10, 0.25, port).refused(10, 20, 0.25, port);
    }
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().scope.members.size(), 3U);
    EXPECT_EQ(watch.told().size(), 1U);
}

TEST(DiagnosisPortBlocked, AnIcmpRejectIsNoClosedPort) {
    Story story;
    story.healthy(0, 10, 0.25, web).rejected(10, 20, 0.25, web, {3, 3, "10.0.0.1"});
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::firewall_block));
}

TEST(DiagnosisPortBlocked, IPv6IsJudgedAlike) {
    Story story;
    story.healthy(0, 10, 0.25, "[2001:db8::1]:80").refused(10, 20, 0.25, "[2001:db8::1]:80");
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
    EXPECT_THAT(watch.alarm().scope.members, ElementsAre("[2001:db8::1]:80/tcp"));
}

TEST(DiagnosisPortBlocked, RetriesOfOneLoopCountOnce) {
    Story story;
    // Forty refusals of one process in 1.9 s are two observations: one short where nothing ever worked.
    story.healthy(0, 10, 0.25, "10.0.0.2:80").refused(10, 11.95, 0.05, web);
    Watch watch(story);
    watch.until(11.95);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    ASSERT_EQ(watch.incidents().size(), 1U);
    EXPECT_EQ(watch.incidents().front().state, IncidentState::suspected);
}

TEST(DiagnosisPortBlocked, OneLoopIsBelievedOnceARestartWouldBeOver) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.05, web);
    Watch watch(story);
    watch.until(11.15);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    watch.until(11.4);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
}

TEST(DiagnosisPortBlocked, ARestartUnderOneLoopIsNoAlarm) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 11.15, 0.05, web).healthy(11.2, 30, 0.25, web);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisPortBlocked, RequestsAtTheirUsualRhythmAreNoRetries) {
    Story story;
    // One process that always connects four times a second: each refusal is an observation of its own, and
    // what holds the verdict back is the 1.2 s that a restart may take.
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web);
    Watch watch(story);
    watch.until(11.15);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    watch.until(11.5);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
}

TEST(DiagnosisPortBlocked, ABurstShowsNoRhythm) {
    Story story;
    // Forty connections at once, then a loop that retries every 0.15 s for 1.1 s: two observations, not
    // eight.
    for (int i = 0; i < 40; ++i) story.connects(9 + i * 0.01, web);
    story.rejected(10, 11.1, 0.15, web, {3, 13, "10.9.9.1"});
    Watch watch(story);
    watch.until(11.15);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisPortBlocked, OneOfThreeBackendsRefusingIsNotAClosedPort) {
    Story story;
    story.healthy(0, 20, 0.2, web);
    // Which of the three backends an attempt meets is drawn, as a balancer without memory does.
    std::uint32_t seed = 7;
    for (double at = 20; at < 120; at += 0.5) {
        seed = seed * 1'664'525 + 1'013'904'223;
        if ((seed >> 16) % 3 == 0)
            story.is_refused(at, web);
        else
            story.connects(at, web);
    }
    Watch watch(story);
    watch.until(120);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisPortBlocked, StartedLateItIsAWarningWithDoubt) {
    Story story;
    for (int i = 0; i < 40; ++i) story.is_refused(0.1 + i * 0.25 + (i % 3) * 0.07, web);
    Watch watch(story);
    watch.until(8);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::port_blocked);
    EXPECT_EQ(alarm.severity, Severity::warning);
    EXPECT_LE(alarm.confidence, 0.8);
    const bool said =
        std::ranges::any_of(alarm.evidence, [](const auto& e) { return e.signal == "no_earlier_success"; });
    EXPECT_TRUE(said);
}

TEST(DiagnosisPortBlocked, NeverUpInAnHourOfWatchingIsInfoOnly) {
    Story story(3600);
    for (int i = 0; i < 40; ++i) story.is_refused(0.1 + i * 0.25 + (i % 3) * 0.07, web);
    Watch watch(story);
    watch.until(10);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    ASSERT_EQ(watch.incidents().size(), 1U);
    EXPECT_EQ(watch.incidents().front().severity, Severity::info);
}

}  // namespace
}  // namespace netwatch::diagnosis
