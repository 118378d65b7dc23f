// SPDX-License-Identifier: Apache-2.0
// Round trips that have become longer, and what only looks like it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;
using support::Flow;
using support::Story;
using support::Watch;
using testing::IsEmpty;

constexpr auto api = "10.0.0.1:443";

// New connections at a beat, with round trips around `rtt_ms`.
void connect_often(Story& story, double from, double to, std::string_view peer, double rtt_ms,
                   double jitter_ms, unsigned seed = 1) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> jitter(0, jitter_ms);
    for (double at = from; at < to; at += 0.3) story.connects(at, peer, {}, rtt_ms + jitter(random));
}

TEST(DiagnosisLatency, AStepOfThePath) {
    Story story;
    connect_often(story, 0, 20, api, 10, 4);
    connect_often(story, 20, 40, api, 90, 4);
    connect_often(story, 40, 60, api, 10, 4);
    Watch watch(story);
    watch.until(30);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::latency_spike);
    EXPECT_EQ(alarm.cause, "path");
    EXPECT_EQ(alarm.severity, Severity::warning);
    EXPECT_EQ(alarm.scope.kind, ScopeKind::destination);
    EXPECT_GE(alarm.first_affected_at, support::utc(20));
    EXPECT_LE(alarm.first_affected_at, support::utc(20.5));
    EXPECT_LE(*watch.first_told(FailureType::latency_spike), 24.5);
    watch.until(60);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_EQ(watch.ever_alarmed().size(), 1U);
}

TEST(DiagnosisLatency, JitterIsNone) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        Story story;
        connect_often(story, 0, 120, api, 10, 120, seed);
        Watch watch(story);
        watch.until(120);
        EXPECT_THAT(watch.ever_alarmed(), IsEmpty()) << seed;
    }
}

// Round trips spread as they do on real paths, around a median that goes from one value to another.
void connect_over_a_path(Story& story, double from, double to, double median_ms, double then_ms,
                         std::mt19937& random) {
    std::lognormal_distribution<double> spread(0, 0.15);
    for (double at = from; at < to; at += 1.6) {
        const double share = (at - from) / (to - from);
        story.connects(at, api, {}, (median_ms + share * (then_ms - median_ms)) * spread(random));
    }
}

TEST(DiagnosisLatency, APathThatWandersByAQuarterIsNone) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        std::mt19937 random(seed);
        Story story;
        connect_over_a_path(story, 0, 400, 19.4, 19.4, random);
        connect_over_a_path(story, 400, 600, 19.4, 25, random);
        connect_over_a_path(story, 600, 900, 25, 25, random);
        Watch watch(story, 0.5);
        watch.until(900);
        EXPECT_THAT(watch.ever_alarmed(), IsEmpty()) << seed;
    }
}

TEST(DiagnosisLatency, ARiseByFourFifthsIsOne) {
    std::mt19937 random(1);
    Story story;
    connect_over_a_path(story, 0, 400, 20, 20, random);
    connect_over_a_path(story, 400, 500, 36, 36, random);
    Watch watch(story, 0.5);
    watch.until(500);
    EXPECT_EQ(watch.alarm().type, FailureType::latency_spike);
}

TEST(DiagnosisLatency, AStepTooSmallToBeFeltIsNone) {
    Story story;
    connect_often(story, 0, 20, api, 0.2, 0.1);
    connect_often(story, 20, 60, api, 3, 0.1);
    connect_often(story, 60, 80, "10.0.0.2:443", 40, 2);
    connect_often(story, 80, 120, "10.0.0.2:443", 55, 2);
    Watch watch(story);
    watch.until(120);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisLatency, AMomentIsNone) {
    Story story;
    connect_often(story, 0, 20, api, 10, 4);
    connect_often(story, 20, 22, api, 300, 4);
    connect_often(story, 22, 60, api, 10, 4);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisLatency, AllDestinationsTogetherAreTheUplink) {
    Story story;
    for (const auto* peer : {"10.1.0.1:443", "10.2.0.1:443", "10.3.0.1:80"}) {
        connect_often(story, 0, 20, peer, 10, 4);
        connect_often(story, 20, 40, peer, 200, 40);
    }
    Watch watch(story);
    watch.until(32);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::latency_spike);
    EXPECT_EQ(alarm.cause, "uplink_queue");
    EXPECT_EQ(alarm.root_cause.type, FailureType::network_congestion);
    EXPECT_EQ(alarm.scope.kind, ScopeKind::uplink);
    EXPECT_EQ(alarm.scope.members.size(), 3U);
}

// Who has connected a few times only before it has no test of its own, and says what it says.
TEST(DiagnosisLatency, DestinationsThatAreHardlyKnownAreOfTheUplink) {
    Story story;
    for (const auto* peer : {"10.1.0.1:443", "10.1.0.2:443", "10.1.0.3:80"}) {
        connect_often(story, 0, 20, peer, 10, 4);
        connect_often(story, 20, 40, peer, 200, 40);
    }
    for (const auto* peer : {"10.2.0.1:443", "10.2.0.2:443"}) {
        for (double at = 1; at < 20; at += 4) story.connects(at, peer, {}, 10);
        for (double at = 20.5; at < 40; at += 2) story.connects(at, peer, {}, 210);
    }
    Watch watch(story);
    watch.until(32);
    EXPECT_EQ(watch.alarm().cause, "uplink_queue");
}

TEST(DiagnosisLatency, AnUploadThatBeganWithItInducedIt) {
    Story story;
    connect_often(story, 0, 20, api, 10, 4);
    connect_often(story, 20, 40, api, 200, 40);
    Flow upload = story.flow(19.9, api);
    for (int second = 20; second <= 40; ++second) {
        upload.sends(2'000);
        story.look(second, upload);
    }
    Watch watch(story);
    watch.until(32);
    EXPECT_EQ(watch.alarm().cause, "self_induced");
    EXPECT_EQ(watch.alarm().root_cause.type, FailureType::network_congestion);
}

// Of five addresses in use three became slower with it, in two networks: too few to be all, and one fault.
TEST(DiagnosisLatency, AnUploadSlowsWhateverSharesItsQueue) {
    for (const double other_since : {22.0, 45.0}) {
        Story story;
        for (const auto* peer : {"10.0.0.1:443", "10.0.0.2:443", "10.2.0.1:443"}) {
            const double since = std::string_view(peer).starts_with("10.2") ? other_since : 20;
            connect_often(story, 0, since, peer, 10, 4);
            connect_often(story, since, 60, peer, 200, 40);
            connect_often(story, 60, 90, peer, 10, 4);
        }
        for (const auto* peer : {"10.3.0.1:443", "10.3.0.2:443"}) connect_often(story, 0, 90, peer, 10, 4);
        Flow upload = story.flow(19.9, "10.0.0.1:5201");
        for (int second = 20; second <= 60; ++second) {
            upload.sends(2'000);
            story.look(second, upload);
        }
        Watch watch(story);
        watch.until(58);
        const bool together = other_since < 30;
        const auto alarms = watch.alarms();
        ASSERT_EQ(alarms.size(), together ? 1U : 2U) << other_since;
        EXPECT_EQ(alarms.front().cause, "self_induced");
        EXPECT_EQ(alarms.front().scope.kind, together ? ScopeKind::uplink : ScopeKind::prefix);
        EXPECT_EQ(alarms.front().root_cause.type, FailureType::network_congestion);
        EXPECT_EQ(alarms.front().scope.members.size(), together ? 3U : 2U);
        EXPECT_EQ(alarms.back().cause, together ? "self_induced" : "path");
        watch.until(90);
        EXPECT_THAT(watch.alarms(), IsEmpty());
    }
}

// Latency high, loss present: a queue on the way is full.
TEST(DiagnosisLatency, RoundTripsThatRiseWithLossesOfAFullQueueAreCongestion) {
    for (const bool overflows : {true, false}) {
        Story story;
        connect_often(story, 0, 20, api, 10, 4);
        connect_often(story, 20, 40, api, 90, 4);
        auto flow = story.flow(1, api);
        for (int second = 2; second < 40; ++second) {
            const bool full = second > 20;
            flow.counters.srtt_us = full ? 90'000 : 20'000;
            flow.sends(40, full && overflows ? 2 : 0);
            flow.since(0.2, 0.1);
            story.look(second, flow);
        }
        Watch watch(story);
        watch.until(32);
        const auto alarm = watch.alarm();
        EXPECT_EQ(alarm.type, FailureType::latency_spike);
        EXPECT_EQ(alarm.root_cause.type,
                  overflows ? FailureType::network_congestion : FailureType::latency_spike);
    }
}

TEST(DiagnosisLatency, KeptConnectionsTellByTheirAcknowledgements) {
    for (const bool step : {true, false}) {
        Story story;
        for (std::uint32_t i = 0; i < 3; ++i) {
            Flow flow = story.flow(0.1 + 0.3 * i, api);
            for (int second = 1; second <= 60; ++second) {
                flow.sends(2);
                flow.receives(2);
                flow.since(0.3, 0.1);
                // A peer that delays its acknowledgements for 40 ms has not become slower.
                flow.counters.srtt_us = second < 30 ? 2'000 : step ? 150'000 : 42'000;
                story.look(second + 0.3 * i, flow);
            }
        }
        Watch watch(story);
        watch.until(60);
        EXPECT_EQ(watch.ever_alarmed().size(), step ? 1U : 0U);
    }
}

}  // namespace
}  // namespace netwatch::diagnosis
