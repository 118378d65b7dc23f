// SPDX-License-Identifier: Apache-2.0
#include "recorder/pieces.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "recorder/recording_file.h"
#include "recorder/segments.h"

namespace netwatch::recorder {
namespace {

constexpr std::int64_t most_segments = 100'000;  // of one file
constexpr std::size_t longest_run_bytes = 64;    // a time
// What came before the window tells what is usual.
constexpr std::int64_t lead_ns = 60 * static_cast<std::int64_t>(core::ns_per_s);

core::Result<void> add_pieces(RecordingFile& file, std::vector<Piece>& pieces) {
    if (!file.has_tables()) {
        const auto began_at = core::parse_rfc3339(file.meta().began_at);
        pieces.push_back({.path = file.path(),
                          .segment = 0,
                          .run = file.meta().began_at,
                          .sequence = 0,
                          .began_at = began_at.value_or(core::UtcNs{}),
                          .begins_part = true});
        return {};
    }
    auto select = file.database().prepare(
        "SELECT id, run, sequence, began_utc_ns, continues FROM segments ORDER BY id LIMIT ?");
    if (!select) return std::unexpected(select.error());
    select->bind(1, most_segments);
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        if (select->text(1).size() > longest_run_bytes) return core::fail("a run that is none");
        Piece piece{.path = file.path(),
                    .segment = select->integer(0),
                    .run = select->text(1),
                    .sequence = select->integer(2),
                    .began_at = {select->integer(3)},
                    .begins_part = true};
        piece.begins_part = pieces.empty() || select->integer(4) == 0 || pieces.back().run != piece.run ||
                            pieces.back().sequence + 1 != piece.sequence;
        pieces.push_back(std::move(piece));
    }
}

void narrow(std::vector<Piece>& pieces, const Window& window) {
    std::vector<Piece> kept;
    for (std::size_t n = 0; n < pieces.size(); ++n) {
        const bool is_last = n + 1 == pieces.size();
        if (window.until && pieces[n].began_at > *window.until) continue;
        if (window.since && !is_last && pieces[n + 1].began_at.ns <= window.since->ns - lead_ns) continue;
        kept.push_back(pieces[n]);
    }
    pieces = std::move(kept);
    if (!pieces.empty()) pieces.front().begins_part = true;
}

core::Result<Pieces> pieces_of_directory(const std::filesystem::path& directory) {
    Pieces found;
    for (const auto& segment : segments_in(directory)) {
        auto file = RecordingFile::open(segment.path);
        auto added = file ? add_pieces(*file, found.pieces) : std::unexpected(file.error());
        if (!added) found.problems.push_back(added.error().message);
    }
    if (!found.pieces.empty()) return found;
    // An empty listing does not tell a directory without segments from one that cannot be read.
    std::error_code error;
    const std::filesystem::directory_iterator listing(directory, error);
    if (error)
        return core::path_error("cannot read " + directory.string(), error, "give a dump, or a copy of it");
    return core::usage_error(
        found.problems.empty() ? "no recording in " + directory.string() : found.problems.front(),
        "give a dump that `netwatch dump` wrote, or an agent's state directory (--state-dir)");
}

core::Result<Pieces> pieces_of_file(const std::filesystem::path& path) {
    Pieces found;
    auto file = RecordingFile::open(path);
    if (!file) return std::unexpected(file.error());
    if (auto added = add_pieces(*file, found.pieces); !added)
        return core::usage_error(path.string() + " is damaged: " + added.error().message);
    if (found.pieces.empty()) return core::usage_error(path.string() + " holds no records");
    return found;
}

}  // namespace

core::Result<Pieces> pieces_of(const std::filesystem::path& path, const Window& window) {
    std::error_code error;
    auto found =
        std::filesystem::is_directory(path, error) ? pieces_of_directory(path) : pieces_of_file(path);
    if (!found) return found;
    const auto first = found->pieces.front().began_at;
    narrow(found->pieces, window);
    if (found->pieces.empty()) {
        return core::usage_error("nothing was recorded at that time",
                                 "the recording begins at " + core::to_rfc3339(first));
    }
    return found;
}

core::Result<Span> span_of(const std::filesystem::path& path) {
    const auto found = pieces_of(path, {});
    if (!found) return std::unexpected(found.error());
    Span span{.begins = found->pieces.front().began_at, .ends = found->pieces.back().began_at};
    auto file = RecordingFile::open(found->pieces.back().path);
    if (!file) return std::unexpected(file.error());
    if (!file->has_tables())
        return core::usage_error(path.string() + " is of format 1: it can only be replayed");
    const auto last = file->database().integer("SELECT utc_ns FROM batches ORDER BY id DESC LIMIT 1");
    if (last && *last > span.ends.ns) span.ends = {*last};
    return span;
}

}  // namespace netwatch::recorder
