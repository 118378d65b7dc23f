// SPDX-License-Identifier: Apache-2.0
#include "top/view_model.h"

#include <gtest/gtest.h>

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
    EXPECT_FALSE(model.wanted_ladder());
    model.press(Key::enter);
    EXPECT_EQ(model.screen(), Screen::destination_details);
    ASSERT_TRUE(model.wanted_ladder());
    EXPECT_EQ(model.wanted_ladder()->to_string(), "10.4.7.21:443/tcp");
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
    model.set_ladder(*model.wanted_ladder(), support::payments_ladder());
    ASSERT_NE(model.ladder(), nullptr);
    model.press(Key::escape);
    model.press(Key::down);
    model.press(Key::enter);
    EXPECT_EQ(model.ladder(), nullptr);
    model.set_ladder(*model.wanted_ladder(), core::fail("no such destination"));
    EXPECT_EQ(model.ladder_problem(), "no such destination");
}

TEST(TopViewModel, PausingKeepsTheView) {
    auto model = failing();
    model.type(" ");
    model.set_view(support::healthy_view());
    EXPECT_EQ(model.view().destinations.size(), 5U);
    model.type(" ");
    model.set_view(support::healthy_view());
    EXPECT_EQ(model.view().destinations.size(), 4U);
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
    model.type("r");
    EXPECT_TRUE(model.query().reverse);
}

TEST(TopViewModel, KeysBeforeTheFirstViewDoNoHarm) {
    ViewModel model;
    for (const Key key : {Key::up, Key::down, Key::enter, Key::escape, Key::end, Key::help}) model.press(key);
    for (const char* key : {"i", "h", "?", "s", "r", "/", "x"}) model.type(key);
    model.press(Key::escape);
    model.type("q");
    EXPECT_TRUE(model.wants_quit());
}

}  // namespace
}  // namespace netwatch::top
