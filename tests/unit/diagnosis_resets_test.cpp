// SPDX-License-Identifier: Apache-2.0
// Connections that are reset while their client waits, and those that end otherwise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using support::Flow;
using support::Story;
using support::Watch;
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

}  // namespace
}  // namespace netwatch::diagnosis
