// SPDX-License-Identifier: Apache-2.0
// Who refuses: the host, or a box in its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using support::Story;
using support::Watch;
using testing::IsEmpty;

constexpr auto web = "10.0.0.1:80";
constexpr auto api = "10.0.0.1:8080";
constexpr auto web6 = "[2001:db8::1]:80";

model::Incident alarm_of(const Story& story, double at) {
    Watch watch(story);
    watch.until(at);
    return watch.alarm();
}

bool may_be(const model::Incident& incident, FailureType type) {
    return std::ranges::find(incident.candidates, type, &model::Candidate::type) != incident.candidates.end();
}

void expect_box(const model::Incident& alarm) {
    EXPECT_EQ(alarm.type, FailureType::firewall_block);
    EXPECT_EQ(alarm.cause, "reset_by_middlebox");
    EXPECT_GE(alarm.confidence, 0.9);
}

void expect_closed_port(const model::Incident& alarm) {
    EXPECT_EQ(alarm.type, FailureType::port_blocked);
    EXPECT_EQ(alarm.cause, "closed_port");
    EXPECT_GE(alarm.confidence, 0.9);
}

TEST(DiagnosisRefusal, AnotherTtlThanThePortsSynAcksIsABoxes) {
    for (const auto* to : {web, web6}) {
        Story story;
        story.healthy(0, 10, 0.25, to).arriving_with(63).refused(10, 20, 0.25, to);
        expect_box(alarm_of(story, 14));
    }
}

TEST(DiagnosisRefusal, ARouterBeginsWithAnotherTtlThanHosts) {
    Story story;
    story.healthy(0, 10, 0.25, web).arriving_with(254).refused(10, 20, 0.25, web);
    expect_box(alarm_of(story, 14));
}

// A container's port is refused by the container's host once the container is gone.
TEST(DiagnosisRefusal, OneHopNearerItMayBeTheHostOfAContainer) {
    for (const std::uint8_t limit : {std::uint8_t{62}, std::uint8_t{58}}) {
        Story story;
        story.healthy(0, 10, 0.25, web).arriving_with(limit).refused(10, 20, 0.25, web);
        const auto alarm = alarm_of(story, 14);
        EXPECT_EQ(alarm.type, FailureType::firewall_block);
        EXPECT_LT(alarm.confidence, 0.9);
        EXPECT_TRUE(may_be(alarm, FailureType::port_blocked));
    }
    Story known;
    known.healthy(0, 10, 0.25, web)
        .arriving_with(62)
        .healthy(0, 10, 0.5, "10.0.0.1:22")
        .refused(10, 20, 0.25, web);
    expect_closed_port(alarm_of(known, 14));
}

TEST(DiagnosisRefusal, TheSameTtlIsTheHosts) {
    for (const auto* to : {web, web6}) {
        Story story;
        story.healthy(0, 10, 0.25, to).refused(10, 20, 0.25, to);
        expect_closed_port(alarm_of(story, 14));
    }
}

TEST(DiagnosisRefusal, PortsOfOneAddressMayLeadToDifferentHosts) {
    Story story;
    story.healthy(0, 20, 0.25, web).arriving_with(58).healthy(0, 10, 0.25, api).refused(10, 20, 0.25, api);
    expect_closed_port(alarm_of(story, 14));
}

TEST(DiagnosisRefusal, AgainstOtherPortsAloneItIsASet) {
    Story story;
    story.healthy(0, 20, 0.25, web).arriving_with(63).refused(10, 20, 0.25, api);
    const auto alarm = alarm_of(story, 14);
    EXPECT_EQ(alarm.type, FailureType::firewall_block);
    EXPECT_LT(alarm.confidence, 0.9);
    EXPECT_TRUE(may_be(alarm, FailureType::port_blocked));
}

TEST(DiagnosisRefusal, WithoutAnythingToCompareItIsASet) {
    Story story;
    story.arriving_with(0).healthy(0, 10, 0.25, web).arriving_with(63).refused(10, 20, 0.25, web);
    const auto alarm = alarm_of(story, 14);
    EXPECT_EQ(alarm.type, FailureType::port_blocked);
    EXPECT_LT(alarm.confidence, 0.9);
    EXPECT_TRUE(may_be(alarm, FailureType::firewall_block));
}

TEST(DiagnosisRefusal, APathThatHasChangedChangesTheTtlOfTheHost) {
    Story story;
    story.healthy(0, 10, 0.25, web).healthy(0, 10, 0.25, api);
    story.arriving_with(59).healthy(10, 20, 0.25, api).refused(10, 20, 0.25, web);
    expect_closed_port(alarm_of(story, 14));
}

// Round trips of 20 ms before.
Story refused_after(double delay_s, std::uint8_t hop_limit) {
    Story story;
    for (int i = 0; i < 40; ++i) story.connects(i * 0.25, web, {}, 20);
    story.arriving_with(hop_limit);
    for (int i = 0; i < 40; ++i) story.is_refused(10 + i * 0.25, web, {}, delay_s);
    return story;
}

TEST(DiagnosisRefusal, SoonerThanTheHostCanAnswerIsPerhapsABox) {
    const auto alarm = alarm_of(refused_after(0.002, 61), 14);
    EXPECT_EQ(alarm.type, FailureType::firewall_block);
    EXPECT_TRUE(may_be(alarm, FailureType::port_blocked));
    expect_box(alarm_of(refused_after(0.002, 63), 14));
    expect_closed_port(alarm_of(refused_after(0.018, 61), 14));
}

TEST(DiagnosisRefusal, TheIdentificationAloneDoesNotDecide) {
    Story story;
    story.healthy(0, 10, 0.25, web).arriving_with(61, 4711).refused(10, 20, 0.25, web);
    const auto alarm = alarm_of(story, 14);
    EXPECT_LT(alarm.confidence, 0.9);
    EXPECT_TRUE(may_be(alarm, FailureType::port_blocked));
    EXPECT_TRUE(may_be(alarm, FailureType::firewall_block));
}

TEST(DiagnosisRefusal, TtlsThatDifferAmongHealthyPathsAreNone) {
    Story story;
    for (int i = 0; i < 80; ++i) story.arriving_with(i % 2 == 0 ? 61 : 55).connects(i * 0.25, web);
    Watch watch(story);
    watch.until(20);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    story.arriving_with(55).refused(20, 30, 0.25, web);
    expect_closed_port(alarm_of(story, 24));
}

}  // namespace
}  // namespace netwatch::diagnosis
