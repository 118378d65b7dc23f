// SPDX-License-Identifier: Apache-2.0
// How text is drawn: colours, symbols and width, and the small pieces that every screen uses. Example:
//
//     const Style style = detect_style(STDOUT_FILENO, options.no_color);
//     std::fputs(answer(view, style).c_str(), stdout);
//
// Text is composed in Unicode; finish() is its last step and makes ASCII of it where the style asks for that.
// Colour only repeats what a symbol or a word says. Pure but detect_style(); any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/time.h"
#include "model/taxonomy.h"

namespace netwatch::present {

struct Style {
    bool color = false;
    bool unicode = true;
    std::size_t width = 100;  // cells
    bool color_256 = false;   // the terminal has xterm's palette
};

// Colour where `fd` is a terminal that has it and neither NO_COLOR (no-color.org) nor the caller forbids it,
// of 256 where TERM or COLORTERM says so; Unicode where the locale of the environment is UTF-8; the
// terminal's width, else COLUMNS, else 100.
[[nodiscard]] Style detect_style(int fd, bool no_color);

enum class Paint : std::uint8_t { plain, bold, dim, red, yellow, green };

// Of xterm's palette: contrast 3.8 and 4.7 on white, 5.5 and 4.5 on black (WCAG 2.1). The first eight
// colours, which have no numbers of their own, are pale on white in most terminals (yellow 1.7).
inline constexpr std::uint8_t yellow_of_256 = 166;
inline constexpr std::uint8_t green_of_256 = 28;

[[nodiscard]] std::string paint(std::string_view text, Paint paint, const Style& style);

// The symbol of each and the colour that goes with it.
[[nodiscard]] std::string_view symbol(model::Severity severity);
[[nodiscard]] std::string_view symbol(model::LadderStatus status);
[[nodiscard]] Paint paint_of(model::Severity severity);
[[nodiscard]] Paint paint_of(model::LadderStatus status);

// `text` broken at spaces into lines of at most style.width cells; the first line starts after `head`, the
// others are indented by its width. Ends with a line break.
[[nodiscard]] std::string wrap(std::string_view head, std::string_view text, const Style& style);

[[nodiscard]] std::string finish(std::string text, const Style& style);

// 1,204
[[nodiscard]] std::string grouped(std::uint64_t number);
// How long from `since` to `until`: 0:42, 12:05, 2h05m, 3d04h; 0:00 where the clock went back.
[[nodiscard]] std::string age(core::UtcNs since, core::UtcNs until);
// The same in words: "42 s", "3 min 10 s".
[[nodiscard]] std::string age_words(core::UtcNs since, core::UtcNs until);

}  // namespace netwatch::present
