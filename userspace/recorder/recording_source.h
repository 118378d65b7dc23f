// SPDX-License-Identifier: Apache-2.0
// Reads a recording back, record by record as it was written. The file may come from a stranger. Example:
//
//     auto recording = recorder::RecordingSource::open("recording.db");
//     while (auto record = recording->next()) { if (!*record) break; … }
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/source.h"
#include "recorder/database.h"
#include "recorder/recorder.h"

namespace netwatch::recorder {

// One thread at a time. Memory: one batch.
class RecordingSource : public model::Source {
public:
    // Errors: no such file, not a recording, a recording of another format or ABI version.
    [[nodiscard]] static core::Result<RecordingSource> open(const std::filesystem::path& path);

    [[nodiscard]] const RecordingMeta& meta() const { return meta_; }
    // JSON of the incidents that were open when the run began.
    [[nodiscard]] const std::vector<std::string>& resumed() const { return resumed_; }

    // Errors: damaged from here on; the message says after how many records. It is the same at every further
    // call.
    [[nodiscard]] core::Result<std::optional<std::span<const std::byte>>> next() override;

private:
    RecordingSource(std::filesystem::path path, Database database, Statement select);
    [[nodiscard]] core::Result<void> read_meta();
    [[nodiscard]] core::Result<void> read_resumed();
    [[nodiscard]] core::Result<bool> load_batch();
    [[nodiscard]] std::unexpected<core::Error> damaged(std::string_view what);

    std::filesystem::path path_;
    Database database_;  // before select_: a statement dies first
    Statement select_;
    RecordingMeta meta_;
    std::vector<std::string> resumed_;
    std::vector<std::byte> batch_;
    std::size_t offset_ = 0;
    std::int64_t last_batch_ = 0;
    std::uint64_t records_ = 0;
    bool ended_ = false;
    std::optional<core::Error> damage_;
};

}  // namespace netwatch::recorder
