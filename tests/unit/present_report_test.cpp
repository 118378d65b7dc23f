// SPDX-License-Identifier: Apache-2.0
// What goes into a report's page. tests/browser has how it looks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "present/json.h"
#include "present/report.h"
#include "support/golden.h"
#include "support/views.h"

namespace netwatch::present {
namespace {

Report report_of(const model::HostView& view) {
    Report report;
    report.source = "outage.db";
    report.view = view;
    report.begins = {view.at.ns - 120'000'000'000};
    for (const auto& row : view.destinations)
        report.histories.push_back({row.ref, row.perspective, row.series});
    return report;
}

// The text of the element that holds the data.
std::string data_in(const std::string& html) {
    const std::string_view begin = R"(<script type="application/json" id="data">)";
    const auto from = html.find(begin) + begin.size();
    return html.substr(from, html.find("</script>", from) - from);
}

TEST(Report, DataIsAsThePageGetsIt) {
    support::expect_golden("tests/golden/json/report.json",
                           to_text(to_json(report_of(support::failing_view())), 1) + "\n");
}

TEST(Report, PageHoldsTheDataWhole) {
    const Report report = report_of(support::failing_view());
    const auto data = parse_json(data_in(report_html(report)));
    ASSERT_TRUE(data) << data.error().message;
    EXPECT_EQ(*data, to_json(report));
}

TEST(Report, StrangersTextNeverBecomesMarkup) {
    auto view = support::hostile_view();
    view.hostname = "</script><!--<script>&amp;{{DATA}}{{PLAIN_TEXT}}";
    const std::string html = report_html(report_of(view));
    const auto data = parse_json(data_in(html));
    ASSERT_TRUE(data) << data.error().message;
    EXPECT_EQ((*data)["host"]["name"], view.hostname);
    EXPECT_THAT(data_in(html), ::testing::Not(::testing::HasSubstr("<")));
    const std::string usual = report_html(report_of(support::failing_view()));
    const auto elements = [](const std::string& page) { return std::ranges::count(page, '<'); };
    EXPECT_EQ(elements(html), elements(usual));
    EXPECT_THAT((*data)["incidents"][0]["summary"].get<std::string>(), ::testing::HasSubstr("\\x1b[2J"));
}

TEST(Report, PolicyAllowsOnlyThePagesOwnScriptAndStyle) {
    const std::string html = report_html(report_of(support::healthy_view()));
    EXPECT_THAT(html, ::testing::ContainsRegex("Content-Security-Policy\" content=\"default-src 'none'; "
                                               "script-src 'sha256-[A-Za-z0-9+/]{43}='; "
                                               "style-src 'sha256-[A-Za-z0-9+/]{43}='"));
    EXPECT_THAT(html, ::testing::Not(::testing::HasSubstr("{{")));
}

TEST(Report, GravestIsARootThenTheWorstThenTheNewest) {
    const auto view = support::failing_view();
    EXPECT_EQ(gravest(view.incidents)->id, "n7c1e5a90b3d4");
    auto incidents = view.incidents;
    for (auto& incident : incidents) incident.severity = model::Severity::warning;
    EXPECT_EQ(gravest(incidents)->id, "n7c1e5a90b3d4");  // the newest that is no symptom
    incidents.front().symptom = true;
    EXPECT_EQ(gravest(incidents)->id, "n02b8c7716e5f");
    EXPECT_EQ(gravest({}), nullptr);
}

TEST(Report, LongRecordingsAreBucketed) {
    auto view = support::failing_view();
    Report report = report_of(view);
    report.begins = {view.at.ns - 7'200'000'000'000};
    const auto data = to_json(report);
    EXPECT_EQ(data["axis"]["step_s"], 4);
    EXPECT_EQ(data["axis"]["count"], 1801);
    const auto& history = data["histories"][0];
    EXPECT_EQ(history["attempts"].size(), 1801U);
    std::uint64_t attempts = 0;
    for (const auto& point : view.destinations.front().series) attempts += point.attempts;
    EXPECT_EQ(std::accumulate(history["attempts"].begin(), history["attempts"].end(), std::uint64_t{0},
                              [](std::uint64_t sum, const auto& value) {
                                  return sum + value.template get<std::uint64_t>();
                              }),
              attempts);
}

TEST(Report, IsBoundedWhateverItIsGiven) {
    auto view = support::failing_view();
    for (int i = 0; i < 1'000; ++i) {
        view.incidents.push_back(view.incidents.front());
        view.incidents.back().id = fmt::format("n{:012x}", i);
    }
    Report report = report_of(view);
    for (int i = 0; i < 1'000; ++i) report.histories.push_back(report.histories.front());
    report.chosen = "n0000000003e7";
    const auto data = to_json(report);
    EXPECT_EQ(data["incidents"].size(), 200U);
    EXPECT_EQ(data["chosen"], "n0000000003e7");
    EXPECT_TRUE(std::ranges::any_of(data["incidents"],
                                    [](const auto& each) { return each["id"] == "n0000000003e7"; }));
    EXPECT_EQ(data["histories"].size(), 40U);
    EXPECT_LT(report_html(report).size(), 4U << 20);
}

}  // namespace
}  // namespace netwatch::present
