// SPDX-License-Identifier: Apache-2.0
// Destinations that some attempts to connect reach and some do not; and silence before a SYN is sent again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "support/crowd.h"
#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::IncidentState;
using model::ScopeKind;
using support::Story;
using support::Watch;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr auto web = "10.0.0.1:443";

enum class Fate { answered, at_retry, never };

// Attempts at five a second, of which a share meets that fate from `fault_from` to `fault_to`.
void attempts(Story& story, double from, double to, std::string_view peer, double share, Fate fate,
              unsigned seed, double fault_from, double fault_to) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> draw(0, 1);
    for (double at = from; at < to; at += 0.2) {
        const bool hit = at >= fault_from && at < fault_to && draw(random) < share;
        if (!hit || fate == Fate::answered)
            story.connects(at, peer);
        else if (fate == Fate::at_retry)
            story.connects_at_retry(at, peer);
        else
            story.is_unanswered(at, peer, 3.5);
    }
}

// A kept connection that moves twenty segments a second, of which so many are lost.
void data(Story& story, double from, double to, std::string_view peer, std::uint32_t lost = 0,
          double fault_from = 0) {
    auto flow = story.flow(from, peer);
    for (double at = std::ceil(from) + 1; at < to; at += 1) {
        flow.sends(20, at >= fault_from ? lost : 0);
        flow.receives(5);
        flow.since(0.3, 0.2);
        story.look(at, flow);
    }
}

TEST(DiagnosisHandshakes, SynsGetLostAndDataDoesNot) {
    for (const unsigned seed : {1U, 2U, 3U}) {
        Story story;
        attempts(story, 0, 80, web, 0.3, Fate::at_retry, seed, 15, 40);
        data(story, 1, 80, web);
        Watch watch(story);
        watch.until(35);
        const auto alarm = watch.alarm();
        EXPECT_EQ(alarm.type, FailureType::packet_loss) << seed;
        EXPECT_EQ(alarm.cause, "syn_only") << seed;
        EXPECT_EQ(alarm.destination->endpoint.to_string(), "10.0.0.1") << seed;
        watch.until(80);
        EXPECT_THAT(watch.alarms(), IsEmpty()) << seed;
        EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::packet_loss)) << seed;
    }
}

// What loses SYNs loses data: that is the loss judge's, and one incident.
TEST(DiagnosisHandshakes, SynsThatAreLostWithDataAreLoss) {
    Story story;
    attempts(story, 0, 60, web, 0.25, Fate::at_retry, 5, 15, 50);
    data(story, 1, 60, web, 5, 15);
    data(story, 1.2, 60, web, 5, 15);
    Watch watch(story);
    watch.until(45);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
    EXPECT_EQ(watch.alarm().cause, "forward");
    EXPECT_EQ(watch.told().size(), 1U);
}

// By chance SYNs may fare worse than data: where data is lost, that is what SYNs are lost of.
TEST(DiagnosisHandshakes, SynsThatAreLostMoreOftenThanDataAreLossAllTheSame) {
    Story story;
    attempts(story, 0, 60, web, 0.3, Fate::at_retry, 5, 15, 50);
    data(story, 1, 60, web, 1, 15);
    data(story, 1.2, 60, web, 1, 15);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::packet_loss));
    for (const auto& [id, incident] : watch.told()) EXPECT_NE(incident.cause, "listen_backlog");
}

// Whoever is sent to the dead backend stays there, however often its SYN is sent again.
TEST(DiagnosisHandshakes, OneDeadBackendOfThree) {
    for (const unsigned seed : {1U, 2U, 3U}) {
        Story story;
        attempts(story, 0, 90, web, 0.33, Fate::never, seed, 15, 45);
        data(story, 1, 90, web);
        Watch watch(story);
        watch.until(40);
        const auto alarm = watch.alarm();
        EXPECT_EQ(alarm.type, FailureType::load_balancer) << seed;
        EXPECT_EQ(alarm.cause, "backend_silent") << seed;
        watch.until(90);
        EXPECT_THAT(watch.alarms(), IsEmpty()) << seed;
        EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::load_balancer)) << seed;
    }
}

// When it is back, those that wait get in with their next SYN: that is the end, not chance.
TEST(DiagnosisHandshakes, ADeadBackendThatComesBackIsNotHelpedByRetries) {
    for (const unsigned seed : {1U, 2U, 3U}) {
        Story story;
        attempts(story, 0, 44, web, 0.33, Fate::never, seed, 15, 44);
        attempts(story, 44, 45, web, 1, Fate::at_retry, seed, 44, 45);
        attempts(story, 45.1, 80, web, 0, Fate::answered, seed, 0, 0);
        data(story, 1, 80, web);
        Watch watch(story);
        watch.until(80);
        EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::load_balancer)) << seed;
        for (const auto& [id, incident] : watch.told())
            EXPECT_NE(incident.type, FailureType::packet_loss) << seed;
        EXPECT_THAT(watch.alarms(), IsEmpty()) << seed;
    }
}

// Several destinations lose the same share for good: never as many load balancers.
TEST(DiagnosisHandshakes, OneDeadPathOfThreeForSeveralDestinations) {
    Story story;
    unsigned seed = 11;
    for (const auto* peer : {"10.0.0.1:443", "10.7.0.9:443", "10.9.3.4:80"}) {
        attempts(story, 0, 90, peer, 0.33, Fate::never, seed++, 15, 45);
        data(story, 1, 90, peer);
    }
    Watch watch(story);
    watch.until(40);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::routing_failure);
    EXPECT_EQ(alarm.cause, "path_member");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::path);
    EXPECT_EQ(alarm.scope.members.size(), 3U);
    watch.until(90);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

// A path that swallows a third swallows, now and then, all attempts of somebody who makes few.
TEST(DiagnosisHandshakes, ADeadPathOfThreeIsNoDeadNetwork) {
    Story story;
    unsigned seed = 11;
    for (const auto* peer : {"10.0.0.1:443", "10.7.0.9:443", "10.9.3.4:80"}) {
        attempts(story, 0, 60, peer, 0.33, Fate::never, seed++, 15, 60);
        data(story, 1, 60, peer);
    }
    for (const auto* peer : {"10.1.0.1:443", "10.2.0.9:443", "10.3.3.4:80"}) {
        story.healthy(0, 30, 0.9, peer);
        story.is_unanswered(31, peer, 3.5).is_unanswered(31.9, peer, 3.5).is_unanswered(33, peer, 3.5);
        story.healthy(36, 60, 0.9, peer);
    }
    Watch watch(story);
    watch.until(60);
    EXPECT_EQ(watch.alarm().cause, "path_member");
    for (const auto& [id, incident] : watch.told()) {
        EXPECT_FALSE(model::is_alarm(incident) && incident.cause == "prefix_silent") << id;
    }
}

constexpr std::array six_peers{"10.0.0.1:443", "10.0.0.2:443", "10.0.0.3:443",
                               "10.7.0.1:443", "10.7.0.2:443", "10.7.0.3:443"};

// Whether a path of three is dead is known of all destinations together before it is of each: until then none
// of them is dead, nor is one that a single connection waits for.
TEST(DiagnosisHandshakes, ADeadPathOfThreeIsNothingElseBefore) {
    for (const unsigned seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
        Story story;
        unsigned of_peer = 100 * seed;
        for (const auto* peer : six_peers) attempts(story, 0, 40, peer, 0.33, Fate::never, of_peer++, 15, 40);
        story.healthy(0, 15, 3, "10.0.0.2:2252").is_unanswered(17, "10.0.0.2:2252", 5.5);
        story.healthy(24, 40, 3, "10.0.0.2:2252");
        Watch watch(story);
        watch.until(35);
        EXPECT_EQ(watch.alarm().cause, "path_member") << seed;
        for (const auto& [id, incident] : watch.told()) {
            const bool hurt = incident.severity != model::Severity::info &&
                              incident.state != IncidentState::suspected && !incident.symptom;
            EXPECT_TRUE(!hurt || incident.cause == "path_member") << seed << ' ' << incident.summary;
        }
    }
}

// When it is back, all of them tell together: who lost few would have to make many connections to tell alone.
TEST(DiagnosisHandshakes, APathThatCarriesAllAgainIsHealed) {
    Story story;
    unsigned of_peer = 100;
    for (const auto* peer : six_peers) attempts(story, 0, 90, peer, 0.2, Fate::never, of_peer++, 15, 30);
    Watch watch(story);
    watch.until(29);
    EXPECT_EQ(watch.alarm().cause, "path_member");
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    watch.until(90);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    for (const auto& [id, incident] : watch.told()) {
        if (incident.cause != "path_member") continue;
        EXPECT_EQ(incident.occurrences, 1);
    }
}

// Its neighbour: as long as some are lost, what others make does not heal it.
TEST(DiagnosisHandshakes, APathThatStillLosesSomeIsNotHealed) {
    Story story;
    unsigned of_peer = 100;
    for (const auto* peer : six_peers) attempts(story, 0, 90, peer, 0.2, Fate::never, of_peer++, 15, 90);
    Watch watch(story);
    for (int until = 29; until < 90; ++until) {
        watch.until(until);
        EXPECT_EQ(watch.alarm().cause, "path_member") << until;
    }
    EXPECT_EQ(watch.alarm().occurrences, 1);
}

// Its neighbour: beside it one host dies of all its connections.
TEST(DiagnosisHandshakes, ADeadHostBesideADeadPathIsNamed) {
    Story story;
    unsigned of_peer = 100;
    for (const auto* peer : six_peers) {
        const bool dies = peer == six_peers[4];
        attempts(story, 0, dies ? 25 : 45, peer, 0.33, Fate::never, of_peer++, 15, 45);
    }
    story.unanswered(25, 45, 0.2, six_peers[4], 3.5);
    Watch watch(story);
    watch.until(40);
    const auto alarms = watch.alarms();
    const auto dead = std::ranges::find_if(alarms, [](const auto& one) { return one.cause == "silent"; });
    ASSERT_NE(dead, alarms.end());
    EXPECT_EQ(dead->destination->endpoint.ip.to_string(), "10.7.0.2");
}

// An outage that is over is no such path: the next one is named as fast.
TEST(DiagnosisHandshakes, WhatAnOutageLeavesWaitingIsNoDeadPath) {
    Story story;
    for (const auto* peer : six_peers) {
        story.healthy(0, 15, 0.3, peer);
        for (int i = 0; i < 20; ++i) story.is_unanswered(15 + i * 0.3, peer, 3.5);
        for (int i = 0; i < 3; ++i) story.connects_at_retry(21 + i * 0.3, peer);
        story.healthy(22, peer == six_peers[1] ? 27 : 40, 0.3, peer);
    }
    story.unanswered(27, 40, 0.3, six_peers[1], 3.5);
    Watch watch(story);
    watch.until(29.5);
    const auto alarms = watch.alarms();
    EXPECT_TRUE(std::ranges::any_of(alarms, [](const auto& one) {
        return one.state == IncidentState::open && one.destination &&
               one.destination->endpoint.ip.to_string() == "10.0.0.2";
    }));
}

// A queue that overflows while the process accepts slowly: those that get in wait, too.
TEST(DiagnosisHandshakes, RetriesThatHelpWhereAnswersAreLateAreAFullQueue) {
    Story story;
    attempts(story, 0, 60, web, 0.4, Fate::at_retry, 4, 15, 60);
    data(story, 1, 60, web);
    for (int i = 0; i < 160; ++i) {
        const double at = 0.5 + i * 0.35;
        auto flow = story.flow(at, web);
        const double late = at > 15 ? 1.6 : 0.02;
        flow.sends(1);
        flow.receives(1);
        flow.since(late, 0.001);
        story.close(at + late, flow);
    }
    Watch watch(story);
    watch.until(40);
    const auto alarms = watch.alarms();
    const auto full = std::ranges::find(alarms, FailureType::connection_exhaustion, &model::Incident::type);
    ASSERT_NE(full, alarms.end());
    EXPECT_EQ(full->cause, "listen_backlog");
}

// Attempts fail only while many connections are open: what is scarce there has run out.
TEST(DiagnosisHandshakes, RetriesThatHelpOnlyInACrowdAreATableThatIsFull) {
    Story story;
    std::mt19937 random(7);
    std::uniform_real_distribution<double> draw(0, 1);
    data(story, 0.5, 80, web);
    for (int i = 0; i < 300; ++i) {
        const double at = 1 + i * 0.25;
        const bool crowd = i >= 60 && (i / 6) % 2 == 0;
        std::vector<support::Flow> beside;
        if (crowd && i % 6 == 0) {
            for (int k = 0; k < 20; ++k) beside.push_back(story.flow(at - 0.1 + k * 0.001, web));
            for (const auto& flow : beside) story.close(at + 1.4, flow);
        }
        if (crowd && draw(random) < 0.7)
            story.connects_at_retry(at, web);
        else
            story.connects(at, web);
    }
    Watch watch(story);
    watch.until(60);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::connection_exhaustion);
    EXPECT_EQ(alarm.cause, "nat_ports_remote");
}

TEST(DiagnosisHandshakes, AnOutageThatComesAndGoesIsNotPartial) {
    Story story;
    story.healthy(0, 15, 0.2, web).unanswered(15, 21, 0.2, web, 3.5).healthy(25, 80, 0.2, web);
    data(story, 1, 15, web);
    Watch watch(story);
    watch.until(80);
    EXPECT_THAT(watch.ever_alarmed(), Not(Contains(FailureType::load_balancer)));
    EXPECT_THAT(watch.ever_alarmed(), Not(Contains(FailureType::packet_loss)));
}

TEST(DiagnosisHandshakes, TwoShortOutagesAreNotPartial) {
    Story story;
    attempts(story, 0, 20, web, 0, Fate::answered, 1, 0, 0);
    attempts(story, 20, 22, web, 1, Fate::at_retry, 1, 20, 22);
    story.connects(22.1, web);
    attempts(story, 22.3, 24.3, web, 1, Fate::at_retry, 1, 22, 25);
    attempts(story, 24.5, 60, web, 0, Fate::answered, 1, 0, 0);
    data(story, 1, 60, web);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), Not(Contains(FailureType::packet_loss)));
}

TEST(DiagnosisHandshakes, ALostSynNowAndThenIsNothing) {
    for (const unsigned seed : {1U, 2U, 3U, 4U}) {
        Story story;
        attempts(story, 0, 300, web, 0.01, seed % 2 == 0 ? Fate::at_retry : Fate::never, seed, 0, 300);
        data(story, 1, 300, web);
        Watch watch(story, 0.2);
        watch.until(300);
        EXPECT_THAT(watch.ever_alarmed(), IsEmpty()) << seed;
    }
}

TEST(DiagnosisLimits, ConnectionsThatAreEndedAtOnceInACrowd) {
    for (const bool asks : {false, true}) {
        Story story;
        support::crowd(story, 0, 15, web, 1'000, 14, asks);
        support::crowd(story, 15.2, 45, web, 9, 14, asks);
        support::crowd(story, 45.4, 80, web, 1'000, 14, asks);
        Watch watch(story);
        watch.until(40);
        const auto alarm = watch.alarm();
        EXPECT_EQ(alarm.type, FailureType::connection_exhaustion) << asks;
        EXPECT_EQ(alarm.cause, "remote_limit") << asks;
        watch.until(80);
        EXPECT_THAT(watch.alarms(), IsEmpty()) << asks;
        EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::connection_exhaustion)) << asks;
    }
}

// What a limit reset is over with it: those resets are none of their own.
TEST(DiagnosisLimits, ALimitThatIsLiftedLeavesNoResetsBehind) {
    Story story;
    support::crowd(story, 0, 15, web, 1'000, 14, true);
    support::crowd(story, 15.2, 40, web, 9, 14, true);
    support::crowd(story, 40.4, 70, web, 1'000, 40, true);
    Watch watch(story);
    watch.until(70);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::connection_exhaustion));
}

// A service that crashes at some requests does so whoever else is there.
TEST(DiagnosisLimits, ConnectionsThatAreEndedWhoeverIsBesideThemAreNone) {
    Story story;
    std::mt19937 random(5);
    std::uniform_real_distribution<double> draw(0, 1);
    for (double at = 0; at < 60; at += 0.2) {
        auto flow = story.flow(at, web);
        flow.sends(1);
        if (at > 15 && draw(random) < 0.4) {
            flow.since(0.001, 5);
            story.close(at + 0.003, flow, true);
        } else {
            flow.receives(1);
            flow.since(0.01, 0.005);
            story.close(at + 0.02 + 2 * draw(random), flow);
        }
    }
    Watch watch(story);
    watch.until(50);
    EXPECT_EQ(watch.alarm().type, FailureType::connection_reset);
}

TEST(DiagnosisLimits, UnusedConnectionsThatAServerClosesNowAndThenAreNone) {
    Story story;
    for (double at = 0; at < 200; at += 0.2) {
        auto flow = story.flow(at, web);
        flow.sends(1);
        flow.receives(1);
        flow.since(0.01, 0.005);
        story.close(at + 0.5, flow);
    }
    for (double at = 0.05; at < 200; at += 11) {
        const auto flow = story.flow(at, web);
        story.close(at + 0.3, flow, true);
    }
    Watch watch(story, 0.2);
    watch.until(200);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisSuspicion, ASynOlderThanAnyHandshakeIsSuspectedBeforeItIsSentAgain) {
    Story story;
    story.healthy(0, 10, 0.25, web).healthy(0, 30, 0.1, "10.5.0.1:80").unanswered(10.1, 20, 0.25, web, 4);
    Watch watch(story, 0.02);
    watch.until(10.45);
    const auto incidents = watch.incidents();
    ASSERT_EQ(incidents.size(), 1U);
    EXPECT_EQ(incidents.front().state, IncidentState::suspected);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    watch.until(14);
    EXPECT_EQ(watch.alarms().size(), 1U);
}

TEST(DiagnosisSuspicion, WithoutAnybodyWhoAnswersItMayBeThisHost) {
    Story story;
    story.healthy(0, 10, 0.25, web).healthy(0, 10, 0.1, "10.5.0.1:80").unanswered(10.1, 11, 0.25, web, 4);
    Watch watch(story, 0.02);
    watch.until(10.9);
    EXPECT_THAT(watch.incidents(), IsEmpty());
}

TEST(DiagnosisSuspicion, AnAnswerThatComesAfterAllTakesItBack) {
    Story story;
    story.healthy(0, 10, 0.25, web).healthy(0, 30, 0.1, "10.5.0.1:80");
    story.connects(10.1, web, {}, 600);
    story.healthy(10.8, 30, 0.25, web);
    Watch watch(story, 0.02);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    for (const auto& incident : watch.incidents()) EXPECT_EQ(incident.severity, model::Severity::info);
}

}  // namespace
}  // namespace netwatch::diagnosis
