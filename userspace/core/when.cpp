// SPDX-License-Identifier: Apache-2.0
#include "core/when.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <string>

namespace netwatch::core {
namespace {

constexpr std::int64_t second = static_cast<std::int64_t>(ns_per_s);
constexpr std::int64_t day = 24 * 3600 * second;
constexpr std::int64_t longest = 3653 * day;

constexpr const char* examples =
    R"(write "10m" or "10 minutes ago", "03:12" or "03:12:04", "yesterday 03:12", "2026-11-22T19:43:07Z")";

struct Unit {
    std::string_view name;
    std::int64_t ns;
};
constexpr std::array<Unit, 17> units{{
    {"s", second},
    {"sec", second},
    {"secs", second},
    {"second", second},
    {"seconds", second},
    {"m", 60 * second},
    {"min", 60 * second},
    {"mins", 60 * second},
    {"minute", 60 * second},
    {"minutes", 60 * second},
    {"h", 3600 * second},
    {"hr", 3600 * second},
    {"hour", 3600 * second},
    {"hours", 3600 * second},
    {"d", day},
    {"day", day},
    {"days", day},
}};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

bool take_word(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word) || (text.size() > word.size() && text[word.size()] != ' ')) return false;
    text = trimmed(text.substr(word.size()));
    return true;
}

std::optional<std::int64_t> span_of(std::string_view text) {
    std::int64_t total = 0;
    text = trimmed(text);
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        std::int64_t count = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
        if (error != std::errc{} || count < 0 || text.front() == '-') return std::nullopt;
        text = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
        const auto* const letter = std::ranges::find_if(text, [](char c) { return c < 'a' || c > 'z'; });
        const auto name = text.substr(0, static_cast<std::size_t>(letter - text.begin()));
        const auto* const unit = std::ranges::find(units, name, &Unit::name);
        if (unit == units.end() || count > longest / unit->ns) return std::nullopt;
        total += count * unit->ns;
        if (total > longest) return std::nullopt;
        text = trimmed(text.substr(name.size()));
    }
    return total;
}

// "03:12", "03:12:04" or "03:12:04.5" as nanoseconds of the day.
std::optional<std::int64_t> time_of_day(std::string_view text) {
    const auto at = parse_rfc3339(fmt::format("1970-01-01T{}{}Z", text, text.size() == 5 ? ":00" : ""));
    const bool plain =
        std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == ':' || c == '.'; });
    return at && plain && at->ns < day ? std::optional(at->ns) : std::nullopt;
}

std::int64_t midnight(UtcNs now) { return now.ns - (now.ns % day + day) % day; }

std::optional<UtcNs> relative_day(std::string_view text, UtcNs now) {
    std::int64_t base = 0;
    if (take_word(text, "yesterday")) {
        base = midnight(now) - day;
    } else if (take_word(text, "today")) {
        base = midnight(now);
    } else {
        return std::nullopt;
    }
    if (text.empty()) return UtcNs{base};
    const auto time = time_of_day(text);
    return time ? std::optional(UtcNs{base + *time}) : std::nullopt;
}

// A date, with as much of a time behind it as is there.
std::optional<UtcNs> absolute(std::string_view text) {
    std::string whole(text);
    if (whole.size() == 10) whole += "T00:00";
    if (whole.size() == 16) whole += ":00";
    const bool has_offset = whole.ends_with('Z') || whole.ends_with('z') ||
                            (whole.size() > 19 && whole.find_first_of("+-", 19) != std::string::npos);
    if (whole.size() >= 17 && !has_offset) whole += "Z";
    if (whole.size() == 17 && has_offset) whole.insert(16, ":00");  // "…T19:43Z"
    return parse_rfc3339(whole);
}

}  // namespace

Result<std::uint64_t> parse_duration(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto span = span_of(lower);
    if (span && *span > 0) return static_cast<std::uint64_t>(*span);
    return usage_error(fmt::format("\"{}\" is no length of time", text),
                       R"(write "10m", "90s", "1h30m" or "10 minutes")");
}

Result<UtcNs> parse_when(std::string_view text, UtcNs now) {
    std::string lower(trimmed(text));
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (lower == "now") return now;
    std::string_view span = lower;
    if (span.ends_with(" ago")) span.remove_suffix(4);
    if (const auto back = span_of(span)) return UtcNs{now.ns - *back};
    if (const auto time = time_of_day(lower)) {
        const std::int64_t today = midnight(now) + *time;
        return UtcNs{today > now.ns ? today - day : today};
    }
    if (const auto at = relative_day(lower, now)) return *at;
    if (const auto at = absolute(trimmed(text))) return *at;
    return usage_error(fmt::format("\"{}\" is no time", text), examples);
}

}  // namespace netwatch::core
