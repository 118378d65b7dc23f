// SPDX-License-Identifier: Apache-2.0
#include "recorder/recording_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace netwatch::recorder {
namespace {

constexpr std::int64_t most_meta_rows = 256;
constexpr std::size_t longest_meta_bytes = 64U << 10;
// Rows of a hostile file may all be made of the same pages: its size is no bound.
constexpr std::size_t most_resumed_bytes = 16U << 20;
constexpr const char* hint = "give a dump that `netwatch dump` wrote, or an agent's state directory";

// Recordings of earlier versions stay readable: whoever raises NETWATCH_ABI_VERSION translates their records
// in RecordingSource, and the dumps in tests/golden/dump open as before.
constexpr std::uint32_t oldest_abi_version = 3;

core::Result<std::map<std::string, std::string>> read_values(Database& database) {
    auto select = database.prepare("SELECT key, value FROM meta LIMIT ?");
    if (!select) return std::unexpected(select.error());
    select->bind(1, most_meta_rows);
    std::map<std::string, std::string> values;
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return values;
        std::string key = select->text(0);
        std::string value = select->text(1);
        if (key.size() + value.size() > longest_meta_bytes) return core::fail("it says too much of itself");
        values[std::move(key)] = std::move(value);
    }
}

core::Result<void> check_versions(const RecordingMeta& meta) {
    if (schema_of(meta.format).empty()) {
        return core::usage_error(fmt::format("a recording of format {}, this netwatch reads up to {}",
                                             meta.format, recording_format),
                                 "read it with the version that wrote it: " + meta.agent_version);
    }
    if (meta.abi_version < oldest_abi_version || meta.abi_version > NETWATCH_ABI_VERSION) {
        return core::usage_error(fmt::format("its records have ABI version {}, this netwatch reads {} to {}",
                                             meta.abi_version, oldest_abi_version, NETWATCH_ABI_VERSION),
                                 "replay it with the version that wrote it: " + meta.agent_version);
    }
    return {};
}

core::Result<void> check_schema(Database& database, std::uint32_t format) {
    const auto known = schema_of(format);
    std::map<std::string_view, std::string_view> missing;
    for (const auto& item : known) missing[item.name] = item.sql;
    auto select = database.prepare("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL");
    if (!select) return std::unexpected(select.error());
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) break;
        const auto item = missing.find(select->text(0));
        if (item == missing.end()) return core::fail("it holds more than a recording");
        if (select->text(1) != item->second) return core::fail("its tables are not those of a recording");
        missing.erase(item);
    }
    if (!missing.empty()) return core::fail("its tables are not those of a recording");
    return {};
}

// Before any table is read: whether there is a plain one of that name to read the version from.
core::Result<void> check_meta_table(Database& database) {
    auto select = database.prepare("SELECT sql FROM sqlite_schema WHERE name = 'meta' AND type = 'table'");
    if (!select) return std::unexpected(select.error());
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    const auto known = schema_of(recording_format);
    const auto meta = std::ranges::find(known, "meta", &SchemaItem::name);
    if (!*row || select->text(0) != meta->sql) return core::fail("its tables are not those of a recording");
    return {};
}

}  // namespace

core::Result<RecordingFile> RecordingFile::open(const std::filesystem::path& path) {
    // SQLite does not tell why it cannot open a file.
    std::error_code error;
    const bool is_file = std::filesystem::is_regular_file(path, error);
    if (error) return core::path_error("cannot read " + path.string(), error, hint);
    if (!is_file) return core::usage_error(path.string() + " is not a file", hint);
    if (::access(path.c_str(), R_OK) != 0)
        return core::path_error("cannot read " + path.string(), core::last_errno(), "give a copy of it");
    auto database = Database::open_untrusted(path);
    if (!database) return core::usage_error(path.string() + ": " + database.error().message, hint);
    const auto refuse = [&](const core::Error& why) {
        return core::usage_error(path.string() + " is not a recording: " + why.message, hint);
    };
    if (auto checked = check_meta_table(*database); !checked) return refuse(checked.error());
    auto values = read_values(*database);
    if (!values) return refuse(values.error());
    auto meta = meta_from(std::move(*values));
    if (auto checked = check_versions(meta); !checked)
        return std::unexpected(checked.error().within(path.string()));
    if (auto checked = check_schema(*database, meta.format); !checked) return refuse(checked.error());
    return RecordingFile(path, std::move(*database), std::move(meta));
}

core::Result<std::vector<std::string>> RecordingFile::resumed(std::int64_t segment) {
    auto select =
        database_.prepare(has_tables() ? "SELECT incident FROM resumed WHERE segment = ? ORDER BY rowid"
                                       : "SELECT incident FROM resumed ORDER BY rowid");
    if (!select) return std::unexpected(select.error());
    if (has_tables()) select->bind(1, segment);
    std::vector<std::string> texts;
    std::size_t bytes = 0;
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return texts;
        texts.push_back(select->text(0));
        bytes += texts.back().size() + sizeof(std::string);
        if (bytes > most_resumed_bytes) return core::fail("more incidents than an agent keeps");
    }
}

}  // namespace netwatch::recorder
