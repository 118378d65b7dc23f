// SPDX-License-Identifier: Apache-2.0
// One picture of the live view as lines of painted text: nothing in it knows a terminal. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "present/style.h"

namespace netwatch::top {

struct Span {
    std::string text;
    present::Paint paint = present::Paint::plain;
};

struct Line {
    std::vector<Span> spans;
    bool inverted = false;  // the selected row, the status bar

    Line() = default;
    Line(std::string text, present::Paint paint = present::Paint::plain) : spans{{std::move(text), paint}} {}
};

// Exactly as many lines as the screen has rows, each at most as wide as the screen.
using Frame = std::vector<Line>;

// Cut to `width` cells; an inverted line is filled up to it.
[[nodiscard]] Line fit(Line line, std::size_t width);

// Lines of plain text with their symbols painted (✖ ▲ ✔) and lines that begin at the margin in bold.
[[nodiscard]] std::vector<Line> painted_lines(std::string_view text);

// Text at the left and at the right edge of `width` cells; the left one is cut.
[[nodiscard]] std::string justified(std::string_view left, std::string_view right, std::size_t width);

}  // namespace netwatch::top
