// SPDX-License-Identifier: Apache-2.0
// Paths that swallow full segments, and stuck connections of other kinds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using support::Flow;
using support::Story;
using support::Watch;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;

constexpr auto web = "10.0.0.1:443";
constexpr std::uint32_t mss = 1'448;

// An upload that begins at `at`: from `stuck_at` on what it sent is sent again and again.
Flow upload(Story& story, double at, double until, double stuck_at, std::uint32_t unacked = 10 * mss) {
    Flow flow = story.flow(at, web);
    flow.counters.mss_bytes = mss;
    for (double look = std::ceil(at); look < until; look += 1) {
        if (look < stuck_at) {
            flow.counters.data_segs_out += 20;
            flow.counters.delivered += 20;
            flow.counters.bytes_sent += 20ULL * mss;
            flow.counters.bytes_acked += 20ULL * mss;
            flow.since(0.05, 20);
        } else {
            const auto tries = static_cast<std::uint32_t>(std::min(look - stuck_at, 6.0));
            flow.counters.retransmits = static_cast<__u8>(tries);
            flow.counters.total_retrans += 1;
            flow.counters.data_segs_out += 1;
            flow.counters.packets_out = 10;
            flow.counters.unacked_bytes = unacked;
            flow.since(look - stuck_at + 0.2, 20);
        }
        story.look(look, flow);
    }
    return flow;
}

TEST(DiagnosisPathMtu, FullSegmentsDisappearAndHandshakesPass) {
    Story story;
    story.healthy(0, 60, 0.5, web);
    upload(story, 0.1, 40, 15);
    upload(story, 0.2, 40, 15);
    upload(story, 18.3, 40, 19);
    upload(story, 40.1, 60, 100);
    Watch watch(story);
    watch.until(24);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::path_mtu_blackhole);
    EXPECT_EQ(alarm.cause, "forward");
    EXPECT_EQ(alarm.destination->endpoint.to_string(), "10.0.0.1");
    EXPECT_GE(alarm.first_affected_at, support::utc(14));
    EXPECT_LE(alarm.first_affected_at, support::utc(16));
    watch.until(60);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisPathMtu, WhatIsStuckOnSmallSegmentsIsAnotherFault) {
    Story story;
    story.healthy(0, 60, 0.5, web);
    for (const double at : {0.1, 0.2, 18.3}) upload(story, at, 40, std::max(15.0, std::ceil(at) + 1), 300);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), Not(Contains(FailureType::path_mtu_blackhole)));
}

TEST(DiagnosisPathMtu, FullSegmentsOfOthersThatPassExonerateThePath) {
    Story story;
    story.healthy(0, 60, 0.5, web);
    for (const double at : {0.1, 0.2, 18.3}) upload(story, at, 40, std::max(15.0, std::ceil(at) + 1));
    upload(story, 0.4, 60, 100);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), Not(Contains(FailureType::path_mtu_blackhole)));
}

// A firewall that forgot its connections leaves the new ones alone.
TEST(DiagnosisPathMtu, OldConnectionsThatAreStuckBesideNewOnesAreAnotherFault) {
    Story story;
    story.healthy(0, 60, 0.5, web);
    for (const double at : {0.1, 0.2, 0.3}) upload(story, at, 40, 15);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), Not(Contains(FailureType::path_mtu_blackhole)));
}

// As long as no connection is tried, a dead host looks the same; a connection that is made and gets stuck
// tells.
TEST(DiagnosisPathMtu, IsOneOfASetUntilAConnectionIsMade) {
    Story story;
    story.healthy(0, 14, 0.5, web);
    for (int i = 0; i < 3; ++i) {
        Flow flow = upload(story, 0.1 + 0.1 * i, 60, 15);
        story.times_out(15.9, flow, 2).times_out(16.7, flow, 3);
    }
    story.healthy(30, 60, 0.5, web);
    upload(story, 31.3, 60, 32);
    Watch watch(story);
    watch.until(25);
    const auto unsure = watch.alarm();
    EXPECT_THAT(unsure.candidates,
                Contains(testing::Field(&model::Candidate::type, FailureType::path_mtu_blackhole)));
    EXPECT_LT(unsure.confidence, 0.9);
    watch.until(60);
    EXPECT_EQ(watch.alarm().type, FailureType::path_mtu_blackhole);
}

}  // namespace
}  // namespace netwatch::diagnosis
