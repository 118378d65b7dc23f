// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "service/series_keeper.h"

namespace netwatch::service {
namespace {

model::DestinationSecond second(std::string_view destination, int at_s, std::uint32_t attempts) {
    model::DestinationSecond second;
    second.at = {at_s * std::int64_t{1'000'000'000}};
    second.ref.endpoint = *model::Endpoint::parse(destination);
    second.attempts = attempts;
    return second;
}

TEST(SeriesKeeper, KeepsWhatMattersFirst) {
    SeriesKeeper keeper;
    for (int at = 0; at < 10; ++at) {
        keeper.add(second("10.0.0.1:80", at, 1));
        keeper.add(second("10.0.0.2:80", at, 9));
        keeper.add(second("10.0.0.3:80", at, 5));
    }
    model::Incident incident;
    incident.scope.members = {"10.0.0.1"};  // of the whole address
    keeper.note(incident);
    const auto histories = keeper.take();
    ASSERT_EQ(histories.size(), 3U);
    EXPECT_EQ(histories[0].ref.endpoint.to_display(), "10.0.0.1:80");
    EXPECT_EQ(histories[1].ref.endpoint.to_display(), "10.0.0.2:80");
    EXPECT_EQ(histories[2].points.size(), 10U);
    EXPECT_EQ(keeper.dropped(), 0U);
}

TEST(SeriesKeeper, StaysWithinItsBoundAndKeepsIncidents) {
    SeriesKeeper keeper(1'000);
    model::Incident incident;
    incident.scope.members = {"10.9.9.9:443/tcp"};
    keeper.note(incident);
    for (int at = 0; at < 100; ++at) {
        keeper.add(second("10.9.9.9:443", at, 1));
        for (int host = 0; host < 200; ++host) keeper.add(second(fmt::format("10.1.0.{}:80", host), at, 50));
    }
    const auto histories = keeper.take();
    std::size_t points = 0;
    for (const auto& history : histories) points += history.points.size();
    EXPECT_LE(points, 1'000U);
    ASSERT_FALSE(histories.empty());
    EXPECT_EQ(histories[0].ref.endpoint.to_display(), "10.9.9.9:443");
    EXPECT_EQ(histories[0].points.size(), 100U);
    EXPECT_GT(keeper.dropped(), 0U);
}

}  // namespace
}  // namespace netwatch::service
