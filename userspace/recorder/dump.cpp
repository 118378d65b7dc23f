// SPDX-License-Identifier: Apache-2.0
#include "recorder/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "model/record.h"
#include "recorder/connection_rows.h"
#include "recorder/connections.h"
#include "recorder/pieces.h"
#include "recorder/recorder.h"
#include "recorder/recording_file.h"
#include "recorder/redactor.h"

namespace netwatch::recorder {
namespace fs = std::filesystem;
namespace {

core::Result<void> check_names(Redactor& redactor) {
    if (!redactor.pseudonyms().has_too_many()) return {};
    return core::fail(fmt::format("more than {} names to redact", Pseudonyms::most_names),
                      "dump a shorter window");
}

constexpr std::size_t longest_name_bytes = sizeof(netwatch_dns_message::name);

void redact(Pseudonyms& pseudonyms, model::DestinationSecond& second) {
    second.ref.endpoint.ip = pseudonyms.address(second.ref.endpoint.ip);
    if (second.ref.name) second.ref.name = pseudonyms.domain(*second.ref.name);
    if (second.ref.region) second.ref.region = pseudonyms.region(*second.ref.region);
}

// Copies what a window holds from one recording after the other into a new one.
class Dumper {
public:
    // `redactor`: null where nothing is to be redacted.
    Dumper(const DumpRequest& request, Recorder& to, Redactor* redactor)
        : request_(request),
          to_(to),
          redactor_(redactor),
          rows_(to, request.most_connections) {}

    core::Result<DumpSummary> run(const std::vector<Piece>& pieces, const RecordingMeta& meta);

private:
    core::Result<RecordingFile*> file_of(const Piece& piece);
    core::Result<void> copy_piece(const Piece& piece, RecordingFile& file);
    core::Result<void> copy_batches(const Piece& piece, RecordingFile& file, std::int64_t segment);
    core::Result<void> take_records(std::span<std::byte> records, const core::ClockAnchor& anchor);
    core::Result<void> copy_tables(RecordingFile& file);
    core::Result<void> copy_seconds(Database& from);
    core::Result<void> copy_events(Database& from);
    core::Result<void> copy_incidents(Database& from);
    core::Result<void> copy_rows(Database& from, const char* sql, const char* into, int columns);
    core::Result<std::span<const std::byte>> redacted_frame(std::span<const std::byte> frame);
    std::optional<std::string> redacted_incident(std::string json);

    const DumpRequest& request_;
    Recorder& to_;
    Redactor* const redactor_;
    Packer packer_;
    ConnectionRows rows_;
    Connections connections_;
    DumpSummary summary_;
    std::optional<RecordingFile> file_;
    std::vector<std::byte> batch_;
};

core::Result<RecordingFile*> Dumper::file_of(const Piece& piece) {
    if (!file_ || file_->path() != piece.path) {
        file_.reset();
        auto file = RecordingFile::open(piece.path);
        if (!file) return std::unexpected(file.error());
        file_ = std::move(*file);
    }
    return &*file_;
}

core::Result<void> Dumper::copy_piece(const Piece& piece, RecordingFile& file) {
    SegmentStart start{.run = piece.run,
                       .sequence = piece.sequence,
                       .began_at = piece.began_at,
                       .continues = !piece.begins_part,
                       .opening = {},
                       .resumed = {}};
    auto opening = file.database().prepare("SELECT opening FROM segments WHERE id = ?");
    if (!opening) return std::unexpected(opening.error());
    const auto row = opening->bind(1, piece.segment).step();
    if (!row) return std::unexpected(row.error());
    if (*row) {
        if (auto done = unpack(opening->bytes(0), start.opening); !done) return done;
        if (redactor_ != nullptr) redactor_->redact_all(start.opening);
        const auto before = summary_.records;
        if (auto taken = take_records(start.opening, {}); !taken) return taken;
        summary_.records = before;
    }
    const auto resumed = file.resumed(piece.segment);
    if (!resumed) summary_.problems.push_back(piece.path.string() + ": " + resumed.error().message);
    for (const auto& json : resumed.value_or(std::vector<std::string>{})) {
        if (auto incident = redacted_incident(json)) start.resumed.push_back(std::move(*incident));
    }
    const auto segment = to_.add_segment(start);
    if (!segment) return std::unexpected(segment.error());
    return copy_batches(piece, file, *segment);
}

// Up to the batch in which the window ends.
core::Result<void> Dumper::copy_batches(const Piece& piece, RecordingFile& file, std::int64_t segment) {
    auto select =
        file.database().prepare("SELECT at_ns, utc_ns, records FROM batches WHERE segment = ? ORDER BY id");
    if (!select) return std::unexpected(select.error());
    select->bind(1, piece.segment);
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        const auto at = static_cast<core::BootNs>(select->integer(0));
        const core::UtcNs utc{select->integer(1)};
        const auto frame = redacted_frame(select->bytes(2));
        if (!frame) return std::unexpected(frame.error());
        const auto first = summary_.records == 0;
        if (auto taken = take_records(batch_, core::ClockAnchor(at, utc)); !taken) return taken;
        if (auto added = to_.add_frame(segment, at, utc, *frame); !added) return added;
        if (first) summary_.first = utc;
        summary_.last = utc;
        if (utc >= request_.until) return {};
    }
}

// Nothing: it cannot be redacted, so it is left out, and told of.
std::optional<std::string> Dumper::redacted_incident(std::string json) {
    if (redactor_ == nullptr) return json;
    auto redacted = redactor_->incident(json);
    if (redacted) return std::move(*redacted);
    summary_.problems.push_back(file_->path().string() + ": left out " + redacted.error().message);
    return std::nullopt;
}

// Its records are in batch_ afterwards.
core::Result<std::span<const std::byte>> Dumper::redacted_frame(std::span<const std::byte> frame) {
    if (auto unpacked = unpack(frame, batch_); !unpacked) return std::unexpected(unpacked.error());
    if (redactor_ == nullptr) return frame;
    redactor_->redact_all(batch_);
    return packer_.pack(batch_);
}

core::Result<void> Dumper::take_records(std::span<std::byte> records, const core::ClockAnchor& anchor) {
    while (const std::size_t size = model::claimed_size(records)) {
        const auto record = model::refer(records.first(size));
        if (!record) return std::unexpected(record.error());
        records = records.subspan(size);
        if (const auto* cgroup = record->get_if<netwatch_cgroup>()) rows_.learn(*cgroup);
        connections_.add(*record, anchor);
        ++summary_.records;
    }
    if (!records.empty()) return core::fail("a record that does not fit its batch");
    for (const auto& ended : connections_.take_ended()) {
        if (ended.ended_at && (*ended.ended_at < request_.since || *ended.ended_at > request_.until))
            continue;
        if (auto added = rows_.add(ended); !added) return added;
    }
    return {};
}

core::Result<void> Dumper::copy_seconds(Database& from) {
    auto select = from.prepare(
        "SELECT s.utc_ns, d.ip, d.port, d.protocol, d.perspective, d.netns, d.name, d.region, s.attempts,"
        " s.established, s.failed, s.rtt_us, s.segments, s.lost, s.segments_in, s.lost_in, s.bytes_sent,"
        " s.bytes_received FROM second s JOIN destination d ON d.id = s.destination"
        " WHERE s.utc_ns BETWEEN ? AND ?");
    if (!select) return std::unexpected(select.error());
    select->bind(1, request_.since.ns).bind(2, request_.until.ns);
    const auto text = [&](int column) {
        return select->is_null(column) ? std::nullopt : std::optional(select->text(column));
    };
    const auto number = [&](int column) { return static_cast<std::uint32_t>(select->integer(column)); };
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        const auto ip = model::IpAddress::parse(select->text(1));
        const auto perspective = model::from_string<model::Perspective>(select->text(4));
        const auto name = text(6);
        const auto region = text(7);
        const bool is_named = name.value_or("").size() <= longest_name_bytes &&
                              region.value_or("").size() <= longest_name_bytes;
        if (!ip || !perspective || !is_named) return core::fail("a destination that is none");
        const auto protocol = select->text(3) == "udp" ? model::Protocol::udp : model::Protocol::tcp;
        model::DestinationSecond second{
            .at = {select->integer(0)},
            .ref = {.endpoint = {*ip, static_cast<std::uint16_t>(select->integer(2)), protocol},
                    .name = name,
                    .region = region},
            .perspective = *perspective,
            .netns = number(5),
            .attempts = number(8),
            .established = number(9),
            .failed = number(10),
            .rtt_us = select->is_null(11) ? std::nullopt : std::optional(select->real(11)),
            .segments = number(12),
            .lost = number(13),
            .segments_in = number(14),
            .lost_in = number(15),
            .bytes_sent = static_cast<std::uint64_t>(select->integer(16)),
            .bytes_received = static_cast<std::uint64_t>(select->integer(17))};
        if (redactor_ != nullptr) {
            redact(redactor_->pseudonyms(), second);
            if (auto checked = check_names(*redactor_); !checked) return checked;
        }
        if (auto added = to_.add_second(second); !added) return added;
    }
}

core::Result<void> Dumper::copy_events(Database& from) {
    auto select = from.prepare(
        "SELECT utc_ns, topic, netns, what, by FROM change WHERE utc_ns BETWEEN ? AND ? ORDER BY id");
    if (!select) return std::unexpected(select.error());
    select->bind(1, request_.since.ns).bind(2, request_.until.ns);
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        model::HostEvent event{
            .at = {select->integer(0)},
            .topic = select->text(1),
            .netns = static_cast<std::uint32_t>(select->integer(2)),
            .what = select->text(3),
            .by = select->is_null(4) ? std::nullopt : std::optional(select->text(4)),
        };
        if (redactor_ != nullptr) {
            event.what = redactor_->pseudonyms().text(event.what);
            if (event.by) event.by = redactor_->pseudonyms().text(*event.by);
        }
        if (auto added = to_.add_event(event); !added) return added;
    }
}

// Those that were open at some time of the window.
core::Result<void> Dumper::copy_incidents(Database& from) {
    constexpr int columns = 25;
    auto select = from.prepare(
        "SELECT * FROM incident WHERE opened_ns <= ? AND (resolved_ns IS NULL OR resolved_ns >= ?)");
    auto insert = to_.statement(
        "INSERT OR REPLACE INTO incident VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?)");
    if (!select || !insert) return std::unexpected(select ? insert.error() : select.error());
    select->bind(1, request_.until.ns).bind(2, request_.since.ns);
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        for (int column = 0; column < columns; ++column) (*insert)->bind_column(column + 1, *select, column);
        if (redactor_ != nullptr) {
            // scope_value, destination, name; summary, root_cause.
            for (const int column : {8, 9, 10, 22, 23}) {
                if (!select->is_null(column))
                    (*insert)->bind(column + 1, redactor_->pseudonyms().text(select->text(column)));
            }
            const auto json = redacted_incident(select->text(columns - 1));
            if (!json) continue;
            (*insert)->bind(columns, *json);
        }
        if (auto done = (*insert)->run(); !done) return done;
    }
}

// Rows as they are. The first two parameters of the selection are the window.
core::Result<void> Dumper::copy_rows(Database& from, const char* sql, const char* into, int columns) {
    auto select = from.prepare(sql);
    auto insert = to_.statement(into);
    if (!select || !insert) return std::unexpected(select ? insert.error() : select.error());
    select->bind(1, request_.since.ns).bind(2, request_.until.ns);
    for (;;) {
        const auto row = select->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        for (int column = 0; column < columns; ++column) (*insert)->bind_column(column + 1, *select, column);
        if (auto done = (*insert)->run(); !done) return done;
    }
}

core::Result<void> Dumper::copy_tables(RecordingFile& file) {
    Database& from = file.database();
    for (const auto copy : {&Dumper::copy_seconds, &Dumper::copy_events, &Dumper::copy_incidents}) {
        if (auto done = (this->*copy)(from); !done) return done;
    }
    struct Rows {
        const char* select;
        const char* insert;
        int columns;
    };
    for (const Rows& rows :
         {Rows{"SELECT * FROM incident_log WHERE utc_ns BETWEEN ? AND ? ORDER BY rowid",
               "INSERT INTO incident_log VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", 9},
          Rows{"SELECT * FROM hooks", "INSERT OR REPLACE INTO hooks VALUES(?, ?, ?, ?, ?)", 5},
          // What was lost before the window, too: the counts are cumulative.
          Rows{"SELECT * FROM accounts WHERE utc_ns <= ?2",
               "INSERT OR REPLACE INTO accounts VALUES(?, ?, ?, ?, ?, ?, ?, ?)", 8},
          Rows{"SELECT * FROM gaps", "INSERT INTO gaps VALUES(?, ?, ?)", 3}}) {
        if (auto done = copy_rows(from, rows.select, rows.insert, rows.columns); !done) return done;
    }
    return {};
}

core::Result<DumpSummary> Dumper::run(const std::vector<Piece>& pieces, const RecordingMeta& meta) {
    std::set<fs::path> copied;
    for (const Piece& piece : pieces) {
        const auto file = file_of(piece);
        core::Result<void> done = file ? core::Result<void>() : std::unexpected(file.error());
        if (done && ((*file)->meta().abi_version != meta.abi_version || !(*file)->has_tables()))
            done = core::fail("its records are of another version");
        const bool readable = done.has_value();
        if (readable) done = copy_piece(piece, **file);
        if (readable && copied.insert(piece.path).second) {
            const auto rest = copy_tables(**file);
            if (done) done = rest;
        }
        // What could be read of it is there.
        if (!done) summary_.problems.push_back(piece.path.string() + ": " + done.error().message);
    }
    for (const auto& rest : connections_.take_rest()) {
        if (auto added = rows_.add(rest); !added) return std::unexpected(added.error());
    }
    if (auto done = rows_.finish(); !done) return std::unexpected(done.error());
    summary_.connections = rows_.added();
    summary_.connections_left_out = rows_.left_out();
    const auto incidents = to_.statement("SELECT count(*) FROM incident");
    if (!incidents) return std::unexpected(incidents.error());
    if (const auto row = (*incidents)->step(); row && *row)
        summary_.incidents = static_cast<std::uint64_t>((*incidents)->integer(0));
    (void)(*incidents)->step();
    return summary_;
}

std::uint64_t record_bytes(const Piece& piece) {
    auto file = RecordingFile::open(piece.path);
    if (!file) return 0;
    auto select = file->database().prepare("SELECT sum(length(records)) FROM batches WHERE segment = ?");
    if (!select) return 0;
    const auto row = select->bind(1, piece.segment).step();
    return row && *row ? static_cast<std::uint64_t>(select->integer(0)) : 0;
}

// The newest that fit; one at least.
void shorten(std::vector<Piece>& pieces, std::uint64_t most_bytes) {
    if (most_bytes == 0) return;
    std::uint64_t bytes = 0;
    std::size_t kept = 0;
    while (kept < pieces.size()) {
        bytes += record_bytes(pieces[pieces.size() - 1 - kept]);
        if (kept > 0 && bytes > most_bytes) break;
        ++kept;
    }
    pieces.erase(pieces.begin(), pieces.end() - static_cast<std::ptrdiff_t>(kept));
    pieces.front().begins_part = true;
}

core::Result<RecordingMeta> meta_of(const std::vector<Piece>& pieces, const DumpRequest& request) {
    auto file = RecordingFile::open(pieces.back().path);
    if (!file) return std::unexpected(file.error());
    if (!file->has_tables())
        return core::usage_error(file->path().string() + " is of format 1: it can be replayed, not dumped");
    RecordingMeta meta = file->meta();
    meta.format = recording_format;
    meta.began_at = core::to_rfc3339(pieces.front().began_at);
    meta.others["kind"] = "dump";
    meta.others["since"] = core::to_rfc3339(request.since);
    meta.others["until"] = core::to_rfc3339(request.until);
    meta.others["made_at"] = core::to_rfc3339(request.made_at);
    meta.others["redacted"] = request.redact ? "1" : "0";
    if (!request.trigger.empty()) meta.others["trigger"] = request.trigger;
    return meta;
}

// The names that the records tell, so that sentences which stand before them can be redacted.
core::Result<Redactor> redactor_for(const std::vector<Piece>& pieces, RecordingMeta& meta) {
    auto pseudonyms = Pseudonyms::make();
    if (!pseudonyms) return std::unexpected(pseudonyms.error());
    Redactor redactor(std::move(*pseudonyms));
    meta.hostname = redactor.pseudonyms().host(meta.hostname);
    std::erase_if(meta.others, [](const auto& item) { return item.first.starts_with("config_"); });
    std::vector<std::byte> bytes;
    for (const Piece& piece : pieces) {
        auto file = RecordingFile::open(piece.path);
        if (!file) continue;  // told of when it is copied
        auto select = file->database().prepare("SELECT opening FROM segments WHERE id = ?1 UNION ALL"
                                               " SELECT records FROM batches WHERE segment = ?1");
        if (!select) continue;
        select->bind(1, piece.segment);
        for (auto row = select->step(); row && *row; row = select->step()) {
            if (unpack(select->bytes(0), bytes)) redactor.redact_all(bytes);
            if (auto checked = check_names(redactor); !checked) return std::unexpected(checked.error());
        }
    }
    return redactor;
}

core::Result<DumpSummary> make_dump(const std::vector<Piece>& pieces, const fs::path& draft,
                                    const DumpRequest& request) {
    auto meta = meta_of(pieces, request);
    if (!meta) return std::unexpected(meta.error());
    std::optional<Redactor> redactor;
    if (request.redact) {
        auto made = redactor_for(pieces, *meta);
        if (!made) return std::unexpected(made.error());
        redactor = std::move(*made);
    }
    auto to = Recorder::create(draft, *meta, Recorder::For::dump);
    if (!to) return std::unexpected(to.error());
    auto summary = Dumper(request, *to, redactor ? &*redactor : nullptr).run(pieces, *meta);
    if (!summary) return summary;
    if (summary->records == 0) {
        return core::usage_error(summary->problems.empty() ? "nothing was recorded at that time"
                                                           : summary->problems.front());
    }
    auto put = to->put_meta("connections_left_out", std::to_string(summary->connections_left_out));
    if (put) put = to->finish();
    if (!put) return std::unexpected(put.error().within("writing " + draft.string()));
    return summary;
}

}  // namespace

core::Result<DumpSummary> write_dump(const fs::path& from, const fs::path& to, const DumpRequest& request) {
    auto found = pieces_of(from, {.since = request.since, .until = request.until});
    if (!found) return std::unexpected(found.error());
    shorten(found->pieces, request.most_record_bytes);
    std::error_code error;
    const fs::path draft = fs::path(to) += ".new";
    fs::remove(draft, error);
    auto summary = make_dump(found->pieces, draft, request);
    if (summary) {
        fs::rename(draft, to, error);
        if (error)
            summary = core::path_error("cannot write " + to.string(), error, "give another path with -o");
    }
    if (!summary) {
        std::error_code ignored;
        fs::remove(draft, ignored);
        return summary;
    }
    summary->bytes = fs::file_size(to, error);
    summary->problems.insert(summary->problems.begin(), found->problems.begin(), found->problems.end());
    return summary;
}

core::Result<void> rename_incidents(const fs::path& dump, const std::map<std::string, std::string>& ids) {
    auto database = Database::open_for_writing(dump);
    if (!database) return std::unexpected(database.error());
    if (auto begun = database->execute("PRAGMA journal_mode=MEMORY; BEGIN"); !begun) return begun;
    for (const char* sql :
         {"UPDATE incident SET id = ?2 WHERE id = ?1",
          "UPDATE incident SET json = replace(json, ?1, ?2) WHERE instr(json, ?1)",
          "UPDATE incident SET root = ?2 WHERE root = ?1", "UPDATE incident_log SET id = ?2 WHERE id = ?1",
          "UPDATE meta SET value = ?2 WHERE key = 'trigger' AND value = ?1"}) {
        auto update = database->prepare(sql);
        if (!update) return std::unexpected(update.error());
        for (const auto& [from, to] : ids) {
            if (auto done = update->bind(1, from).bind(2, to).run(); !done) return done;
        }
    }
    return database->execute("COMMIT; PRAGMA journal_mode=DELETE");
}

}  // namespace netwatch::recorder
