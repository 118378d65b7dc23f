// SPDX-License-Identifier: Apache-2.0
#include "present/style.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "present/inert.h"

namespace netwatch::present {
namespace {

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

bool locale_is_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        std::string value(environment(name));
        if (value.empty()) continue;
        std::ranges::transform(value, value.begin(),
                               [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
    return false;
}

std::size_t width_of_output(int fd) {
    constexpr std::size_t usual = 100;
    winsize size{};
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const std::string_view columns = environment("COLUMNS");
    std::size_t width = 0;
    const auto [end, error] = std::from_chars(columns.data(), columns.data() + columns.size(), width);
    return error == std::errc{} && width >= 40 && width <= 1000 ? width : usual;
}

std::uint64_t nanoseconds_between(core::UtcNs since, core::UtcNs until) {
    return until.ns > since.ns ? static_cast<std::uint64_t>(until.ns - since.ns) : 0;
}

}  // namespace

Style detect_style(int fd, bool no_color) {
    const std::string_view terminal = environment("TERM");
    const bool can_color = isatty(fd) == 1 && !terminal.empty() && terminal != "dumb";
    return {.color = can_color && !no_color && environment("NO_COLOR").empty(),
            .unicode = locale_is_utf8(),
            .width = width_of_output(fd),
            .color_256 =
                terminal.find("256color") != std::string_view::npos || !environment("COLORTERM").empty()};
}

std::string paint(std::string_view text, Paint paint, const Style& style) {
    if (!style.color || paint == Paint::plain || text.empty()) return std::string(text);
    std::string code;
    switch (paint) {
        case Paint::plain: break;
        case Paint::bold: code = "1"; break;
        case Paint::dim: code = "2"; break;
        case Paint::red: code = "1;31"; break;
        case Paint::yellow: code = style.color_256 ? fmt::format("38;5;{}", yellow_of_256) : "33"; break;
        case Paint::green: code = style.color_256 ? fmt::format("38;5;{}", green_of_256) : "32"; break;
    }
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string_view symbol(model::Severity severity) {
    switch (severity) {
        case model::Severity::critical: return "✖";
        case model::Severity::warning: return "▲";
        case model::Severity::info: return "·";
    }
    return "·";
}

std::string_view symbol(model::LadderStatus status) {
    switch (status) {
        case model::LadderStatus::ok: return "✔";
        case model::LadderStatus::degraded: return "▲";
        case model::LadderStatus::failing: return "✖";
        case model::LadderStatus::unknown: return "·";
    }
    return "·";
}

Paint paint_of(model::Severity severity) {
    switch (severity) {
        case model::Severity::critical: return Paint::red;
        case model::Severity::warning: return Paint::yellow;
        case model::Severity::info: return Paint::dim;
    }
    return Paint::plain;
}

Paint paint_of(model::LadderStatus status) {
    switch (status) {
        case model::LadderStatus::ok: return Paint::green;
        case model::LadderStatus::degraded: return Paint::yellow;
        case model::LadderStatus::failing: return Paint::red;
        case model::LadderStatus::unknown: return Paint::dim;
    }
    return Paint::plain;
}

std::string wrap(std::string_view head, std::string_view text, const Style& style) {
    constexpr std::size_t narrowest = 20;
    const std::size_t indent = cell_width(head);
    const std::size_t room = std::max(style.width > indent ? style.width - indent : 0, narrowest);
    std::string lines(head);
    std::size_t used = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t cells = cell_width(word);
        if (used > 0 && used + 1 + cells > room) {
            lines += '\n' + std::string(indent, ' ');
            used = 0;
        } else if (used > 0) {
            lines += ' ';
            ++used;
        }
        lines += word;
        used += cells;
    }
    return lines + '\n';
}

std::string finish(std::string text, const Style& style) {
    return style.unicode ? std::move(text) : to_ascii(text);
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
    return digits;
}

std::string age(core::UtcNs since, core::UtcNs until) {
    const std::uint64_t seconds = nanoseconds_between(since, until) / core::ns_per_s;
    if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
    if (seconds < 86'400) return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
    return fmt::format("{}d{:02}h", seconds / 86'400, seconds % 86'400 / 3600);
}

std::string age_words(core::UtcNs since, core::UtcNs until) {
    return core::to_duration(nanoseconds_between(since, until));
}

}  // namespace netwatch::present
