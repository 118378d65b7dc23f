// SPDX-License-Identifier: Apache-2.0
// One recording as a file that a stranger may have made: opened, and found to hold the tables and views of a
// format that this netwatch reads and nothing else. Example:
//
//     auto file = recorder::RecordingFile::open("outage.db");
//     auto rows = file->database().prepare("SELECT at, what FROM changes");
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/result.h"
#include "recorder/database.h"
#include "recorder/recording_meta.h"

namespace netwatch::recorder {

class RecordingFile {
public:
    // Errors: no such file, not a recording, one of a newer format or ABI version.
    [[nodiscard]] static core::Result<RecordingFile> open(const std::filesystem::path& path);

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] const RecordingMeta& meta() const { return meta_; }
    // Read only. What a row holds is a stranger's word: any type, any length up to 64 MiB.
    [[nodiscard]] Database& database() { return database_; }
    // What recordings of format 1 do not have: everything but records and the incidents that were open.
    [[nodiscard]] bool has_tables() const { return meta_.format >= 2; }

    // JSON of the incidents that were open when that segment began. Errors: damaged, or more than an agent
    // keeps.
    [[nodiscard]] core::Result<std::vector<std::string>> resumed(std::int64_t segment);

private:
    RecordingFile(std::filesystem::path path, Database database, RecordingMeta meta)
        : path_(std::move(path)),
          database_(std::move(database)),
          meta_(std::move(meta)) {}

    std::filesystem::path path_;
    Database database_;
    RecordingMeta meta_;
};

}  // namespace netwatch::recorder
