// SPDX-License-Identifier: Apache-2.0
// A recording: everything that entered one run of the diagnosis, in its order, in one SQLite file.
//
//     meta(key, value)                 format, abi_version, agent_version, kernel, boot_id, started_at,
//     limit_* batches(id, at_ns, records)      a zstd frame of ABI records one after the other; at_ns: boot
//     time of writing resumed(incident)                JSON of the incidents that were open when the run
//     began
//
// While it is written the file has a write-ahead log next to it (-wal, -shm): a batch is there whole or not
// at all, whenever the writer is killed. A closed recording is one file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "netwatch/abi/record.h"
#include "recorder/database.h"

namespace netwatch::recorder {

// Raised when the tables change. The records have a version of their own: NETWATCH_ABI_VERSION.
constexpr std::uint32_t recording_format = 1;
// Uncompressed; a reader refuses more.
constexpr std::size_t largest_batch_bytes = 32U << 20;

struct RecordingMeta {
    std::uint32_t abi_version = NETWATCH_ABI_VERSION;
    std::string agent_version;
    std::string kernel;
    std::string boot_id;
    std::string started_at;                       // RFC 3339
    std::map<std::string, std::uint64_t> limits;  // of the diagnosis, by name
};

// Writes one recording. One thread at a time. Errors: the disk is full, read-only or gone.
class Recorder {
public:
    // `path` must not exist. `resumed` is JSON, one incident each.
    [[nodiscard]] static core::Result<Recorder> create(const std::filesystem::path& path,
                                                       const RecordingMeta& meta,
                                                       std::span<const std::string> resumed);
    Recorder(Recorder&&) noexcept = default;
    Recorder& operator=(Recorder&&) noexcept = default;
    // Closes: folds the write-ahead log into the file.
    ~Recorder();

    // Whole records in the order in which they entered diagnosis. On return they survive the death of the
    // process.
    [[nodiscard]] core::Result<void> write(core::BootNs at, std::span<const std::byte> records);

    // Size of the file, the write-ahead log left out.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    Recorder(Database database, Statement insert);

    std::optional<Database> database_;  // before insert_: a statement dies first
    std::optional<Statement> insert_;
    std::vector<std::byte> compressed_;
    std::uint64_t bytes_ = 0;
};

}  // namespace netwatch::recorder
