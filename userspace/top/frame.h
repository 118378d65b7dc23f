// SPDX-License-Identifier: Apache-2.0
// One picture of the live view as lines of painted text: nothing in it knows a terminal. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "present/style.h"
#include "top/row_id.h"

namespace netwatch::top {

struct Span {
    std::string text;
    present::Paint paint = present::Paint::plain;
};

// What a click leads to: one of these.
struct Link {
    std::optional<RowId> row;
    std::string incident;  // its id
    std::string column;    // the id of the field that the table is then sorted by
};

// Part of a line that can be clicked.
struct Target {
    std::size_t from = 0;  // cells
    std::size_t to = 0;    // the first one after it
    Link link;
};

struct Line {
    std::vector<Span> spans;
    bool inverted = false;  // the selected row, the status bar
    std::vector<Target> targets;

    Line() = default;
    Line(std::string text, present::Paint paint = present::Paint::plain) : spans{{std::move(text), paint}} {}
};

// Exactly as many lines as the screen has rows, each at most as wide as the screen.
using Frame = std::vector<Line>;

// What a frame had room for.
struct Extent {
    std::size_t table_rows = 1'000'000;
    std::size_t table_width = 1'000;  // cells that its columns share
    std::size_t most_scroll = 1'000'000'000;
};

struct Picture {
    Frame frame;
    Extent extent;
};

// What lies at that cell; null: nothing that can be clicked.
[[nodiscard]] const Link* link_at(const Frame& frame, std::size_t x, std::size_t y);

// Cut to `width` cells; an inverted line is filled up to it.
[[nodiscard]] Line fit(Line line, std::size_t width);

// Lines of plain text with their symbols painted (✖ ▲ ✔) and lines that begin at the margin in bold.
[[nodiscard]] std::vector<Line> painted_lines(std::string_view text);

// Two texts beside each other, the left one `left_width` cells wide.
[[nodiscard]] std::vector<Line> side_by_side(std::vector<Line> left, std::vector<Line> right,
                                             std::size_t left_width);

// Text at the left and at the right edge of `width` cells; the left one is cut.
[[nodiscard]] std::string justified(std::string_view left, std::string_view right, std::size_t width);

}  // namespace netwatch::top
