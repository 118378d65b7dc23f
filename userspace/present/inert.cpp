// SPDX-License-Identifier: Apache-2.0
#include "present/inert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace netwatch::present {
namespace {

struct Range {
    char32_t first;
    char32_t last;
};

bool is_in(std::span<const Range> ranges, char32_t c) {
    return std::ranges::any_of(ranges,
                               [c](const Range& range) { return c >= range.first && c <= range.last; });
}

// Characters that a terminal does not show as themselves: controls, format and tag characters, line
// separators, private use and non-characters.
constexpr auto unshown = std::to_array<Range>({
    {0x00, 0x1f},     {0x7f, 0x9f},       {0xad, 0xad},        {0x34f, 0x34f},   {0x600, 0x605},
    {0x61c, 0x61c},   {0x6dd, 0x6dd},     {0x70f, 0x70f},      {0x115f, 0x1160}, {0x17b4, 0x17b5},
    {0x180b, 0x180f}, {0x200b, 0x200f},   {0x2028, 0x202e},    {0x2060, 0x206f}, {0x3164, 0x3164},
    {0xe000, 0xf8ff}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},    {0xffa0, 0xffa0}, {0xfff0, 0xfffb},
    {0xfffe, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
});

// Combining marks of the scripts that names are met in.
constexpr auto combining = std::to_array<Range>({
    {0x300, 0x36f},
    {0x483, 0x489},
    {0x591, 0x5bd},
    {0x610, 0x61a},
    {0x64b, 0x65f},
    {0x900, 0x902},
    {0x93c, 0x93c},
    {0x941, 0x948},
    {0x94d, 0x94d},
    {0xe31, 0xe31},
    {0xe34, 0xe3a},
    {0xe47, 0xe4e},
    {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff},
    {0x20d0, 0x20ff},
    {0x3099, 0x309a},
    {0xfe20, 0xfe2f},
});

// East Asian Wide and Fullwidth (Unicode Standard Annex 11), blocks taken whole.
constexpr auto wide = std::to_array<Range>({
    {0x1100, 0x115e},
    {0x231a, 0x231b},
    {0x23e9, 0x23ec},
    {0x2e80, 0x303e},
    {0x3041, 0x3098},
    {0x309b, 0x33ff},
    {0x3400, 0x4dbf},
    {0x4e00, 0xa4cf},
    {0xa960, 0xa97c},
    {0xac00, 0xd7a3},
    {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},
    {0xff01, 0xff60},
    {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff},
    {0x1f900, 0x1f9ff},
    {0x20000, 0x3fffd},
});

// One character of UTF-8 at the front of `text` and its length; nothing where the bytes are none (RFC 3629:
// no overlong forms, no surrogates, nothing above 10FFFF).
struct Character {
    char32_t code;
    std::size_t size;
};

std::optional<Character> first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return Character{lead, 1};
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return std::nullopt;
    char32_t code = lead & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return std::nullopt;
        code = code << 6U | (byte(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return std::nullopt;
    return Character{code, size};
}

std::string byte_escape(char byte) { return fmt::format("\\x{:02x}", static_cast<unsigned char>(byte)); }

std::string escaped(char32_t code) {
    if (code < 0x100) return fmt::format("\\x{:02x}", static_cast<std::uint32_t>(code));
    return fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(code));
}

// Calls `each(code, bytes)` for every character and `broken(byte)` for every byte that belongs to none.
template <typename Each, typename Broken>
void for_each_character(std::string_view text, Each each, Broken broken) {
    while (!text.empty()) {
        const auto character = first_character(text);
        if (character) {
            each(character->code, text.substr(0, character->size));
        } else {
            broken(text.front());
        }
        text.remove_prefix(character ? character->size : 1);
    }
}

std::size_t width_of(char32_t code) {
    if (code < 0x300) return 1;
    if (is_in(combining, code)) return 0;
    return is_in(wide, code) ? 2 : 1;
}

struct Likeness {
    char32_t code;
    char ascii;
};
constexpr auto likenesses = std::to_array<Likeness>({
    {U'✖', 'X'}, {U'▲', '!'}, {U'✔', '+'}, {U'·', '-'}, {U'–', '-'},  {U'…', '~'}, {U'│', '|'},
    {U'─', '-'}, {U'└', '`'}, {U'▶', '>'}, {U'⏸', '"'}, {U'→', '>'},  {U'↑', '^'}, {U'↓', 'v'},
    {U'▼', 'v'}, {U'▁', '_'}, {U'▂', '.'}, {U'▃', '-'}, {U'▄', '='},  {U'▅', '+'}, {U'▆', '*'},
    {U'▇', '%'}, {U'█', '#'}, {U'≥', '>'}, {U'←', '<'}, {U'┘', '\''}, {U'▏', '|'},
});

char likeness_of(char32_t code) {
    const auto found = std::ranges::find(likenesses, code, &Likeness::code);
    return found == likenesses.end() ? '?' : found->ascii;
}

}  // namespace

std::string inert(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    for_each_character(
        text,
        [&](char32_t code, std::string_view bytes) {
            is_in(unshown, code) ? shown += escaped(code) : shown += bytes;
        },
        [&](char byte) { shown += byte_escape(byte); });
    return shown;
}

std::string valid_utf8(std::string_view text) {
    std::string valid;
    valid.reserve(text.size());
    for_each_character(
        text, [&](char32_t, std::string_view bytes) { valid += bytes; },
        [&](char byte) { valid += byte_escape(byte); });
    return valid;
}

std::string to_ascii(std::string_view text) {
    std::string ascii;
    ascii.reserve(text.size());
    for_each_character(
        text,
        [&](char32_t code, std::string_view bytes) {
            code < 0x80 ? ascii += bytes : ascii += std::string(width_of(code), likeness_of(code));
        },
        [&](char) { ascii += '?'; });
    return ascii;
}

std::size_t cell_width(std::string_view text) {
    std::size_t cells = 0;
    for_each_character(
        text, [&](char32_t code, std::string_view) { cells += width_of(code); }, [&](char) { ++cells; });
    return cells;
}

std::string cut(std::string_view text, std::size_t cells) {
    if (cell_width(text) <= cells) return std::string(text);
    if (cells == 0) return {};
    std::string kept;
    std::size_t used = 0;
    bool full = false;
    const auto take = [&](std::size_t width, std::string_view bytes) {
        full = full || used + width > cells - 1;
        if (full) return;
        used += width;
        kept += bytes;
    };
    for_each_character(
        text, [&](char32_t code, std::string_view bytes) { take(width_of(code), bytes); },
        [&](char byte) { take(1, std::string_view(&byte, 1)); });
    return kept + "…";
}

std::string pad_right(std::string_view text, std::size_t cells) {
    std::string padded = cut(text, cells);
    padded.append(cells - cell_width(padded), ' ');
    return padded;
}

std::string pad_left(std::string_view text, std::size_t cells) {
    const std::string kept = cut(text, cells);
    return std::string(cells - cell_width(kept), ' ') + kept;
}

}  // namespace netwatch::present
