// SPDX-License-Identifier: Apache-2.0
// Filters: those that answer, those of this host, and those that are silent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;
using support::Icmp;
using support::Story;
using support::Watch;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto web = "10.0.0.1:80";
constexpr auto sibling_port = "10.0.0.1:443";

bool has_evidence(const model::Incident& incident, std::string_view signal) {
    return std::ranges::any_of(incident.evidence, [&](const auto& e) { return e.signal == signal; });
}

class DiagnosisFirewallAnswer : public testing::TestWithParam<Icmp> {};

TEST_P(DiagnosisFirewallAnswer, AProhibitionIsNamedWithItsSender) {
    Story story;
    story.healthy(0, 10, 0.25, web).rejected(10, 20, 0.25, web, GetParam());
    Watch watch(story);
    watch.until(13);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::firewall_block);
    EXPECT_EQ(alarm.cause, "admin_prohibited");
    EXPECT_EQ(alarm.root_cause.offender, "10.9.9.1");
    EXPECT_EQ(alarm.severity, Severity::critical);
    EXPECT_THAT(alarm.scope.members, ElementsAre("10.0.0.1:80/tcp"));
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::firewall_block));
}

INSTANTIATE_TEST_SUITE_P(Codes, DiagnosisFirewallAnswer,
                         testing::Values(Icmp{3, 13, "10.9.9.1"}, Icmp{3, 10, "10.9.9.1"},
                                         Icmp{3, 9, "10.9.9.1"}));

TEST(DiagnosisFirewall, IPv6ProhibitionIsKnownByItsErrnoAlone) {
    Story story;
    story.healthy(0, 10, 0.25, "[2001:db8::1]:80");
    for (int i = 0; i < 40; ++i) story.fails_with(10 + i * 0.25, "[2001:db8::1]:80", EACCES, 1.0);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().cause, "admin_prohibited");
    EXPECT_EQ(watch.alarm().root_cause.offender, std::nullopt);
}

TEST(DiagnosisFirewall, PortUnreachableForTcpIsARejectRule) {
    Story story;
    story.healthy(0, 10, 0.25, web).rejected(10, 20, 0.25, web, {3, 3, "10.9.9.1"});
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().cause, "icmp_port_unreachable");
    EXPECT_EQ(watch.alarm().root_cause.offender, "10.9.9.1");
}

TEST(DiagnosisFirewall, OneProhibitionAmongSilenceSettlesIt) {
    // Routers limit how many errors they send.
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 20, 0.25, web).is_rejected(10.1, web, {3, 13, "10.9.9.1"});
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().cause, "admin_prohibited");
}

TEST(DiagnosisFirewall, OwnOutputDropShowsInTheRetransmissions) {
    Story story;
    story.healthy(0, 10, 0.25, web);
    for (int i = 0; i < 40; ++i) story.cannot_leave(10 + i * 0.25, web, 4, -EPERM);
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::firewall_block));
}

TEST(DiagnosisFirewall, OwnOutputDropOfClientsThatGiveUpEarlyShowsInTheDrops) {
    Story story;
    story.healthy(0, 10, 0.25, web);
    for (int i = 0; i < 40; ++i) story.is_unanswered(10 + i * 0.25, web, 0.5);
    for (int i = 1; i < 10; ++i) story.netfilter_drops(10.5 + i, web, static_cast<std::uint64_t>(4 * i));
    Watch watch(story);
    watch.until(17);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
    EXPECT_TRUE(has_evidence(watch.alarm(), "netfilter_drop"));
}

TEST(DiagnosisFirewall, DropsBesideWorkingConnectionsAreNoBlock) {
    Story story;
    story.healthy(0, 30, 0.25, web);
    for (int i = 1; i < 20; ++i) story.netfilter_drops(10.5 + i, web, static_cast<std::uint64_t>(4 * i));
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisFirewall, OwnInputDropIsSeenFromTheDroppedAnswers) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 20, 0.25, web);
    for (std::uint16_t i = 0; i < 40; ++i)
        story.netfilter_drops_from(11 + i * 0.25, "10.0.0.1", static_cast<std::uint16_t>(40'000 + i), 2);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
}

TEST(DiagnosisFirewall, OwnInputDropForAWholeNetworkIsNotARoute) {
    Story story;
    for (const std::string ip : {"10.0.0.1", "10.0.0.2", "10.0.0.3"}) {
        story.healthy(0, 10, 0.25, ip + ":80").unanswered(10, 20, 0.25, ip + ":80");
        for (std::uint16_t i = 0; i < 40; ++i)
            story.netfilter_drops_from(11 + i * 0.25, ip, static_cast<std::uint16_t>(40'000 + i), 2);
    }
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
}

TEST(DiagnosisFirewall, OwnRejectRuleIsTheOffenderItself) {
    Story story;
    story.healthy(0, 10, 0.25, web).rejected(10, 20, 0.25, web, {3, 3, "192.0.2.10"});
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
}

TEST(DiagnosisFirewall, EpermFromConnectIsABpfProgram) {
    Story story;
    story.healthy(0, 10, 0.25, web);
    for (int i = 0; i < 40; ++i) story.call_fails(10 + i * 0.25, web, EPERM);
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().cause, "local_bpf");
}

// A tc program drops what leaves: retransmissions end with NET_XMIT_DROP, which is no errno.
TEST(DiagnosisFirewall, DropsByAProgramOfThisHostAreItsOwn) {
    for (const std::string_view reason : {"TC_EGRESS", "BPF_CGROUP_EGRESS"}) {
        Story story;
        story.healthy(0, 10, 0.25, web);
        for (int i = 0; i < 40; ++i)
            story.cannot_leave(10 + i * 0.25, web, 4, reason == "TC_EGRESS" ? 1 : -EPERM);
        for (std::uint64_t n = 1; n < 10; ++n)
            story.netfilter_drops(10.5 + static_cast<double>(n), web, n * 4, reason);
        Watch watch(story);
        watch.until(17);
        EXPECT_EQ(watch.alarm().type, FailureType::firewall_block) << reason;
        EXPECT_EQ(watch.alarm().cause, "local_bpf") << reason;
        EXPECT_TRUE(has_evidence(watch.alarm(), "program_drop")) << reason;
        EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::firewall_block)) << reason;
    }
}

// Both sorts of rule drop something: that most is dropped by the one that blocks.
TEST(DiagnosisFirewall, NetfilterThatDropsMoreThanAProgramIsTheRule) {
    Story story;
    story.healthy(0, 10, 0.25, web);
    for (int i = 0; i < 40; ++i) story.cannot_leave(10 + i * 0.25, web, 4, -EPERM);
    for (std::uint64_t n = 1; n < 10; ++n) {
        story.netfilter_drops(10.5 + static_cast<double>(n), web, n * 4);
        story.netfilter_drops(10.5 + static_cast<double>(n), web, n, "TC_EGRESS");
    }
    Watch watch(story);
    watch.until(17);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
}

TEST(DiagnosisFirewall, AProgramThatDropsBesideWorkingConnectionsBlocksNothing) {
    Story story;
    story.healthy(0, 30, 0.25, web);
    for (std::uint64_t n = 1; n < 20; ++n)
        story.netfilter_drops(10.5 + static_cast<double>(n), web, n * 4, "TC_EGRESS");
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisFirewall, SilenceOfOnePortWhileAnotherAnswers) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 30, 0.25, web).healthy(0, 30, 0.4, sibling_port);
    Watch watch(story);
    watch.until(13);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::firewall_block);
    EXPECT_EQ(alarm.cause, "silent_drop");
    EXPECT_GE(alarm.confidence, 0.9);
    EXPECT_TRUE(has_evidence(alarm, "sibling_port_answers"));
    EXPECT_LE(*watch.first_told(FailureType::firewall_block), 12);
    EXPECT_EQ(alarm.first_affected_at, support::utc(10));
}

TEST(DiagnosisFirewall, ARefusingSiblingPortAnswersToo) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 30, 0.25, web).refused(10.5, 30, 5, sibling_port);
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().cause, "silent_drop");
}

TEST(DiagnosisFirewall, AnAnswerFromBeforeTheOnsetProvesNothing) {
    // The sibling port was last used a moment before the host fell silent.
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 30, 0.25, web).healthy(0, 9.5, 0.4, sibling_port);
    Watch watch(story);
    watch.until(14);
    EXPECT_LT(watch.alarm().confidence, 0.9);
    EXPECT_FALSE(has_evidence(watch.alarm(), "sibling_port_answers"));
}

TEST(DiagnosisFirewall, OnlyNewConnectionsAreDroppedWhereOldOnesMove) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 30, 0.25, web);
    auto flow = story.flow(1, web);
    for (int second = 2; second < 30; ++second) {
        flow.sends(3);
        flow.receives(3);
        flow.since(0.3, 0.2);
        story.look(second + 0.4, flow);
    }
    Watch watch(story);
    watch.until(16);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().cause, "new_flows_only");
    EXPECT_TRUE(has_evidence(watch.alarm(), "established_flows_live"));
}

TEST(DiagnosisFirewall, WhatAFlowMovedBeforeTheOnsetIsNoLife) {
    // The look at 10.9 finds what moved between 9.9 and the onset at 10.2.
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10.2, 30, 0.25, web);
    auto flow = story.flow(1, web);
    for (int second = 2; second < 30; ++second) {
        if (second <= 10) {
            flow.sends(3);
            flow.receives(3);
        }
        flow.since(0.9 + std::max(0, second - 10), 0.8 + std::max(0, second - 10));
        story.look(second + 0.9, flow);
    }
    Watch watch(story);
    watch.until(16);
    EXPECT_NE(watch.alarm().cause, "new_flows_only");
    EXPECT_LT(watch.alarm().confidence, 0.9);
}

TEST(DiagnosisFirewall, WhereNothingTellsTheAnswerIsASet) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 30, 0.25, web);
    Watch watch(story);
    watch.until(14);
    const auto alarm = watch.alarm();
    std::vector<FailureType> types;
    for (const auto& candidate : alarm.candidates) {
        types.push_back(candidate.type);
        EXPECT_TRUE(candidate.would_split);
    }
    EXPECT_THAT(types,
                testing::UnorderedElementsAre(FailureType::firewall_block, FailureType::host_unreachable,
                                              FailureType::routing_failure));
    EXPECT_LT(alarm.confidence, 0.9);
    EXPECT_EQ(alarm.owner_hint, model::OwnerHint::unknown);
}

TEST(DiagnosisFirewall, OneSequentialClientIsEnoughInFourSeconds) {
    Story story;
    story.healthy(0, 10, 1, web).unanswered(10, 30, 4.5, web, 4.4).healthy(0, 30, 0.5, sibling_port);
    Watch watch(story);
    watch.until(16);
    EXPECT_EQ(watch.alarm().cause, "silent_drop");
    EXPECT_LE(*watch.first_told(FailureType::firewall_block), 14);
}

TEST(DiagnosisFirewall, RetriesThatSucceedAreNoBlock) {
    // A full accept queue, or lost SYNs: late, but they get through.
    Story story;
    story.healthy(0, 10, 0.25, web);
    for (int i = 0; i < 80; ++i) {
        if (i % 3 == 0)
            story.connects(10 + i * 0.25, web);
        else
            story.connects_at_retry(10 + i * 0.25, web);
    }
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), testing::Not(testing::Contains(FailureType::firewall_block)));
}

TEST(DiagnosisFirewall, OneOfThreeBackendsSilentIsNotABlock) {
    Story story;
    story.healthy(0, 20, 0.2, web);
    std::uint32_t seed = 11;
    for (double at = 20; at < 120; at += 0.3) {
        seed = seed * 1'664'525 + 1'013'904'223;
        if ((seed >> 16) % 3 == 0)
            story.is_unanswered(at, web, 3.5);
        else
            story.connects(at, web);
    }
    Watch watch(story);
    watch.until(120);
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::load_balancer));
}

TEST(DiagnosisFirewall, ARuleOfThisHostThatRejectsIPv6IsNoRoutersWord) {
    Story story;
    constexpr auto web6 = "[2001:db8::1]:80";
    story.healthy(0, 10, 0.25, web6);
    for (int i = 0; i < 40; ++i) story.fails_with(10 + i * 0.25, web6, ECONNREFUSED);
    for (std::uint64_t n = 1; n < 10; ++n) story.netfilter_drops(10.0 + static_cast<double>(n), web6, n * 4);
    Watch watch(story);
    watch.until(16);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
}

TEST(DiagnosisFirewall, AResetProvesThatTheRuleOfThisHostLetsSynsPass) {
    Story story;
    story.healthy(0, 10, 0.25, "10.0.0.1:80").refused(10, 20, 0.25, "10.0.0.1:80");
    // A stray packet to it is dropped now and then, as rules for invalid ones do; the SYNs get through.
    for (std::uint64_t n = 1; n < 10; ++n)
        story.netfilter_drops(10.0 + static_cast<double>(n), "10.0.0.1:80", n);
    Watch watch(story);
    watch.until(16);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
}

TEST(DiagnosisFirewall, ASynFromBeforeTheHealIsNoNewSilence) {
    Story story;
    // Both first SYNs were lost; the retry of the first gets through, and the second is left before it can.
    story.healthy(0, 10, 0.25, "10.0.0.1:80").connects_at_retry(10, "10.0.0.1:80");
    story.is_unanswered(10.5, "10.0.0.1:80", 1.2);
    Watch watch(story);
    watch.until(12);
    EXPECT_THAT(watch.incidents(),
                testing::Each(testing::Field(&model::Incident::state, model::IncidentState::resolved)));
}

TEST(DiagnosisFirewall, WhatAnsweredBeforeTheSilenceProvesNoRungOfTheLadder) {
    Story story;
    story.healthy(0, 10, 0.25, "10.0.0.1:80").unanswered(10, 20, 0.25, "10.0.0.1:80");
    Watch watch(story);
    watch.until(9);
    const auto status = [&](model::Rung rung) {
        return watch.engine.ladder(*model::Endpoint::parse("10.0.0.1:80"))
            .steps[static_cast<std::size_t>(rung)]
            .status;
    };
    EXPECT_EQ(status(model::Rung::ip), model::LadderStatus::ok);
    EXPECT_EQ(status(model::Rung::route), model::LadderStatus::ok);
    EXPECT_EQ(status(model::Rung::loss), model::LadderStatus::ok);
    watch.until(15);
    for (const auto rung : {model::Rung::latency, model::Rung::loss, model::Rung::route}) {
        EXPECT_NE(status(rung), model::LadderStatus::ok) << static_cast<int>(rung);
    }
}

// REJECT with net-unreachable or host-unreachable: the words of a router, for one port of a host that is
// reached.
TEST(DiagnosisFirewall, ARoutersWordForOnePortOfAHostThatAnswersIsARule) {
    for (const auto code : {std::uint8_t{0}, std::uint8_t{1}}) {
        Story story;
        story.healthy(0, 10, 0.25, web).rejected(10, 20, 0.25, web, {3, code, "10.9.9.1"});
        story.healthy(0, 20, 0.3, sibling_port);
        Watch watch(story);
        watch.until(15);
        const auto alarm = watch.alarm();
        EXPECT_EQ(alarm.type, FailureType::firewall_block);
        EXPECT_EQ(alarm.cause, "admin_prohibited");
        EXPECT_EQ(alarm.scope.kind, ScopeKind::destination);
        EXPECT_TRUE(has_evidence(alarm, "sibling_port_answers"));
        EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::firewall_block));
    }
}

TEST(DiagnosisFirewall, AProhibitionOfAllPortsBlamesTheAddress) {
    Story story;
    for (const auto* peer : {web, sibling_port})
        story.healthy(0, 10, 0.25, peer).rejected(10, 20, 0.25, peer, {3, 13, "10.9.9.1"});
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().destination->endpoint.to_string(), "10.0.0.1");
    EXPECT_EQ(watch.alarm().scope.members.size(), 2U);
}

TEST(DiagnosisFirewall, ClientsThatGiveUpBeforeTheFirstRetryShowASilentDrop) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 20, 0.25, web, 0.5).healthy(0, 20, 0.3, sibling_port);
    Watch watch(story);
    watch.until(11.5);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().cause, "silent_drop");
    EXPECT_EQ(watch.alarm().first_affected_at, support::utc(10));
}

TEST(DiagnosisFirewall, ClientsThatCloseAtOnceShowNothing) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(10, 20, 0.25, web, 0.1).healthy(0, 20, 0.3, sibling_port);
    Watch watch(story);
    watch.until(20);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisFirewall, ClientsThatGiveUpBesideOnesThatConnectShowNothing) {
    Story story;
    story.healthy(0, 30, 0.25, web);
    for (int i = 0; i < 50; ++i) story.is_unanswered(10 + i * 0.4, web, 0.5);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisFirewall, AResetForEachPacketThatThisHostDroppedIsItsOwn) {
    Story story;
    story.healthy(0, 10, 0.25, web).refused(10, 20, 0.25, web);
    for (std::uint64_t n = 1; n < 10; ++n) story.netfilter_drops(10.0 + static_cast<double>(n), web, n * 4);
    Watch watch(story);
    watch.until(18);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
}

// The listener's process stands still: its queue fills while requests on older connections wait.
TEST(DiagnosisFirewall, SilenceBesideRequestsThatWaitIsMoreProbablyAFullListenQueue) {
    Story story;
    story.healthy(0, 10, 0.25, web).unanswered(12, 30, 0.25, web).healthy(0, 30, 0.3, sibling_port);
    for (int i = 0; i < 3; ++i) {
        auto flow = story.flow(1 + i * 0.01, web);
        for (int second = 2; second < 30; ++second) {
            const bool hangs = second >= 11;
            if (second <= 11) flow.sends(1);
            if (!hangs) flow.receives(1);
            flow.since(hangs ? second - 10.9 : 0.2, hangs ? second - 9.9 : 0.1);
            story.look(second, flow);
        }
    }
    Watch watch(story);
    watch.until(18);
    const auto alarms = watch.alarms();
    const auto full = std::ranges::find(alarms, FailureType::connection_exhaustion, &model::Incident::type);
    ASSERT_NE(full, alarms.end());
    EXPECT_EQ(full->cause, "listen_backlog");
    EXPECT_EQ(full->candidates[1].type, FailureType::firewall_block);
}

}  // namespace
}  // namespace netwatch::diagnosis
