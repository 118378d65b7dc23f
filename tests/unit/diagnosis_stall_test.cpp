// SPDX-License-Identifier: Apache-2.0
// Peers whose receive window stays shut, and what only looks like it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::Severity;
using support::Flow;
using support::Story;
using support::Watch;
using testing::IsEmpty;

constexpr auto sink = "10.0.0.1:9000";
constexpr std::uint32_t mss = 1'448;

// An upload that moves at each look.
void moves(Flow& flow) {
    flow.sends(50);
    flow.counters.snd_wnd = 65'535;
    flow.counters.unsent_bytes = 200'000;
    flow.counters.probes_out = 0;
}

// One whose peer has stopped reading.
void is_shut(Flow& flow) {
    flow.counters.snd_wnd = 0;
    flow.counters.unsent_bytes = 300'000;
    flow.counters.packets_out = 0;
    flow.counters.mss_bytes = mss;
    flow.counters.probes_out = 1;
    flow.counters.rwnd_limited_jiffies += support::story_hz;
}

TEST(DiagnosisStall, APeerThatStopsReading) {
    Story story;
    Flow flow = story.flow(0.1, sink);
    for (int second = 1; second <= 10; ++second) {
        moves(flow);
        story.look(second, flow);
    }
    for (int second = 11; second <= 25; ++second) {
        is_shut(flow);
        story.look(second, flow);
    }
    for (int second = 26; second <= 40; ++second) {
        moves(flow);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(20);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::receiver_stalled);
    EXPECT_EQ(alarm.cause, "zero_window");
    EXPECT_EQ(alarm.severity, Severity::warning);
    EXPECT_GE(alarm.first_affected_at, support::utc(9.9));
    EXPECT_LE(alarm.first_affected_at, support::utc(11.1));
    EXPECT_LE(*watch.first_told(FailureType::receiver_stalled), 15.1);
    EXPECT_EQ(watch.engine.ladder(*model::Endpoint::parse(sink)).verdict,
              model::LadderVerdict::not_the_network);
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisStall, ASlowReaderIsNone) {
    Story story;
    Flow flow = story.flow(0.1, sink);
    for (int second = 1; second <= 40; ++second) {
        flow.sends(2);
        is_shut(flow);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisStall, AShutWindowWithNothingToSendIsNone) {
    Story story;
    Flow flow = story.flow(0.1, sink);
    for (int second = 1; second <= 40; ++second) {
        is_shut(flow);
        flow.counters.unsent_bytes = 0;
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisStall, ProbesThatNobodyAnswersTellOfThePath) {
    Story story;
    Flow flow = story.flow(0.1, sink);
    for (int second = 1; second <= 40; ++second) {
        is_shut(flow);
        flow.counters.probes_out = 4;
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisStall, AConnectionInFlightIsNotHeldUpByItsPeer) {
    Story story;
    Flow flow = story.flow(0.1, sink);
    for (int second = 1; second <= 40; ++second) {
        is_shut(flow);
        flow.counters.packets_out = 3;
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

}  // namespace
}  // namespace netwatch::diagnosis
