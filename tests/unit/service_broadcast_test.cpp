// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "present/json.h"
#include "service/broadcast.h"
#include "support/views.h"

namespace netwatch::service {
namespace {

using namespace std::chrono_literals;

model::Incident incident(model::IncidentState state, model::Severity severity, std::string id = "n1") {
    auto result = support::failing_view().incidents.front();
    result.id = std::move(id);
    result.state = state;
    result.severity = severity;
    return result;
}

constexpr auto open = model::IncidentState::open;
constexpr auto suspected = model::IncidentState::suspected;
constexpr auto resolved = model::IncidentState::resolved;
constexpr auto info = model::Severity::info;
constexpr auto warning = model::Severity::warning;

void publish(Broadcast& broadcast, const model::Incident& change) { broadcast.publish({&change, 1}); }

TEST(Broadcast, GivesEachChangeToEachFollower) {
    Broadcast broadcast;
    const auto first = broadcast.follow(true);
    const auto second = broadcast.follow(true);
    const auto change = incident(suspected, info);
    publish(broadcast, change);
    const auto line = first->next(0ms);
    ASSERT_TRUE(line);
    EXPECT_EQ(*line, present::to_text(present::to_json(change)));
    EXPECT_EQ(second->next(0ms), line);
    EXPECT_FALSE(first->next(0ms));
    EXPECT_EQ(first->state(), Follower::State::waiting);
}

TEST(Broadcast, WithoutAllGivesWhatIsShownUntilItIsResolved) {
    Broadcast broadcast;
    const auto follower = broadcast.follow(false);
    publish(broadcast, incident(suspected, warning));
    publish(broadcast, incident(open, info));
    publish(broadcast, incident(resolved, info));
    EXPECT_FALSE(follower->next(0ms)) << "a suspicion and what is benign";
    publish(broadcast, incident(open, warning));
    EXPECT_TRUE(follower->next(0ms));
    publish(broadcast, incident(open, info));
    EXPECT_TRUE(follower->next(0ms)) << "the follower must learn that it has become benign";
    publish(broadcast, incident(resolved, info));
    EXPECT_TRUE(follower->next(0ms)) << "and that it is over";
    publish(broadcast, incident(resolved, info, "n2"));
    EXPECT_FALSE(follower->next(0ms));
}

TEST(Broadcast, DropsAFollowerThatFallsBehind) {
    Broadcast broadcast;
    const auto slow = broadcast.follow(true);
    const auto quick = broadcast.follow(true);
    const auto change = incident(open, warning);
    for (int i = 0; i < 10'000 && slow->state() == Follower::State::waiting; ++i) {
        publish(broadcast, change);
        EXPECT_TRUE(quick->next(0ms));
    }
    EXPECT_EQ(slow->state(), Follower::State::dropped);
    EXPECT_FALSE(slow->next(0ms));
    EXPECT_EQ(broadcast.dropped_followers(), 1U);
    publish(broadcast, change);
    EXPECT_TRUE(quick->next(0ms)) << "the other one goes on";
}

TEST(Broadcast, HasRoomForSoManyFollowers) {
    Broadcast broadcast;
    std::vector<std::shared_ptr<Follower>> followers;
    for (std::size_t i = 0; i < Broadcast::most_followers; ++i) followers.push_back(broadcast.follow(true));
    EXPECT_EQ(broadcast.follow(true), nullptr);
    broadcast.unfollow(followers.front());
    EXPECT_NE(broadcast.follow(true), nullptr);
}

TEST(Broadcast, ClosingLetsTheRestBeRead) {
    Broadcast broadcast;
    const auto follower = broadcast.follow(true);
    publish(broadcast, incident(open, warning));
    broadcast.close();
    EXPECT_EQ(follower->state(), Follower::State::waiting);
    EXPECT_TRUE(follower->next(0ms));
    EXPECT_EQ(follower->state(), Follower::State::closed);
    EXPECT_FALSE(follower->next(10s)) << "does not wait for what cannot come";
    EXPECT_EQ(broadcast.follow(true), nullptr);
}

}  // namespace
}  // namespace netwatch::service
