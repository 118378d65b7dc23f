// SPDX-License-Identifier: Apache-2.0
// The same records give the same incidents; how they were batched does not matter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include <fmt/format.h>

#include "present/json.h"
#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using support::Flow;
using support::Story;
using support::Watch;

// Four faults of different kinds among healthy traffic, one after the other and at once.
Story mixed() {
    Story story;
    for (int host = 1; host <= 6; ++host) {
        const auto peer = fmt::format("10.5.{}.1:80", host);
        const support::Who who{static_cast<std::uint32_t>(100 + host), "worker"};
        story.healthy(0, 90, 0.37 + host * 0.05, peer, who);
    }
    story.healthy(0, 20, 0.3, "10.0.0.1:80")
        .refused(20, 50, 0.3, "10.0.0.1:80")
        .healthy(50, 90, 0.3, "10.0.0.1:80");
    story.healthy(0, 30, 0.3, "10.1.0.1:443").unanswered(30, 60, 0.3, "10.1.0.1:443", 3.5);
    story.healthy(60, 90, 0.3, "10.1.0.1:443").healthy(0, 90, 0.4, "10.1.0.1:80");
    for (const auto* peer : {"10.2.0.1:80", "10.2.0.2:80", "10.2.0.3:80"}) {
        story.healthy(0, 25, 0.4, peer);
        for (int i = 0; i < 60; ++i) story.call_fails(25 + i * 0.4, peer, ENETUNREACH);
        story.healthy(49, 90, 0.4, peer);
    }
    Flow flow = story.flow(0.1, "10.3.0.1:80");
    for (int second = 1; second < 90; ++second) {
        flow.sends(150, second >= 40 && second < 60 ? 6 : 0);
        flow.receives(10);
        flow.since(0.3, 0.2);
        story.look(second, flow);
    }
    return story;
}

std::string text_of(const Watch& watch) {
    return present::to_text(present::to_json(watch.engine.view()));  // incidents included
}

// Final verdicts without what depends on the instants of judging.
std::vector<std::string> verdicts(const Watch& watch) {
    std::vector<std::string> list;
    for (const auto& [id, incident] : watch.told()) {
        if (incident.severity == model::Severity::info || incident.symptom) continue;
        list.push_back(fmt::format("{} {} {} {}", model::to_string(incident.type),
                                   incident.cause.value_or(""), model::to_string(incident.state),
                                   fmt::join(incident.scope.members, " ")));
    }
    std::ranges::sort(list);
    return list;
}

TEST(DiagnosisReplay, TheSameRecordsGiveTheSameBytes) {
    const Story story = mixed();
    Watch first(story);
    Watch second(story);
    first.until(90);
    second.until(90);
    EXPECT_EQ(text_of(first), text_of(second));
    EXPECT_EQ(verdicts(first).size(), 4U);
}

TEST(DiagnosisReplay, HowOftenTheClockTicksDoesNotChangeTheVerdicts) {
    const Story story = mixed();
    Watch usual(story, 0.1);
    usual.until(90);
    for (const double every : {0.01, 0.25, 1.0}) {
        Watch other(story, every);
        other.until(90);
        EXPECT_EQ(verdicts(other), verdicts(usual)) << "every " << every << " s";
    }
}

TEST(DiagnosisReplay, ReadingTheStateDoesNotChangeIt) {
    const Story story = mixed();
    Watch quiet(story);
    Watch read(story);
    quiet.until(90);
    for (int second = 1; second <= 90; ++second) {
        read.until(second);
        (void)read.engine.view();
        (void)read.engine.ladder(*model::Endpoint::parse("10.0.0.1:80"));
    }
    EXPECT_EQ(text_of(quiet), text_of(read));
}

}  // namespace
}  // namespace netwatch::diagnosis
