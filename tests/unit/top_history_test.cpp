// SPDX-License-Identifier: Apache-2.0
#include "top/history.h"

#include <gtest/gtest.h>

#include "present/json.h"
#include "support/views.h"

namespace netwatch::top {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

core::UtcNs at_second(int second) { return {support::at_time("19:43:07").ns + second * second_ns}; }

model::HostView view_at(int second) {
    auto view = support::failing_view();
    view.at = at_second(second);
    return view;
}

// Numbers that a float holds exactly: everything else comes back as it was.
model::HostView exact_view() {
    auto view = support::hostile_view();
    for (auto& row : view.destinations) {
        row.attempts_per_s = 12.5;
        row.ok_share = 0.75;
        row.rtt_us = 250;
        row.rtt_p99_us = 1024;
        row.loss_share = 0.125;
        row.loss_in_share = std::nullopt;
        row.bytes_sent_per_s = 4096;
        row.bytes_received_per_s = 8192;
        row.series.clear();
    }
    return view;
}

TEST(TopHistory, AViewComesBackAsItWas) {
    const auto view = exact_view();
    History history;
    history.keep(view);
    EXPECT_EQ(present::to_text(present::to_json(history.view(view.at)), 1),
              present::to_text(present::to_json(view), 1));
}

TEST(TopHistory, StepsFromMomentToMoment) {
    History history;
    for (const int second : {0, 1, 2, 5, 9}) history.keep(view_at(second));
    EXPECT_EQ(history.size(), 5U);
    EXPECT_EQ(history.moment(at_second(9), -1), at_second(5));
    EXPECT_EQ(history.moment(at_second(5), -2), at_second(1));
    EXPECT_EQ(history.moment(at_second(2), 1), at_second(5));
    EXPECT_EQ(history.moment(at_second(2), -100), at_second(0));
    EXPECT_EQ(history.moment(at_second(2), 100), at_second(9));
    EXPECT_EQ(history.nearest(at_second(4)), at_second(2));
    EXPECT_EQ(history.nearest(at_second(-4)), at_second(0));
    EXPECT_EQ(history.nearest(at_second(40)), at_second(9));
    EXPECT_EQ(history.view(at_second(6)).at, at_second(5));
}

TEST(TopHistory, ALaterTellingOfAMomentReplacesIt) {
    History history;
    history.keep(view_at(0));
    auto again = view_at(0);
    again.destinations.resize(2);
    history.keep(again);
    EXPECT_EQ(history.size(), 1U);
    EXPECT_EQ(history.view(at_second(0)).destinations.size(), 2U);
}

TEST(TopHistory, AClockSetBackBeginsAnew) {
    History history;
    history.keep(view_at(0));
    history.keep(view_at(1));
    history.keep(view_at(-3600));
    EXPECT_EQ(history.size(), 1U);
    EXPECT_EQ(history.last(), at_second(-3600));
}

TEST(TopHistory, TheOldestMomentsGoAtTheLimits) {
    History few(History::Limits{.moments = 3, .bytes = std::size_t{1} << 30});
    for (int second = 0; second < 10; ++second) few.keep(view_at(second));
    EXPECT_EQ(few.size(), 3U);
    EXPECT_EQ(few.first(), at_second(7));
    History small(History::Limits{.moments = 1000, .bytes = 200'000});
    for (int second = 0; second < 100; ++second) small.keep(view_at(second));
    EXPECT_LE(small.bytes(), 200'000U);
    EXPECT_GT(small.size(), 3U);
    EXPECT_EQ(small.last(), at_second(99));
}

TEST(TopHistory, AQuarterOfAnHourOfAQuietHostIsSmall) {
    History history;
    for (int second = 0; second < 900; ++second) history.keep(view_at(second));
    EXPECT_EQ(history.size(), 900U);
    EXPECT_LT(history.bytes(), 16U << 20);
}

model::HostView with_series(int second, std::vector<model::SeriesPoint> series) {
    auto view = view_at(second);
    view.destinations.resize(1);
    view.destinations[0].series = std::move(series);
    return view;
}

model::SeriesPoint point_at(int second, std::uint32_t attempts) {
    return {.at = at_second(second), .attempts = attempts, .failed = 0, .rtt_us = 100.0 + second};
}

TEST(TopHistory, SeriesArePutTogetherFromTheirParts) {
    History history;
    history.keep(with_series(2, {point_at(0, 1), point_at(1, 2), point_at(2, 1)}));
    history.keep(with_series(3, {point_at(2, 7), point_at(3, 1)}));
    history.keep(with_series(4, {}));
    const auto row = id_of(history.view(at_second(4)).destinations[0]);
    const auto series = history.series(row, at_second(4));
    ASSERT_EQ(series.size(), 4U);
    EXPECT_EQ(series[0].attempts, 1U);
    EXPECT_EQ(series[1].rtt_us, 101.0);
    EXPECT_FALSE(series[1].loss_share);
    EXPECT_EQ(series[2].attempts, 7U) << "the later telling of a second is the true one";
    EXPECT_EQ(series[3].at, at_second(3));
    EXPECT_EQ(history.series(row, at_second(2)).size(), 3U) << "nothing of the future of a moment";
    EXPECT_TRUE(history.series({}, at_second(4)).empty());
}

TEST(TopHistory, SeriesAreForgottenWithTheirMoments) {
    History history(History::Limits{.moments = 2, .bytes = std::size_t{1} << 30});
    for (int second = 0; second < 400; ++second) history.keep(with_series(second, {point_at(second, 1)}));
    const auto row = id_of(history.view(at_second(399)).destinations[0]);
    EXPECT_LE(history.series(row, at_second(399)).size(), History::series_span_s + 2);
    auto others = view_at(400);
    others.destinations.erase(others.destinations.begin());
    history.keep(others);
    others.at = at_second(401);
    history.keep(others);
    EXPECT_TRUE(history.series(row, at_second(401)).empty());
}

}  // namespace
}  // namespace netwatch::top
