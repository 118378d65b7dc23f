// SPDX-License-Identifier: Apache-2.0
#include "top/terminal.h"

#include <algorithm>
#include <array>
#include <utility>

namespace netwatch::top {
namespace {

using present::Paint;

ftxui::Element painted(const Span& span, bool inverted, const present::Style& style) {
    auto element = ftxui::text(present::finish(span.text, style));
    if (inverted) element = ftxui::inverted(element);
    switch (span.paint) {
        case Paint::plain: return element;
        case Paint::bold: return ftxui::bold(element);
        case Paint::dim: return style.color ? ftxui::dim(element) : element;
        case Paint::red: return style.color ? ftxui::color(ftxui::Color::Red, ftxui::bold(element)) : element;
        case Paint::yellow: return style.color ? ftxui::color(ftxui::Color::Yellow, element) : element;
        case Paint::green: return style.color ? ftxui::color(ftxui::Color::Green, element) : element;
    }
    return element;
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

bool apply(const ftxui::Event& event, ViewModel& model) {
    using ftxui::Event;
    static const std::array<std::pair<Event, Key>, 11> keys{{{Event::ArrowUp, Key::up},
                                                             {Event::ArrowDown, Key::down},
                                                             {Event::PageUp, Key::page_up},
                                                             {Event::PageDown, Key::page_down},
                                                             {Event::Home, Key::home},
                                                             {Event::End, Key::end},
                                                             {Event::Return, Key::enter},
                                                             {Event::Escape, Key::escape},
                                                             {Event::Backspace, Key::backspace},
                                                             {Event::F1, Key::help},
                                                             {Event::Delete, Key::backspace}}};
    const auto known = std::ranges::find(keys, event, [](const auto& pair) { return pair.first; });
    if (known != keys.end()) {
        model.press(known->second);
        return true;
    }
    if (!event.is_character()) return false;
    model.type(event.character());
    return true;
}

}  // namespace netwatch::top
