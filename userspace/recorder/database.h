// SPDX-License-Identifier: Apache-2.0
// SQLite with owners and errors as values. One thread at a time.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace netwatch::recorder {

// No text that netwatch writes is longer.
constexpr std::size_t longest_text_bytes = 1U << 20;

// A prepared statement. Lives no longer than its database. Columns and parameters as SQLite counts them:
// parameters from 1, columns from 0. What a column returns is valid until the next step().
class Statement {
public:
    Statement(sqlite3_stmt* statement, sqlite3* database) : statement_(statement), database_(database) {}

    Statement& bind(int parameter, std::int64_t value);
    Statement& bind(int parameter, double value);
    Statement& bind(int parameter, std::string_view text);
    Statement& bind(int parameter, const char* text) { return bind(parameter, std::string_view(text)); }
    Statement& bind(int parameter, std::span<const std::byte> bytes);

    // Nothing is NULL.
    template <typename T>
    Statement& bind(int parameter, const std::optional<T>& value) {
        return value ? bind(parameter, *value) : bind_null(parameter);
    }
    template <std::integral T>
    Statement& bind(int parameter, T value) {
        return bind(parameter, static_cast<std::int64_t>(value));
    }
    Statement& bind_null(int parameter);
    // What the other statement's column holds, whatever its type.
    Statement& bind_column(int parameter, const Statement& other, int column);

    // True: a row is there. False: done; the statement can be bound and run again.
    [[nodiscard]] core::Result<bool> step();

    // For a statement that gives no rows.
    [[nodiscard]] core::Result<void> run();

    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] double real(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    // Cut after longest_text_bytes: a text that a stranger made may claim to be long.
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::span<const std::byte> bytes(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    sqlite3* database_;
};

class Database {
public:
    // Makes the file where it is missing.
    [[nodiscard]] static core::Result<Database> open_for_writing(const std::filesystem::path& path);
    // Opens a file that a stranger may have made: nothing in its schema is run, no value above 64 MiB is
    // read.
    [[nodiscard]] static core::Result<Database> open_untrusted(const std::filesystem::path& path);

    [[nodiscard]] core::Result<void> execute(const char* sql);
    [[nodiscard]] core::Result<Statement> prepare(std::string_view sql);
    // Of the row that was inserted last.
    [[nodiscard]] std::int64_t last_number() const;
    // The answer of a statement that gives one integer.
    [[nodiscard]] core::Result<std::int64_t> integer(std::string_view sql);

private:
    struct Close {
        void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
    };
    explicit Database(sqlite3* database) : database_(database) {}
    [[nodiscard]] static core::Result<Database> open(const std::string& uri, int flags);

    std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace netwatch::recorder
