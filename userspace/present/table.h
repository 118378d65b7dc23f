// SPDX-License-Identifier: Apache-2.0
// Destinations as a table: which columns fit a width, what stands in a cell, which rows in which order. The
// text tables and the live view are both made from here. Pure; any thread. What is returned points into the
// view.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "model/fields.h"
#include "model/view.h"

namespace netwatch::present {

struct Column {
    const model::Field* field;
    std::size_t width;  // cells
    [[nodiscard]] bool is_text() const { return field->unit == model::Unit::text; }
};

// The mark of severity and a space.
constexpr std::size_t mark_width = 2;

// The registry's columns that a screen of `width` cells has room for, one space between them, the mark of
// severity and a space before them.
[[nodiscard]] std::vector<Column> columns_for(std::size_t width);

// Padded to the column's width, inert.
[[nodiscard]] std::string heading(const Column& column);
[[nodiscard]] std::string cell(const model::DestinationRow& row, const Column& column);

// Mark, headings and cells as one line without colour and without spaces at its end.
[[nodiscard]] std::string heading_line(std::span<const Column> columns);
[[nodiscard]] std::string row_line(const model::DestinationRow& row, std::span<const Column> columns);

struct RowQuery {
    // Words that must all be found in the destination, its address, its processes or its verdict; or
    // FIELD<NUMBER, FIELD>NUMBER, FIELD=TEXT with a field's id. Shares are in per cent, times in microseconds
    // or with us, ms, s.
    std::string filter;
    std::string sort_by;  // a field's id; empty: the view's own order, worst first
    bool reverse = false;
    bool operator==(const RowQuery&) const = default;
};

// Numbers sort from the greatest down, words up; rows without a value come last in either direction.
[[nodiscard]] std::vector<const model::DestinationRow*>
select_rows(std::span<const model::DestinationRow> rows, const RowQuery& query);

// What a screen needs of a view: the first `most` rows of the query's order, and up to as many again that an
// incident explains, in the view's own order, without the points before `series_after`; `matching` is set.
[[nodiscard]] model::HostView narrowed(const model::HostView& view, const RowQuery& query, std::size_t most,
                                       core::UtcNs series_after);

}  // namespace netwatch::present
