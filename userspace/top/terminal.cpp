// SPDX-License-Identifier: Apache-2.0
#include "top/terminal.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace netwatch::top {
namespace {

using present::Paint;

ftxui::Color either(std::uint8_t of_256, ftxui::Color::Palette16 of_16, const present::Style& style) {
    return style.color_256 ? ftxui::Color(static_cast<ftxui::Color::Palette256>(of_256))
                           : ftxui::Color(of_16);
}

ftxui::Element painted(const Span& span, bool inverted, const present::Style& style) {
    auto element = ftxui::text(present::finish(span.text, style));
    if (inverted) element = ftxui::inverted(element);
    switch (span.paint) {
        case Paint::plain: return element;
        case Paint::bold: return ftxui::bold(element);
        case Paint::dim: return style.color ? ftxui::dim(element) : element;
        case Paint::red: return style.color ? ftxui::color(ftxui::Color::Red, ftxui::bold(element)) : element;
        case Paint::yellow:
            if (!style.color) return element;
            return ftxui::color(either(present::yellow_of_256, ftxui::Color::Yellow, style), element);
        case Paint::green:
            if (!style.color) return element;
            return ftxui::color(either(present::green_of_256, ftxui::Color::Green, style), element);
    }
    return element;
}

constexpr std::ptrdiff_t wheel_lines = 3;

std::optional<Key> key_of(const ftxui::Event& event) {
    using ftxui::Event;
    // FTXUI knows xterm's codes; the others are those of tmux, screen, the Linux console and rxvt.
    static const std::array keys{
        std::pair{Event::ArrowUp, Key::up},
        std::pair{Event::ArrowDown, Key::down},
        std::pair{Event::ArrowLeft, Key::left},
        std::pair{Event::ArrowRight, Key::right},
        std::pair{Event::PageUp, Key::page_up},
        std::pair{Event::PageDown, Key::page_down},
        std::pair{Event::Home, Key::home},
        std::pair{Event::Special("\x1b[1~"), Key::home},
        std::pair{Event::Special("\x1b[7~"), Key::home},
        std::pair{Event::Special("\x1bOH"), Key::home},
        std::pair{Event::End, Key::end},
        std::pair{Event::Special("\x1b[4~"), Key::end},
        std::pair{Event::Special("\x1b[8~"), Key::end},
        std::pair{Event::Special("\x1bOF"), Key::end},
        std::pair{Event::Return, Key::enter},
        std::pair{Event::Escape, Key::escape},
        std::pair{Event::Backspace, Key::backspace},
        std::pair{Event::Delete, Key::backspace},
        std::pair{Event::F1, Key::help},
    };
    const auto known = std::ranges::find(keys, event, [](const auto& pair) { return pair.first; });
    return known == keys.end() ? std::nullopt : std::optional(known->second);
}

}  // namespace

ftxui::Element to_element(const Frame& frame, const present::Style& style) {
    ftxui::Elements rows;
    for (const auto& line : frame) {
        ftxui::Elements spans;
        for (const auto& span : line.spans) spans.push_back(painted(span, line.inverted, style));
        rows.push_back(ftxui::hbox(std::move(spans)));
    }
    return ftxui::vbox(std::move(rows));
}

bool Input::apply(const ftxui::Event& event, const Frame& frame, ViewModel& model) {
    using ftxui::Event;
    Event copy = event;
    if (copy.is_mouse()) return apply_mouse(copy.mouse(), frame, model);
    if (const auto key = key_of(event)) {
        model.press(*key);
        return true;
    }
    if (!event.is_character()) return false;
    model.type(event.character());
    return true;
}

bool Input::apply_mouse(const ftxui::Mouse& mouse, const Frame& frame, ViewModel& model) {
    if (mouse.button == ftxui::Mouse::WheelUp || mouse.button == ftxui::Mouse::WheelDown) {
        model.wheel(mouse.button == ftxui::Mouse::WheelUp ? -wheel_lines : wheel_lines);
        return true;
    }
    const bool was_down =
        std::exchange(is_down_, mouse.button == ftxui::Mouse::Left && mouse.motion == ftxui::Mouse::Pressed);
    if (!is_down_ || was_down || mouse.x < 0 || mouse.y < 0) return false;
    const Link* link = link_at(frame, static_cast<std::size_t>(mouse.x), static_cast<std::size_t>(mouse.y));
    if (link != nullptr) model.click(*link);
    return link != nullptr;
}

}  // namespace netwatch::top
