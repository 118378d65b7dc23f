// SPDX-License-Identifier: Apache-2.0
#include "recorder/recording_source.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>

#include <charconv>
#include <utility>

#include "model/record.h"
#include "recorder/schema.h"

namespace netwatch::recorder {
namespace {

constexpr std::int64_t most_meta_rows = 64;
constexpr std::int64_t most_resumed_rows = 10'000;

template <typename Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

core::Result<void> check_schema(Database& database) {
    auto select = database.prepare("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name");
    if (!select) return std::unexpected(select.error());
    for (const auto& table : tables) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row || select->text(0) != table.name || select->text(1) != table.sql) {
            return core::fail("its tables are not those of a recording");
        }
    }
    const auto more = select->step();
    if (!more) return std::unexpected(more.error());
    if (*more) return core::fail("it holds more than a recording");
    return {};
}

}  // namespace

RecordingSource::RecordingSource(std::filesystem::path path, Database database, Statement select)
    : path_(std::move(path)),
      database_(std::move(database)),
      select_(std::move(select)) {}

core::Result<RecordingSource> RecordingSource::open(const std::filesystem::path& path) {
    const std::string hint =
        "give a recording that `netwatch agent` wrote: recording.db in its state directory";
    // SQLite does not tell why it cannot open a file.
    std::error_code error;
    const bool is_file = std::filesystem::is_regular_file(path, error);
    if (error) return core::path_error("cannot read " + path.string(), error, hint);
    if (!is_file) return core::usage_error(path.string() + " is not a file", hint);
    if (::access(path.c_str(), R_OK) != 0) {
        return core::path_error("cannot read " + path.string(), core::last_errno(), "give a copy of it");
    }
    auto database = Database::open_untrusted(path);
    if (!database) return core::usage_error(path.string() + ": " + database.error().message, hint);
    if (auto checked = check_schema(*database); !checked) {
        return core::usage_error(path.string() + " is not a recording: " + checked.error().message, hint);
    }
    auto select = database->prepare("SELECT id, records FROM batches ORDER BY id");
    if (!select) return core::usage_error(path.string() + ": " + select.error().message, hint);
    RecordingSource source(path, std::move(*database), std::move(*select));
    if (auto read = source.read_meta(); !read) return std::unexpected(read.error().within(path.string()));
    if (auto read = source.read_resumed(); !read) return std::unexpected(read.error().within(path.string()));
    return source;
}

core::Result<void> RecordingSource::read_meta() {
    auto select = database_.prepare("SELECT key, value FROM meta LIMIT ?");
    if (!select) return std::unexpected(select.error());
    select->bind(1, most_meta_rows);
    std::map<std::string, std::string> values;
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) break;
        values[select->text(0)] = select->text(1);
    }
    if (number<std::uint32_t>(values["format"]) != recording_format) {
        return core::usage_error(fmt::format("a recording of format \"{}\", this netwatch reads {}",
                                             values["format"], recording_format),
                                 "read it with the version that wrote it: " + values["agent_version"]);
    }
    if (number<std::uint32_t>(values["abi_version"]) != NETWATCH_ABI_VERSION) {
        return core::usage_error(fmt::format("its records have ABI version \"{}\", this netwatch reads {}",
                                             values["abi_version"], NETWATCH_ABI_VERSION),
                                 "replay it with the version that wrote it: " + values["agent_version"]);
    }
    meta_.agent_version = values["agent_version"];
    meta_.kernel = values["kernel"];
    meta_.boot_id = values["boot_id"];
    meta_.started_at = values["started_at"];
    for (const auto& [key, value] : values) {
        if (!key.starts_with("limit_")) continue;
        if (const auto limit = number<std::uint64_t>(value)) meta_.limits[key.substr(6)] = *limit;
    }
    return {};
}

core::Result<void> RecordingSource::read_resumed() {
    auto select = database_.prepare("SELECT incident FROM resumed ORDER BY rowid LIMIT ?");
    if (!select) return std::unexpected(select.error());
    select->bind(1, most_resumed_rows);
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        resumed_.push_back(select->text(0));
    }
}

std::unexpected<core::Error> RecordingSource::damaged(std::string_view what) {
    damage_ = core::Error{fmt::format("{} is damaged after {} records (after batch {}): {}", path_.string(),
                                      records_, last_batch_, what),
                          "what came before it was read", core::ExitCode::usage};
    return std::unexpected(*damage_);
}

// True: batch_ holds the next batch. False: there is none.
core::Result<bool> RecordingSource::load_batch() {
    const auto row = select_.step();
    if (!row) return damaged(row.error().message);
    if (!*row) return false;
    const auto frame = select_.bytes(1);
    const auto length = ZSTD_getFrameContentSize(frame.data(), frame.size());
    if (length == ZSTD_CONTENTSIZE_ERROR || length == ZSTD_CONTENTSIZE_UNKNOWN)
        return damaged("not a zstd frame");
    if (length > largest_batch_bytes) return damaged(fmt::format("a batch of {} bytes", length));
    batch_.resize(length);
    const std::size_t got = ZSTD_decompress(batch_.data(), batch_.size(), frame.data(), frame.size());
    if (ZSTD_isError(got) != 0) return damaged(ZSTD_getErrorName(got));
    batch_.resize(got);
    offset_ = 0;
    last_batch_ = select_.integer(0);
    return true;
}

core::Result<std::optional<std::span<const std::byte>>> RecordingSource::next() {
    using Next = std::optional<std::span<const std::byte>>;
    if (damage_) return std::unexpected(*damage_);
    while (!ended_ && offset_ == batch_.size()) {
        const auto more = load_batch();
        if (!more) return std::unexpected(more.error());
        ended_ = !*more;
    }
    if (ended_) return Next();
    const auto rest = std::span<const std::byte>(batch_).subspan(offset_);
    const std::size_t size = model::claimed_size(rest);
    if (size == 0) return damaged("a record that does not fit its batch");
    offset_ += size;
    ++records_;
    return Next(rest.first(size));
}

}  // namespace netwatch::recorder
