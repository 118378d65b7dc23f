// SPDX-License-Identifier: Apache-2.0
// Processes that do not close what their peers have closed, and those that only take their time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using support::Flow;
using support::Story;
using support::Watch;
using testing::IsEmpty;

constexpr std::uint8_t close_wait = 8;

// Each second the process has those of its connections left that `holds(i, second)` says.
template <typename Holds>
Story story_of(int connections, int seconds, Holds holds) {
    Story story;
    story.healthy(0, seconds, 0.5, "10.0.1.1:80");
    std::vector<Flow> flows;
    for (int i = 0; i < connections; ++i) {
        flows.push_back(story.flow(0.5 + i, "10.0.0.1:80"));
        flows.back().sends(1);
        flows.back().receives(1);
        flows.back().counters.state = close_wait;
    }
    for (int second = 1; second < seconds; ++second) {
        for (int i = 0; i < connections; ++i) {
            if (holds(i, second)) story.look(second, flows[static_cast<std::size_t>(i)]);
        }
        story.walk_ends(second + 0.02);
    }
    return story;
}

TEST(DiagnosisCloseWait, ThatOnlyGrowsIsALeak) {
    Watch watch(story_of(50, 90, [](int i, int second) { return i < second && second < 60; }));
    watch.until(50);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::connection_exhaustion);
    EXPECT_EQ(alarm.cause, "close_wait_leak");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::process);
    EXPECT_EQ(alarm.scope.value, "checkout[2214]");
    EXPECT_EQ(alarm.source.pid, 2214U);
    EXPECT_GE(*watch.first_told(FailureType::connection_exhaustion), 30);
    watch.until(89);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisCloseWait, OfWhoeverClosesLateIsNone) {
    Watch watch(story_of(85, 90, [](int i, int second) { return i < second && second < i + 20; }));
    watch.until(89);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisCloseWait, OfAPoolThatNoLongerGrowsIsNone) {
    Watch watch(story_of(16, 90, [](int i, int second) { return i < second * 8; }));
    watch.until(89);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisCloseWait, OfAFewIsNone) {
    Watch watch(story_of(8, 90, [](int i, int second) { return i * 8 < second; }));
    watch.until(89);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

}  // namespace
}  // namespace netwatch::diagnosis
