// SPDX-License-Identifier: Apache-2.0
#include "recorder/database.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

namespace netwatch::recorder {
namespace {

constexpr int longest_value_bytes = 64 << 20;
constexpr int busy_timeout_ms = 2'000;

// A file: URI, so that a "?" or "%" in the path stays part of the path.
std::string uri_of(const std::filesystem::path& path, std::string_view query) {
    std::string uri = "file:";
    for (const char c : std::filesystem::absolute(path).string()) {
        if (c == '?' || c == '#' || c == '%') {
            uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
        } else {
            uri += c;
        }
    }
    return uri.append(query);
}

core::Error error_of(sqlite3* database) { return {sqlite3_errmsg(database)}; }

}  // namespace

Statement& Statement::bind(int parameter, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), parameter, value);
    return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
    sqlite3_bind_text64(statement_.get(), parameter, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind(int parameter, std::span<const std::byte> bytes) {
    sqlite3_bind_blob64(statement_.get(), parameter, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
    return *this;
}

Statement& Statement::bind(int parameter, double value) {
    sqlite3_bind_double(statement_.get(), parameter, value);
    return *this;
}

Statement& Statement::bind_null(int parameter) {
    sqlite3_bind_null(statement_.get(), parameter);
    return *this;
}

Statement& Statement::bind_column(int parameter, const Statement& other, int column) {
    sqlite3_bind_value(statement_.get(), parameter, sqlite3_column_value(other.statement_.get(), column));
    return *this;
}

core::Result<void> Statement::run() {
    const auto row = step();
    if (!row) return std::unexpected(row.error());
    return {};
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

core::Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    core::Error error = error_of(database_);
    sqlite3_reset(statement_.get());
    if (code == SQLITE_DONE) return false;
    return std::unexpected(std::move(error));
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::text(int column) const {
    const auto* text = sqlite3_column_text(statement_.get(), column);
    const auto length = std::min(static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)),
                                 longest_text_bytes);
    return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), length);
}

std::span<const std::byte> Statement::bytes(int column) const {
    const void* blob = sqlite3_column_blob(statement_.get(), column);
    const auto length = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return blob == nullptr ? std::span<const std::byte>()
                           : std::span(static_cast<const std::byte*>(blob), length);
}

core::Result<Database> Database::open(const std::string& uri, int flags) {
    sqlite3* raw = nullptr;
    const int code =
        sqlite3_open_v2(uri.c_str(), &raw, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
    Database database(raw);
    if (code != SQLITE_OK) return core::fail(raw == nullptr ? "out of memory" : sqlite3_errmsg(raw));
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, busy_timeout_ms);
    return database;
}

core::Result<Database> Database::open_for_writing(const std::filesystem::path& path) {
    return open(uri_of(path, ""), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

core::Result<Database> Database::open_untrusted(const std::filesystem::path& path) {
    std::error_code error;
    // Without a write-ahead log the file can be read where nothing can be written next to it.
    const bool has_log = std::filesystem::exists(std::filesystem::path(path) += "-wal", error);
    auto database = open(uri_of(path, has_log ? "" : "?immutable=1"), SQLITE_OPEN_READONLY);
    if (!database) return database;
    sqlite3* raw = database->database_.get();
    sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    // Without it SQLite opens no file that is shorter than it says: what is left of it can be read.
    sqlite3_db_config(raw, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, nullptr);
    sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, longest_value_bytes);
    if (auto checked = database->execute("PRAGMA cell_size_check=ON; PRAGMA mmap_size=0"); !checked) {
        return std::unexpected(checked.error());
    }
    return database;
}

core::Result<void> Database::execute(const char* sql) {
    if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
    return std::unexpected(error_of(database_.get()));
}

std::int64_t Database::last_number() const { return sqlite3_last_insert_rowid(database_.get()); }

core::Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int length = static_cast<int>(sql.size());
    if (sqlite3_prepare_v2(database_.get(), sql.data(), length, &statement, nullptr) != SQLITE_OK) {
        return std::unexpected(error_of(database_.get()));
    }
    return Statement(statement, database_.get());
}

core::Result<std::int64_t> Database::integer(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    const auto row = statement->step();
    if (!row) return std::unexpected(row.error());
    return *row ? statement->integer(0) : 0;
}

}  // namespace netwatch::recorder
