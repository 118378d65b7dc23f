// SPDX-License-Identifier: Apache-2.0
// Frames of the live view as a terminal would hold them, against tests/golden/top.
#include <gtest/gtest.h>

#include <ftxui/dom/node.hpp>
#include <ftxui/screen/screen.hpp>

#include "present/inert.h"
#include "support/golden.h"
#include "support/views.h"
#include "top/draw.h"
#include "top/terminal.h"
#include "top/view_model.h"

namespace netwatch::top {
namespace {

struct Size {
    std::size_t width;
    std::size_t height;
};
constexpr Size sizes[] = {{80, 24}, {100, 30}, {200, 60}};

std::string on_screen(const ViewModel& model, Size size, const present::Style& style) {
    auto screen = ftxui::Screen::Create(ftxui::Dimension::Fixed(static_cast<int>(size.width)),
                                        ftxui::Dimension::Fixed(static_cast<int>(size.height)));
    ftxui::Render(screen, to_element(draw(model, size.width, size.height).frame, style));
    std::string text;
    for (int y = 0; y < screen.dimy(); ++y) {
        std::string line;
        for (int x = 0; x < screen.dimx(); ++x) line += screen.PixelAt(x, y).character;
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

void expect_frame(const std::string& name, const ViewModel& model, Size size, bool unicode = true) {
    const std::string file =
        "tests/golden/top/" + name + "-" + std::to_string(size.width) + "x" + std::to_string(size.height);
    support::expect_golden(file + ".txt",
                           on_screen(model, size, {.color = false, .unicode = unicode, .width = size.width}));
}

ViewModel showing(model::HostView view) {
    ViewModel model;
    model.set_view(std::move(view));
    return model;
}

model::HostView crowded() {
    auto view = support::failing_view();
    const auto clean = view.destinations[2];
    for (int i = 0; i < 250; ++i) {
        auto row = clean;
        row.ref.name = "shard-" + std::to_string(i) + ".internal";
        row.ref.endpoint.port = static_cast<std::uint16_t>(6000 + i);
        view.destinations.push_back(row);
    }
    return view;
}

TEST(TopGolden, Destinations) {
    for (const Size size : sizes) {
        expect_frame("failing", showing(support::failing_view()), size);
        expect_frame("healthy", showing(support::healthy_view()), size);
    }
    expect_frame("crowded", showing(crowded()), {80, 24});
    expect_frame("crowded", showing(crowded()), {200, 60});
    expect_frame("empty", showing(support::empty_view()), {80, 24});
    expect_frame("failing-ascii", showing(support::failing_view()), {80, 24}, false);
    expect_frame("failing-small", showing(support::failing_view()), {40, 10});
    expect_frame("waiting", ViewModel(), {80, 24});
}

TEST(TopGolden, SelectionStaysVisible) {
    auto model = showing(crowded());
    for (int i = 0; i < 30; ++i) model.press(Key::down);
    model.type("s");
    model.type("S");
    model.press(Key::end);
    expect_frame("crowded-end", model, {80, 24});
}

TEST(TopGolden, Details) {
    for (const Size size : sizes) {
        auto model = showing(support::failing_view());
        model.press(Key::enter);
        model.set_ladder(*model.question().ladder_of, support::payments_ladder());
        expect_frame("destination", model, size);
        model.press(Key::enter);
        expect_frame("incident", model, size);
    }
    auto scrolled = showing(support::failing_view());
    scrolled.type("i");
    scrolled.press(Key::enter);
    scrolled.set_extent(draw(scrolled, 80, 24).extent);
    for (int i = 0; i < 10; ++i) scrolled.press(Key::page_down);
    expect_frame("incident-scrolled", scrolled, {80, 24});
    auto waiting = showing(support::failing_view());
    waiting.press(Key::enter);
    expect_frame("destination-no-ladder", waiting, {80, 24});
}

TEST(TopGolden, OtherScreens) {
    auto incidents = showing(support::failing_view());
    incidents.type("i");
    incidents.press(Key::down);
    expect_frame("incidents", incidents, {80, 24});
    auto hooks = showing(support::failing_view());
    hooks.type("h");
    expect_frame("hooks", hooks, {80, 24});
    auto help = showing(support::failing_view());
    help.press(Key::help);
    expect_frame("help", help, {80, 24});
    expect_frame("help", help, {100, 30});
}

TEST(TopGolden, FilterPauseAndTrouble) {
    auto model = showing(support::failing_view());
    model.type("/");
    for (const char* c : {"d", "b"}) model.type(c);
    expect_frame("filter", model, {80, 24});
    auto paused = showing(support::failing_view());
    paused.type(" ");
    expect_frame("paused", paused, {80, 24});
    for (const Size size : sizes) {
        auto healed = showing(support::failing_view());
        auto view = support::healthy_view();
        view.at = support::at_time("19:43:49");
        for (auto& row : view.destinations) row.series.clear();
        healed.set_view(std::move(view));
        healed.press(Key::left);
        expect_frame("past", healed, size);
        healed.press(Key::enter);
        expect_frame("past-destination", healed, size);
    }
    auto sorted = showing(support::failing_view());
    sorted.click({.row = {}, .incident = {}, .column = "loss_share"});
    expect_frame("sorted", sorted, {80, 24});
    auto silent = showing(support::failing_view());
    silent.set_problem("no answer from /run/netwatch/netwatch.sock: connection refused");
    silent.set_silence(17);
    expect_frame("silent", silent, {80, 24});
}

TEST(TopGolden, WhatIsShownCanBeClicked) {
    const auto model = showing(support::failing_view());
    const auto frame = draw(model, 80, 24).frame;
    const auto link_of = [&](std::string_view text, std::size_t x) {
        for (std::size_t y = 0; y < frame.size(); ++y) {
            std::string line;
            for (const auto& span : frame[y].spans) line += span.text;
            if (line.find(text) != std::string::npos) return link_at(frame, x, y);
        }
        return static_cast<const Link*>(nullptr);
    };
    EXPECT_EQ(link_of("db.internal:5432", 5)->row->endpoint.port, 5432);
    EXPECT_EQ(link_of("packet_loss", 30)->incident, "n02b8c7716e5f");
    EXPECT_EQ(link_of("symptom", 30)->incident, "n5511aa20c9e8");
    EXPECT_EQ(link_of("DESTINATION", 5)->column, "destination");
    EXPECT_EQ(link_of("DESTINATION", 70)->column, "verdict");
    EXPECT_EQ(link_of("DESTINATION", 0), nullptr);
    EXPECT_EQ(link_of("worst first", 70), nullptr);
    EXPECT_EQ(link_at(frame, 5, 1000), nullptr);
}

TEST(TopGolden, HostileTextIsInertOnEveryScreen) {
    const auto open_screen = [](std::string_view keys) {
        auto model = showing(support::hostile_view());
        for (const char c : keys) c == '\n' ? model.press(Key::enter) : model.type(std::string_view(&c, 1));
        if (const auto target = model.question().ladder_of) {
            auto ladder = support::payments_ladder();
            for (auto& step : ladder.steps) step.evidence = support::hostile_text;
            ladder.target = ladder.summary = support::hostile_text;
            model.set_ladder(*target, ladder);
        }
        model.set_problem(std::string(support::hostile_text));
        return model;
    };
    for (const std::string_view keys : {"", "\n", "\n\n", "i", "h", "?"}) {
        for (const bool unicode : {true, false}) {
            std::string text = on_screen(open_screen(keys), {100, 80}, {false, unicode, 100});
            std::erase(text, '\n');
            EXPECT_EQ(present::inert(text), text) << keys;
        }
    }
}

TEST(TopGolden, EverySizeGivesAFrameOfThatSize) {
    for (const auto& view :
         {support::failing_view(), support::healthy_view(), support::hostile_view(), support::empty_view()}) {
        for (std::size_t width = 1; width < 220; width += 9) {
            for (std::size_t height = 1; height < 70; height += 6) {
                auto model = showing(view);
                for (const std::string_view key : {"", "i", "h", "?"}) {
                    if (!key.empty()) model.type(key);
                    const Frame frame = draw(model, width, height).frame;
                    ASSERT_EQ(frame.size(), height);
                    for (const auto& line : frame) {
                        std::size_t cells = 0;
                        for (const auto& span : line.spans) cells += present::cell_width(span.text);
                        ASSERT_LE(cells, width);
                    }
                }
            }
        }
    }
}

}  // namespace
}  // namespace netwatch::top
