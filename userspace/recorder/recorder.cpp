// SPDX-License-Identifier: Apache-2.0
#include "recorder/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/fd.h"
#include "recorder/schema.h"

namespace netwatch::recorder {
namespace {

constexpr int compression_level = 1;

core::Result<void> insert_meta(Database& database, const RecordingMeta& meta) {
    auto insert = database.prepare("INSERT INTO meta VALUES(?, ?)");
    if (!insert) return std::unexpected(insert.error());
    std::map<std::string, std::string> values{
        {"format", std::to_string(recording_format)},
        {"abi_version", std::to_string(meta.abi_version)},
        {"agent_version", meta.agent_version},
        {"kernel", meta.kernel},
        {"boot_id", meta.boot_id},
        {"started_at", meta.started_at},
    };
    for (const auto& [name, value] : meta.limits) values["limit_" + name] = std::to_string(value);
    for (const auto& [key, value] : values) {
        if (auto done = insert->bind(1, key).bind(2, value).step(); !done)
            return std::unexpected(done.error());
    }
    return {};
}

core::Result<void> insert_resumed(Database& database, std::span<const std::string> resumed) {
    auto insert = database.prepare("INSERT INTO resumed VALUES(?)");
    if (!insert) return std::unexpected(insert.error());
    for (const auto& incident : resumed) {
        if (auto done = insert->bind(1, incident).step(); !done) return std::unexpected(done.error());
    }
    return {};
}

core::Result<void> create_tables(Database& database, const RecordingMeta& meta,
                                 std::span<const std::string> resumed) {
    std::string sql = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA application_id=";
    sql.append(application_id).append("; BEGIN;");
    for (const auto& table : tables) sql.append(table.sql).append(";");
    if (auto done = database.execute(sql.c_str()); !done) return done;
    if (auto done = insert_meta(database, meta); !done) return done;
    if (auto done = insert_resumed(database, resumed); !done) return done;
    return database.execute("COMMIT");
}

}  // namespace

Recorder::Recorder(Database database, Statement insert)
    : database_(std::move(database)),
      insert_(std::move(insert)) {}

Recorder::~Recorder() {
    if (!database_) return;
    insert_.reset();
    // Best effort: a file that keeps its log can be read just as well.
    (void)database_->execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE");
}

core::Result<Recorder> Recorder::create(const std::filesystem::path& path, const RecordingMeta& meta,
                                        std::span<const std::string> resumed) {
    // For owner and group alone; what SQLite puts next to it has the same mode.
    const core::Fd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    if (!made) return core::fail(fmt::format("making {}: {}", path.string(), std::strerror(errno)));
    auto database = Database::open_for_writing(path);
    if (!database) return std::unexpected(database.error().within("making " + path.string()));
    if (auto done = create_tables(*database, meta, resumed); !done) {
        return std::unexpected(done.error().within("making " + path.string()));
    }
    auto insert = database->prepare("INSERT INTO batches(at_ns, records) VALUES(?, ?)");
    if (!insert) return std::unexpected(insert.error().within("writing " + path.string()));
    return Recorder(std::move(*database), std::move(*insert));
}

core::Result<void> Recorder::write(core::BootNs at, std::span<const std::byte> records) {
    if (records.empty()) return {};
    if (records.size() > largest_batch_bytes) {
        return core::fail(
            fmt::format("a batch of {} bytes, {} are allowed", records.size(), largest_batch_bytes));
    }
    compressed_.resize(ZSTD_compressBound(records.size()));
    const std::size_t length = ZSTD_compress(compressed_.data(), compressed_.size(), records.data(),
                                             records.size(), compression_level);
    if (ZSTD_isError(length) != 0) return core::fail(fmt::format("zstd: {}", ZSTD_getErrorName(length)));
    const auto frame = std::span(compressed_).first(length);
    if (auto done = insert_->bind(1, static_cast<std::int64_t>(at)).bind(2, frame).step(); !done) {
        return std::unexpected(done.error());
    }
    const auto pages = database_->integer("PRAGMA page_count");
    const auto page_bytes = database_->integer("PRAGMA page_size");
    if (!pages || !page_bytes) return std::unexpected(pages ? page_bytes.error() : pages.error());
    bytes_ = static_cast<std::uint64_t>(*pages * *page_bytes);
    return {};
}

}  // namespace netwatch::recorder
