// SPDX-License-Identifier: Apache-2.0
// The tables and views of a recording: docs/recording.md. A reader takes a file for a recording only if it
// holds exactly those of its format, word for word, so nothing that a stranger put into a schema (views,
// triggers, generated columns) is ever run.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace netwatch::recorder {

// Raised when tables or views change. The records have a version of their own: NETWATCH_ABI_VERSION.
constexpr std::uint32_t recording_format = 2;

struct SchemaItem {
    std::string_view name;
    std::string_view sql;
};

// In the order in which they can be made. Nothing for a format that was never written.
[[nodiscard]] std::span<const SchemaItem> schema_of(std::uint32_t format);

// "nwre": what `file` and SQLite's own application_id show.
inline constexpr std::string_view application_id = "1853321829";

}  // namespace netwatch::recorder
