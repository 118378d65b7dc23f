// SPDX-License-Identifier: Apache-2.0
// Accept queues that overflow and processes without a file descriptor left, and what only looks like it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::Perspective;
using model::ScopeKind;
using model::Severity;
using support::Story;
using support::Watch;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto own = "192.0.2.10:443";
constexpr support::Who nginx{900, "nginx"};

TEST(DiagnosisExhaustion, AnAcceptQueueThatOverflows) {
    Story story;
    for (int second = 1; second <= 10; ++second) story.listens(second, own, 0, 128, 5, nginx);
    for (int second = 11; second <= 20; ++second) {
        const auto drops = 5 + 7 * static_cast<std::uint64_t>(second - 10);
        story.listens(second, own, 129, 128, drops, nginx);
    }
    for (int second = 21; second <= 40; ++second) story.listens(second, own, 1, 128, 75, nginx);
    Watch watch(story);
    watch.until(13);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::connection_exhaustion);
    EXPECT_EQ(alarm.cause, "listen_backlog");
    EXPECT_EQ(alarm.perspective, Perspective::server);
    EXPECT_EQ(alarm.destination->endpoint.to_string(), "192.0.2.10:443/tcp");
    EXPECT_EQ(alarm.source.comm, "nginx");
    EXPECT_THAT(alarm.summary, HasSubstr("192.0.2.10:443"));
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisExhaustion, ABurstThatOverflowsItForAMomentIsNone) {
    Story story;
    for (int second = 1; second <= 30; ++second)
        story.listens(second, own, second == 10 ? 129 : 0, 128, second >= 10 ? 40 : 0, nginx);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisExhaustion, DropsOfAListenerWithRoomAreNone) {
    Story story;
    for (std::uint64_t second = 1; second <= 30; ++second)
        story.listens(static_cast<double>(second), own, 3, 128, 9 * second, nginx);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisExhaustion, AProcessWithoutAFileDescriptorLeft) {
    Story story;
    story.healthy(0, 10, 0.5, "10.0.0.1:80");
    for (int i = 0; i < 23; ++i) story.lacks_descriptor(10 + i * 0.2, NETWATCH_CALL_SOCKET, EMFILE);
    story.healthy(15, 40, 0.5, "10.0.0.1:80");
    Watch watch(story);
    watch.until(13);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.cause, "file_descriptors");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::process);
    EXPECT_EQ(alarm.scope.value, "checkout[2214]");
    EXPECT_EQ(alarm.severity, Severity::critical);
    EXPECT_EQ(alarm.source.pid, 2214U);
    EXPECT_LE(*watch.first_told(FailureType::connection_exhaustion), 10.6);
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisExhaustion, AFullTableOfTheHostIsTheHosts) {
    Story story;
    for (int i = 0; i < 5; ++i)
        story.lacks_descriptor(10 + i, NETWATCH_CALL_ACCEPT, ENFILE,
                               {300U + static_cast<std::uint32_t>(i), "x"});
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::host);
}

TEST(DiagnosisExhaustion, OneFailureIsNone) {
    Story story;
    story.healthy(0, 30, 0.5, "10.0.0.1:80").lacks_descriptor(10, NETWATCH_CALL_SOCKET, EMFILE);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

}  // namespace
}  // namespace netwatch::diagnosis
