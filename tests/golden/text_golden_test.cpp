// SPDX-License-Identifier: Apache-2.0
// The program's plain answers and its JSON against tests/golden/text and tests/golden/json.
#include <gtest/gtest.h>

#include <limits>
#include <regex>

#include "present/incidents.h"
#include "present/inert.h"
#include "present/json.h"
#include "present/text.h"
#include "support/golden.h"
#include "support/views.h"

namespace netwatch::present {
namespace {

constexpr std::size_t all_rows = std::numeric_limits<std::size_t>::max();

void expect_text(const std::string& name, const std::string& text) {
    support::expect_golden("tests/golden/text/" + name + ".txt", text);
}

Style plain(std::size_t width = 100) { return {.color = false, .unicode = true, .width = width}; }

model::HostView slow_only() {
    auto view = support::failing_view();
    view.incidents = {view.incidents[2]};
    auto& slow = view.incidents.front();
    slow.symptom = false;
    slow.root_cause = {
        "The process at 10.4.2.8:8080 answers late.", model::FailureType::slow_service, {}, {}};
    slow.advice = {{"Look at the process that listens on 10.4.2.8:8080.", "ss -tlnp sport = :8080",
                    model::Effect::read_only}};
    for (auto& row : view.destinations) row.severity = {}, row.type = {}, row.incident = {};
    return view;
}

std::string check(const model::HostView& view, const Style& style) {
    return check_text("kernel 6.18.44, BTF, cgroup v2 at /sys/fs/cgroup/unified, root", view.observer.hooks,
                      "what netwatch can name on this kernel: 10 of 10 types, 7 of 7 beyond", style);
}

TEST(TextGolden, Answer) {
    expect_text("answer-failing", answer(support::failing_view(), plain()));
    expect_text("answer-failing-80", answer(support::failing_view(), plain(80)));
    expect_text("answer-not-the-network", answer(slow_only(), plain()));
    expect_text("answer-healthy", answer(support::healthy_view(), plain()));
    expect_text("answer-empty", answer(support::empty_view(), plain()));
    expect_text("answer-old", answer(support::healthy_view(), plain(), support::at_time("19:44:02")));
    expect_text("answer-failing-ascii", answer(support::failing_view(), {false, false, 80}));
}

TEST(TextGolden, AnswerAsMarkdown) {
    expect_text("answer-failing-markdown", answer_markdown(support::failing_view()));
    expect_text("answer-healthy-markdown", answer_markdown(support::healthy_view()));
}

TEST(TextGolden, Incidents) {
    const auto view = support::failing_view();
    expect_text("incidents", incidents_table(view.incidents, view.at, false, plain()));
    expect_text("incidents-80", incidents_table(view.incidents, view.at, false, plain(80)));
    expect_text("incidents-none", incidents_table({}, view.at, false, plain()));
    const auto healed = support::healthy_view();
    expect_text("incidents-all", incidents_table(healed.incidents, healed.at, true, plain()));
    expect_text("incident-details", incident_details(view.incidents[0], view.at, plain()));
}

TEST(TextGolden, Why) {
    expect_text("why", ladder_text(support::payments_ladder(), support::failing_view(), plain()));
    expect_text("why-without-view", ladder_text(support::payments_ladder(), {}, plain(80)));
}

TEST(TextGolden, Destinations) {
    const auto view = support::failing_view();
    for (const std::size_t width : {60U, 80U, 100U, 160U, 200U}) {
        expect_text("destinations-" + std::to_string(width),
                    destinations_table(view, {}, all_rows, plain(width)));
    }
    expect_text("destinations-limited", destinations_table(view, {"", "attempts_per_s", false}, 2, plain()));
}

TEST(TextGolden, Once) {
    expect_text("once-failing", host_text(support::failing_view(), plain()));
    expect_text("once-healthy", host_text(support::healthy_view(), plain(80)));
}

TEST(TextGolden, Check) {
    expect_text("check-failing", check(support::failing_view(), plain()));
    expect_text("check-counters", counters_text(support::failing_view().observer.counters, plain(80)));
    expect_text("check-healthy", check(support::healthy_view(), plain(80)));
}

TEST(TextGolden, ColourAddsNothingButColour) {
    const auto view = support::failing_view();
    const Style painted{true, true, 100};
    const auto strip = [](std::string text) {
        for (std::size_t at = 0; (at = text.find("\x1b[", at)) != std::string::npos;)
            text.erase(at, text.find('m', at) - at + 1);
        return text;
    };
    EXPECT_EQ(strip(answer(view, painted)), answer(view, plain()));
    EXPECT_EQ(strip(host_text(view, painted)), host_text(view, plain()));
    EXPECT_EQ(strip(incident_details(view.incidents[0], view.at, painted)),
              incident_details(view.incidents[0], view.at, plain()));
    EXPECT_EQ(strip(check(view, painted)), check(view, plain()));
    EXPECT_NE(answer(view, painted), answer(view, plain()));
}

// Whatever strangers chose, no byte but line breaks and shown characters leaves the program.
TEST(TextGolden, HostileTextIsInertEverywhere) {
    const auto view = support::hostile_view();
    auto ladder = support::payments_ladder();
    ladder.target = ladder.summary = std::string(support::hostile_text);
    ladder.destinations[0].name = ladder.target;
    ladder.incidents = {view.incidents[0].id, ladder.target};
    for (auto& step : ladder.steps) step.evidence = ladder.target;
    for (const Style& style : {plain(), plain(80), Style{false, false, 80}}) {
        const std::string texts[] = {
            answer(view, style),
            answer_markdown(view),
            incidents_table(view.incidents, view.at, true, style),
            incident_details(view.incidents[0], view.at, style),
            ladder_text(ladder, view, style),
            destinations_table(view, {}, all_rows, style),
            host_text(view, style),
            check(view, style),
        };
        for (const auto& text : texts) {
            std::string joined = text;
            std::erase(joined, '\n');
            EXPECT_EQ(inert(joined), joined);
            EXPECT_NE(joined.find("x1b"), std::string::npos) << text;
        }
    }
    // Between backticks Markdown takes nothing for its own.
    const std::string prose = std::regex_replace(answer_markdown(view), std::regex("`[^`]*`"), "");
    EXPECT_EQ(prose.find("<script>"), std::string::npos);
    EXPECT_NE(prose.find("\\<script\\>"), std::string::npos);
}

TEST(JsonGolden, ViewIncidentsAndLadder) {
    auto view = support::failing_view();
    for (auto& row : view.destinations) row.series.resize(std::min<std::size_t>(row.series.size(), 2));
    support::expect_golden("tests/golden/json/view.json", to_text(to_json(view), 1) + "\n");
    support::expect_golden("tests/golden/json/view-empty.json",
                           to_text(to_json(support::empty_view()), 1) + "\n");
    auto incidents = nlohmann::json::array();
    for (const auto& incident : view.incidents) incidents.push_back(to_json(incident));
    for (const auto& incident : support::healthy_view().incidents) incidents.push_back(to_json(incident));
    support::expect_golden("tests/golden/json/incidents.json", to_text(incidents, 1) + "\n");
    support::expect_golden("tests/golden/json/ladder.json",
                           to_text(to_json(support::payments_ladder()), 1) + "\n");
}

}  // namespace
}  // namespace netwatch::present
