// SPDX-License-Identifier: Apache-2.0
// Healthy things that look like faults: no alarm may come of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::Severity;
using support::Story;
using support::Watch;
using support::Who;
using testing::IsEmpty;

constexpr auto web = "10.0.0.1:80";

std::uint32_t draw(std::uint32_t& seed) {
    seed = seed * 1'664'525 + 1'013'904'223;
    return seed >> 8;
}

TEST(DiagnosisConfounders, AScanOfClosedPorts) {
    Story story;
    for (int port = 1; port <= 400; ++port)
        story.is_refused(1 + port * 0.015, fmt::format("10.0.0.1:{}", 10'000 + port), {6, "nmap"});
    story.healthy(0, 20, 0.25, "10.0.0.1:80");
    Watch watch(story);
    watch.until(20);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisConfounders, AScanOfSilentHosts) {
    Story story;
    for (int host = 1; host <= 200; ++host) {
        story.is_unanswered(1 + host * 0.05, fmt::format("10.8.{}.9:22", host), 4.5, {6, "nmap"});
    }
    Watch watch(story);
    watch.until(25);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisConfounders, AScanOfSilentHostsDoneAgain) {
    for (const auto& [again_by, after_s] :
         std::vector<std::pair<std::uint32_t, double>>{{6, 120}, {7, 120}, {6, 25}, {7, 25}}) {
        Story story;
        for (int host = 1; host <= 200; ++host) {
            const std::string address = fmt::format("10.8.1.{}:22", host);
            story.is_unanswered(1 + host * 0.02, address, 4.5, {6, "nmap"});
            story.is_unanswered(1 + after_s + host * 0.02, address, 4.5, {again_by, "nmap"});
        }
        Watch watch(story);
        watch.until(140);
        EXPECT_THAT(watch.ever_alarmed(), IsEmpty()) << "by " << again_by << " after " << after_s << " s";
    }
}

TEST(DiagnosisConfounders, WhoKeepsTryingManySilentHostsDoesNotScan) {
    // Started in the middle of an outage: nothing has worked yet.
    Story story;
    std::uint32_t seed = 5;
    for (int round = 0; round < 10; ++round) {
        for (int host = 1; host <= 40; ++host) {
            const double at = 1 + round * 2 + (draw(seed) % 100) * 0.01;
            story.is_unanswered(at, fmt::format("10.8.1.{}:80", host), 1.9);
        }
    }
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::routing_failure);
}

TEST(DiagnosisConfounders, FiveHundredConnectsAtOnceWithSynLoss) {
    std::uint32_t seed = 3;
    Story story;
    story.healthy(0, 10, 0.5, web);
    for (std::uint32_t i = 0; i < 500; ++i) {
        const double at = 10 + i * 0.0004;
        if (draw(seed) % 20 == 0)
            story.connects_at_retry(at, web, {100 + i, "cron"});
        else
            story.connects(at, web, {100 + i, "cron"}, 20);
    }
    story.healthy(10.3, 20, 0.5, web);
    Watch watch(story);
    watch.until(20);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisConfounders, AHealthCheckOfABackendThatWasNeverUp) {
    for (const double every : {0.6, 1.0, 5.0}) {
        Story story;
        story.refused(0.5, 60, every, "10.0.0.1:9999", {6, "kubelet"});
        Watch watch(story);
        watch.until(60);
        EXPECT_THAT(watch.ever_alarmed(), IsEmpty()) << "every " << every << " s";
    }
}

TEST(DiagnosisConfounders, ASilentHealthCheckOfABackendThatWasNeverUp) {
    Story story(3600);
    story.unanswered(0.5, 60, 5, "10.0.0.1:9999", 4, {6, "kubelet"});
    Watch watch(story);
    watch.until(60);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisConfounders, HappyEyeballsClosesTheLoser) {
    Story story;
    for (std::uint32_t i = 0; i < 60; ++i) {
        const Who who{500 + i, "curl"};
        story.is_unanswered(1 + i * 0.4, "[2001:db8::1]:443", 0.23, who);
        story.connects(1.2 + i * 0.4, "203.0.113.1:443", who);
    }
    Watch watch(story);
    watch.until(25);
    EXPECT_THAT(watch.incidents(), IsEmpty());
}

TEST(DiagnosisConfounders, SpeculativeConnectsClosedUnusedAndClientsThatGiveUpEarly) {
    Story story;
    story.healthy(0, 30, 1, web);
    for (int i = 0; i < 100; ++i) story.is_unanswered(1 + i * 0.25, web, i % 2 == 0 ? 0.05 : 0.9);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisConfounders, TheAgentItselfStoppedForThreeSeconds) {
    // What happened meanwhile arrives in one batch, then the beat goes on.
    Story story;
    std::uint32_t seed = 9;
    for (int i = 0; i < 200; ++i) {
        if (draw(seed) % 100 == 0)
            story.connects_at_retry(i * 0.1, web);
        else
            story.connects(i * 0.1, web);
    }
    Watch watch(story, 3.0);
    watch.until(21);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisConfounders, OneDeadBackendOfThreeWhateverTheDraw) {
    // Of twenty draws at four attempts a second, refusing or silent. A run of failures that long can be
    // drawn.
    int claims = 0;
    for (std::uint32_t draws = 1; draws <= 20; ++draws) {
        std::uint32_t seed = draws * 7'919;
        Story story;
        story.healthy(0, 15, 0.25, web);
        for (double at = 15; at < 75; at += 0.25) {
            const bool dead = draw(seed) % 3 == 0;
            if (!dead)
                story.connects(at, web);
            else if (draws % 2 == 0)
                story.is_refused(at, web);
            else
                story.is_unanswered(at, web, 3);
        }
        Watch watch(story, 0.1);
        watch.until(75);
        for (const auto type : watch.ever_alarmed())
            claims += type != model::FailureType::load_balancer ? 1 : 0;
    }
    EXPECT_LE(claims, 1);
}

TEST(DiagnosisConfounders, AnHourOfRareLossesAndRefusals) {
    Story story;
    std::uint32_t seed = 77;
    for (int i = 0; i < 7'200; ++i) {
        const double at = 1 + i * 0.5;
        const auto luck = draw(seed) % 200;
        if (luck == 0)
            story.is_refused(at, web);
        else if (luck < 3)
            story.connects_at_retry(at, web);
        else
            story.connects(at, web);
    }
    Watch watch(story, 0.25);
    watch.until(3'600);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

}  // namespace
}  // namespace netwatch::diagnosis
