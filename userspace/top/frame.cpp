// SPDX-License-Identifier: Apache-2.0
#include "top/frame.h"

#include <algorithm>
#include <iterator>

#include "present/inert.h"

namespace netwatch::top {
namespace {

using present::Paint;

Paint paint_of_symbol(std::string_view text) {
    if (text.starts_with("✖")) return Paint::red;
    if (text.starts_with("▲")) return Paint::yellow;
    if (text.starts_with("✔")) return Paint::green;
    return Paint::plain;
}

Line painted_line(std::string_view text) {
    const std::size_t start = std::min(text.find_first_not_of(' '), text.size());
    const std::string_view rest = text.substr(start);
    const Paint paint = paint_of_symbol(rest);
    if (paint == Paint::plain) return {std::string(text), start == 0 ? Paint::bold : Paint::plain};
    constexpr std::size_t symbol_bytes = std::string_view("✖").size();
    Line line(std::string(text.substr(0, start)));
    line.spans.push_back({std::string(rest.substr(0, symbol_bytes)), paint});
    line.spans.push_back({std::string(rest.substr(symbol_bytes)), start == 0 ? Paint::bold : Paint::plain});
    return line;
}

}  // namespace

const Link* link_at(const Frame& frame, std::size_t x, std::size_t y) {
    if (y >= frame.size()) return nullptr;
    const auto& targets = frame[y].targets;
    const auto hit = std::ranges::find_if(
        targets, [x](const Target& target) { return x >= target.from && x < target.to; });
    return hit == targets.end() ? nullptr : &hit->link;
}

Line fit(Line line, std::size_t width) {
    std::size_t used = 0;
    for (auto& span : line.spans) {
        span.text = present::cut(span.text, width - used);
        used += present::cell_width(span.text);
    }
    if (line.inverted) line.spans.push_back({std::string(width - used, ' ')});
    return line;
}

std::vector<Line> painted_lines(std::string_view text) {
    std::vector<Line> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(painted_line(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::vector<Line> side_by_side(std::vector<Line> left, std::vector<Line> right, std::size_t left_width) {
    const std::size_t height = std::max(left.size(), right.size());
    left.resize(height, Line(""));
    right.resize(height, Line(""));
    for (std::size_t i = 0; i < height; ++i) {
        Line& line = left[i] = fit(std::move(left[i]), left_width);
        std::size_t used = 0;
        for (const auto& span : line.spans) used += present::cell_width(span.text);
        line.spans.push_back({std::string(left_width - used, ' ')});
        std::ranges::move(right[i].spans, std::back_inserter(line.spans));
        for (auto& target : right[i].targets) {
            line.targets.push_back(
                {target.from + left_width, target.to + left_width, std::move(target.link)});
        }
    }
    return left;
}

std::string justified(std::string_view left, std::string_view right, std::size_t width) {
    const std::size_t taken = present::cell_width(right) + 1;
    if (taken >= width) return present::cut(left, width);
    return present::pad_right(left, width - taken) + ' ' + std::string(right);
}

}  // namespace netwatch::top
