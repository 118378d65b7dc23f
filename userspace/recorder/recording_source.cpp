// SPDX-License-Identifier: Apache-2.0
#include "recorder/recording_source.h"

#include <fmt/format.h>

#include <utility>

#include "model/record.h"
#include "recorder/frame.h"

namespace netwatch::recorder {

core::Result<RecordingSource> RecordingSource::open(const std::filesystem::path& path, const Window& window) {
    auto pieces = pieces_of(path, window);
    if (!pieces) return std::unexpected(pieces.error());
    RecordingSource source(std::move(*pieces));
    if (auto begun = source.begin_part(); !begun) return std::unexpected(begun.error());
    return source;
}

// Opens what the present piece is in, and stands before its first batch.
core::Result<void> RecordingSource::enter() {
    const Piece& piece = pieces_[piece_];
    if (!file_ || file_->path() != piece.path) {
        select_.reset();
        file_.reset();
        auto file = RecordingFile::open(piece.path);
        if (!file) return std::unexpected(file.error());
        file_ = std::move(*file);
    }
    auto select = file_->database().prepare(
        file_->has_tables() ? "SELECT id, records FROM batches WHERE segment = ? ORDER BY id"
                            : "SELECT id, records FROM batches ORDER BY id");
    if (!select) return std::unexpected(select.error());
    if (file_->has_tables()) select->bind(1, piece.segment);
    select_ = std::move(*select);
    batch_.clear();
    offset_ = 0;
    return {};
}

core::Result<void> RecordingSource::begin_part() {
    ended_ = false;
    damage_.reset();
    records_ = 0;
    resumed_ = std::vector<std::string>();
    if (auto entered = enter(); !entered) return entered;
    const Piece& piece = pieces_[piece_];
    resumed_ = file_->resumed(piece.segment);
    if (!file_->has_tables()) return {};
    auto opening = file_->database().prepare("SELECT opening FROM segments WHERE id = ?");
    if (!opening) return std::unexpected(opening.error());
    const auto row = opening->bind(1, piece.segment).step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    return unpack(opening->bytes(0), batch_);
}

core::Result<bool> RecordingSource::next_part() {
    do {
        if (++piece_ >= pieces_.size()) return false;
    } while (!pieces_[piece_].begins_part);
    if (auto begun = begin_part(); !begun) return std::unexpected(begun.error());
    return true;
}

std::unexpected<core::Error> RecordingSource::damaged(std::string_view what) {
    damage_ = core::Error{fmt::format("{} is damaged after {} records (after batch {}): {}",
                                      pieces_[piece_].path.string(), records_, last_batch_, what),
                          "what came before it was read", core::ExitCode::usage};
    return std::unexpected(*damage_);
}

// True: batch_ holds the next batch. False: this part has none.
core::Result<bool> RecordingSource::load_batch() {
    for (;;) {
        const auto row = select_->step();
        if (!row) return damaged(row.error().message);
        if (*row) break;
        if (piece_ + 1 >= pieces_.size() || pieces_[piece_ + 1].begins_part) return false;
        ++piece_;
        if (auto entered = enter(); !entered) return damaged(entered.error().message);
    }
    if (auto unpacked = unpack(select_->bytes(1), batch_); !unpacked)
        return damaged(unpacked.error().message);
    offset_ = 0;
    last_batch_ = select_->integer(0);
    return true;
}

core::Result<bool> RecordingSource::next_batch(std::vector<std::byte>& batch) {
    if (damage_) return std::unexpected(*damage_);
    while (!ended_ && offset_ == batch_.size()) {
        const auto more = load_batch();
        if (!more) return std::unexpected(more.error());
        ended_ = !*more;
    }
    if (ended_) return false;
    const auto whole = std::span<const std::byte>(batch_);
    while (const std::size_t size = model::claimed_size(whole.subspan(offset_))) {
        offset_ += size;
        ++records_;
    }
    if (offset_ < batch_.size()) (void)damaged("a record that does not fit its batch");
    batch_.resize(std::exchange(offset_, 0));
    if (batch_.empty()) return std::unexpected(*damage_);
    batch.swap(batch_);
    offset_ = batch_.size();  // what is left there is not to be read, and saves the next one to be cleared
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
