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

// A connection that waits for its next timeout while others' full segments have passed again says nothing.
TEST(DiagnosisPathMtu, ConnectionsThatWaitWhenItHasHealedAreNoneOfAnother) {
    Story story;
    story.healthy(0, 60, 0.5, web);
    for (const double at : {0.1, 0.2, 18.3}) upload(story, at, 55, std::max(15.0, std::ceil(at) + 1));
    upload(story, 29.1, 34, 100);
    Watch watch(story);
    watch.until(28);
    EXPECT_EQ(watch.alarm().type, FailureType::path_mtu_blackhole);
    watch.until(55);
    EXPECT_THAT(watch.alarms(), IsEmpty());
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

// Kept connections that get stuck at second 15. From second 18 on their segments are smaller; `pass` says
// whether those are acknowledged.
Story kept_connections_shrink(bool pass) {
    Story story;
    story.healthy(0, 40, 0.5, web);
    std::vector<Flow> flows{story.flow(0.1, web), story.flow(0.2, web), story.flow(0.3, web)};
    for (Flow& flow : flows) {
        flow.counters.mss_bytes = mss;
        flow.counters.pmtu_bytes = 1'500;
    }
    for (int look = 1; look < 40; ++look) {
        for (Flow& flow : flows) {
            if (look >= 18) flow.counters.mss_bytes = 1'024;
            if (look < 15 || (look >= 18 && pass)) {
                flow.counters.retransmits = 0;
                flow.counters.packets_out = flow.counters.unacked_bytes = 0;
                flow.counters.data_segs_out += 20;
                flow.counters.delivered += 20;
                flow.counters.bytes_sent += 20ULL * flow.counters.mss_bytes;
                flow.counters.bytes_acked += 20ULL * flow.counters.mss_bytes;
                flow.since(0.05, 20);
            } else {
                flow.counters.retransmits = static_cast<__u8>(look - 14);
                flow.counters.total_retrans += 1;
                flow.counters.data_segs_out += 1;
                flow.counters.packets_out = 10;
                flow.counters.unacked_bytes = 10 * mss;
                flow.since(look - 14.8, 20);
                story.times_out(look - 0.3, flow, flow.counters.retransmits);
            }
            story.look(look, flow);
        }
    }
    return story;
}

TEST(DiagnosisPathMtu, KeptConnectionsThatGoOnWithSmallerSegmentsAreProof) {
    Watch watch(kept_connections_shrink(true));
    watch.until(25);
    EXPECT_EQ(watch.alarm().type, FailureType::path_mtu_blackhole);
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());  // the kernel has worked around it
}

TEST(DiagnosisPathMtu, SmallerSegmentsThatDoNotPassAreNoProof) {
    Watch watch(kept_connections_shrink(false));
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), Not(Contains(FailureType::path_mtu_blackhole)));
}

// With tcp_mtu_probing the kernel sends smaller segments after some timeouts, and they pass.
TEST(DiagnosisPathMtu, ConnectionsThatGoOnWithSmallerSegmentsAreProof) {
    Story story;
    story.healthy(0, 60, 0.5, web);
    for (int i = 0; i < 18; ++i) {
        const double at = 1.1 + i * 3;
        Flow flow = story.flow(at, web);
        flow.counters.mss_bytes = mss;
        flow.counters.pmtu_bytes = 1'500;
        for (double look = std::ceil(at); look < at + 12 && look < 60; look += 1) {
            const bool fault = look >= 15 && look < 45;
            const double stuck_for = look - std::max(15.0, std::ceil(at));
            if (fault && stuck_for < 3) {
                flow.counters.retransmits = static_cast<__u8>(stuck_for + 1);
                flow.counters.total_retrans += 1;
                flow.counters.data_segs_out += 1;
                flow.counters.packets_out = 10;
                flow.counters.unacked_bytes = 10 * mss;
                flow.since(stuck_for + 0.2, 20);
                story.times_out(look - 0.3, flow, flow.counters.retransmits);
            } else {
                if (fault) flow.counters.mss_bytes = 1'024;
                flow.counters.retransmits = 0;
                flow.counters.packets_out = flow.counters.unacked_bytes = 0;
                flow.counters.data_segs_out += 20;
                flow.counters.delivered += 20;
                flow.counters.bytes_sent += 20ULL * flow.counters.mss_bytes;
                flow.counters.bytes_acked += 20ULL * flow.counters.mss_bytes;
                flow.since(0.05, 20);
            }
            story.look(look, flow);
        }
    }
    Watch watch(story);
    watch.until(26);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::path_mtu_blackhole);
    EXPECT_EQ(alarm.cause, "forward");
    EXPECT_THAT(alarm.evidence,
                Contains(testing::Field(&model::EvidenceItem::signal, "smaller_segments_pass")));
    watch.until(60);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

// Answers of ten segments with a small last one, on a connection of its own each.
struct Answered {
    bool whole = true;  // else its end alone arrives
    double patience_s = 5;
};

void download(Story& story, double at, Answered answered) {
    Flow flow = story.flow(at, web);
    flow.counters.mss_bytes = mss;
    flow.counters.rcv_mss_bytes = 536;
    flow.sends(1);
    if (answered.whole) {
        flow.counters.data_segs_in = 10;
        flow.counters.bytes_received = 9 * mss + 400;
        flow.counters.rcv_mss_bytes = mss;
        flow.since(0.02, 0.01);
        story.close(at + 0.03, flow);
        return;
    }
    flow.counters.data_segs_in = 2;
    flow.counters.bytes_received = 250;
    flow.counters.rcv_ooopack = 1;
    flow.counters.hole_bytes = 1;
    for (double look = std::ceil(at); look < at + answered.patience_s; look += 1) {
        flow.since(look - at, look - at - 0.01);
        story.look(look, flow);
    }
    flow.since(answered.patience_s, answered.patience_s - 0.01);
    story.close(at + answered.patience_s, flow);
}

TEST(DiagnosisPathMtu, EndsOfAnswersThatArriveAloneAreAHoleOnTheWayHere) {
    Story story;
    for (double at = 0.3; at < 50; at += 0.4) {
        const bool fault = at > 15 && at < 30;
        download(story, at, {.whole = !fault});
    }
    Watch watch(story);
    watch.until(24);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::path_mtu_blackhole);
    EXPECT_EQ(alarm.cause, "reverse");
    EXPECT_EQ(alarm.candidates.size(), 1U);
    EXPECT_GE(alarm.first_affected_at, support::utc(14));
    EXPECT_LE(alarm.first_affected_at, support::utc(16));
    watch.until(50);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_THAT(watch.ever_alarmed(), testing::ElementsAre(FailureType::path_mtu_blackhole));
}

// Where small segments are lost, too, a hole may wait long for its retransmission.
TEST(DiagnosisPathMtu, HolesWhereMuchIsLostAreLoss) {
    Story story;
    for (double at = 0.3; at < 50; at += 0.4) {
        const bool fault = at > 15 && at < 30;
        download(story, at, {.whole = !fault});
    }
    Flow lossy = story.flow(0.1, web);
    for (int second = 1; second < 50; ++second) {
        lossy.sends(100, second > 15 && second < 30 ? 30 : 0);
        story.look(second, lossy);
    }
    Watch watch(story);
    watch.until(50);
    EXPECT_THAT(watch.ever_alarmed(), testing::ElementsAre(FailureType::packet_loss));
}

// Some segments are lost, and others' answers arrive whole: holes that stay open for a while are loss.
TEST(DiagnosisPathMtu, HolesBesideWholeAnswersAreNone) {
    Story story;
    int i = 0;
    for (double at = 0.3; at < 50; at += 0.4)
        download(story, at, {.whole = at < 15 || ++i % 3 != 0, .patience_s = 4});
    Watch watch(story);
    watch.until(50);
    EXPECT_THAT(watch.ever_alarmed(), Not(Contains(FailureType::path_mtu_blackhole)));
}

// Without an end that fits: only a small beginning arrives. The service may have stopped there, too.
void begin_download(Story& story, double at, double patience_s) {
    Flow flow = story.flow(at, web);
    flow.counters.mss_bytes = mss;
    flow.counters.rcv_mss_bytes = 536;
    flow.sends(1);
    flow.counters.data_segs_in = 1;
    flow.counters.bytes_received = 250;
    for (double look = std::ceil(at); look < at + patience_s; look += 1) {
        flow.since(look - at, look - at - 0.01);
        story.look(look, flow);
    }
    flow.since(patience_s, patience_s - 0.01);
    story.close(at + patience_s, flow);
}

TEST(DiagnosisPathMtu, AnswersThatStopAfterTheirBeginningAreOneOfASet) {
    Story story;
    for (double at = 0.3; at < 50; at += 0.4) {
        if (at > 15 && at < 30)
            begin_download(story, at, 5);
        else
            download(story, at, {});
    }
    Watch watch(story);
    watch.until(25);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::path_mtu_blackhole);
    EXPECT_EQ(alarm.cause, "reverse");
    EXPECT_EQ(alarm.candidates.back().type, FailureType::slow_service);
    watch.until(50);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

// After a night of large downloads by clients that leave at once, others ask for little and keep their
// connections.
TEST(DiagnosisPathMtu, SmallAnswersThatEndAreNone) {
    Story story;
    for (double at = 0.3; at < 20; at += 0.2) download(story, at, {});
    for (double at = 20.3; at < 60; at += 0.4) begin_download(story, at, 0.2);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisPathMtu, ConnectionsThatRestAsTheyUsedToAreNone) {
    Story story;
    for (double at = 0.3; at < 20; at += 0.2) download(story, at, {});
    for (double at = 0.5; at < 60; at += 0.6) begin_download(story, at, 6);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

}  // namespace
}  // namespace netwatch::diagnosis
