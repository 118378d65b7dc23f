// SPDX-License-Identifier: Apache-2.0
// docs/fields.md is what the field registry says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "model/fields.h"
#include "support/golden.h"

namespace netwatch::model {
namespace {

std::string_view unit_text(Unit unit) {
    switch (unit) {
        case Unit::none: return "number";
        case Unit::text: return "text";
        case Unit::count: return "count";
        case Unit::per_second: return "per second";
        case Unit::share: return "0 to 1; shown and filtered in per cent";
        case Unit::microseconds: return "microseconds";
        case Unit::bytes_per_second: return "bytes per second";
        case Unit::flag: return "yes or no";
    }
    return "";
}

std::string document() {
    std::string text = "# The fields of a destination\n\n"
                       "Made from the field registry (`userspace/model/fields.cpp`) by the test "
                       "`PresentFieldsDoc`, which fails when the\n"
                       "two differ; run it with `NETWATCH_REGENERATE=1` to write this page anew.\n\n"
                       "An id is the key in `netwatch top --once --json`, the name in a filter "
                       "(`rtt_us>50ms`, `ok_share<98`,\n"
                       "`verdict=loss`) and in the order of the sort key. A field with a column is shown "
                       "where the screen has at least\n"
                       "that many cells. Nothing measured is `null` in JSON and – on the screen.\n\n"
                       "| id | column | unit | from width | meaning |\n|---|---|---|---|---|\n";
    for (const auto& field : destination_fields()) {
        text += fmt::format("| `{}` | {} | {} | {} | {} |\n", field.id, field.width > 0 ? field.title : "–",
                            unit_text(field.unit),
                            field.width == 0        ? "–"
                            : field.from_width == 0 ? "any"
                                                    : std::to_string(field.from_width),
                            field.description);
    }
    return text;
}

TEST(PresentFieldsDoc, IsWhatTheRegistrySays) { support::expect_golden("docs/fields.md", document()); }

}  // namespace
}  // namespace netwatch::model
