// SPDX-License-Identifier: Apache-2.0
// Client, forwarder and server on one observed host: one fault is one incident, and the server's own end
// tells what the client's cannot know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::Perspective;
using support::Flow;
using support::Story;
using support::Watch;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto api = "10.0.0.1:8080";
constexpr support::Who server{900, "api"};

// Both ends of one connection, a look at each every second; what the client sends, the server receives.
struct Pair {
    Flow client;
    Flow served;
    Pair(Story& story, double at)
        : client(story.flow(at, api)),
          served(story.other_end(at + 0.001, client, server)) {}
    void carries(std::uint32_t segments, std::uint32_t lost, std::uint32_t held_up) {
        client.sends(segments, lost);
        served.receives(segments, held_up);
        served.fills_holes(held_up, 0);
    }
    void look(Story& story, double at) const { story.look(at, client).look(at + 0.01, served); }
};

TEST(DiagnosisBothEnds, LossOnTheWayIsTheClientsAlone) {
    Story story;
    std::vector<Pair> pairs;
    for (int i = 0; i < 4; ++i) pairs.emplace_back(story, 0.1 * (i + 1));
    for (int second = 1; second <= 30; ++second) {
        for (Pair& pair : pairs) {
            const std::uint32_t lost = second > 15 ? 5 : 0;
            pair.carries(100, lost, lost);
            pair.look(story, second);
        }
    }
    Watch watch(story);
    watch.until(30);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::packet_loss);
    EXPECT_EQ(alarm.cause, "forward");
    EXPECT_EQ(alarm.perspective, Perspective::client);
    EXPECT_EQ(alarm.destination->endpoint.ip.to_string(), "10.0.0.1");
    EXPECT_EQ(watch.told().size(), 1U);
}

// A client elsewhere is the listener's to tell of.
TEST(DiagnosisBothEnds, LossFromAClientElsewhereStaysTheListeners) {
    Story story;
    std::vector<Flow> flows;
    for (int i = 0; i < 4; ++i) flows.push_back(story.accepted(0.1 * (i + 1), "10.9.9.9:40000", 443));
    for (int second = 1; second <= 30; ++second) {
        for (Flow& flow : flows) {
            flow.receives(100, second > 15 ? 5 : 0);
            flow.fills_holes(second > 15 ? 5 : 0, 0);
            story.look(second, flow);
        }
    }
    Watch watch(story);
    watch.until(30);
    EXPECT_EQ(watch.alarm().perspective, Perspective::server);
}

TEST(DiagnosisBothEnds, AFullAcceptQueueExplainsItsClientsSilence) {
    Story story;
    story.healthy(0, 10, 0.25, api);
    Pair pair(story, 0.5);
    for (int second = 1; second <= 25; ++second) {
        const bool full = second > 10;
        pair.carries(3, 0, 0);
        pair.look(story, second);
        story.listens(second + 0.02, api, full ? 129 : 0, 128,
                      full ? 9 * static_cast<std::uint64_t>(second - 10) : 0, server);
    }
    story.unanswered(10, 25, 0.5, api);
    Watch watch(story);
    watch.until(20);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::connection_exhaustion);
    EXPECT_EQ(alarm.perspective, Perspective::server);
    for (const auto& incident : watch.incidents()) {
        if (incident.id == alarm.id) continue;
        EXPECT_TRUE(incident.symptom);
        EXPECT_EQ(incident.root_cause.incident, alarm.id);
    }
}

// Another port's queue is no explanation.
TEST(DiagnosisBothEnds, AFullAcceptQueueElsewhereExplainsNothing) {
    Story story;
    story.healthy(0, 10, 0.25, api);
    for (int second = 1; second <= 25; ++second) {
        story.listens(second, "10.0.0.1:9090", second > 10 ? 129 : 0, 128,
                      second > 10 ? 9 * static_cast<std::uint64_t>(second - 10) : 0, server);
    }
    story.refused(10, 25, 0.5, api);
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(watch.alarms().size(), 2U);
}

// Requests that wait: `unread` of them lie in the server's socket.
Story stuck_requests(std::uint32_t unread_bytes) {
    Story story;
    std::vector<Pair> pairs;
    for (int i = 0; i < 4; ++i) pairs.emplace_back(story, 0.1 * (i + 1));
    for (int second = 1; second <= 30; ++second) {
        for (Pair& pair : pairs) {
            if (second <= 15) {
                pair.client.sends(1);
                pair.client.receives(2);
                pair.client.since(0.12, 0.1);
            } else {
                if (second == 16) pair.client.sends(1);
                pair.client.since(second - 15.5, second - 14.5);
                pair.served.counters.unread_bytes = unread_bytes;
            }
            pair.look(story, second);
        }
    }
    return story;
}

TEST(DiagnosisBothEnds, TheServersEndTellsAProcessThatStandsStill) {
    Watch watch(stuck_requests(1'000));
    watch.until(25);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::slow_service);
    EXPECT_EQ(alarm.candidates.size(), 1U);
    EXPECT_THAT(alarm.evidence, Contains(Field(&model::EvidenceItem::signal, "requests_unread")));
}

TEST(DiagnosisBothEnds, TheServersEndTellsAProcessAtWork) {
    Watch watch(stuck_requests(0));
    watch.until(25);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.candidates.size(), 1U);
    EXPECT_THAT(alarm.evidence, Contains(Field(&model::EvidenceItem::signal, "requests_read")));
    EXPECT_THAT(alarm.evidence, Not(Contains(Field(&model::EvidenceItem::signal, "requests_unread"))));
}

TEST(DiagnosisBothEnds, NothingIsWrong) {
    Story story;
    story.healthy(0, 30, 0.25, api);
    Pair pair(story, 0.5);
    for (int second = 1; second <= 30; ++second) {
        pair.carries(100, 0, 0);
        pair.look(story, second);
        story.listens(second + 0.02, api, 1, 128, 0, server);
    }
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.told(), IsEmpty());
}

}  // namespace
}  // namespace netwatch::diagnosis
