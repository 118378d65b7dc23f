// SPDX-License-Identifier: Apache-2.0
// Regions as the operator named them: one fails while others work, and what is less than a region or more.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using support::Story;
using support::Watch;
using testing::IsEmpty;

// Europe has two networks in use, 10.88.1.0/24 and 10.88.2.0/24, asia one.
Story world() {
    Story story;
    for (const auto& [network, bits, name] :
         {std::tuple("10.88.0.0", 16, "europe"), std::tuple("10.99.0.0", 16, "asia")}) {
        auto record = model::make_record<netwatch_region>(support::boot_ns(0));
        std::ranges::copy(model::IpAddress::parse(network)->bytes(), record.network);
        record.bits = static_cast<std::uint8_t>(bits);
        model::set_text(record.name, name);
        story.add(record);
    }
    return story;
}

std::string at(int network, int host) { return fmt::format("10.88.{}.{}:443", network, host); }

void fall_silent(Story& story, const std::string& to, double from = 10, double until = 30) {
    story.healthy(0, from, 0.5, to).unanswered(from, until, 0.5, to).healthy(until, 60, 0.5, to);
}

TEST(DiagnosisRegion, OneFailsWhileAnotherWorks) {
    Story story = world();
    for (const int network : {1, 2})
        for (const int host : {5, 6}) fall_silent(story, at(network, host));
    story.healthy(0, 60, 0.5, "10.99.0.5:443");
    Watch watch(story);
    watch.until(25);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::routing_failure);
    EXPECT_EQ(alarm.cause, "prefix_silent");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::region);
    EXPECT_EQ(alarm.scope.value, "europe");
    EXPECT_EQ(alarm.scope.members.size(), 4U);
    EXPECT_EQ(alarm.destination->region, "europe");
    watch.until(60);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisRegion, OfWhichOneNetworkIsInUse) {
    Story story = world();
    for (const int host : {5, 6, 7}) fall_silent(story, at(1, host));
    story.healthy(0, 60, 0.5, "10.99.0.5:443");
    Watch watch(story);
    watch.until(25);
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::region);
}

// Connections that move a hundred segments a second, of which so many are lost from `from` on.
void lose(Story& story, const std::vector<std::string>& peers, std::uint32_t lost, double from = 10) {
    for (const std::string& peer : peers) {
        for (const double begin : {0.1, 0.2}) {
            auto flow = story.flow(begin, peer);
            for (int second = 1; second <= 60; ++second) {
                flow.sends(100, second >= from && second < 30 ? lost : 0);
                story.look(second, flow);
            }
        }
    }
}

TEST(DiagnosisRegion, LossOnTheWayToOne) {
    Story story = world();
    lose(story, {at(1, 5), at(1, 6), at(2, 5)}, 5);
    lose(story, {"10.99.0.5:443"}, 0);
    Watch watch(story);
    watch.until(25);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::packet_loss);
    EXPECT_EQ(alarm.scope.kind, ScopeKind::region);
    EXPECT_EQ(alarm.scope.value, "europe");
    EXPECT_EQ(alarm.scope.members.size(), 3U);
    watch.until(60);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisRegion, LossOnTheWayToOneNetworkAndToAll) {
    Story network;
    lose(network, {"10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80"}, 5);
    lose(network, {"10.2.0.1:80", "10.2.0.2:80"}, 0);
    Watch of_network(network);
    EXPECT_EQ(of_network.until(25).alarm().scope.kind, ScopeKind::prefix);
    Story all;
    lose(all, {"10.1.0.1:80", "10.1.0.2:80", "10.2.0.1:80", "10.2.0.2:80"}, 5);
    Watch of_all(all);
    EXPECT_EQ(of_all.until(25).alarm().scope.kind, ScopeKind::uplink);
}

TEST(DiagnosisRegion, LossOnTheWayToTwoOfManyIsEachItsOwn) {
    Story story;
    lose(story, {"10.1.0.1:80", "10.2.0.1:80"}, 5);
    lose(story, {"10.1.0.2:80", "10.1.0.3:80", "10.2.0.2:80"}, 0);
    Watch watch(story);
    watch.until(25);
    const auto alarms = watch.alarms();
    ASSERT_EQ(alarms.size(), 2U);
    for (const auto& alarm : alarms) EXPECT_EQ(alarm.scope.kind, ScopeKind::destination);
}

TEST(DiagnosisRegion, LongerRoundTripsToOne) {
    Story story = world();
    const auto slow = [&](const std::string& to, double rtt_ms) {
        for (double at = 0; at < 40; at += 0.3) story.connects(at, to, {}, at < 20 ? 10 : rtt_ms);
    };
    for (const auto& to : {at(1, 5), at(1, 6), at(2, 5)}) slow(to, 120);
    for (const auto* to : {"10.99.0.5:443", "10.99.0.6:443"}) slow(to, 10);
    Watch watch(story);
    watch.until(35);
    EXPECT_EQ(watch.alarm().type, FailureType::latency_spike);
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::region);
    EXPECT_EQ(watch.alarm().scope.value, "europe");
}

// Its other network works: the one that fails is the lower common group.
TEST(DiagnosisRegion, OneOfItsNetworksIsAPrefix) {
    Story story = world();
    for (int host = 5; host < 13; ++host) fall_silent(story, at(1, host));
    story.healthy(0, 60, 0.5, at(2, 5)).healthy(0, 60, 0.5, "10.99.0.5:443");
    Watch watch(story);
    watch.until(25);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.scope.kind, ScopeKind::prefix);
    EXPECT_EQ(alarm.scope.value, "10.88.1.0/24");
}

// Success in it exonerates it: three of five are no region.
TEST(DiagnosisRegion, WhatWorksInItVetoes) {
    Story story = world();
    fall_silent(story, at(1, 5));
    fall_silent(story, at(2, 5));
    fall_silent(story, at(3, 5));
    story.healthy(0, 60, 0.5, at(4, 5)).healthy(0, 60, 0.5, at(5, 5)).healthy(0, 60, 0.5, "10.99.0.5:443");
    Watch watch(story);
    watch.until(25);
    for (const auto& alarm : watch.alarms()) EXPECT_NE(alarm.scope.kind, ScopeKind::region);
}

// Nothing else works either: that is the path.
TEST(DiagnosisRegion, AllRegionsAtOnceAreThePath) {
    Story story = world();
    for (const int network : {1, 2})
        for (const int host : {5, 6}) fall_silent(story, at(network, host));
    fall_silent(story, "10.99.0.5:443");
    Watch watch(story);
    watch.until(25);
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::path);
}

TEST(DiagnosisRegion, ARouterWithoutARouteToIt) {
    Story story = world();
    for (const int network : {1, 2})
        for (const int host : {5, 6})
            story.healthy(0, 10, 0.5, at(network, host))
                .rejected(10, 30, 0.5, at(network, host), {3, 0, "10.1.1.1"});
    story.healthy(0, 60, 0.5, "10.99.0.5:443");
    Watch watch(story);
    watch.until(25);
    EXPECT_EQ(watch.alarm().cause, "icmp_net_unreachable");
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::region);
}

TEST(DiagnosisRegion, WithoutAFileThereAreNone) {
    Story story;
    for (const int network : {1, 2})
        for (const int host : {5, 6, 7}) fall_silent(story, at(network, host));
    for (int host = 5; host < 15; ++host) story.healthy(0, 60, 0.5, fmt::format("10.99.0.{}:443", host));
    Watch watch(story);
    watch.until(25);
    for (const auto& alarm : watch.alarms()) {
        EXPECT_NE(alarm.scope.kind, ScopeKind::region);
        EXPECT_FALSE(alarm.destination && alarm.destination->region);
    }
}

TEST(DiagnosisRegion, NothingIsWrong) {
    Story story = world();
    for (const int host : {5, 6, 7}) story.healthy(0, 30, 0.5, at(1, host));
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.told(), IsEmpty());
    EXPECT_EQ(watch.engine.view().destinations.front().ref.region, "europe");
}

}  // namespace
}  // namespace netwatch::diagnosis
