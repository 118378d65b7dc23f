// SPDX-License-Identifier: Apache-2.0
// What changed on this host: which changes an incident shows, and which one is named as its cause.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::Bearing;
using support::Story;
using support::story_netns;
using support::Watch;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::uint8_t works = NETWATCH_LINK_UP | NETWATCH_LINK_CARRIER;
constexpr std::uint8_t blackhole = 6;

std::vector<std::string> told(const model::Incident& incident) {
    std::vector<std::string> texts;
    for (const auto& change : incident.changes) {
        texts.push_back(change.what + (change.by ? " by " + *change.by : "") + ", " +
                        std::string(model::to_string(change.bearing)));
    }
    return texts;
}

// One uplink to everything.
Story a_host() {
    Story story(300);
    story.link(-290, NETWATCH_CHANGE_FOUND, "eth0", 2, works);
    story.route(-290, NETWATCH_CHANGE_FOUND, "0.0.0.0/0", "192.0.2.1", 2);
    story.route(-290, NETWATCH_CHANGE_FOUND, "10.0.0.0/24", "192.0.2.1", 2);
    return story;
}

// A rule of this host drops what leaves for it.
void drop(Story& story, double from, std::string_view peer) {
    for (int i = 0; i < 20; ++i) story.cannot_leave(from + i * 0.3, peer, 2.5, -EPERM);
}

TEST(DiagnosisChanges, TheRulesetThatWasLoadedJustBeforeIsTheCause) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").loads_ruleset(19.95, 41);
    drop(story, 20.1, "10.0.0.1:80");
    Watch watch(story);
    watch.until(26);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.cause, "local_rule");
    EXPECT_THAT(told(alarm), ElementsAre("nft ruleset loaded (generation 41) by firewalld[812], cause"));
    EXPECT_THAT(alarm.root_cause.statement,
                HasSubstr("after this change: nft ruleset loaded (generation 41) by firewalld[812]."));
}

// It still worked after that one.
TEST(DiagnosisChanges, ARulesetBeforeTheLastSuccessIsNotTheCause) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").loads_ruleset(12, 41);
    drop(story, 20.1, "10.0.0.1:80");
    Watch watch(story);
    watch.until(26);
    EXPECT_THAT(told(watch.alarm()),
                ElementsAre("nft ruleset loaded (generation 41) by firewalld[812], touches"));
    EXPECT_THAT(watch.alarm().root_cause.statement, Not(HasSubstr("this change")));
}

TEST(DiagnosisChanges, ARulesetOfAnotherNamespaceIsBeside) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").loads_ruleset(19.95, 41, {812, "firewalld"}, story_netns + 7);
    drop(story, 20.1, "10.0.0.1:80");
    Watch watch(story);
    watch.until(26);
    EXPECT_THAT(told(watch.alarm()),
                ElementsAre("nft ruleset loaded (generation 41) by firewalld[812], beside"));
}

// A filter on the way is not this host's ruleset, whatever was loaded here.
TEST(DiagnosisChanges, ARulesetIsNoCauseOfAFailureElsewhere) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").loads_ruleset(19.95, 41);
    story.rejected(20.1, 30, 0.3, "10.0.0.1:80", {3, 13, "10.9.9.1"});
    Watch watch(story);
    watch.until(26);
    EXPECT_EQ(watch.alarm().cause, "admin_prohibited");
    EXPECT_THAT(told(watch.alarm()),
                ElementsAre("nft ruleset loaded (generation 41) by firewalld[812], touches"));
}

TEST(DiagnosisChanges, AControllerThatLoadsItsRulesAllTheTimeIsOneLine) {
    Story story = a_host();
    story.healthy(0, 60, 0.3, "10.0.0.1:80");
    for (int i = 0; i < 50; ++i)
        story.loads_ruleset(i + 5.5, 40 + static_cast<unsigned>(i),
                            {900 + static_cast<unsigned>(i), "proxy"});
    story.loads_ruleset(60.1, 120);
    drop(story, 60.2, "10.0.0.1:80");
    Watch watch(story);
    watch.until(66);
    EXPECT_THAT(told(watch.alarm()),
                ElementsAre("nft ruleset loaded (generation 120) by firewalld[812], cause",
                            "nft ruleset loaded (generation 89) by proxy[949], touches"));
}

TEST(DiagnosisChanges, ARouteThatWasRemovedIsTheCauseOfNoRoute) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").healthy(0, 30, 0.3, "10.7.0.1:80");
    story.route(20, NETWATCH_CHANGE_REMOVED, "10.0.0.0/24", "192.0.2.1", 2);
    for (int i = 0; i < 20; ++i) story.call_fails(20.1 + i * 0.3, "10.0.0.1:80", ENETUNREACH);
    Watch watch(story);
    watch.until(26);
    EXPECT_EQ(watch.alarm().cause, "no_route");
    EXPECT_THAT(told(watch.alarm()),
                ElementsAre("route 10.0.0.0/24 via 192.0.2.1 dev eth2 removed by unknown, cause"));
    EXPECT_THAT(watch.alarm().root_cause.statement, HasSubstr("removed by an unknown process."));
}

TEST(DiagnosisChanges, ARouteToAnotherNetworkIsBesideIt) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80");
    story.route(20, NETWATCH_CHANGE_REMOVED, "10.1.0.0/24", "192.0.2.1", 2);
    for (int i = 0; i < 20; ++i) story.call_fails(20.1 + i * 0.3, "10.0.0.1:80", ENETUNREACH);
    Watch watch(story);
    watch.until(26);
    EXPECT_EQ(watch.alarm().changes.front().bearing, Bearing::beside);
    EXPECT_THAT(watch.alarm().root_cause.statement, Not(HasSubstr("this change")));
}

TEST(DiagnosisChanges, ABlackholeRouteIsTheCauseOfItself) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80");
    story.route(20, NETWATCH_CHANGE_CHANGED, "10.0.0.0/24", "", 0, blackhole);
    for (int i = 0; i < 20; ++i) story.call_fails(20.1 + i * 0.3, "10.0.0.1:80", EINVAL);
    Watch watch(story);
    watch.until(26);
    EXPECT_EQ(watch.alarm().cause, "local_blackhole");
    EXPECT_THAT(watch.alarm().root_cause.statement, HasSubstr("blackhole route 10.0.0.0/24"));
}

TEST(DiagnosisChanges, ContainersThatStartAreOneLineBesideTheOneThatMatters) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80");
    for (std::uint32_t i = 0; i < 200; ++i) {
        story.link(5 + i * 0.07, NETWATCH_CHANGE_ADDED, "veth", 100 + i, 0);
        story.link(5.01 + i * 0.07, NETWATCH_CHANGE_CHANGED, "veth", 100 + i, works, 0);
        story.address(5.02 + i * 0.07, NETWATCH_CHANGE_ADDED, "172.17.0.1", 100 + i);
        story.link(5.05 + i * 0.07, NETWATCH_CHANGE_REMOVED, "veth", 100 + i, 0, works);
    }
    story.loads_ruleset(19.95, 41);
    drop(story, 20.1, "10.0.0.1:80");
    Watch watch(story);
    watch.until(26);
    EXPECT_THAT(
        told(watch.alarm()),
        ElementsAre("nft ruleset loaded (generation 41) by firewalld[812], cause",
                    "800 links, addresses, routes and namespaces of containers came and went, beside"));
}

TEST(DiagnosisChanges, WhatChangesWithoutAFailureIsSilent) {
    Story story = a_host();
    story.healthy(0, 60, 0.3, "10.0.0.1:80");
    for (int i = 0; i < 50; ++i) {
        story.loads_ruleset(i + 5.5, 40 + static_cast<unsigned>(i));
        story.route(i + 5.6, NETWATCH_CHANGE_CHANGED, "10.0.0.0/24", "192.0.2.1", 2);
        story.address(i + 5.7, NETWATCH_CHANGE_ADDED, "172.17.0.1", 2);
    }
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.incidents(), IsEmpty());
}

TEST(DiagnosisChanges, WhatChangedMoreThanAMinuteBeforeIsNotShown) {
    Story story = a_host();
    story.healthy(0, 120, 0.3, "10.0.0.1:80").loads_ruleset(58, 41).refused(120.1, 130, 0.3, "10.0.0.1:80");
    Watch watch(story);
    watch.until(125);
    EXPECT_THAT(told(watch.alarm()), IsEmpty());
}

TEST(DiagnosisChanges, TheAgentsOwnStartIsShown) {
    Story story;
    story.healthy(0, 10, 0.3, "10.0.0.1:80").refused(10, 20, 0.3, "10.0.0.1:80");
    Watch watch(story);
    watch.until(14);
    EXPECT_THAT(told(watch.alarm()), ElementsAre("netwatch started, beside"));
}

TEST(DiagnosisChanges, AListenerOfThisHostThatWentIsTheCause) {
    Story story = a_host();
    for (int second = 0; second < 40; ++second) {
        if (second < 20) story.listens(second + 0.5, "127.0.0.1:80", 0, 128, 0, {77, "nginx"});
        story.listens(second + 0.5, "0.0.0.0:22", 0, 128, 0, {78, "sshd"}).walk_ends(second + 0.505);
    }
    story.healthy(0, 20, 0.3, "127.0.0.1:80").refused(20, 40, 0.3, "127.0.0.1:80");
    Watch watch(story);
    watch.until(26);
    EXPECT_THAT(told(watch.alarm()), ElementsAre("listener 127.0.0.1:80 of nginx[77] gone, cause"));
}

// Another host's port of the same number is not ours.
TEST(DiagnosisChanges, AListenerHereIsNoCauseOfAClosedPortElsewhere) {
    Story story = a_host();
    for (int second = 0; second < 40; ++second) {
        if (second < 20) story.listens(second + 0.5, "0.0.0.0:80", 0, 128, 0, {77, "nginx"});
        story.listens(second + 0.5, "0.0.0.0:22", 0, 128, 0, {78, "sshd"}).walk_ends(second + 0.505);
    }
    story.healthy(0, 20, 0.3, "10.0.0.1:80").refused(20, 40, 0.3, "10.0.0.1:80");
    Watch watch(story);
    watch.until(26);
    EXPECT_THAT(told(watch.alarm()), ElementsAre("listener 0.0.0.0:80 of nginx[77] gone, beside"));
}

TEST(DiagnosisChanges, AStepOfTheClockIsShown) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").refused(20, 40, 0.3, "10.0.0.1:80");
    Watch watch(story);
    watch.until(15);
    watch.step_clock(3'600);
    watch.until(25);
    EXPECT_THAT(told(watch.alarm()),
                ElementsAre("the clock was set forward by 1 h 0 min by unknown, beside"));
}

TEST(DiagnosisChanges, AClockThatIsSlewedHasNotBeenSet) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").refused(20, 40, 0.3, "10.0.0.1:80");
    Watch watch(story);
    for (int i = 0; i < 100; ++i) {
        watch.step_clock(0.01);
        watch.until(10 + i * 0.1);
    }
    watch.until(25);
    EXPECT_THAT(told(watch.alarm()), IsEmpty());
}

TEST(DiagnosisChanges, LostRecordsAreShown) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").refused(20, 40, 0.3, "10.0.0.1:80").lost_records(19, 1'234);
    Watch watch(story);
    watch.until(25);
    EXPECT_THAT(told(watch.alarm()),
                ElementsAre("netwatch lost 1234 records: more came than it could take, beside"));
}

TEST(DiagnosisChanges, AReplayShowsTheSame) {
    Story story = a_host();
    story.healthy(0, 20, 0.3, "10.0.0.1:80").loads_ruleset(19.95, 41);
    drop(story, 20.1, "10.0.0.1:80");
    Watch live(story);
    Watch replayed(story);
    live.until(26);
    replayed.until(26);
    EXPECT_EQ(told(live.alarm()), told(replayed.alarm()));
}

}  // namespace
}  // namespace netwatch::diagnosis
