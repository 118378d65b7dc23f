// SPDX-License-Identifier: Apache-2.0
// Connections that are reset while their client waits, and those that end otherwise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <functional>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using support::Flow;
using support::Story;
using support::Watch;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto api = "10.0.0.1:8080";

enum class End { answered, reset_before_the_answer, reset_after_the_answer };

// One connection for each request.
void requests(Story& story, double from, double to, double every, End end) {
    for (double at = from; at < to; at += every) {
        Flow flow = story.flow(at, api);
        flow.sends(1);
        flow.since(0.004, 10);
        if (end != End::reset_before_the_answer) {
            flow.receives(1);
            flow.since(0.02, 0.004);
        }
        story.close(at + 0.03, flow, end != End::answered);
    }
}

TEST(DiagnosisResets, ResetsInsteadOfAnswers) {
    Story story;
    requests(story, 0, 20, 0.3, End::answered);
    requests(story, 20, 30, 0.3, End::reset_before_the_answer);
    requests(story, 30, 50, 0.3, End::answered);
    Watch watch(story);
    watch.until(25);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::connection_reset);
    EXPECT_EQ(alarm.cause, "by_peer");
    EXPECT_EQ(alarm.candidates[1].cause, "injected");
    EXPECT_GE(alarm.first_affected_at, support::utc(19.9));
    EXPECT_LE(alarm.first_affected_at, support::utc(20.5));
    watch.until(50);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

// The RSTs carry another TTL than the SYN-ACKs of 61, or none is told.
model::Incident resets_with(std::uint8_t hop_limit, const char* to = api) {
    Story story;
    for (double at = 0; at < 30; at += 0.3) {
        Flow flow = story.arriving_with(hop_limit == 0 ? 0 : 61).flow(at, to);
        flow.sends(1);
        flow.since(0.004, 10);
        if (at < 20) {
            flow.receives(1);
            flow.since(0.02, 0.004);
        }
        story.arriving_with(hop_limit).close(at + 0.03, flow, at >= 20);
    }
    Watch watch(story);
    watch.until(25);
    return watch.alarm();
}

TEST(DiagnosisResets, TheTtlTellsWhoSendsThem) {
    EXPECT_EQ(resets_with(63).cause, "injected");
    EXPECT_GE(resets_with(63).confidence, 0.9);
    EXPECT_EQ(resets_with(63, "[2001:db8::1]:443").cause, "injected");
    EXPECT_EQ(resets_with(61).cause, "by_peer");
    EXPECT_GE(resets_with(61).confidence, 0.9);
    EXPECT_EQ(resets_with(0).cause, "by_peer");
    EXPECT_LT(resets_with(0).confidence, 0.9);
}

TEST(DiagnosisResets, APeerThatGoesOnSendingHasNotResetTheConnection) {
    Story story;
    requests(story, 0, 20, 0.3, End::answered);
    for (double at = 20; at < 30; at += 0.3) {
        Flow flow = story.flow(at, api);
        flow.sends(1);
        flow.since(0.004, 10);
        story.close(at + 0.03, flow, true);
        story.resets_late_segment(at + 0.1, flow);
    }
    Watch watch(story);
    watch.until(25);
    EXPECT_EQ(watch.alarm().cause, "injected");
}

// One segment of a path of 80 ms is answered by RST at once: nobody is as far away as that.
TEST(DiagnosisResets, SoonerThanThePeerCanAnswer) {
    const auto resets_after = [](double delay_s) {
        Story story;
        story.arriving_with(0);
        requests(story, 0, 20, 0.3, End::answered);
        for (double at = 20; at < 30; at += 0.3) {
            Flow flow = story.flow(at, api);
            flow.counters.min_rtt_us = 80'000;
            flow.sends(1);
            flow.counters.unacked_bytes = 1'000;
            flow.since(delay_s, 10);
            story.close(at + 0.2, flow, true);
        }
        Watch watch(story);
        watch.until(25);
        return watch.alarm();
    };
    EXPECT_EQ(resets_after(0.004).cause, "injected");
    EXPECT_EQ(resets_after(0.080).cause, "by_peer");
}

TEST(DiagnosisResets, ResetsAfterTheAnswerAreHowSomeServersClose) {
    Story story;
    requests(story, 0, 60, 0.3, End::reset_after_the_answer);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisResets, AFewAmongManyAreNone) {
    Story story;
    requests(story, 0, 60, 0.1, End::answered);
    requests(story, 5.05, 60, 10, End::reset_before_the_answer);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// Kept connections, used every `rest_s`; those that rest longer than `limit_s` are reset at their next use.
Story kept(double rest_s, double limit_s, double until_s, double limit_from_s = 0) {
    Story story;
    for (int i = 0; i < 8; ++i) {
        double at = 0.1 + 0.4 * i;
        Flow flow = story.flow(at, api);
        double last_use = at;
        for (double look = std::ceil(at); look < until_s; look += 1) {
            const bool uses = look - last_use >= rest_s;
            if (uses && rest_s > limit_s && last_use > at && look >= limit_from_s) {
                flow.counters.bytes_sent += 1'000;
                flow.since(0.01, look - last_use);
                story.close(look, flow, true);
                at = look + 0.2;
                last_use = at;
                flow = story.flow(at, api);
                continue;
            }
            if (uses || last_use == at) {
                flow.sends(1);
                flow.receives(1);
                last_use = look - 0.05;
            }
            flow.since(look - last_use + 0.01, look - last_use);
            story.look(look, flow);
        }
    }
    return story;
}

TEST(DiagnosisResets, OnlyWhatHasRestedIsCutByAMiddlebox) {
    Story story = kept(12, 8, 90);
    Watch watch(story);
    watch.until(80);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::idle_timeout_drop);
    EXPECT_EQ(alarm.cause, "reset");
    const auto limit = std::ranges::find(alarm.evidence, "idle_limit_s", &model::EvidenceItem::signal);
    ASSERT_NE(limit, alarm.evidence.end());
    EXPECT_GE(std::get<double>(limit->value), 8);
    EXPECT_LE(std::get<double>(limit->value), 13);
}

TEST(DiagnosisResets, WhatRestedBeforeTheFirstThatWasCutMayHaveBeenSpared) {
    Story story = kept(12, 8, 90, 24);
    // At rest since second 2, and used when others have been cut already: the firewall knew it from before.
    Flow spared = story.flow(1.1, api);
    spared.sends(1);
    spared.receives(1);
    for (int look = 2; look < 60; ++look) {
        if (look == 30) {
            spared.sends(1);
            spared.receives(1);
        }
        const double last_use = look < 30 ? 1.95 : 29.95;
        spared.since(look - last_use + 0.01, look - last_use);
        story.look(look, spared);
    }
    Watch watch(story);
    watch.until(80);
    EXPECT_EQ(watch.alarm().type, FailureType::idle_timeout_drop);
}

TEST(DiagnosisResets, AConnectionThatNothingWasAskedOfRestsSinceItWasMade) {
    Story story;
    requests(story, 0, 60, 0.3, End::answered);
    for (int i = 0; i < 8; ++i) {
        const double at = 20.1 + 2 * i;
        Flow flow = story.flow(at, api);
        for (double look = std::ceil(at); look < at + 12; look += 1) {
            flow.since(look - at, look - at);
            story.look(look, flow);
        }
        flow.counters.bytes_sent += 1'000;
        flow.since(0.01, 12);
        story.close(at + 12, flow, true);
    }
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::idle_timeout_drop));
}

TEST(DiagnosisResets, RestsThatWereSurvivedBeforeTheLimitSayNothing) {
    Watch watch(kept(12, 8, 120, 40));
    watch.until(110);
    EXPECT_EQ(watch.alarm().type, FailureType::idle_timeout_drop);
}

TEST(DiagnosisResets, RestsThatAreSurvivedAreNone) {
    Story story = kept(12, 100, 90);
    Watch watch(story);
    watch.until(90);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// Kept connections with a request every `rest_s` beside new ones all the time. A request on one that `dies`
// is reset, or never answered until its client gives up and makes a new one.
struct Pool {
    int flows = 6;
    double rest_s = 1;
    double until_s = 60;
    bool silent = true;
    bool at_once = false;  // the resets come together
    std::uint8_t reset_hop_limit = 61;
    std::function<bool(double began, double rested, double at, int which)> dies;
    const char* to = api;
    double new_ones_fail_from = 1e9;
};

void keep_one(Story& story, const Pool& pool, int which) {
    constexpr double patience_s = 8;
    Flow flow = story.flow(0.1 + 0.07 * which, pool.to);
    double began = 0;
    double last_use = 0;
    double waits_since = -1;
    const auto again = [&](double at) {
        flow = story.arriving_with(61).flow(at, pool.to);
        began = last_use = at;
        waits_since = -1;
    };
    for (double look = 1; look < pool.until_s; look += 1) {
        const double at = look + 0.03 * which;
        if (waits_since >= 0) {
            const double waited = at - waits_since;
            flow.waits(waited, static_cast<std::uint8_t>(std::log2(waited / 0.2 + 1)));
            story.look(at, flow);
            if (waited > patience_s) again(at + 0.1);
            continue;
        }
        const double rested = at - last_use;
        if (rested >= pool.rest_s && pool.dies(began, rested, at, which)) {
            flow.counters.bytes_sent += 1'000;
            if (pool.silent) {
                waits_since = at - 0.05;
                flow.waits(0.05, 0);
                flow.counters.since_received_jiffies = static_cast<std::uint32_t>(rested * support::story_hz);
                story.look(at, flow);
                continue;
            }
            flow.since(0.004, rested);
            story.arriving_with(pool.reset_hop_limit).close(pool.at_once ? look : at, flow, true);
            again(at + 0.1);
            continue;
        }
        if (rested >= pool.rest_s || last_use == began) {
            flow.sends(1);
            flow.receives(1);
            last_use = at - 0.05;
        }
        flow.since(at - last_use + 0.01, at - last_use);
        story.look(at, flow);
    }
}

Story story_of(const Pool& pool) {
    Story story;
    for (int i = 0; i < pool.flows; ++i) keep_one(story, pool, i);
    story.arriving_with(61);
    story.healthy(0.5, std::min(pool.until_s, pool.new_ones_fail_from), 0.5, pool.to);
    return story;
}

model::Incident alarm_in(const Pool& pool, double at) {
    Watch watch(story_of(pool));
    watch.until(at);
    return watch.alarm();
}

bool made_before_20(double began, double, double at, int) { return began < 20 && at >= 20; }

TEST(DiagnosisCuts, AFirewallThatLostItsStateForgetsConnectionsInUse) {
    const auto alarm = alarm_in({.dies = made_before_20}, 30);
    EXPECT_EQ(alarm.type, FailureType::firewall_block);
    EXPECT_EQ(alarm.cause, "state_lost");
    EXPECT_GE(alarm.confidence, 0.9);
    EXPECT_GE(alarm.first_affected_at, support::utc(18.9));
    EXPECT_LE(alarm.first_affected_at, support::utc(21));
    EXPECT_EQ(alarm_in({.dies = made_before_20, .to = "[2001:db8::1]:443"}, 30).cause, "state_lost");
    const auto resetting = alarm_in({.silent = false, .reset_hop_limit = 63, .dies = made_before_20}, 24);
    EXPECT_EQ(resetting.cause, "state_lost");
}

TEST(DiagnosisCuts, OneFirewallBeforeSeveralDestinationsIsOneIncident) {
    Story story;
    for (const char* to : {"10.0.0.1:8080", "10.0.0.2:8080", "192.0.2.200:443"}) {
        const Pool pool{.dies = made_before_20, .to = to};
        for (int i = 0; i < pool.flows; ++i) keep_one(story, pool, i);
        story.arriving_with(61).healthy(0.5, pool.until_s, 0.5, to);
    }
    Watch watch(story);
    watch.until(30);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.cause, "state_lost");
    EXPECT_EQ(alarm.scope.kind, model::ScopeKind::host);
    EXPECT_THAT(alarm.scope.members, testing::SizeIs(3));
}

TEST(DiagnosisCuts, AHostThatWasRestartedKnowsThemNoMore) {
    const auto alarm = alarm_in({.silent = false, .dies = made_before_20}, 24);
    EXPECT_EQ(alarm.type, FailureType::connection_reset);
    EXPECT_EQ(alarm.cause, "half_open");
    EXPECT_GE(alarm.confidence, 0.9);
    const auto unknown = alarm_in({.silent = false, .reset_hop_limit = 0, .dies = made_before_20}, 24);
    EXPECT_EQ(unknown.cause, "half_open");
    EXPECT_LT(unknown.confidence, 0.9);
}

TEST(DiagnosisCuts, BothHealWhenNewConnectionsGoOn) {
    for (const bool silent : {true, false}) {
        Watch watch(story_of({.until_s = 60, .silent = silent, .dies = made_before_20}));
        watch.until(45);
        EXPECT_THAT(watch.ever_alarmed(), testing::SizeIs(1));
        EXPECT_THAT(watch.alarms(), IsEmpty());
    }
}

TEST(DiagnosisCuts, WhereOldConnectionsSurviveItIsNeither) {
    for (const bool silent : {true, false}) {
        const auto every_other = [](double began, double, double at, int which) {
            return began < 20 && at >= 20 && which % 2 == 0;
        };
        Watch watch(story_of({.silent = silent, .dies = every_other}));
        watch.until(60);
        EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    }
}

TEST(DiagnosisCuts, AProcessThatEndsResetsAllAtOnce) {
    Watch watch(story_of({.flows = 4, .silent = false, .at_once = true, .dies = made_before_20}));
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisCuts, WhereNewConnectionsFailTooTheDestinationIsSilent) {
    Watch watch(story_of({.until_s = 40, .dies = made_before_20, .new_ones_fail_from = 20}));
    watch.until(40);
    for (const auto type : watch.ever_alarmed()) {
        EXPECT_NE(type, FailureType::idle_timeout_drop);
        EXPECT_NE(type, FailureType::connection_reset);
    }
    for (const auto& [id, incident] : watch.told()) EXPECT_NE(incident.cause, "state_lost");
}

bool after_a_rest_of_9(double, double rested, double, int) { return rested >= 9; }

TEST(DiagnosisCuts, WhatRestedIsForgottenInSilence) {
    const auto alarm = alarm_in({.rest_s = 12, .until_s = 90, .dies = after_a_rest_of_9}, 80);
    EXPECT_EQ(alarm.type, FailureType::idle_timeout_drop);
    EXPECT_EQ(alarm.cause, "silent");
    const auto limit = std::ranges::find(alarm.evidence, "idle_limit_s", &model::EvidenceItem::signal);
    ASSERT_NE(limit, alarm.evidence.end());
    EXPECT_GE(std::get<double>(limit->value), 9);
    EXPECT_LE(std::get<double>(limit->value), 13);
}

TEST(DiagnosisCuts, ShorterRestsAreSurvivedAndNothingIsSaid) {
    for (const double rest_s : {1.0, 7.0}) {
        Watch watch(story_of({.rest_s = rest_s, .dies = after_a_rest_of_9}));
        watch.until(60);
        EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    }
}

TEST(DiagnosisCuts, OneStuckConnectionIsNoTimeout) {
    const auto one = [](double began, double rested, double at, int which) {
        return which == 0 && began < 20 && at >= 20 && rested >= 9;
    };
    Watch watch(story_of({.rest_s = 12, .until_s = 90, .dies = one}));
    watch.until(90);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisCuts, KeepaliveProbesThatNobodyAnswersAreASet) {
    Story story;
    story.healthy(0.5, 60, 0.5, api);
    for (int i = 0; i < 4; ++i) {
        Flow flow = story.flow(1 + i, api);
        flow.sends(1);
        flow.receives(1);
        flow.since(0.05, 0.04);
        story.look(2 + i, flow);
        flow.since(30, 30);
        story.gives_up(32 + i, flow);
    }
    Watch watch(story);
    watch.until(45);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::idle_timeout_drop);
    EXPECT_EQ(alarm.cause, "silent");
    EXPECT_LT(alarm.confidence, 0.9);
    EXPECT_EQ(alarm.candidates[1].cause, "half_open");
}

}  // namespace
}  // namespace netwatch::diagnosis
