// SPDX-License-Identifier: Apache-2.0
// Reads recordings back, record by record as they were written: one file, or the segments of a state
// directory one after the other. The files may come from a stranger. Example:
//
//     auto recording = recorder::RecordingSource::open("/var/lib/netwatch");
//     do {
//         diagnosis::Engine engine(…);  engine.resume(… recording->resumed() …);
//         while (auto record = recording->next()) { if (!*record) break; … }
//     } while (recording->next_part().value_or(false));
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "model/source.h"
#include "recorder/database.h"
#include "recorder/pieces.h"
#include "recorder/recording_file.h"

namespace netwatch::recorder {

// One thread at a time. Memory: one batch.
class RecordingSource : public model::Source {
public:
    // Errors: nothing there that can be read.
    [[nodiscard]] static core::Result<RecordingSource> open(const std::filesystem::path& path,
                                                            const Window& window = {});

    // Of the present part, and JSON of the incidents that were open when it began. Errors: damaged, or more
    // than an agent keeps; the records are there all the same.
    [[nodiscard]] const RecordingMeta& meta() const { return file_->meta(); }
    [[nodiscard]] const core::Result<std::vector<std::string>>& resumed() const { return resumed_; }

    // Nothing at the end of a part: what follows does not go on where this one ended. Errors: damaged from
    // here on; the message says after how many records. It is the same until the next part.
    [[nodiscard]] core::Result<std::optional<std::span<const std::byte>>> next() override;

    // The same, a batch at a time: whole records, one after the other. In place of next(), not mixed with it.
    // False: as nothing from next().
    [[nodiscard]] core::Result<bool> next_batch(std::vector<std::byte>& batch);

    // After next() gave nothing, or an error. False: there is no further part.
    [[nodiscard]] core::Result<bool> next_part();

    // Segments of a directory that could not be opened, each with the reason.
    [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

private:
    explicit RecordingSource(Pieces pieces)
        : pieces_(std::move(pieces.pieces)),
          problems_(std::move(pieces.problems)) {}
    [[nodiscard]] core::Result<void> enter();
    [[nodiscard]] core::Result<void> begin_part();
    [[nodiscard]] core::Result<bool> load_batch();
    [[nodiscard]] std::unexpected<core::Error> damaged(std::string_view what);

    std::vector<Piece> pieces_;
    std::size_t piece_ = 0;
    std::vector<std::string> problems_;
    std::optional<RecordingFile> file_;
    std::optional<Statement> select_;  // after file_: a statement dies before its database
    core::Result<std::vector<std::string>> resumed_;
    std::vector<std::byte> batch_;
    std::size_t offset_ = 0;
    std::int64_t last_batch_ = 0;
    std::uint64_t records_ = 0;
    bool ended_ = false;  // this part
    std::optional<core::Error> damage_;
};

}  // namespace netwatch::recorder
