// SPDX-License-Identifier: Apache-2.0
#include "present/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ranges>

#include "present/inert.h"
#include "present/style.h"

namespace netwatch::present {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

// Takes up to `need` cells from the column of that id, down to `least`; how many it gave.
std::size_t narrow(std::vector<Column>& columns, std::string_view id, std::size_t least, std::size_t need) {
    const auto column = std::ranges::find(columns, id, [](const Column& each) { return each.field->id; });
    if (column == columns.end() || column->width <= least) return 0;
    const std::size_t given = std::min(need, column->width - least);
    column->width -= given;
    return given;
}

// Makes the columns fit: the process gives way before the destination, so that a long name stays whole; what
// is left over goes to the destination first.
void share_out(std::vector<Column>& columns, std::size_t width) {
    std::size_t used = mark_width + columns.size() - 1;
    for (const auto& column : columns) used += column.width;
    if (used > width) used -= narrow(columns, "who", 10, used - width);
    if (used > width) used -= narrow(columns, "destination", 10, used - width);
    constexpr std::size_t widest_destination = 60;
    constexpr std::size_t widest_who = 30;
    for (auto& column : columns) {
        const std::size_t most = column.field->id == "destination" ? widest_destination
                                 : column.field->id == "who"       ? widest_who
                                                                   : column.width;
        if (used >= width || column.width >= most) continue;
        const std::size_t more = std::min(width - used, most - column.width);
        column.width += more;
        used += more;
    }
}

// "checkout[2214]" loses its process id before it loses letters.
std::string fit_process(std::string text, std::size_t cells) {
    if (cell_width(text) > cells && text.ends_with(']')) text.erase(std::min(text.rfind('['), text.size()));
    return text;
}

std::string searchable(const model::DestinationRow& row) {
    std::string text = row.ref.endpoint.to_string();
    for (const auto* part : {&row.ref.name, &row.ref.sni, &row.ref.region}) {
        if (*part) text += ' ' + **part;
    }
    for (const auto& process : row.processes) text += ' ' + process;
    for (const auto* id : {"verdict", "role"}) {
        const auto value = model::find_field(id)->value(row);
        if (const auto* word = std::get_if<std::string>(&value)) text += ' ' + *word;
    }
    if (row.type) text += ' ' + std::string(model::to_string(*row.type));
    return lower(text);
}

std::optional<double> limit_of(std::string_view text, model::Unit unit) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (unit == model::Unit::share)
        return suffix.empty() || suffix == "%" ? std::optional(number / 100) : std::nullopt;
    if (unit == model::Unit::microseconds) {
        if (suffix == "ms") return number * 1e3;
        if (suffix == "s") return number * 1e6;
        if (suffix == "us") return number;
    }
    return suffix.empty() ? std::optional(number) : std::nullopt;
}

// One word of a filter as a test of one field; nothing where it is no such test.
std::optional<bool> test_field(const model::DestinationRow& row, std::string_view term) {
    const std::size_t at = term.find_first_of("<>=");
    if (at == std::string_view::npos) return std::nullopt;
    const model::Field* field = model::find_field(term.substr(0, at));
    if (field == nullptr) return std::nullopt;
    const std::string_view wanted = term.substr(at + 1);
    const model::FieldValue value = field->value(row);
    if (field->unit == model::Unit::text) {
        if (term[at] != '=') return std::nullopt;
        const auto* word = std::get_if<std::string>(&value);
        return word != nullptr && lower(*word) == lower(wanted);
    }
    const auto limit = limit_of(wanted, field->unit);
    if (!limit) return std::nullopt;
    const auto* number = std::get_if<double>(&value);
    if (number == nullptr) return false;
    if (term[at] == '=') return *number == *limit;
    return term[at] == '<' ? *number < *limit : *number > *limit;
}

bool matches(const model::DestinationRow& row, std::string_view filter) {
    std::string text;
    for (const auto part : std::views::split(filter, ' ')) {
        const std::string_view term(part.begin(), part.end());
        if (term.empty()) continue;
        if (const auto tested = test_field(row, term)) {
            if (!*tested) return false;
            continue;
        }
        if (text.empty()) text = searchable(row);
        if (text.find(lower(term)) == std::string::npos) return false;
    }
    return true;
}

bool comes_before(const model::FieldValue& left, const model::FieldValue& right, bool reverse) {
    if (left.index() != right.index()) return left.index() > right.index();
    if (const auto* number = std::get_if<double>(&left)) {
        const double other = std::get<double>(right);
        return reverse ? *number < other : *number > other;
    }
    if (const auto* word = std::get_if<std::string>(&left)) {
        const auto& other = std::get<std::string>(right);
        return reverse ? *word > other : *word < other;
    }
    return false;
}

std::string trimmed(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

}  // namespace

std::vector<Column> columns_for(std::size_t width) {
    std::vector<Column> columns;
    for (const auto& field : model::destination_fields()) {
        if (field.width > 0 && field.from_width <= width) columns.push_back({&field, field.width});
    }
    share_out(columns, width);
    return columns;
}

std::string heading(const Column& column) {
    return column.is_text() ? pad_right(column.field->title, column.width)
                            : pad_left(column.field->title, column.width);
}

std::string cell(const model::DestinationRow& row, const Column& column) {
    std::string text = inert(model::to_cell(column.field->value(row), column.field->unit));
    if (column.field->id == "who") text = fit_process(std::move(text), column.width);
    return column.is_text() ? pad_right(text, column.width) : pad_left(text, column.width);
}

std::string heading_line(std::span<const Column> columns) {
    std::string line(mark_width, ' ');
    for (const auto& column : columns) line += heading(column) + ' ';
    return trimmed(std::move(line));
}

std::string row_line(const model::DestinationRow& row, std::span<const Column> columns) {
    std::string line =
        row.severity ? fmt::format("{} ", symbol(*row.severity)) : std::string(mark_width, ' ');
    for (const auto& column : columns) line += cell(row, column) + ' ';
    return trimmed(std::move(line));
}

std::vector<const model::DestinationRow*> select_rows(std::span<const model::DestinationRow> rows,
                                                      const RowQuery& query) {
    std::vector<const model::DestinationRow*> selected;
    for (const auto& row : rows) {
        if (matches(row, query.filter)) selected.push_back(&row);
    }
    const model::Field* field = model::find_field(query.sort_by);
    if (field == nullptr) {
        if (query.reverse) std::ranges::reverse(selected);
        return selected;
    }
    std::vector<std::pair<model::FieldValue, const model::DestinationRow*>> keyed;
    keyed.reserve(selected.size());
    for (const auto* row : selected) keyed.emplace_back(field->value(*row), row);
    std::ranges::stable_sort(keyed, [&](const auto& left, const auto& right) {
        return comes_before(left.first, right.first, query.reverse);
    });
    std::ranges::transform(keyed, selected.begin(), [](const auto& pair) { return pair.second; });
    return selected;
}

model::HostView narrowed(const model::HostView& view, const RowQuery& query, std::size_t most,
                         core::UtcNs series_after) {
    // A member added to HostView does not compile until it is passed on here.
    const auto& [hostname, kernel, boot_id, agent_version, netns_count, at, started_at, attempts_per_s,
                 incidents, destinations, matching, observer] = view;
    auto chosen = select_rows(destinations, query);
    const std::uint64_t chosen_count = chosen.size();
    chosen.resize(std::min(chosen.size(), most));
    std::size_t explained = 0;
    for (const auto& row : destinations) {
        if (row.incident && explained++ < most) chosen.push_back(&row);
    }
    // They all lie in one array: by address is the view's order.
    std::ranges::sort(chosen);
    const auto repeated = std::ranges::unique(chosen);
    chosen.erase(repeated.begin(), repeated.end());
    model::HostView result{hostname,       kernel,    boot_id, agent_version, netns_count, at, started_at,
                           attempts_per_s, incidents, {},      chosen_count,  observer};
    for (const auto* row : chosen) {
        auto& points = result.destinations.emplace_back(*row).series;
        points.erase(points.begin(),
                     std::ranges::lower_bound(points, series_after, {}, &model::SeriesPoint::at));
    }
    return result;
}

}  // namespace netwatch::present
