// SPDX-License-Identifier: Apache-2.0
// The field registry: every number and word that is known of a destination, listed once. Columns, sorting,
// filters, JSON keys, help and docs/fields.md are made from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "model/view.h"

namespace netwatch::model {

// Empty: nothing was measured.
using FieldValue = std::variant<std::monostate, double, std::string>;

enum class Unit : std::uint8_t { none, text, count, per_second, share, microseconds, bytes_per_second, flag };

struct Field {
    std::string_view id;     // "ok_share": JSON key, name in sort and filter
    std::string_view title;  // column heading, "OK %"
    Unit unit;
    std::uint8_t width;        // of the column in cells; 0: not a column
    std::uint16_t from_width;  // shown on screens at least that wide
    std::string_view description;
    FieldValue (*value)(const DestinationRow&);
};

// All fields, in the order of the columns. Static storage; any thread.
[[nodiscard]] std::span<const Field> destination_fields();

// The field of that id; null if there is none.
[[nodiscard]] const Field* find_field(std::string_view id);

// "0.4ms", "2.3%", "9.8M": short, for a table's cell. An empty value is "–".
[[nodiscard]] std::string to_cell(const FieldValue& value, Unit unit);

}  // namespace netwatch::model
