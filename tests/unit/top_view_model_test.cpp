// SPDX-License-Identifier: Apache-2.0
#include "top/view_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "support/views.h"

namespace netwatch::top {
namespace {

ViewModel failing() {
    ViewModel model;
    model.set_view(support::failing_view());
    return model;
}

std::string port_of_selected(const ViewModel& model) {
    return std::to_string(model.rows().at(model.selected_row())->ref.endpoint.port);
}

TEST(TopViewModel, ArrowsMoveTheSelectionAndStopAtTheEnds) {
    auto model = failing();
    EXPECT_EQ(model.selected_row(), 0U);
    model.press(Key::up);
    EXPECT_EQ(model.selected_row(), 0U);
    model.type("j");
    model.press(Key::down);
    EXPECT_EQ(model.selected_row(), 2U);
    model.press(Key::end);
    EXPECT_EQ(model.selected_row(), 4U);
    model.press(Key::page_down);
    EXPECT_EQ(model.selected_row(), 4U);
    model.type("k");
    EXPECT_EQ(model.selected_row(), 3U);
    model.press(Key::home);
    EXPECT_EQ(model.selected_row(), 0U);
}

TEST(TopViewModel, TheSelectionFollowsItsRow) {
    auto model = failing();
    model.press(Key::down);
    model.press(Key::down);
    ASSERT_EQ(port_of_selected(model), "5432");
    auto view = support::failing_view();
    std::swap(view.destinations[0], view.destinations[2]);
    std::swap(view.destinations[0].severity, view.destinations[2].severity);
    model.set_view(view);
    EXPECT_EQ(model.selected_row(), 0U);
    EXPECT_EQ(port_of_selected(model), "5432");
    view.destinations.erase(view.destinations.begin());
    model.set_view(view);
    EXPECT_EQ(model.selected_row(), 0U);
    view.destinations.clear();
    model.set_view(view);
    model.press(Key::down);
    model.press(Key::enter);
    EXPECT_EQ(model.screen(), Screen::destinations);
}

TEST(TopViewModel, EnterOpensDetailsThenTheIncidentAndEscapeLeadsBack) {
    auto model = failing();
    EXPECT_FALSE(model.question().ladder_of);
    model.press(Key::enter);
    EXPECT_EQ(model.screen(), Screen::destination_details);
    ASSERT_TRUE(model.question().ladder_of);
    EXPECT_EQ(model.question().ladder_of->to_string(), "10.4.7.21:443/tcp");
    model.press(Key::enter);
    EXPECT_EQ(model.screen(), Screen::incident_details);
    EXPECT_EQ(model.detailed_incident()->id, "n7c1e5a90b3d4");
    model.press(Key::escape);
    EXPECT_EQ(model.screen(), Screen::destination_details);
    model.press(Key::escape);
    EXPECT_EQ(model.screen(), Screen::destinations);
}

TEST(TopViewModel, ACleanDestinationHasNoIncidentToOpen) {
    auto model = failing();
    model.press(Key::end);
    model.press(Key::enter);
    model.press(Key::enter);
    EXPECT_EQ(model.screen(), Screen::destination_details);
}

TEST(TopViewModel, IncidentsListSymptomsUnderTheirRoot) {
    auto model = failing();
    model.type("i");
    const auto list = model.incident_list();
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[0]->type, model::FailureType::firewall_block);
    EXPECT_TRUE(list[1]->symptom);
    EXPECT_EQ(list[2]->type, model::FailureType::packet_loss);
    model.press(Key::down);
    model.press(Key::enter);
    EXPECT_EQ(model.detailed_incident()->type, model::FailureType::slow_service);
    model.press(Key::escape);
    EXPECT_EQ(model.screen(), Screen::incidents);
    model.type("i");
    EXPECT_EQ(model.screen(), Screen::destinations);
}

TEST(TopViewModel, ALadderIsShownOnlyForItsTarget) {
    auto model = failing();
    model.press(Key::enter);
    EXPECT_EQ(model.ladder(), nullptr);
    model.set_ladder(*model.question().ladder_of, support::payments_ladder());
    ASSERT_NE(model.ladder(), nullptr);
    model.press(Key::escape);
    model.press(Key::down);
    model.press(Key::enter);
    EXPECT_EQ(model.ladder(), nullptr);
    model.set_ladder(*model.question().ladder_of, core::fail("no such destination"));
    EXPECT_EQ(model.ladder_problem(), "no such destination");
}

// The failing view, that many seconds later.
model::HostView later(int seconds) {
    auto view = support::failing_view();
    view.at.ns += seconds * std::int64_t{1'000'000'000};
    return view;
}

ViewModel watched_for(int seconds) {
    ViewModel model;
    for (int second = 0; second <= seconds; ++second) {
        auto view = later(second);
        view.destinations[2].flows = static_cast<std::uint32_t>(second);
        view.incidents[0].summary = "summary " + std::to_string(second);
        model.set_view(std::move(view));
    }
    return model;
}

TEST(TopViewModel, PausingKeepsTheView) {
    auto model = watched_for(3);
    model.type(" ");
    EXPECT_TRUE(model.is_paused());
    EXPECT_EQ(model.seconds_behind(), 0U);
    model.set_view(later(45));
    EXPECT_EQ(model.view().at, later(3).at);
    EXPECT_EQ(model.seconds_behind(), 42U);
    model.type(" ");
    EXPECT_FALSE(model.is_paused());
    EXPECT_EQ(model.view().at, later(45).at);
}

TEST(TopViewModel, SteppingBackShowsWhatWasSeenThen) {
    auto model = watched_for(100);
    model.press(Key::right);
    EXPECT_FALSE(model.is_paused()) << "there is nothing after the newest view";
    for (int i = 0; i < 3; ++i) model.press(Key::left);
    EXPECT_TRUE(model.is_paused());
    EXPECT_EQ(model.seconds_behind(), 3U);
    EXPECT_EQ(model.view().destinations[2].flows, 97U);
    EXPECT_EQ(model.view().incidents[0].summary, "summary 97");
    model.type("[");
    EXPECT_EQ(model.seconds_behind(), 63U);
    model.press(Key::right);
    EXPECT_EQ(model.seconds_behind(), 62U);
    model.type("]");
    EXPECT_EQ(model.seconds_behind(), 2U);
    model.press(Key::home);
    EXPECT_EQ(model.seconds_behind(), 100U);
    EXPECT_EQ(model.view().incidents[0].summary, "summary 0");
    model.press(Key::left);
    EXPECT_EQ(model.seconds_behind(), 100U);
    model.press(Key::end);
    EXPECT_FALSE(model.is_paused());
    EXPECT_EQ(model.view().destinations[2].flows, 100U);
}

TEST(TopViewModel, TheLastStepForwardGoesLive) {
    auto model = watched_for(5);
    model.press(Key::left);
    model.press(Key::right);
    EXPECT_TRUE(model.is_paused());
    EXPECT_EQ(model.seconds_behind(), 0U);
    model.press(Key::right);
    EXPECT_FALSE(model.is_paused());
}

TEST(TopViewModel, ALadderBelongsToItsMoment) {
    auto model = watched_for(2);
    model.press(Key::enter);
    const auto target = *model.question().ladder_of;
    model.set_ladder(target, support::payments_ladder());
    EXPECT_NE(model.ladder(), nullptr);
    model.type(" ");
    EXPECT_FALSE(model.question().ladder_of) << "nothing is asked for a view that stands still";
    EXPECT_NE(model.ladder(), nullptr);
    model.press(Key::left);
    EXPECT_EQ(model.ladder(), nullptr);
    model.press(Key::end);
    EXPECT_NE(model.ladder(), nullptr);
}

// Clean destinations with that much traffic each, at ports 6000 and up.
model::HostView busy(const std::vector<double>& attempts_per_s) {
    auto view = support::failing_view();
    const auto clean = view.destinations[2];
    view.destinations.clear();
    for (std::size_t i = 0; i < attempts_per_s.size(); ++i) {
        auto row = clean;
        row.ref.endpoint.port = static_cast<std::uint16_t>(6000 + i);
        row.attempts_per_s = attempts_per_s[i];
        row.bytes_sent_per_s = row.bytes_received_per_s = 0;
        view.destinations.push_back(row);
    }
    std::ranges::stable_sort(view.destinations, std::greater{}, model::traffic);
    return view;
}

std::string ports(const ViewModel& model) {
    std::string text;
    for (const auto* row : model.rows()) text += std::to_string(row->ref.endpoint.port - 6000) + ' ';
    return text;
}

void pass_on(ViewModel& model, model::HostView view, int seconds) {
    view.at = later(seconds).at;
    model.set_view(std::move(view));
}

TEST(TopViewModel, RowsOfAboutTheSameTrafficKeepTheirPlaces) {
    ViewModel model;
    pass_on(model, busy({10, 9, 8, 1}), 0);
    EXPECT_EQ(ports(model), "0 1 2 3 ");
    pass_on(model, busy({8, 9, 10, 1}), 1);
    EXPECT_EQ(ports(model), "0 1 2 3 ");
    pass_on(model, busy({8, 9, 10, 20}), 2);
    EXPECT_EQ(ports(model), "3 0 1 2 ");
    auto graver = busy({8, 9, 10, 20});
    const auto third =
        std::ranges::find(graver.destinations, 6002, [](const auto& row) { return row.ref.endpoint.port; });
    third->severity = model::Severity::warning;
    std::rotate(graver.destinations.begin(), third, std::next(third));
    pass_on(model, std::move(graver), 3);
    EXPECT_EQ(ports(model), "2 3 0 1 ");
    model.type("S");
    EXPECT_EQ(ports(model), "0 1 3 2 ") << "what was asked for is exact: the view's own order, reversed";
}

TEST(TopViewModel, TheSelectedRowStaysOnItsLineOfTheScreen) {
    std::vector<double> traffic(50, 1.0);
    ViewModel model;
    pass_on(model, busy(traffic), 0);
    model.set_extent({.table_rows = 10, .table_width = 100, .most_scroll = 0});
    for (int i = 0; i < 20; ++i) model.press(Key::down);
    for (int i = 0; i < 4; ++i) model.press(Key::up);
    EXPECT_EQ(port_of_selected(model), "6016");
    const std::size_t line = model.selected_row() - model.first_row(10);
    EXPECT_EQ(line, 5U);
    for (std::size_t i = 30; i < 37; ++i) traffic[i] = 100;
    pass_on(model, busy(traffic), 1);
    EXPECT_EQ(port_of_selected(model), "6016");
    EXPECT_EQ(model.selected_row(), 23U);
    EXPECT_EQ(model.selected_row() - model.first_row(10), line);
}

TEST(TopViewModel, TheSelectionSurvivesSortingAndFiltering) {
    auto model = failing();
    model.press(Key::down);
    model.press(Key::down);
    ASSERT_EQ(port_of_selected(model), "5432");
    for (int i = 0; i < 20; ++i) {
        model.type("s");
        EXPECT_EQ(port_of_selected(model), "5432");
    }
    model.type("/");
    for (const char* c : {"p", "a", "y"}) model.type(c);
    EXPECT_EQ(port_of_selected(model), "443");
    model.press(Key::escape);
    EXPECT_EQ(port_of_selected(model), "5432");
}

TEST(TopViewModel, EscapeClearsTheFilterAndThenTheSort) {
    auto model = failing();
    model.type("s");
    model.type("/");
    for (const char* c : {"d", "b"}) model.type(c);
    model.press(Key::enter);
    model.press(Key::escape);
    EXPECT_EQ(model.rows().size(), 5U);
    EXPECT_FALSE(model.query().sort_by.empty());
    model.press(Key::escape);
    EXPECT_TRUE(model.query().sort_by.empty());
}

TEST(TopViewModel, AClickSelectsASecondOneOpens) {
    auto model = failing();
    const Link row{.row = id_of(*model.rows()[1]), .incident = {}, .column = {}};
    model.click(row);
    EXPECT_EQ(model.screen(), Screen::destinations);
    EXPECT_EQ(model.selected_row(), 1U);
    model.click(row);
    EXPECT_EQ(model.screen(), Screen::destination_details);
    model.press(Key::escape);
    model.click({.row = {}, .incident = "n02b8c7716e5f", .column = {}});
    EXPECT_EQ(model.detailed_incident()->type, model::FailureType::packet_loss);
    model.press(Key::escape);
    EXPECT_EQ(model.screen(), Screen::destinations);
}

TEST(TopViewModel, AClickOnAHeadingSortsTwiceReverses) {
    auto model = failing();
    const Link column{.row = {}, .incident = {}, .column = "attempts_per_s"};
    model.click(column);
    EXPECT_EQ(model.rows().front()->ref.endpoint.port, 53);
    model.click(column);
    EXPECT_EQ(model.rows().front()->ref.endpoint.to_string(), "[2001:db8:10::21]:443/udp");
    model.click({.row = {}, .incident = {}, .column = "destination"});
    EXPECT_FALSE(model.query().reverse);
}

TEST(TopViewModel, TheWheelMovesLikeTheKeys) {
    auto model = failing();
    model.wheel(3);
    EXPECT_EQ(model.selected_row(), 3U);
    model.wheel(-3);
    EXPECT_EQ(model.selected_row(), 0U);
    model.press(Key::help);
    model.set_extent({.table_rows = 10, .table_width = 100, .most_scroll = 5});
    for (int i = 0; i < 9; ++i) model.wheel(3);
    EXPECT_EQ(model.scroll(), 5U) << "no scrolling beyond the end that would have to be scrolled back";
}

TEST(TopViewModel, TheQuestionSaysWhatTheScreenNeeds) {
    auto model = failing();
    EXPECT_TRUE(model.question().query.filter.empty());
    model.type("/");
    for (const char* c : {"x", "y"}) model.type(c);
    EXPECT_EQ(model.question().query.filter, "xy");
    EXPECT_EQ(model.matching(), 0U);
}

TEST(TopViewModel, TheFilterIsTypedKeptAndCleared) {
    auto model = failing();
    model.type("/");
    for (const char* c : {"q", "é", "x"}) model.type(c);
    EXPECT_FALSE(model.wants_quit());
    EXPECT_EQ(model.query().filter, "qéx");
    model.press(Key::backspace);
    model.press(Key::backspace);
    EXPECT_EQ(model.query().filter, "q");
    model.press(Key::backspace);
    model.press(Key::backspace);
    for (const char* c : {"d", "b"}) model.type(c);
    model.press(Key::enter);
    EXPECT_FALSE(model.is_typing_filter());
    EXPECT_EQ(model.rows().size(), 2U);  // db.internal and 2001:db8:10::21
    model.press(Key::escape);
    EXPECT_EQ(model.rows().size(), 5U);
}

TEST(TopViewModel, SortGoesThroughTheColumnsAndBack) {
    auto model = failing();
    std::size_t steps = 0;
    do {
        model.type("s");
        ++steps;
    } while (!model.query().sort_by.empty() && steps < 100);
    EXPECT_GT(steps, 8U);
    EXPECT_LT(steps, 100U);
    model.type("S");
    EXPECT_TRUE(model.query().reverse);
}

TEST(TopViewModel, KeysBeforeTheFirstViewDoNoHarm) {
    ViewModel model;
    for (const Key key :
         {Key::up, Key::down, Key::left, Key::right, Key::enter, Key::escape, Key::home, Key::end, Key::help})
        model.press(key);
    model.wheel(3);
    model.click({});
    for (const char* key : {"i", "h", "?", "s", "S", " ", "[", "]", "/", "x"}) model.type(key);
    model.press(Key::escape);
    model.type("q");
    EXPECT_TRUE(model.wants_quit());
}

// Seconds of a recording, the last one at `end`.
History recorded(core::UtcNs end, int seconds) {
    History history;
    for (int n = seconds; n > 0; --n) {
        auto view = support::failing_view();
        view.at = {end.ns - (n - 1) * 1'000'000'000LL};
        history.keep(std::move(view));
    }
    return history;
}

constexpr std::int64_t second_ns = 1'000'000'000;

TEST(TopViewModel, BeyondWhatItHasSeenLiesWhatWasRecorded) {
    auto model = failing();
    const core::UtcNs seen = model.view().at;
    EXPECT_FALSE(model.wanted_past());
    model.press(Key::left);
    ASSERT_EQ(model.wanted_past(), (core::UtcNs{seen.ns - second_ns}));
    EXPECT_EQ(model.view().at, seen) << "until it is there";
    model.set_past(recorded({seen.ns - second_ns}, 10));
    EXPECT_FALSE(model.wanted_past());
    EXPECT_TRUE(model.is_recorded());
    EXPECT_EQ(model.view().at.ns, seen.ns - second_ns);
    model.press(Key::left);
    EXPECT_EQ(model.view().at.ns, seen.ns - 2 * second_ns);
    for (int n = 0; n < 8; ++n) model.press(Key::left);
    EXPECT_FALSE(model.wanted_past());
    model.press(Key::left);
    EXPECT_EQ(model.wanted_past(), (core::UtcNs{seen.ns - 11 * second_ns}));
    model.press(Key::end);
    EXPECT_FALSE(model.is_paused());
    EXPECT_EQ(model.view().at, seen);
}

TEST(TopViewModel, FromTheRecordingBackToWhatItHasSeen) {
    auto model = failing();
    const core::UtcNs seen = model.view().at;
    model.press(Key::left);
    model.set_past(recorded({seen.ns - 5 * second_ns}, 10));
    EXPECT_EQ(model.view().at, seen) << "nothing was recorded in between";
    model.type("[");
    model.set_past(recorded({seen.ns - 55 * second_ns}, 10));
    EXPECT_EQ(model.view().at.ns, seen.ns - 60 * second_ns);
    for (int n = 0; n < 6; ++n) model.press(Key::right);
    model.set_past(recorded({seen.ns - 55 * second_ns}, 10));
    EXPECT_EQ(model.view().at, seen);
    EXPECT_FALSE(model.is_recorded());
}

TEST(TopViewModel, SaysWhyThereIsNoRecording) {
    auto model = failing();
    model.press(Key::left);
    model.set_past(core::fail("cannot read it"));
    EXPECT_EQ(model.problem(), "cannot read it");
    model.press(Key::down);
    EXPECT_EQ(model.problem(), "");
    model.press(Key::left);
    model.set_past(History());
    EXPECT_NE(model.problem(), "");
}

TEST(TopViewModel, GoesToATimeThatIsTyped) {
    auto model = failing();
    const core::UtcNs seen = model.view().at;
    model.type("t");
    EXPECT_TRUE(model.is_typing_time());
    for (const char* character : {"1", "0", "x"}) model.type(character);
    model.press(Key::backspace);
    model.type("m");
    EXPECT_EQ(model.typed_time(), "10m");
    model.press(Key::enter);
    EXPECT_FALSE(model.is_typing_time());
    EXPECT_EQ(model.wanted_past(), (core::UtcNs{seen.ns - 600 * second_ns}));
    model.type("t");
    model.type("x");
    model.press(Key::enter);
    EXPECT_NE(model.problem().find("\"10 minutes ago\""), std::string::npos) << model.problem();
    model.type("t");
    model.press(Key::escape);
    EXPECT_FALSE(model.is_typing_time());
}

TEST(TopViewModel, ARecordingAloneHasNoNewestView) {
    ViewModel model;
    const core::UtcNs at = support::failing_view().at;
    model.begin_in_the_past(at);
    EXPECT_EQ(model.wanted_past(), at);
    model.press(Key::left);
    model.press(Key::end);
    model.set_past(recorded(at, 10));
    ASSERT_TRUE(model.has_view());
    EXPECT_TRUE(model.is_paused());
    EXPECT_EQ(model.view().at, at);
    model.press(Key::home);
    model.set_past(recorded({at.ns - 100 * second_ns}, 10));
    EXPECT_EQ(model.view().at.ns, at.ns - 109 * second_ns);
    model.type(" ");
    EXPECT_TRUE(model.wanted_past()) << "its end, for there is nothing live";
    model.set_past(recorded(at, 10));
    EXPECT_EQ(model.view().at, at);
}

}  // namespace
}  // namespace netwatch::top
