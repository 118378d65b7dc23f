// SPDX-License-Identifier: Apache-2.0
// Loss on the way there and back, and what retransmits without being loss.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "diagnosis/path_quality.h"
#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::Severity;
using support::Flow;
using support::Story;
using support::Watch;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr auto web = "10.0.0.1:80";

// Two connections looked at each second from second 1 to `last_s`; `live` moves one on.
Story two_flows(int last_s, const std::function<void(Flow&, int)>& live) {
    Story story;
    std::vector<Flow> flows{story.flow(0.1, web), story.flow(0.2, web)};
    for (int second = 1; second <= last_s; ++second) {
        for (Flow& flow : flows) {
            live(flow, second);
            story.look(second, flow);
        }
    }
    return story;
}

std::vector<FailureType> alarms_after(const Story& story, double seconds) {
    Watch watch(story);
    watch.until(seconds);
    return watch.ever_alarmed();
}

TEST(DiagnosisLoss, FiveInAHundredForward) {
    Watch watch(two_flows(30, [](Flow& flow, int second) { flow.sends(100, second >= 10 ? 5 : 0); }));
    watch.until(30);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::packet_loss);
    EXPECT_EQ(alarm.cause, "forward");
    EXPECT_THAT(alarm.scope.members, ElementsAre("10.0.0.1"));
    EXPECT_EQ(alarm.destination->endpoint.to_string(), "10.0.0.1");
    EXPECT_EQ(alarm.first_affected_at, support::utc(10));
    EXPECT_LE(*watch.first_told(FailureType::packet_loss), 15);
    EXPECT_EQ(alarm.ladder[static_cast<std::size_t>(model::Rung::loss)].status,
              model::LadderStatus::degraded);
}

// An agent that starts amid retransmissions first sees nothing but loss.
TEST(DiagnosisLoss, LossOfAllThatWasSentHealsToo) {
    PathQuality quality;
    std::uint64_t at = support::boot_ns(1);
    FlowDelta delta;
    delta.at = at;
    delta.lost = 5;
    quality.add(delta);
    EXPECT_FALSE(quality.healed(at));
    for (int second = 0; second < 10; ++second) {
        delta = {};
        delta.at = at += core::ns_per_s;
        delta.segments = 100;
        quality.add(delta);
    }
    EXPECT_TRUE(quality.healed(at));
}

TEST(DiagnosisLoss, LossesThatComeTogetherAreBursty) {
    Watch watch(two_flows(40, [](Flow& flow, int second) {
        flow.sends(100, second >= 10 && (second + static_cast<int>(flow.sock)) % 3 == 0 ? 15 : 0);
    }));
    watch.until(40);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
    EXPECT_EQ(watch.alarm().cause, "bursty");
}

// Healed, but for what any path loses now and then.
TEST(DiagnosisLoss, AStrayLossLongAfterTheOthersMakesNoRun) {
    PathQuality quality;
    for (int second = 1; second <= 25; ++second) {
        FlowDelta delta;
        delta.at = support::boot_ns(second);
        delta.segments = 1'000;
        for (int flow = 0; flow < 4; ++flow) {
            delta.lost = second <= 10 ? 50 : second == 20 && flow == 0 ? 1 : 0;
            quality.add(delta);
        }
    }
    ASSERT_TRUE(quality.scatter(support::boot_ns(25)));
    EXPECT_LT(*quality.scatter(support::boot_ns(25)), 2.5);
}

TEST(DiagnosisLoss, StrayLossesOfABusyPathDoNotHoldItOpen) {
    const auto healed_with = [](std::int32_t stray) {
        PathQuality quality;
        for (int second = 1; second <= 20; ++second) {
            FlowDelta delta;
            delta.at = support::boot_ns(second);
            delta.segments = 2'000;
            delta.lost = second <= 10 ? 60 : stray;
            quality.add(delta);
        }
        return quality.healed(support::boot_ns(20));
    };
    EXPECT_TRUE(healed_with(1));
    EXPECT_FALSE(healed_with(20));
}

// Small requests all the time, and every fifth second more than passes.
std::uint32_t bursts(int second) { return second % 5 == 0 ? 400 : 40; }

TEST(DiagnosisLoss, WhatIsLostOnlyAboveARateMeetsALimit) {
    Story story = two_flows(60, [](Flow& flow, int second) {
        flow.sends(bursts(second), second >= 10 && second < 45 && bursts(second) > 100 ? 50 : 0);
    });
    Watch watch(story);
    watch.until(40);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::packet_loss);
    EXPECT_EQ(alarm.cause, "rate_limited");
    EXPECT_EQ(alarm.occurrences, 1) << "slow seconds do not heal it";
    watch.until(60);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisLoss, WhatIsLostAtAnyRateMeetsNone) {
    Watch watch(two_flows(40, [](Flow& flow, int second) {
        flow.sends(bursts(second), second < 10 ? 0 : bursts(second) > 100 ? 20 : 2);
    }));
    watch.until(40);
    EXPECT_EQ(watch.alarm().cause, "forward");
}

// Amid a second in which all moved on, their path dies: what is sent again from then on tells nothing of
// before.
TEST(DiagnosisLoss, TheBeginningOfAnOutageIsNone) {
    Story story;
    std::vector<Flow> flows;
    for (int i = 0; i < 8; ++i) flows.push_back(story.flow(0.1 + 0.01 * i, web));
    for (int second = 1; second <= 30; ++second) {
        for (Flow& flow : flows) {
            if (second < 20) flow.sends(7);
            if (second >= 20) {
                const auto timeouts = static_cast<std::uint8_t>(std::min(second - 19, 4));
                if (second == 20) flow.sends(3);
                const std::uint32_t again = second == 20 ? 2 : 1;
                for (std::uint32_t i = 0; i < again; ++i)
                    story.times_out(second - 0.3 + 0.1 * i, flow, timeouts);
                flow.counters.total_retrans += again;
                flow.counters.data_segs_out += again;
                flow.waits(second - 19.4, timeouts);
            }
            story.look(second, flow);
        }
    }
    EXPECT_THAT(alarms_after(story, 30), Not(Contains(FailureType::packet_loss)));
}

TEST(DiagnosisLoss, WhatAnOutageSwallowedIsNone) {
    // Eight connections of a server come back within 0.7 s, each with what it had sent again in vain.
    Story story;
    std::vector<Flow> flows;
    for (int i = 0; i < 8; ++i)
        flows.push_back(story.accepted(0.1, "10.0.0.9:4" + std::to_string(1000 + i), 443));
    for (int second = 1; second <= 40; ++second) {
        for (std::size_t i = 0; i < flows.size(); ++i) {
            const bool back = second == 20;
            if (second < 18 || second > 20) flows[i].sends(2);
            if (back) flows[i].sends(1, 1);
            if (back) flows[i].counters.total_retrans += 2;
            story.look(second + (back ? 0.7 + 0.1 * static_cast<double>(i) : 0), flows[i]);
        }
    }
    EXPECT_THAT(alarms_after(story, 40), IsEmpty());
}

// Four in ten are lost from second 10 on. Of connections made a quarter of a second apart, five in a row
// fail.
Story heavy_loss(double silent_from) {
    Story story = two_flows(40, [&](Flow& flow, int second) {
        if (second < silent_from) flow.sends(100, second >= 10 ? 40 : 0);
    });
    story.healthy(0, 10, 0.25, web);
    for (int i = 0; i < 120; ++i) {
        const double at = 10 + i * 0.25;
        if (at >= silent_from || i % 6 != 5)
            story.is_unanswered(at, web, 0.9);
        else
            story.connects(at, web);
    }
    return story;
}

TEST(DiagnosisLoss, SilenceThatTheLossExplainsIsNoFaultOfItsOwn) {
    EXPECT_THAT(alarms_after(heavy_loss(60), 40), ElementsAre(FailureType::packet_loss));
}

TEST(DiagnosisLoss, SilenceLongerThanTheLossExplainsIs) {
    Watch watch(heavy_loss(20));
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), Contains(FailureType::firewall_block));
}

TEST(DiagnosisLoss, OneInAHundredForward) {
    const auto story = two_flows(40, [](Flow& flow, int second) { flow.sends(100, second >= 10 ? 1 : 0); });
    EXPECT_THAT(alarms_after(story, 40), ElementsAre(FailureType::packet_loss));
}

TEST(DiagnosisLoss, TheResidueOfACleanPathIsNone) {
    // Spurious retransmissions that no DSACK took back: 0.05 %.
    const auto story =
        two_flows(120, [](Flow& flow, int second) { flow.sends(200, second % 10 == 0 ? 1 : 0); });
    EXPECT_THAT(alarms_after(story, 120), IsEmpty());
}

TEST(DiagnosisLoss, RetransmissionsThatDsacksDisproveAreNoForwardLoss) {
    const auto story = two_flows(60, [](Flow& flow, int second) {
        flow.sends(100, second % 3 == 0 ? 1 : 0);
        if (second % 3 == 1 && second > 1) ++flow.counters.dsack_dups;
        if (second % 3 == 1 && second > 1) ++flow.counters.reord_seen;
    });
    EXPECT_THAT(alarms_after(story, 60), IsEmpty());
}

// Two retransmissions a second from second 10 on that turn out needless; `timer` tells whose each was.
using Timer = std::function<void(Story&, double at, Flow&)>;
Story needless_retransmissions(const Timer& timer) {
    Story story;
    std::vector<Flow> flows{story.flow(0.1, web), story.flow(0.2, web)};
    for (int second = 1; second <= 40; ++second) {
        for (Flow& flow : flows) {
            flow.sends(40, second >= 10 ? 2 : 0);
            if (second >= 10) flow.counters.dsack_dups += 2;
            for (int i = 0; second >= 10 && i < 2; ++i) timer(story, second - 0.5 + i * 0.1, flow);
            story.look(second, flow);
        }
    }
    return story;
}

Timer times_out_after(std::uint32_t jiffies) {
    return [jiffies](Story& story, double at, Flow& flow) {
        flow.counters.rto_jiffies = jiffies;
        story.times_out(at, flow, 1);
    };
}

Timer probes_with(std::uint32_t packets_out) {
    return [packets_out](Story& story, double at, Flow& flow) { story.probes(at, flow, packets_out); };
}

TEST(DiagnosisLoss, NeedlessRetransmissionsOfATimerAreLostAcknowledgements) {
    Watch watch(needless_retransmissions(times_out_after(51)));
    watch.until(40);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
    EXPECT_EQ(watch.alarm().cause, "reverse");
}

// Requests of two segments to a service that is slow to read them. For one segment a probe waits long enough.
TEST(DiagnosisLoss, NeedlessProbesOfSeveralSegmentsAreLateAcknowledgements) {
    EXPECT_THAT(alarms_after(needless_retransmissions(probes_with(2)), 40), IsEmpty());
    EXPECT_THAT(alarms_after(needless_retransmissions(probes_with(1)), 40),
                Contains(FailureType::packet_loss));
    EXPECT_THAT(alarms_after(needless_retransmissions(probes_with(0)), 40),
                Contains(FailureType::packet_loss))
        << "not known";
}

// rto_min of a route, or tcp_rto_min_us.
TEST(DiagnosisLoss, NeedlessRetransmissionsOfAShortTimeoutAreLateAcknowledgements) {
    EXPECT_THAT(alarms_after(needless_retransmissions(times_out_after(5)), 40), IsEmpty());
}

TEST(DiagnosisLoss, NeedlessRetransmissionsThatOvertakenSegmentsCausedAreNone) {
    EXPECT_THAT(alarms_after(needless_retransmissions([](Story&, double, Flow&) {}), 40), IsEmpty());
}

TEST(DiagnosisLoss, HolesInADownloadAreLossTowardsUs) {
    Watch watch(two_flows(40, [](Flow& flow, int second) {
        flow.receives(400, second >= 10 ? 80 : 0);
        flow.counters.hole_bytes = second >= 10 ? 1 : 0;
        flow.sends(1);
    }));
    watch.until(40);
    EXPECT_EQ(watch.alarm().cause, "reverse");
}

TEST(DiagnosisLoss, ReorderedArrivalsWhoseHolesCloseAtOnceAreNone) {
    const auto story = two_flows(60, [](Flow& flow, int) {
        flow.receives(400, 20);
        flow.sends(1);
    });
    EXPECT_THAT(alarms_after(story, 60), IsEmpty());
}

TEST(DiagnosisLoss, BothWays) {
    Watch watch(two_flows(40, [](Flow& flow, int second) {
        flow.sends(100, second >= 10 ? 5 : 0);
        flow.receives(400, second >= 10 ? 80 : 0);
        flow.counters.hole_bytes = second >= 10 ? 1 : 0;
    }));
    watch.until(40);
    EXPECT_EQ(watch.alarm().cause, "both");
}

TEST(DiagnosisLoss, BothWaysWhereItLengthensTheRoundTrips) {
    Watch watch(two_flows(40, [](Flow& flow, int second) {
        flow.sends(100, second >= 10 ? 25 : 0);
        flow.receives(400, second >= 10 ? 80 : 0);
        flow.counters.hole_bytes = second >= 10 ? 1 : 0;
        flow.counters.srtt_us = second >= 10 ? 140'000 : 20'000;
    }));
    watch.until(40);
    EXPECT_EQ(watch.alarm().cause, "both");
}

TEST(DiagnosisLoss, ADeadPathIsNotALossyOne) {
    // Data was in flight when the path died: retransmissions, and nothing delivered.
    const auto story = two_flows(40, [](Flow& flow, int second) {
        if (second < 10) return flow.sends(100);
        flow.counters.data_segs_out += 2;
        flow.counters.total_retrans += 2;
    });
    EXPECT_THAT(alarms_after(story, 40), IsEmpty());
}

TEST(DiagnosisLoss, PathMtuDiscoveryAtWorkIsNone) {
    const auto story = two_flows(40, [](Flow& flow, int second) {
        flow.sends(100, second % 10 == 0 ? 7 : 0);
        if (second % 10 == 0) flow.counters.mss_bytes -= 40;
    });
    EXPECT_THAT(alarms_after(story, 40), IsEmpty());
}

TEST(DiagnosisLoss, ProbesOfAShutWindowAreNone) {
    const auto story = two_flows(40, [](Flow& flow, int second) {
        flow.sends(20, second >= 10 ? 2 : 0);
        flow.counters.snd_wnd = second >= 10 ? 0 : 65'535;
    });
    EXPECT_THAT(alarms_after(story, 40), IsEmpty());
}

TEST(DiagnosisLoss, DropsOfAFullQueueAreCongestion) {
    const auto story = two_flows(40, [](Flow& flow, int second) {
        flow.sends(100, second >= 10 ? 3 : 0);
        flow.counters.srtt_us = second >= 10 ? 140'000 : 20'000;
    });
    EXPECT_THAT(alarms_after(story, 40), Not(Contains(FailureType::packet_loss)));
}

TEST(DiagnosisLoss, AFullQueueOfOneConnectionDoesNotExcuseTheLossOfOthers) {
    Story story;
    std::vector<Flow> flows{story.flow(0.1, web), story.flow(0.2, web), story.flow(0.3, web),
                            story.flow(0.4, web)};
    for (int second = 1; second <= 40; ++second) {
        for (Flow& flow : flows) {
            const bool lossy = &flow == &flows.front();
            flow.sends(100, lossy && second >= 10 ? 8 : 0);
            flow.counters.srtt_us = lossy ? 20'000 : 140'000;
            story.look(second, flow);
        }
    }
    EXPECT_THAT(alarms_after(story, 40), ElementsAre(FailureType::packet_loss));
}

TEST(DiagnosisLoss, AHealthyTrickleIsSilent) {
    const auto story = two_flows(120, [](Flow& flow, int second) {
        flow.sends(1, second == 40 ? 1 : 0);
        flow.receives(1);
    });
    EXPECT_THAT(alarms_after(story, 120), IsEmpty());
}

TEST(DiagnosisLoss, RetransmissionsRefusedHereAreNotLostOnThePath) {
    Story story;
    Flow flow = story.flow(0.1, web);
    for (int second = 1; second <= 40; ++second) {
        flow.sends(100, second >= 10 ? 5 : 0);
        for (int i = 0; second >= 10 && i < 5; ++i) {
            auto refused =
                model::make_record<netwatch_retransmit>(support::boot_ns(second - 0.5), support::story_netns);
            refused.sock = flow.sock;
            refused.why = NETWATCH_RETRANSMIT_FAST;
            refused.error = -16;
            refused.tuple.family = 4;
            refused.tuple.protocol = 6;
            refused.tuple.remote_port = 80;
            story.add(refused);
        }
        story.look(second, flow);
    }
    EXPECT_THAT(alarms_after(story, 40), IsEmpty());
}

TEST(DiagnosisLoss, ConnectionsOlderThanTheAgentStartFromWhatTheyCount) {
    Story story(1);
    Flow old = story.flow(0.1, web);
    old.start_s = -500;
    old.sends(10'000, 900);
    for (int second = 1; second <= 30; ++second) {
        old.sends(50);
        story.look(second, old);
    }
    // Its CONNECT record was never seen.
    Story unseen(1);
    for (const auto& record : story.records()) {
        if (std::holds_alternative<netwatch_socket_sample>(record)) unseen.add(record);
    }
    EXPECT_THAT(alarms_after(unseen, 30), IsEmpty());
}

TEST(DiagnosisLoss, SteadyOnePercentIsOneIncidentThatStaysOpen) {
    // Losses drawn one by one, 60 segments a second.
    Story story;
    Flow flow = story.flow(0.1, web);
    std::uint32_t seed = 5;
    for (int second = 1; second <= 300; ++second) {
        std::uint32_t lost = 0;
        for (int i = 0; i < 60; ++i) {
            seed = seed * 1'664'525 + 1'013'904'223;
            lost += (seed >> 8) % 100 == 0 ? 1 : 0;
        }
        flow.sends(60, lost);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(300);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
    EXPECT_EQ(watch.told().size(), 1U);
    EXPECT_LE(watch.alarm().occurrences, 2);
}

TEST(DiagnosisLoss, HealsAfterACleanStretch) {
    Watch watch(
        two_flows(50, [](Flow& flow, int second) { flow.sends(100, second >= 10 && second < 25 ? 5 : 0); }));
    watch.until(24);
    EXPECT_EQ(watch.alarms().size(), 1U);
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_EQ(watch.incidents().front().resolution, model::Resolution::healed);
}

TEST(DiagnosisLoss, OneClosedPortOfTheAddressDoesNotHideIt) {
    auto story = two_flows(40, [](Flow& flow, int second) { flow.sends(100, second >= 15 ? 5 : 0); });
    story.healthy(0, 5, 0.2, "10.0.0.1:81").refused(5, 40, 0.25, "10.0.0.1:81");
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(),
                testing::UnorderedElementsAre(FailureType::port_blocked, FailureType::packet_loss));
    EXPECT_EQ(watch.alarms().size(), 2U);
}

TEST(DiagnosisLoss, AServerSeesItsClientsLoss) {
    Story story;
    Flow flow = story.accepted(0.1, "198.51.100.7:40000", 443, {77, "nginx"});
    for (int second = 1; second <= 40; ++second) {
        flow.sends(100, second >= 10 ? 5 : 0);
        story.look(second, flow);
    }
    Watch watch(story);
    watch.until(40);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
    EXPECT_EQ(watch.alarm().perspective, model::Perspective::server);
    EXPECT_EQ(watch.alarm().destination->endpoint.port, 443);
}

TEST(DiagnosisLoss, HolesThatRetransmissionsFillAreLossTowardsUs) {
    Watch watch(two_flows(40, [](Flow& flow, int second) {
        flow.receives(400, second >= 10 ? 80 : 0);
        flow.fills_holes(second >= 10 ? 15 : 0, 0);
        flow.sends(1);
    }));
    watch.until(13);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
    EXPECT_EQ(watch.alarm().cause, "reverse");
    EXPECT_THAT(watch.alarm().evidence, testing::Not(IsEmpty()));
}

TEST(DiagnosisLoss, HolesThatLateOriginalsFillAreNone) {
    const auto story = two_flows(60, [](Flow& flow, int) {
        flow.receives(400, 80);
        flow.fills_holes(0, 0);
        flow.counters.hole_bytes = 1;
        flow.sends(1);
    });
    EXPECT_THAT(alarms_after(story, 60), IsEmpty());
}

// So late that they were sent again in the meantime: both arrive, the copy first.
TEST(DiagnosisLoss, OriginalsThatComeAfterTheirRetransmissionAreNotLost) {
    const auto story = two_flows(60, [](Flow& flow, int second) {
        flow.receives(400, 80);
        flow.fills_holes(15, second > 1 ? 15 : 0);
        flow.sends(1);
    });
    EXPECT_THAT(alarms_after(story, 60), IsEmpty());
}

// 120 of 1,000 segments are sent again because others overtook them; the peer disproves all but 8 of those.
TEST(DiagnosisLoss, WhatIsLeftOfNeedlessRetransmissionsUnderReorderingIsNoForwardLoss) {
    const auto story = two_flows(40, [](Flow& flow, int second) {
        flow.sends(880, second >= 10 ? 120 : 0);
        if (second < 10) return;
        flow.counters.dsack_dups += 112;
        flow.counters.reord_seen += 20;
    });
    EXPECT_THAT(alarms_after(story, 40), IsEmpty());
}

TEST(DiagnosisLoss, WhatOneInstantLostIsOver) {
    const auto story = two_flows(40, [](Flow& flow, int second) { flow.sends(200, second == 10 ? 25 : 0); });
    EXPECT_THAT(alarms_after(story, 40), IsEmpty());
}

// The evidence of one way goes before that of the other.
TEST(DiagnosisLoss, LossBothWaysIsNotRenamedWhileItHeals) {
    Watch watch(two_flows(40, [](Flow& flow, int second) {
        const bool lossy = second >= 10 && second < 20;
        flow.sends(50, lossy ? 3 : 0);
        flow.receives(1'500);
        flow.fills_holes(lossy ? 70 : 0, 0);
    }));
    watch.until(40);
    ASSERT_EQ(watch.told().size(), 1U);
    EXPECT_EQ(watch.told().begin()->second.cause, "both");
    EXPECT_EQ(watch.told().begin()->second.state, model::IncidentState::resolved);
}

// Little is sent after it, so that nobody knows for long whether it has healed; the last hole is filled later
// than the last segment was lost there.
TEST(DiagnosisLoss, LossBothWaysIsNotRenamedWhileItHealsSlowly) {
    Watch watch(two_flows(120, [](Flow& flow, int second) {
        const bool lossy = second >= 10 && second < 20;
        flow.sends(lossy ? 50 : 1, lossy ? 3 : 0);
        flow.receives(lossy || second < 23 ? 50 : 1);
        flow.fills_holes(second >= 10 && second < 23 ? 3 : 0, 0);
    }));
    for (int until = 20; until < 120; ++until) {
        watch.until(until);
        for (const auto& incident : watch.incidents()) EXPECT_EQ(incident.cause, "both") << until;
    }
    EXPECT_EQ(watch.told().size(), 1U);
    EXPECT_EQ(watch.told().begin()->second.state, model::IncidentState::resolved);
}

// Its neighbour: where one way goes on losing, that is what it has become.
TEST(DiagnosisLoss, LossThatGoesOnOneWayAloneIsNamedSo) {
    Watch watch(two_flows(60, [](Flow& flow, int second) {
        flow.sends(50, second >= 10 && second < 20 ? 3 : 0);
        flow.receives(50);
        flow.fills_holes(second >= 10 ? 3 : 0, 0);
    }));
    watch.until(20);
    EXPECT_EQ(watch.alarm().cause, "both");
    watch.until(55);
    EXPECT_EQ(watch.alarm().cause, "reverse");
}

}  // namespace
}  // namespace netwatch::diagnosis
