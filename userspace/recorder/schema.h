// SPDX-License-Identifier: Apache-2.0
// The tables of a recording. A reader takes a file for a recording only if it holds these and nothing else,
// so nothing that a stranger put into a schema (views, triggers, generated columns) is ever run.
#pragma once

#include <array>
#include <string_view>

namespace netwatch::recorder {

struct Table {
    std::string_view name;
    std::string_view sql;
};

inline constexpr std::array<Table, 3> tables{{
    {"batches",
     "CREATE TABLE batches(id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, records BLOB NOT NULL)"},
    {"meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"},
    {"resumed", "CREATE TABLE resumed(incident TEXT NOT NULL)"},
}};

// "nwre": what `file` and SQLite's own application_id show.
inline constexpr std::string_view application_id = "1853321829";

}  // namespace netwatch::recorder
