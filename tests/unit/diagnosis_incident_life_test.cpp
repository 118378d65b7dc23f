// SPDX-License-Identifier: Apache-2.0
// The life of an incident: opened once, revised, healed by successes, never by silence, reopened under its
// id.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::IncidentState;
using model::Resolution;
using model::Severity;
using support::Flow;
using support::Story;
using support::Watch;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto web = "10.0.0.1:80";

TEST(DiagnosisLife, OpensOnceAndKeepsItsIdWhileItsTypeIsRevised) {
    Story story;
    story.healthy(0, 10, 0.25, web)
        .unanswered(10, 14, 0.25, web)
        .rejected(14, 20, 0.25, web, {3, 13, "10.9.9.1"});
    Watch watch(story);
    watch.until(13);
    const auto first = watch.alarm();
    watch.until(20);
    const auto last = watch.alarm();
    EXPECT_EQ(last.id, first.id);
    EXPECT_EQ(last.cause, "admin_prohibited");
    EXPECT_EQ(last.opened_at, first.opened_at);
    EXPECT_EQ(watch.told().size(), 1U);
}

TEST(DiagnosisLife, ATypeThatChangesIsDetectedAnew) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 14, 0.25, web).refused(18, 26, 0.25, web);
    Watch watch(story);
    watch.until(13);
    const auto first = watch.alarm();
    watch.until(25);
    const auto last = watch.alarm();
    EXPECT_EQ(last.id, first.id);
    EXPECT_EQ(last.type, FailureType::port_blocked);
    EXPECT_EQ(last.opened_at, first.opened_at);
    EXPECT_GT(last.detected_at, first.detected_at);
}

TEST(DiagnosisLife, ASuspicionThatComesToNothingIsNoAlarm) {
    Story story;
    story.healthy(0, 10, 0.25, web)
        .is_refused(10.1, web, {1, "a"})
        .is_refused(10.3, web, {2, "b"})
        .healthy(10.5, 20, 0.25, web);
    Watch watch(story);
    watch.until(10.45);
    ASSERT_EQ(watch.incidents().size(), 1U);
    EXPECT_EQ(watch.incidents().front().state, IncidentState::suspected);
    watch.until(25);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    EXPECT_EQ(watch.incidents().front().state, IncidentState::resolved);
}

TEST(DiagnosisLife, ResolvesAfterSuccessesThatSpanASecondAndNotBeforeItsDwell) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 12.5, 0.25, web).healthy(12.5, 30, 0.25, web);
    Watch watch(story);
    watch.until(12.4);
    const auto open = watch.alarm();
    watch.until(30);
    const auto closed = watch.incidents().front();
    EXPECT_EQ(closed.id, open.id);
    EXPECT_EQ(closed.resolution, Resolution::healed);
    ASSERT_TRUE(closed.resolved_at);
    const std::int64_t lived_ns = closed.resolved_at->ns - closed.opened_at.ns;
    EXPECT_GE(lived_ns, 5'000'000'000);
    EXPECT_LE(*closed.resolved_at, support::utc(18.5));
}

TEST(DiagnosisLife, TwoSuccessesAreTooFewToHeal) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web).connects(20, web).connects(22, web);
    Watch watch(story);
    watch.until(28);
    EXPECT_EQ(watch.alarms().size(), 1U);
}

TEST(DiagnosisLife, ThreeSuccessesOfOneInstantAreTooShortToHeal) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web);
    story.connects(20, web).connects(20.1, web).connects(20.2, web).refused(20.4, 30, 0.25, web);
    Watch watch(story);
    watch.until(29);
    EXPECT_EQ(watch.told().size(), 1U);
    EXPECT_EQ(watch.alarm().occurrences, 1);
}

TEST(DiagnosisLife, SilenceMakesItStaleAndNeverResolvesIt) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web).healthy(0, 4'000, 1, "10.5.0.1:80");
    Watch watch(story, 0.5);
    watch.until(40);
    EXPECT_EQ(watch.alarm().state, IncidentState::open);
    watch.until(60);
    EXPECT_EQ(watch.alarm().state, IncidentState::stale);
    watch.until(4'000);
    EXPECT_EQ(watch.alarm().state, IncidentState::stale);
}

TEST(DiagnosisLife, AStaleOneHealsByRealSuccesses) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web).healthy(100, 110, 0.25, web);
    Watch watch(story, 0.2);
    watch.until(90);
    EXPECT_EQ(watch.alarm().state, IncidentState::stale);
    watch.until(110);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_EQ(watch.incidents().front().resolution, Resolution::healed);
}

TEST(DiagnosisLife, TheSameFaultWithinTenMinutesReopensIt) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web).healthy(20, 100, 0.25, web);
    story.refused(100, 120, 0.25, web);
    Watch watch(story, 0.1);
    watch.until(19);
    const auto first = watch.alarm();
    watch.until(90);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    watch.until(119);
    const auto again = watch.alarm();
    EXPECT_EQ(again.id, first.id);
    EXPECT_EQ(again.occurrences, 2);
    EXPECT_EQ(again.state, IncidentState::open);
    EXPECT_EQ(std::ranges::count(watch.incidents(), Severity::critical, &model::Incident::severity), 1);
}

TEST(DiagnosisLife, AfterTenMinutesItIsAnother) {
    Story story;
    story.healthy(0, 10, 1, web)
        .refused(10, 20, 0.25, web)
        .healthy(20, 700, 1, web)
        .refused(700, 720, 0.25, web);
    Watch watch(story, 0.25);
    watch.until(19);
    const auto first = watch.alarm();
    watch.until(719);
    EXPECT_NE(watch.alarm().id, first.id);
    EXPECT_EQ(watch.alarm().occurrences, 1);
}

TEST(DiagnosisLife, ARestartedAgentGoesOnUnderTheId) {
    Story before;
    before.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web);
    Watch first(before);
    first.until(19);
    const auto open = first.alarm();

    Story after(-21);
    after.refused(22, 31, 0.25, web).healthy(31, 50, 0.25, web);
    Watch second(after);
    second.engine.resume({open});
    second.until(30);
    EXPECT_EQ(second.alarm().id, open.id);
    EXPECT_EQ(second.alarm().opened_at, open.opened_at);
    second.until(50);
    EXPECT_THAT(second.alarms(), IsEmpty());
    EXPECT_EQ(second.incidents().size(), 1U);
    EXPECT_EQ(second.incidents().front().resolution, Resolution::healed);
}

TEST(DiagnosisLife, ARestartedAgentGoesOnWithLossUnderTheId) {
    const auto lossy = [](int first_s, int last_s) {
        Story story(-first_s);
        Flow flow = story.flow(first_s + 0.1, web);
        for (int second = first_s + 1; second <= last_s; ++second) {
            flow.sends(200, 10);
            story.look(second, flow);
        }
        return story;
    };
    Watch first(lossy(0, 20));
    first.until(20);
    const auto open = first.alarm();
    Watch second(lossy(21, 40));
    second.engine.resume({open});
    second.until(40);
    EXPECT_EQ(second.incidents().size(), 1U);
    EXPECT_EQ(second.alarm().id, open.id);
}

TEST(DiagnosisLife, ADeadHostTakesItsLossAndItsLatenessAsSymptoms) {
    Story story;
    Flow flow = story.flow(0.1, web);
    for (int second = 1; second <= 20; ++second) {
        flow.sends(200, second >= 5 ? 10 : 0);
        story.look(second, flow);
    }
    story.healthy(0, 20, 0.25, web).healthy(0, 20, 0.3, "10.0.0.1:81");
    story.rejected(20, 40, 0.25, web, {3, 1, "10.9.9.1"}, 3.06)
        .rejected(20, 40, 0.3, "10.0.0.1:81", {3, 1, "10.9.9.1"}, 3.06);
    Watch watch(story);
    watch.until(19);
    const auto loss = watch.alarm();
    EXPECT_EQ(loss.type, FailureType::packet_loss);
    watch.until(30);
    EXPECT_EQ(watch.alarm().type, FailureType::host_unreachable);
    EXPECT_EQ(watch.told().at(loss.id).root_cause.incident, watch.alarm().id);
    EXPECT_TRUE(watch.told().at(loss.id).symptom);
}

TEST(DiagnosisLife, AClockThatIsSetBackLeavesTheTimesInOrder) {
    Story story;
    story.healthy(0, 10, 0.25, web)
        .unanswered(10, 14, 0.25, web)
        .rejected(14, 20, 0.25, web, {3, 13, "10.9.9.1"});
    story.healthy(20, 40, 0.25, web);
    Watch watch(story);
    watch.until(13);
    watch.step_clock(-3'600);
    watch.until(40);  // the watch itself holds every incident to the order of its times
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisLife, EachChangeIsToldOnce) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web);
    Watch watch(story);
    watch.until(15);
    EXPECT_THAT(watch.engine.take_changes(), IsEmpty());
    watch.until(19);
    EXPECT_THAT(watch.engine.take_changes(), IsEmpty());
}

TEST(DiagnosisLife, LostRecordsOfItsOwnSpanAndMissingHooksAreTold) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web);
    story.lost_records(5, 100).lost_records(15, 117).misses(1, "drops");
    Watch watch(story);
    watch.until(19);
    EXPECT_EQ(watch.alarm().observer.lost_records, 17);
    EXPECT_THAT(watch.alarm().observer.missing_hooks, ElementsAre("drops"));
}

TEST(DiagnosisLife, TwoSuccessesFarApartHealWhereConnectionsAreRare) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web).connects(20, web).connects(25, web);
    Watch watch(story);
    watch.until(24.9);
    EXPECT_EQ(watch.alarms().size(), 1U);
    watch.until(26);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisLife, WhatIsOneObservationShortRenamesNothing) {
    Story story;
    story.healthy(0, 10, 0.25, web).rejected(10, 16, 0.25, web, {3, 13, "10.9.9.1"});
    // It works again; of the next attempts two go unanswered.
    story.connects(16.1, web).is_unanswered(16.2, web, 1.2).is_unanswered(16.3, web, 1.2);
    story.healthy(17.6, 30, 0.25, web);
    Watch watch(story);
    watch.until(25);
    ASSERT_EQ(watch.told().size(), 1U);
    const auto& last = watch.told().begin()->second;
    EXPECT_EQ(last.cause, "admin_prohibited");
    EXPECT_EQ(last.state, model::IncidentState::resolved);
}

// A path that is lost takes hosts with it that turn out, when it is back, to have died on their own.
TEST(DiagnosisLife, WhatALostPathLeavesBehindAreIncidentsOfTheirOwn) {
    Story story;
    story.healthy(0, 30, 0.3, "192.168.0.9:80");
    for (const auto* peer : {"10.0.0.1:80", "10.0.0.2:80", "10.1.0.1:80", "10.2.0.1:443", "10.2.0.2:443"})
        story.healthy(0, 10, 0.3, peer).unanswered(10, 26, 0.3, peer, 3);
    for (const auto* back : {"10.0.0.2:80", "10.1.0.1:80", "10.2.0.2:443"}) story.healthy(30, 80, 0.3, back);
    for (const auto* dead : {"10.0.0.1:80", "10.2.0.1:443"}) story.unanswered(26, 80, 0.3, dead, 3);
    story.healthy(30, 80, 0.3, "192.168.0.9:80");
    Watch watch(story);
    watch.until(20);
    const auto path = watch.alarm();
    EXPECT_EQ(path.scope.members.size(), 5U);
    watch.until(50);
    std::map<std::string, std::vector<std::string>> members;
    for (const auto& alarm : watch.alarms()) members[alarm.id] = alarm.scope.members;
    EXPECT_EQ(members.size(), 2U);
    EXPECT_TRUE(members.contains(path.id));
    for (int until = 51; until < 80; ++until) {
        watch.until(until);
        for (const auto& alarm : watch.alarms()) {
            EXPECT_EQ(alarm.scope.members.size(), 1U) << until;
            EXPECT_EQ(alarm.scope.members, members[alarm.id]) << until;
        }
    }
}

// Loss at a host is a consequence of the path's fault as long as that has the host.
TEST(DiagnosisLife, ASymptomIsARootAgainWhenItsRootNoLongerCoversIt) {
    Story story;
    auto flow = story.flow(0, "10.0.0.2:80");
    for (int second = 1; second < 90; ++second) {
        if (second < 20 || second >= 30) flow.sends(100, second >= 8 ? 6 : 0);
        story.look(second, flow);
    }
    for (const auto* peer : {"10.0.0.1:80", "10.1.0.1:80", "10.2.0.1:443"})
        story.healthy(0, 20, 0.3, peer).unanswered(20, 30, 0.3, peer, 3);
    story.healthy(0, 20, 0.3, "10.0.0.2:81").unanswered(20, 28, 0.3, "10.0.0.2:81", 1);
    for (const auto* back : {"10.0.0.2:81", "10.1.0.1:80", "10.2.0.1:443"}) story.healthy(30, 90, 0.3, back);
    story.unanswered(30, 90, 0.3, "10.0.0.1:80", 3);
    Watch watch(story);
    watch.until(18);
    const auto loss = watch.alarm();
    EXPECT_EQ(loss.type, FailureType::packet_loss);
    watch.until(28);
    EXPECT_EQ(watch.alarm().scope.kind, model::ScopeKind::path);
    watch.until(89);
    std::vector<std::string> lost;
    for (const auto& incident : watch.incidents()) {
        if (incident.type != FailureType::packet_loss || incident.state != IncidentState::open) continue;
        lost.push_back(incident.id);
        EXPECT_FALSE(incident.symptom);
        EXPECT_FALSE(incident.root_cause.incident);
    }
    EXPECT_THAT(lost, ElementsAre(loss.id));
    EXPECT_EQ(watch.alarms().size(), 2U);
}

}  // namespace
}  // namespace netwatch::diagnosis
