// SPDX-License-Identifier: Apache-2.0
// Late answers over a healthy path, and what is late for other reasons.
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
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto api = "10.0.0.1:8080";

// One exchange a look: the request went out `ago_s` + `took_s` before the look, the answer came `ago_s`
// before it.
void exchange(Flow& flow, double took_s, double ago_s = 0.1) {
    flow.sends(1);
    flow.receives(2);
    flow.since(ago_s + took_s, ago_s);
}

TEST(DiagnosisSlowService, AnswersThatComeSecondsLate) {
    Story story;
    for (std::uint32_t i = 0; i < 3; ++i) {
        Flow flow = story.flow(0.1 + i * 0.1, api);
        for (int second = 1; second <= 20; ++second) {
            exchange(flow, 0.02);
            story.look(second, flow);
        }
        for (int second = 23; second <= 44; second += 3) {
            // Waits for 1 s, then has it.
            flow.sends(1);
            flow.since(1.2, 4.0);
            story.look(second, flow);
            flow.receives(2);
            flow.since(2.2, 0.2);
            story.look(second + 1, flow);
        }
    }
    Watch watch(story);
    watch.until(30);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::slow_service);
    EXPECT_EQ(alarm.severity, Severity::warning);
    EXPECT_GE(alarm.first_affected_at, support::utc(21.7));
    EXPECT_LE(alarm.first_affected_at, support::utc(22.1));
    EXPECT_EQ(watch.engine.ladder(*model::Endpoint::parse(api)).verdict,
              model::LadderVerdict::not_the_network);
}

TEST(DiagnosisSlowService, HealsWithPromptAnswers) {
    Story story;
    Flow flow = story.flow(0.1, api);
    for (int second = 1; second <= 60; ++second) {
        exchange(flow, second > 15 && second <= 30 ? 2.5 : 0.02);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(30);
    EXPECT_EQ(watch.alarms().size(), 1U);
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisSlowService, NotWhereSegmentsTowardsUsAreLost) {
    Story story;
    Flow flow = story.flow(0.1, api);
    for (int second = 1; second <= 40; ++second) {
        exchange(flow, second > 15 ? 2.5 : 0.02);
        if (second > 15) flow.receives(10, 8);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_EQ(std::ranges::count(watch.ever_alarmed(), FailureType::slow_service), 0);
}

TEST(DiagnosisSlowService, NotWhereOurSegmentsAreLost) {
    Story story;
    Flow flow = story.flow(0.1, api);
    for (int second = 1; second <= 40; ++second) {
        exchange(flow, second > 15 ? 2.5 : 0.02);
        flow.sends(20, second > 15 ? 1 : 0);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_EQ(std::ranges::count(watch.ever_alarmed(), FailureType::slow_service), 0);
}

TEST(DiagnosisSlowService, ABigAnswerTakesItsTime) {
    Story story;
    Flow flow = story.flow(0.1, api);
    for (int second = 1; second <= 40; ++second) {
        exchange(flow, second > 15 ? 3.0 : 0.02);
        if (second > 15) flow.receives(2'000);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisSlowService, AnIdleConnectionIsNotLate) {
    Story story;
    Flow flow = story.flow(0.1, api);
    for (int second = 1; second <= 15; ++second) {
        exchange(flow, 0.02);
        story.look(second, flow);
    }
    for (int second = 16; second <= 60; ++second) {
        flow.since(second - 15 + 0.12, second - 15 + 0.1);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.incidents(), IsEmpty());
}

TEST(DiagnosisSlowService, LongPollsBesidePromptAnswersAreNoFault) {
    Story story;
    Flow prompt = story.flow(0.1, api);
    Flow poll = story.flow(0.2, api);
    for (int second = 1; second <= 120; ++second) {
        exchange(prompt, 0.02);
        story.look(second, prompt);
        const double waited = second % 10 + 0.3;
        if (second % 10 == 9) {
            poll.receives(1);
            poll.since(waited, 0.05);
        } else if (second % 10 == 0) {
            poll.sends(1);
            poll.since(0.3, 0.4);
        } else {
            poll.since(waited, 5);
        }
        story.look(second, poll);
    }
    Watch watch(story);
    watch.until(120);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisSlowService, AStreamThatPushesIsOneAnswerNotALateOneEachSecond) {
    Story story;
    Flow prompt = story.flow(0.1, api);
    Flow stream = story.flow(20.2, api);
    stream.sends(1);
    for (int second = 1; second <= 120; ++second) {
        if (second % 4 == 0) exchange(prompt, 0.02);
        prompt.since(second % 4 + 0.12, second % 4 + 0.1);
        story.look(second, prompt);
        if (second <= 20) continue;
        stream.receives(1);
        stream.since(second - 20.1, 0.1);
        story.look(second, stream);
    }
    Watch watch(story);
    watch.until(120);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisSlowService, OneThatWasNeverPromptIsInfoOnly) {
    Story story;
    Flow flow = story.flow(0.1, api);
    for (int second = 3; second <= 90; second += 3) {
        exchange(flow, 2.5);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(90);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisSlowService, AClosedSiblingPortDoesNotHideIt) {
    Story story;
    Flow flow = story.flow(0.1, api);
    for (int second = 1; second <= 40; ++second) {
        exchange(flow, second > 15 ? 2.5 : 0.02);
        story.look(second, flow);
    }
    story.healthy(0, 5, 0.2, "10.0.0.1:81").refused(5, 40, 0.25, "10.0.0.1:81");
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(),
                testing::UnorderedElementsAre(FailureType::port_blocked, FailureType::slow_service));
}

// A client asks on a connection of its own, waits for so long, and closes it without a byte of an answer.
void gives_up(Story& story, double at, double waited_s, std::string_view to = api) {
    Flow flow = story.flow(at, to);
    flow.sends(1);
    for (double look = at + 0.5; look < at + waited_s; look += 1) {
        flow.since(look - at, 0);
        flow.counters.since_received_jiffies = flow.counters.since_sent_jiffies + 1;
        story.look(look, flow);
    }
    flow.since(waited_s, 0);
    flow.counters.since_received_jiffies = flow.counters.since_sent_jiffies + 1;
    story.close(at + waited_s, flow);
}

TEST(DiagnosisSlowService, RequestsThatClientsGiveUpAreWaiting) {
    Story story;
    story.healthy(0, 15, 0.3, api);
    for (int i = 0; i < 12; ++i) gives_up(story, 15 + i, 3);
    Watch watch(story);
    watch.until(25);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::slow_service);
    EXPECT_EQ(alarm.cause, "waiting");
    EXPECT_EQ(alarm.candidates.size(), 1U);
    EXPECT_GE(alarm.first_affected_at, support::utc(14.9));
    EXPECT_LE(alarm.first_affected_at, support::utc(15.1));
    EXPECT_EQ(watch.engine.ladder(*model::Endpoint::parse(api)).verdict,
              model::LadderVerdict::not_the_network);
}

TEST(DiagnosisSlowService, WaitingEndsWithPromptAnswers) {
    Story story;
    story.healthy(0, 15, 0.3, api).healthy(22, 40, 0.3, api);
    for (int i = 0; i < 6; ++i) gives_up(story, 15 + 0.5 * i, 3);
    Watch watch(story);
    watch.until(21);
    EXPECT_EQ(watch.alarms().size(), 1U);
    watch.until(32);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisSlowService, WhereLargeAnswersAreUsualAnMtuHoleOnTheWayHereIsNotRuledOut) {
    Story story;
    for (std::uint32_t i = 0; i < 40; ++i) {
        Flow flow = story.flow(i * 0.3, api);
        flow.sends(1);
        flow.receives(20);
        flow.since(0.02, 0.01);
        story.close(i * 0.3 + 0.05, flow);
    }
    for (int i = 0; i < 12; ++i) gives_up(story, 15 + i, 3);
    Watch watch(story);
    watch.until(25);
    const auto alarm = watch.alarm();
    ASSERT_EQ(alarm.candidates.size(), 2U);
    EXPECT_EQ(alarm.candidates[0].cause, "waiting");
    EXPECT_EQ(alarm.candidates[1].type, FailureType::path_mtu_blackhole);
    EXPECT_TRUE(alarm.candidates[1].would_split);
    EXPECT_EQ(watch.engine.ladder(*model::Endpoint::parse(api)).verdict, model::LadderVerdict::failing);
}

TEST(DiagnosisSlowService, ASmallSegmentBehindAHoleIsNoServiceThatWaits) {
    Story story;
    story.healthy(0, 15, 0.3, api);
    for (int i = 0; i < 12; ++i) {
        Flow flow = story.flow(15 + i, api);
        flow.sends(1);
        flow.counters.rcv_ooopack = 1;
        flow.since(3, 0);
        flow.counters.since_received_jiffies = flow.counters.since_sent_jiffies + 1;
        story.close(18 + i, flow);
    }
    Watch watch(story);
    watch.until(32);
    EXPECT_EQ(std::ranges::count(watch.ever_alarmed(), FailureType::slow_service), 0);
}

TEST(DiagnosisSlowService, ClientsThatOnlySendAreNotWaiting) {
    Story story;
    for (int i = 0; i < 60; ++i) gives_up(story, i, 3);  // a log shipper: nothing ever answers it
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// Batches of prompt exchanges, after each of which the client says a last word that nobody answers.
TEST(DiagnosisSlowService, ThePoolWhoseClientsHaveTheLastWordRests) {
    Story story;
    for (std::uint32_t i = 0; i < 5; ++i) {
        Flow flow = story.flow(0.1 + i * 0.05, api);
        for (int second = 1; second <= 70; ++second) {
            const int resting_s = second % 9 - 2;
            if (resting_s <= 0) exchange(flow, 0.02);
            if (resting_s == 0) flow.sends(1);
            if (resting_s >= 0) flow.since(resting_s + 0.1, resting_s + 0.12);
            story.look(second, flow);
        }
    }
    Watch watch(story);
    watch.until(70);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisSlowService, ImpatientClientsBesidePromptAnswersAreNotWaiting) {
    Story story;
    story.healthy(0, 60, 0.3, api);
    for (int i = 0; i < 10; ++i) gives_up(story, 15 + 4 * i, 3);
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisSlowService, HalfASecondMoreThanUsualTakesMoreAnswersToTell) {
    Story story;
    for (std::uint32_t i = 0; i < 4; ++i) {
        Flow flow = story.flow(0.1 + i * 0.1, api);
        for (int second = 1; second <= 40; ++second) {
            exchange(flow, second > 15 ? 0.5 : 0.004, 0.1);
            story.look(second, flow);
        }
    }
    Watch watch(story);
    watch.until(25);
    EXPECT_EQ(watch.alarm().type, FailureType::slow_service);
}

TEST(DiagnosisSlowService, AFewSlowPagesAreNoSlowService) {
    Story story;
    Flow flow = story.flow(0.1, api);
    for (int second = 1; second <= 90; ++second) {
        exchange(flow, second % 15 < 6 && second > 15 ? 0.5 : 0.004);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(90);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// Kept connections whose requests went out at second 11 of them all; answers come only at `answers_at`.
void hang(Story& story, int until_s, int answers_at) {
    for (int i = 0; i < 4; ++i) {
        Flow flow = story.flow(0.1 + i * 0.1, api);
        for (int second = 1; second <= until_s; ++second) {
            const bool hangs = second >= 11 && second < answers_at;
            if (second <= 11 || second > answers_at) flow.sends(1);
            if (hangs) {
                flow.since(second - 10.5, second - 9.9);
            } else {
                flow.receives(1);
                const double took_s = second == answers_at ? answers_at - 10.6 : 0.02;
                flow.since(0.1 + took_s, 0.1);
            }
            story.look(second, flow);
        }
    }
}

TEST(DiagnosisSlowService, RequestsThatAllWaitAreNamedWhileTheyWait) {
    Story story;
    hang(story, 30, 100);
    Watch watch(story);
    watch.until(15.5);
    EXPECT_EQ(watch.alarm().type, FailureType::slow_service);
    EXPECT_EQ(watch.alarm().cause, "waiting");
}

TEST(DiagnosisSlowService, AServiceThatComesBackHasWaitedAndIsNotSlow) {
    Story story;
    hang(story, 40, 18);
    Watch watch(story);
    watch.until(40);
    ASSERT_EQ(watch.told().size(), 1U);
    EXPECT_EQ(watch.told().begin()->second.cause, "waiting");
    EXPECT_EQ(watch.told().begin()->second.state, model::IncidentState::resolved);
}

TEST(DiagnosisSlowService, RequestsThatWaitBesideOnesThatAreAnsweredAreLongPolls) {
    Story story;
    hang(story, 30, 100);
    Flow prompt = story.flow(0.1, api);
    for (int second = 1; second <= 30; ++second) {
        exchange(prompt, 0.02);
        story.look(second, prompt);
    }
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// Connections of a pool: segment for segment a request and its answer. At each look both the last request and
// the last answer, or word of the server, are `ago_s` old: they came within one tick.
struct Pool {
    enum class Last : std::uint8_t { request = 1, answer = 2 };

    explicit Pool(Story& teller, std::size_t size = 5, double from_s = 0.1) : story(teller) {
        while (flows.size() < size)
            flows.push_back(story.flow(from_s + 0.05 * static_cast<double>(flows.size()), api));
    }
    void look(int second, std::uint32_t asked, std::uint32_t answered, Last last, double ago_s) {
        for (Flow& flow : flows) {
            if (asked > 0) flow.sends(asked);
            if (answered > 0) flow.receives(answered);
            flow.counters.heard = static_cast<std::uint8_t>(last);
            flow.since(ago_s, ago_s);
            story.look(second, flow);
        }
    }
    void work(int from_s, int to_s) {
        for (int second = from_s; second <= to_s; ++second) look(second, 7, 7, Last::answer, 0.3);
    }
    Story& story;
    std::vector<Flow> flows;
};

TEST(DiagnosisSlowService, ARequestInTheTickOfTheAnswerBeforeIsTimed) {
    Story story;
    Pool pool(story);
    pool.work(1, 20);
    for (int second = 21; second <= 40; second += 2) {
        pool.look(second, second == 21 ? 3 : 4, second == 21 ? 2 : 4, Pool::Last::request, 0.8);
        pool.look(second + 1, 0, 0, Pool::Last::request, 1.8);
    }
    Watch watch(story);
    watch.until(40);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::slow_service);
    EXPECT_LE(alarm.first_affected_at, support::utc(20.3));
}

// Sessions whose last word comes in the tick of their answer may have waited as long as the pool beside them.
TEST(DiagnosisSlowService, SessionsThatSayGoodbyeAreNotPromptBesideAPoolThatWaits) {
    Story story;
    Pool pool(story);
    pool.work(1, 20);
    for (int second = 21; second <= 40; second += 2) {
        pool.look(second, second == 21 ? 3 : 4, second == 21 ? 2 : 4, Pool::Last::request, 0.8);
        pool.look(second + 1, 0, 0, Pool::Last::request, 1.8);
        Pool sessions(story, 6, second + 0.1);
        sessions.look(second + 1, 3, 2, Pool::Last::request, 0.01);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_EQ(watch.alarm().type, FailureType::slow_service);
}

TEST(DiagnosisSlowService, APoolThatRestsAfterItsAnswersIsNotLate) {
    Story story;
    Pool pool(story);
    pool.work(1, 20);
    for (int second = 21; second <= 100; ++second) {
        const int resting_s = second % 20;
        // A probe of whether the peer is there is answered by a bare acknowledgement.
        const auto last = resting_s > 15 ? Pool::Last::request : Pool::Last::answer;
        pool.look(second, resting_s == 0 ? 7 : 0, resting_s == 0 ? 7 : 0, last, resting_s + 0.1);
    }
    Watch watch(story);
    watch.until(100);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisSlowService, LastWordsInTheTickOfTheAnswerAreNoRequests) {
    Story story;
    Pool pool(story);
    for (int second = 1; second <= 100; ++second) {
        const int resting_s = second % 5;
        pool.look(second, resting_s == 0 ? 8 : 0, resting_s == 0 ? 7 : 0, Pool::Last::request,
                  resting_s + 0.1);
    }
    Watch watch(story);
    watch.until(100);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// As HTTP/2 tells now and then that there is room again.
TEST(DiagnosisSlowService, ALastWordNowAndThenMakesNothingLate) {
    Story story;
    Pool pool(story, 2);
    pool.work(1, 15);
    for (int second = 16; second <= 100; ++second) {
        const int resting_s = second % 5;
        const bool one_more = second % 20 < 5;
        pool.look(second, resting_s == 0 ? (one_more ? 8 : 7) : 0, resting_s == 0 ? 7 : 0,
                  one_more ? Pool::Last::request : Pool::Last::answer, resting_s + 0.1);
    }
    Watch watch(story);
    watch.until(100);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// The server asks whether its clients are there, and they say so.
TEST(DiagnosisSlowService, WhoAnswersItsServerAtOnceAwaitsNothing) {
    Story story;
    Pool pool(story);
    pool.work(1, 15);
    for (int second = 16; second <= 100; ++second) {
        const int resting_s = second % 12;
        pool.look(second, resting_s == 0 ? 1 : 0, resting_s == 0 ? 1 : 0, Pool::Last::request,
                  resting_s + 0.1);
    }
    Watch watch(story);
    watch.until(100);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

}  // namespace
}  // namespace netwatch::diagnosis
