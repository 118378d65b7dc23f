// SPDX-License-Identifier: Apache-2.0
#include "present/table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "present/incidents.h"
#include "present/inert.h"
#include "present/sparkline.h"
#include "present/style.h"
#include "present/text.h"
#include "support/views.h"

namespace netwatch::present {
namespace {

std::size_t found(std::string filter) {
    const auto view = support::failing_view();
    return select_rows(view.destinations, {.filter = std::move(filter), .sort_by = {}, .reverse = false})
        .size();
}

std::string ports(std::string field, bool reverse) {
    const auto view = support::failing_view();
    std::string text;
    for (const auto* row : select_rows(view.destinations, {{}, std::move(field), reverse})) {
        text += std::to_string(row->ref.endpoint.port) + (row->judged ? " " : "u ");
    }
    return text;
}

TEST(PresentTable, FilterTakesWords) {
    EXPECT_EQ(found(""), 5U);
    EXPECT_EQ(found("payments"), 1U);
    EXPECT_EQ(found("PAYMENTS"), 1U);
    EXPECT_EQ(found("10.4."), 3U);
    EXPECT_EQ(found("10.4. orders"), 1U);
    EXPECT_EQ(found("refund"), 1U);
    EXPECT_EQ(found("firewall_block"), 1U);
    EXPECT_EQ(found("udp"), 2U);
    EXPECT_EQ(found("nothing-like-it"), 0U);
}

TEST(PresentTable, FilterTestsFields) {
    EXPECT_EQ(found("ok_share<98"), 2U);
    EXPECT_EQ(found("ok_share<98%"), 2U);
    EXPECT_EQ(found("rtt_us>50ms"), 1U);
    EXPECT_EQ(found("rtt_us>0.05s"), 1U);
    EXPECT_EQ(found("rtt_us<1000us"), 1U);
    EXPECT_EQ(found("failed>0 verdict=loss"), 1U);
    EXPECT_EQ(found("flows=8"), 3U);
    EXPECT_EQ(found("unheard_of>3"), 0U);
    EXPECT_EQ(found("rtt_us>abc"), 0U);
}

std::string narrowed_to(const RowQuery& query, std::size_t most) {
    const auto view = narrowed(support::failing_view(), query, most, {});
    std::string text = std::to_string(view.matching) + ": ";
    for (const auto& row : view.destinations) text += std::to_string(row.ref.endpoint.port) + ' ';
    return text;
}

TEST(PresentTable, NarrowedKeepsWhatIsAskedForAndWhatIsWrong) {
    EXPECT_EQ(narrowed_to({}, 100), "5: 443 443 5432 53 443 ");
    EXPECT_EQ(narrowed_to({}, 3), "5: 443 443 5432 ");
    EXPECT_EQ(narrowed_to({.filter = "db", .sort_by = {}, .reverse = false}, 100), "2: 443 443 5432 443 ");
    EXPECT_EQ(narrowed_to({.filter = {}, .sort_by = "attempts_per_s", .reverse = false}, 1), "5: 443 53 ")
        << "the busiest one and as many as that with an incident, in the view's own order";
}

TEST(PresentTable, NarrowedLeavesOutWhatIsKnownOfTheSeries) {
    const auto whole = support::failing_view();
    const core::UtcNs after = whole.destinations[1].series[100].at;
    const auto part = narrowed(whole, {}, 100, after);
    ASSERT_EQ(part.destinations[1].series.size(), 20U);
    EXPECT_EQ(part.destinations[1].series.front().at, after);
    EXPECT_EQ(part.hostname, whole.hostname);
    EXPECT_EQ(part.incidents.size(), whole.incidents.size());
    EXPECT_EQ(part.observer.lost_records, whole.observer.lost_records);
}

TEST(PresentTable, SortPutsTheMissingLastEitherWay) {
    EXPECT_EQ(ports("", false), "443 443 5432 53 443u ");
    EXPECT_EQ(ports("", true), "443u 53 5432 443 443 ");
    EXPECT_EQ(ports("rtt_us", false), "443 53 5432 443 443u ");
    EXPECT_EQ(ports("rtt_us", true), "5432 53 443 443 443u ");
    EXPECT_EQ(ports("destination", false), "53 443u 5432 443 443 ");
}

TEST(PresentTable, LinesFitEveryWidthFromFifty) {
    const auto view = support::hostile_view();
    for (std::size_t width = 50; width < 260; ++width) {
        const auto columns = columns_for(width);
        ASSERT_LE(cell_width(heading_line(columns)), width);
        for (const auto& row : view.destinations) ASSERT_LE(cell_width(row_line(row, columns)), width);
    }
}

TEST(PresentTable, SparklinesKeepTheirTime) {
    const core::UtcNs end = support::at_time("19:43:00");
    const auto at = [&](int seconds_before) {
        return core::UtcNs{end.ns - seconds_before * std::int64_t{1'000'000'000}};
    };
    std::vector<model::SeriesPoint> series(3);
    series[0] = {at(200), 0, 0, 9e9, {}, 0};
    series[1] = {at(100), 0, 0, 10.0, {}, 0};
    series[2] = {at(10), 0, 0, 5.0, {}, 0};
    const auto values = bucketed(series, end, 120, 12, [](const auto& point) { return point.rtt_us; });
    EXPECT_EQ(sparkline(values, 10), "  █        ▅");
    EXPECT_EQ(sparkline(std::vector<std::optional<double>>{0.0, std::nullopt, 1.0}, 0), "▁ ▁");
}

// Of the kinds that are read from bytes; what the kernel left out is no news.
TEST(PresentTrust, WhatCouldNotBeReadIsShown) {
    auto view = support::healthy_view();
    view.observer.accounts = {{"payload", 100, 40, 60, 0}, {"dns_message", 10, 3, 7, 0}};
    view.observer.accounts.push_back({"tls_event", 5, 1, 4, 0});
    EXPECT_EQ(unreadable(view.observer), 4U);
    EXPECT_NE(trust_line(view, 300).find("unreadable 4"), std::string::npos);
    EXPECT_TRUE(std::ranges::any_of(blind_spots(view), [](const std::string& spot) {
        return spot.starts_with("4 DNS messages or TLS handshakes could not be read");
    }));
    view.observer.accounts.resize(1);
    EXPECT_EQ(trust_line(view, 300).find("unreadable"), std::string::npos);
}

TEST(PresentStyle, WrapsAtSpacesUnderItsHead) {
    const Style style{false, true, 24};
    EXPECT_EQ(wrap("  a ", "one two three four five", style), "  a one two three four\n    five\n");
    EXPECT_EQ(wrap("", "", style), "\n");
    EXPECT_EQ(grouped(1234567), "1,234,567");
    EXPECT_EQ(grouped(12), "12");
    EXPECT_EQ(age(support::at_time("19:00:00"), support::at_time("21:05:00")), "2h05m");
    EXPECT_EQ(age(support::at_time("21:00:00"), support::at_time("19:05:00")), "0:00");
}

TEST(PresentStyle, ColoursOfThePaletteOnlyWhereTheTerminalHasIt) {
    EXPECT_EQ(paint("slow", Paint::yellow, {.color = true}), "\x1b[33mslow\x1b[0m");
    EXPECT_EQ(paint("slow", Paint::yellow, {.color = true, .color_256 = true}), "\x1b[38;5;166mslow\x1b[0m");
    EXPECT_EQ(paint("ok", Paint::green, {.color = true, .color_256 = true}), "\x1b[38;5;28mok\x1b[0m");
    EXPECT_EQ(paint("down", Paint::red, {.color = true, .color_256 = true}), "\x1b[1;31mdown\x1b[0m");
    EXPECT_EQ(paint("slow", Paint::yellow, {.color_256 = true}), "slow");
}

}  // namespace
}  // namespace netwatch::present
