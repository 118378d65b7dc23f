// SPDX-License-Identifier: Apache-2.0
// Names that do not resolve: each way a resolver fails in, its nearest neighbours, and what is healthy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "diagnosis/names.h"
#include "diagnosis/resolvers.h"
#include "support/dns_story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::IncidentState;
using model::ScopeKind;
using model::Severity;
using support::boot_ns;
using support::DnsStory;
using support::Story;
using support::Watch;
using support::Who;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto resolver = "10.0.0.53:53";
constexpr auto other_resolver = "10.0.0.54:53";
constexpr int servfail = 2;
constexpr int nxdomain = 3;
constexpr int refused = 5;

struct DiagnosisDns : ::testing::Test {
    Story story;
    DnsStory dns{story, resolver};

    void healthy(double from, double to_s, double every = 0.4) {
        dns.repeat(from, to_s, every,
                   [&](double at, auto name, Who who) { dns.resolves(at, name, "10.1.0.1", who); });
    }
    void expect(const model::Incident& alarm, std::string_view cause) {
        EXPECT_EQ(alarm.type, FailureType::dns_failure);
        EXPECT_EQ(alarm.cause, cause);
        ASSERT_TRUE(alarm.destination);
        EXPECT_EQ(alarm.destination->endpoint.to_string(), "10.0.0.53:53/udp");
        EXPECT_EQ(alarm.ladder[static_cast<std::size_t>(model::Rung::dns)].status,
                  model::LadderStatus::failing);
    }
};

TEST_F(DiagnosisDns, AResolverThatFallsSilentIsNamedAndHeals) {
    healthy(0, 10);
    dns.repeat(10, 20, 0.4, [&](double at, auto name, Who who) { dns.is_unanswered(at, name, who); });
    healthy(20, 40);
    Watch watch(story);
    watch.until(14);
    expect(watch.alarm(), "resolver_silent");
    EXPECT_EQ(watch.alarm().severity, Severity::critical);
    EXPECT_THAT(watch.alarm().scope.members, ElementsAre("10.0.0.53:53/udp"));
    EXPECT_EQ(watch.alarm().first_affected_at, support::utc(10));
    EXPECT_EQ(watch.alarm().source.comm, "getent");
    EXPECT_LE(*watch.first_told(FailureType::dns_failure), 12.5);
    watch.until(34);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_EQ(watch.incidents().front().resolution, model::Resolution::healed);
}

TEST_F(DiagnosisDns, OneUnansweredQuestionIsNoAlarm) {
    healthy(0, 10);
    dns.is_unanswered(10, "db.lab");
    healthy(10.1, 30);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST_F(DiagnosisDns, AShutPortIsNamed) {
    healthy(0, 10);
    dns.repeat(10, 20, 0.4, [&](double at, auto name, Who who) { dns.is_refused(at, name, who); });
    Watch watch(story);
    watch.until(14);
    expect(watch.alarm(), "resolver_refused");
    EXPECT_GE(*watch.first_told(FailureType::dns_failure), 11.2);
}

// glibc leaves the second answer of a pair unread once the first does not fit.
TEST_F(DiagnosisDns, AnswersThatDoNotFitAreNoHalvedPairs) {
    dns.repeat(0, 30, 0.4, [&](double at, auto name, Who who) { dns.is_cut_off(at, name, who); });
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    EXPECT_THAT(watch.incidents(), IsEmpty());
}

TEST_F(DiagnosisDns, AResolverThatIsAskedOverTcpAloneAndRefusesIsNamed) {
    healthy(0, 10);
    for (double at = 10; at < 20; at += 0.4)
        story.is_refused(at, resolver, {static_cast<std::uint32_t>(50'000 + at * 10), "getent"});
    healthy(20, 40);
    Watch watch(story);
    watch.until(14);
    expect(watch.alarm(), "resolver_refused");
    EXPECT_THAT(watch.alarm().scope.members, ElementsAre("10.0.0.53:53/tcp", "10.0.0.53:53/udp"));
    watch.until(34);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST_F(DiagnosisDns, WhereOnlyTcpIsRefusedThePortIsShut) {
    healthy(0, 30);
    story.healthy(0, 10, 0.4, resolver).refused(10, 30, 0.4, resolver);
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
    EXPECT_EQ(watch.alarm().destination->endpoint.to_string(), "10.0.0.53:53/tcp");
}

TEST_F(DiagnosisDns, WhereOnlyTcpIsSilentAFilterIsNamed) {
    healthy(0, 30);
    story.healthy(0, 10, 0.4, resolver).unanswered(10, 30, 0.4, resolver);
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().destination->endpoint.to_string(), "10.0.0.53:53/tcp");
}

TEST_F(DiagnosisDns, ARestartOfASecondIsNoAlarm) {
    healthy(0, 10, 0.1);
    dns.repeat(10, 11, 0.1, [&](double at, auto name, Who who) { dns.is_refused(at, name, who); });
    healthy(11.05, 30, 0.1);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST_F(DiagnosisDns, ServfailForAllNamesIsTheResolver) {
    healthy(0, 10);
    dns.repeat(10, 20, 0.4, [&](double at, auto name, Who who) { dns.answers(at, name, servfail, who); });
    Watch watch(story);
    watch.until(14);
    expect(watch.alarm(), "servfail");
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::destination);
}

TEST_F(DiagnosisDns, ServfailForOneOfTheNamesInUseIsThatName) {
    healthy(0, 10);
    for (double at = 10; at < 20; at += 1.3)
        dns.answers(at, "db.lab", servfail, {static_cast<std::uint32_t>(at * 10), "getent"});
    for (double at = 10.2; at < 20; at += 0.5) dns.resolves(at, "api.lab");
    Watch watch(story);
    watch.until(16);
    expect(watch.alarm(), "servfail");
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::name);
    EXPECT_THAT(watch.alarm().scope.members, ElementsAre("db.lab"));
}

TEST_F(DiagnosisDns, ServfailForANameThatNeverResolvedHurtsNobody) {
    healthy(0, 30);
    for (double at = 10; at < 30; at += 1.3)
        dns.answers(at, "broken.example", servfail, {static_cast<std::uint32_t>(at * 10), "getent"});
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST_F(DiagnosisDns, APolicyThatRefusesIsNamed) {
    healthy(0, 10);
    dns.repeat(10, 20, 0.4, [&](double at, auto name, Who who) { dns.answers(at, name, refused, who); });
    Watch watch(story);
    watch.until(14);
    expect(watch.alarm(), "refused_by_policy");
}

TEST_F(DiagnosisDns, AnswersTwoSecondsLateAreSlow) {
    healthy(0, 10);
    dns.repeat(10, 30, 0.4,
               [&](double at, auto name, Who who) { dns.resolves(at, name, "10.1.0.1", who, 2100); });
    Watch watch(story);
    watch.until(18);
    expect(watch.alarm(), "slow");
}

// Its queue is answered at once when it comes back.
TEST_F(DiagnosisDns, WhatWaitedForTheEndOfASilenceIsNotSlow) {
    healthy(0, 10);
    dns.repeat(10, 14, 0.4, [&](double at, auto name, Who who) {
        dns.resolves(at, name, "10.1.0.1", who, 1'000 * (14.2 - at));
    });
    healthy(14.3, 40);
    Watch watch(story);
    watch.until(13);
    expect(watch.alarm(), "resolver_silent");
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    ASSERT_EQ(watch.told().size(), 1U);
    EXPECT_EQ(watch.told().begin()->second.cause, "resolver_silent");
}

TEST_F(DiagnosisDns, AColdNameThatTakesASecondIsNotSlow) {
    healthy(0, 30);
    for (double at = 10.1; at < 30; at += 3)
        dns.resolves(at, "cold.example", "10.9.0.1", {77, "getent"}, 900);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST_F(DiagnosisDns, ShareOfQuestionsLostAtRandomIsLossy) {
    healthy(0, 10);
    int count = 0;
    dns.repeat(10, 40, 0.4, [&](double at, auto name, Who who) {
        if (++count % 3 == 0) {
            dns.is_unanswered(at, name, who);
        } else {
            dns.resolves(at, name, "10.1.0.1", who);
        }
    });
    Watch watch(story);
    watch.until(22);
    expect(watch.alarm(), "lossy");
}

TEST_F(DiagnosisDns, HalvedPairsWhoseRetriesAreAnsweredAreTheRace) {
    healthy(0, 10);
    std::uint32_t pid = 900;
    for (double at = 10; at < 30; at += 1.7) {
        const Who who{++pid, "getent"};
        dns.is_half_answered(at, "db.lab", who);
        dns.resolves(at + 5, "db.lab", "10.1.0.1", who);
    }
    for (double at = 10.3; at < 30; at += 1.1) dns.asks_from(42, at, "api.lab", true, {41, "dig"});
    Watch watch(story);
    watch.until(26);
    expect(watch.alarm(), "pair_race");
}

TEST_F(DiagnosisDns, APairWhoseFirstAnswerComesBeforeItsSecondQuestionIsOneAllTheSame) {
    healthy(0, 10);
    std::uint32_t pid = 900;
    for (double at = 10; at < 30; at += 1.7) {
        const Who who{++pid, "getent"};
        const std::uint64_t sock = 700'000 + pid;
        dns.asks(sock, at, 1, "db.lab", 1, who, true).asks(sock, at + 0.004, 2, "db.lab", 28, who, false);
        dns.resolves(at + 2, "db.lab", "10.1.0.1", who);
    }
    Watch watch(story);
    watch.until(26);
    expect(watch.alarm(), "pair_race");
}

TEST_F(DiagnosisDns, ANameThatResolvedBeforeIsGone) {
    healthy(0, 10);
    for (double at = 10; at < 20; at += 0.9)
        dns.answers(at, "db.lab", nxdomain, {static_cast<std::uint32_t>(at * 10), "getent"});
    for (double at = 10.2; at < 20; at += 0.5) dns.resolves(at, "api.lab");
    for (double at = 20; at < 40; at += 0.9) dns.resolves(at, "db.lab");
    Watch watch(story);
    watch.until(13);
    expect(watch.alarm(), "name_gone");
    EXPECT_THAT(watch.alarm().scope.members, ElementsAre("db.lab"));
    watch.until(34);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST_F(DiagnosisDns, NamesThatNeverWereAreNoFailure) {
    healthy(0, 30);
    for (double at = 1; at < 30; at += 0.2)
        dns.answers(at, "typo" + std::to_string(at), nxdomain, {7, "getent"});
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST_F(DiagnosisDns, CandidatesOfASearchListFailBeforeTheLastResolves) {
    for (double at = 1; at < 30; at += 0.5) {
        const Who who{static_cast<std::uint32_t>(at * 10), "getent"};
        dns.answers(at, "api.lab.default.svc.cluster.local", nxdomain, who);
        dns.answers(at + 0.004, "api.lab.svc.cluster.local", nxdomain, who);
        dns.resolves(at + 0.008, "api.lab", "10.1.0.1", who);
    }
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST_F(DiagnosisDns, AListedAddressThatIsDelistedIsNoNameThatIsGone) {
    healthy(0, 30);
    for (double at = 1; at < 10; at += 0.5) dns.resolves(at, "2.0.0.127.bl.example", "127.0.0.2");
    for (double at = 10; at < 30; at += 0.5) dns.answers(at, "2.0.0.127.bl.example", nxdomain);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST_F(DiagnosisDns, WhereASecondResolverAnswersNobodyIsCutOff) {
    DnsStory other(story, other_resolver);
    healthy(0, 10);
    dns.repeat(10, 20, 0.4, [&](double at, auto name, Who who) {
        dns.is_unanswered(at, name, who);
        other.resolves(at + 1, name, "10.1.0.1", who);
    });
    Watch watch(story);
    watch.until(16);
    expect(watch.alarm(), "resolver_silent");
    EXPECT_EQ(watch.alarm().severity, Severity::warning);
}

TEST_F(DiagnosisDns, OneOldSocketThatIsNotAnsweredWhileOthersAreIsAStaleFlow) {
    healthy(0, 40);
    for (double at = 1; at < 10; at += 0.7) dns.asks_from(42, at, "db.lab", true, {41, "forwarder"});
    for (double at = 10; at < 30; at += 0.7) dns.asks_from(42, at, "db.lab", false, {41, "forwarder"});
    Watch watch(story);
    watch.until(18);
    EXPECT_EQ(watch.alarm().type, FailureType::load_balancer);
    EXPECT_EQ(watch.alarm().cause, "stale_endpoint");
    EXPECT_EQ(watch.alarm().source.comm, "forwarder");
}

TEST_F(DiagnosisDns, AStubThatFailsWithItsUpstreamIsPartOfThatIncident) {
    DnsStory stub(story, "127.0.0.53:53");
    healthy(0, 10);
    stub.repeat(0, 10, 0.4, [&](double at, auto name, Who who) { stub.resolves(at, name, "10.1.0.1", who); });
    stub.repeat(10, 20, 0.4, [&](double at, auto name, Who who) {
        stub.answers(at, name, servfail, who, 900);
        dns.is_unanswered(at + 0.001, name, {53, "systemd-resolve"});
    });
    Watch watch(story);
    watch.until(17);
    expect(watch.alarm(), "resolver_silent");
}

TEST_F(DiagnosisDns, AResolverThatNeverAnsweredIsOnlyAWarning) {
    dns.repeat(1, 20, 0.4, [&](double at, auto name, Who who) { dns.is_unanswered(at, name, who); });
    Watch watch(story);
    watch.until(8);
    expect(watch.alarm(), "resolver_silent");
    EXPECT_EQ(watch.alarm().severity, Severity::warning);
    EXPECT_LE(watch.alarm().confidence, 0.8);
}

TEST_F(DiagnosisDns, DestinationsAreCalledByTheNameThatResolvedToThem) {
    dns.resolves(1, "db.lab", "10.1.0.7");
    story.healthy(2, 10, 0.25, "10.1.0.7:5432").refused(10, 20, 0.25, "10.1.0.7:5432");
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().destination->name, "db.lab");
    const auto view = watch.engine.view();
    EXPECT_TRUE(
        std::ranges::any_of(view.destinations, [](const auto& row) { return row.ref.name == "db.lab"; }));
    EXPECT_EQ(watch.alarm().ladder[0].status, model::LadderStatus::ok);
}

TEST_F(DiagnosisDns, OneOfThreeAddressesOfANameThatDiesIsThat) {
    for (const auto* ip : {"10.1.0.1", "10.1.0.2", "10.1.0.3"}) {
        dns.resolves(1, "shop.lab", ip);
        const std::string to = std::string(ip) + ":443";
        story.healthy(2, 10, 0.25, to);
        if (to != "10.1.0.2:443") story.healthy(10, 20, 0.25, to);
    }
    story.refused(10, 20, 0.25, "10.1.0.2:443");
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().type, FailureType::load_balancer);
    EXPECT_EQ(watch.alarm().cause, "address_dead");
    EXPECT_EQ(watch.alarm().destination->name, "shop.lab");
    EXPECT_THAT(watch.alarm().scope.members, ElementsAre("10.1.0.2:443/tcp"));
}

TEST_F(DiagnosisDns, OneOfTwoAddressesWhoseOtherIsNotInUseIsWhatItIs) {
    dns.resolves(1, "shop.lab", "10.1.0.1");
    dns.resolves(1, "shop.lab", "10.1.0.2");
    story.healthy(2, 10, 0.25, "10.1.0.2:443").refused(10, 20, 0.25, "10.1.0.2:443");
    Watch watch(story);
    watch.until(14);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
}

// What became of all tries that the story's records tell of, in that order.
std::vector<Try> fates_in(const Story& story) {
    const DestinationKey key{*model::Endpoint::parse("10.0.0.53:53/udp"), {}, 0};
    Resolvers resolvers;
    std::vector<Try> all;
    const auto keep = [&](const Settled& settled) { all.insert(all.end(), settled.begin(), settled.end()); };
    core::BootNs last = 0;
    for (const auto& record : story.records()) {
        last = model::header_of(record).at_ns;
        if (const auto* message = std::get_if<netwatch_dns_message>(&record))
            keep(resolvers.add(*message, key));
        if (const auto* error = std::get_if<netwatch_socket_error>(&record))
            keep(resolvers.add_refusal(error->sock, key, last));
    }
    keep(resolvers.wait(last + 2 * core::ns_per_s));
    return all;
}

TEST_F(DiagnosisDns, ARefusalSaysNothingOfWhatItsSocketWasAnsweredBefore) {
    dns.asks_from(42, 1, "db.lab", true, {41, "forwarder"});
    dns.asks_from(42, 1.2, "api.lab", false, {41, "forwarder"});
    dns.is_refused(1.3, "web.lab");
    auto refusal = story.take_back<netwatch_socket_error>();
    refusal.sock = 42;
    story.add(refusal);
    const auto fates = fates_in(story);
    ASSERT_EQ(fates.size(), 3U);
    EXPECT_EQ(fates[0].fate, Fate::answered);
    EXPECT_EQ(fates[1].name, "api.lab");
    EXPECT_EQ(fates[1].fate, Fate::closed);
    EXPECT_EQ(fates[2].fate, Fate::silent);
}

TEST_F(DiagnosisDns, AQuestionSentTwiceAtOnceIsOne) {
    dns.asks(42, 1, 7, "db.lab", 1, {41, "forwarder"}, false);
    dns.asks(42, 1.01, 7, "db.lab", 1, {41, "forwarder"}, true);
    const auto fates = fates_in(story);
    ASSERT_EQ(fates.size(), 1U);
    EXPECT_EQ(fates[0].fate, Fate::answered);
    EXPECT_EQ(fates[0].questions, 1);
    EXPECT_EQ(fates[0].unanswered, 0);
}

TEST_F(DiagnosisDns, SilenceLongAgoIsForgottenADayLater) {
    healthy(0, 10);
    dns.repeat(10, 16, 0.4, [&](double at, auto name, Who who) { dns.is_unanswered(at, name, who); });
    Watch watch(story, 1);
    watch.until(20);
    expect(watch.alarm(), "resolver_silent");
    watch.until(100);
    EXPECT_EQ(watch.incidents().front().state, IncidentState::stale);
    watch.until(86'600);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_EQ(watch.incidents().front().resolution, model::Resolution::forgotten);
}

TEST_F(DiagnosisDns, AnAnswerToAnotherNameTeachesNothing) {
    dns.asks(42, 1, 7, "db.lab", 1, {41, "forwarder"}, true);
    auto forged = story.take_back<netwatch_dns_message>();
    model::set_text(forged.name, "bank.example");
    story.add(forged).healthy(2, 3, 0.25, "10.1.0.1:443");
    Watch watch(story);
    watch.until(3);
    for (const auto& row : watch.engine.view().destinations) EXPECT_NE(row.ref.name, "bank.example");
}

TEST_F(DiagnosisDns, OneNameWithEverNewAddressesIsBounded) {
    const auto address = [](std::uint32_t i) {
        return *model::IpAddress::parse("10." + std::to_string(i >> 16U) + "." +
                                        std::to_string(i >> 8U & 255U) + "." + std::to_string(i & 255U));
    };
    constexpr std::uint32_t all = 100'000;
    Names names;
    for (std::uint32_t i = 0; i < all; ++i)
        names.learn("cdn.example", std::array{address(i)}, {}, 1, boot_ns(i));
    std::uint32_t known = 0;
    for (std::uint32_t i = 0; i < all; ++i) known += names.of(address(i)) != nullptr ? 1U : 0U;
    EXPECT_LE(known, 32'768U);
    for (std::uint32_t i = all - 16; i < all; ++i) EXPECT_NE(names.of(address(i)), nullptr);
}

TEST_F(DiagnosisDns, AMillionNamesAreForgottenButThoseInUse) {
    dns.resolves(1, "db.lab", "10.1.0.7");
    story.healthy(2, 3, 0.25, "10.1.0.7:5432");
    for (int i = 0; i < 40'000; ++i)
        dns.resolves(4 + i * 0.0002, "n" + std::to_string(i) + ".example",
                     "10.2." + std::to_string(i / 250 % 250) + "." + std::to_string(i % 250));
    story.healthy(13, 14, 0.25, "10.1.0.7:5432");
    Watch watch(story);
    watch.until(14);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    const auto view = watch.engine.view();
    EXPECT_TRUE(
        std::ranges::any_of(view.destinations, [](const auto& row) { return row.ref.name == "db.lab"; }));
}

}  // namespace
}  // namespace netwatch::diagnosis
