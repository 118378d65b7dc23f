// SPDX-License-Identifier: Apache-2.0
#include "recorder/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/fd.h"
#include "model/record.h"

namespace netwatch::recorder {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t log_span_ns = 10 * static_cast<std::int64_t>(core::ns_per_s);
constexpr std::int64_t account_span_ns = 60 * static_cast<std::int64_t>(core::ns_per_s);
constexpr std::size_t most_destinations = 200'000;  // known by number at once; beyond that anew

// Begun, not committed.
core::Result<void> create_tables(Database& database, const RecordingMeta& meta) {
    std::string sql = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA application_id=";
    sql.append(application_id).append("; BEGIN;");
    for (const auto& item : schema_of(recording_format)) sql.append(item.sql).append(";");
    if (auto done = database.execute(sql.c_str()); !done) return done;
    auto insert = database.prepare("INSERT INTO meta VALUES(?, ?)");
    if (!insert) return std::unexpected(insert.error());
    for (const auto& [key, value] : to_values(meta)) {
        if (auto done = insert->bind(1, key).bind(2, value).run(); !done) return done;
    }
    return {};
}

core::Result<Database> create_file(const fs::path& path, const RecordingMeta& meta) {
    // For owner and group alone; what SQLite puts next to it has the same mode.
    const core::Fd made(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
    if (!made) return core::fail(std::strerror(errno));
    auto database = Database::open_for_writing(path);
    auto done = database ? create_tables(*database, meta) : std::unexpected(database.error());
    if (!done) return std::unexpected(done.error());
    return database;
}

// It has its name only once it has its tables: whoever looks, at whatever moment, finds a recording.
core::Result<Database> create_segment(const fs::path& path, const RecordingMeta& meta) {
    std::error_code error;
    if (fs::exists(path, error)) return core::fail("it exists");
    const fs::path draft = fs::path(path) += ".new";
    fs::remove(draft, error);
    auto made = create_file(draft, meta);
    auto done = made ? made->execute("COMMIT") : std::unexpected(made.error());
    made = core::fail("closed");
    if (done) {
        fs::rename(draft, path, error);
        if (error) done = core::fail(error.message());
    }
    if (!done) {
        fs::remove(draft, error);
        return std::unexpected(done.error());
    }
    auto database = Database::open_for_writing(path);
    if (!database) return database;
    // Nothing waits for the disk while the segment is written: its log is folded in when it is closed. What a
    // process wrote outlives it; what the kernel had not yet written goes with a power cut.
    if (done = database->execute("PRAGMA synchronous=OFF; PRAGMA journal_mode=WAL;"
                                 "PRAGMA wal_autocheckpoint=0");
        !done)
        return std::unexpected(done.error());
    return database;
}

std::string_view name_of_state(std::uint32_t state) {
    switch (state) {
        case NETWATCH_HOOK_BEST: return "best";
        case NETWATCH_HOOK_FALLBACK: return "fallback";
        default: return "missing";
    }
}

}  // namespace

Recorder::Recorder(Database database) : database_(std::move(database)) {}

Recorder::~Recorder() {
    if (!database_) return;
    statements_.clear();
    // Best effort: a segment that keeps its log can be read just as well.
    if (is_dump_) return;
    (void)database_->execute(
        "PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE");
}

core::Result<void> Recorder::finish() { return database_->execute("COMMIT"); }

std::int64_t Recorder::last_number() const { return database_->last_number(); }

core::Result<Recorder> Recorder::create(const std::filesystem::path& path, const RecordingMeta& meta,
                                        For purpose) {
    auto database = purpose == For::dump ? create_file(path, meta) : create_segment(path, meta);
    if (!database) return std::unexpected(database.error().within("making " + path.string()));
    Recorder recorder(std::move(*database));
    recorder.is_dump_ = purpose == For::dump;
    return recorder;
}

core::Result<Statement*> Recorder::statement(const char* sql) {
    auto known = statements_.find(sql);
    if (known == statements_.end()) {
        auto made = database_->prepare(sql);
        if (!made) return std::unexpected(made.error());
        known = statements_.emplace(sql, std::move(*made)).first;
    }
    return &known->second;
}

core::Result<std::int64_t> Recorder::add_segment(const SegmentStart& start) {
    const auto opening = packer_.pack(start.opening);
    if (!opening) return std::unexpected(opening.error());
    auto insert = statement(
        "INSERT INTO segments(run, sequence, began_utc_ns, continues, opening) VALUES(?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    auto done = (*insert)
                    ->bind(1, start.run)
                    .bind(2, start.sequence)
                    .bind(3, start.began_at.ns)
                    .bind(4, start.continues ? 1 : 0)
                    .bind(5, *opening)
                    .run();
    if (!done) return std::unexpected(done.error());
    const std::int64_t id = last_number();
    auto resumed = statement("INSERT INTO resumed VALUES(?, ?)");
    if (!resumed) return std::unexpected(resumed.error());
    for (const auto& incident : start.resumed) {
        if (done = (*resumed)->bind(1, id).bind(2, incident).run(); !done)
            return std::unexpected(done.error());
    }
    if (done = note(start.opening, start.began_at); !done) return std::unexpected(done.error());
    return id;
}

core::Result<void> Recorder::write(std::int64_t segment, const Batch& batch) {
    if (auto begun = database_->execute("BEGIN"); !begun) return begun;
    auto written = write_rows(segment, batch);
    if (written) written = database_->execute("COMMIT");
    if (!written) {
        (void)database_->execute("ROLLBACK");
        // They may speak of rows that are not there.
        destinations_.clear();
        return written;
    }
    const auto pages = database_->integer("PRAGMA page_count");
    const auto page_bytes = database_->integer("PRAGMA page_size");
    if (!pages || !page_bytes) return std::unexpected(pages ? page_bytes.error() : pages.error());
    bytes_ = static_cast<std::uint64_t>(*pages * *page_bytes);
    return {};
}

core::Result<void> Recorder::write_rows(std::int64_t segment, const Batch& batch) {
    if (!batch.records.empty()) {
        const auto frame = packer_.pack(batch.records);
        if (!frame) return std::unexpected(frame.error());
        if (auto done = add_frame(segment, batch.at, batch.utc, *frame); !done) return done;
    }
    if (auto done = note(batch.records, batch.utc); !done) return done;
    for (const auto& second : batch.seconds) {
        if (auto done = add_second(second); !done) return done;
    }
    for (const auto& event : batch.events) {
        if (auto done = add_event(event); !done) return done;
    }
    for (const auto& told : batch.incidents) {
        if (auto done = put_incident(told); !done) return done;
        if (auto done = log(told); !done) return done;
    }
    return {};
}

core::Result<void> Recorder::add_frame(std::int64_t segment, core::BootNs at, core::UtcNs utc,
                                       std::span<const std::byte> frame) {
    auto insert = statement("INSERT INTO batches(segment, at_ns, utc_ns, records) VALUES(?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    return (*insert)->bind(1, segment).bind(2, at).bind(3, utc.ns).bind(4, frame).run();
}

core::Result<std::int64_t> Recorder::number_of(const model::DestinationSecond& second) {
    const DestinationId id{second.ref.endpoint, second.perspective, second.netns};
    const auto known = destinations_.find(id);
    if (known != destinations_.end() && known->second.name == second.ref.name &&
        known->second.region == second.ref.region)
        return known->second.number;
    if (known != destinations_.end()) {
        auto update = statement("UPDATE destination SET name = ?, region = ? WHERE id = ?");
        if (!update) return std::unexpected(update.error());
        auto& number = known->second;
        number.name = second.ref.name;
        number.region = second.ref.region;
        auto done = (*update)->bind(1, number.name).bind(2, number.region).bind(3, number.number).run();
        if (!done) return std::unexpected(done.error());
        return number.number;
    }
    if (destinations_.size() >= most_destinations) destinations_.clear();
    auto insert = statement("INSERT INTO destination(ip, port, protocol, perspective, netns, name, region)"
                            " VALUES(?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    const auto& endpoint = second.ref.endpoint;
    auto done = (*insert)
                    ->bind(1, endpoint.ip.to_string())
                    .bind(2, endpoint.port)
                    .bind(3, model::to_string(endpoint.protocol))
                    .bind(4, model::to_string(second.perspective))
                    .bind(5, second.netns)
                    .bind(6, second.ref.name)
                    .bind(7, second.ref.region)
                    .run();
    if (!done) return std::unexpected(done.error());
    destinations_[id] = {last_number(), second.ref.name, second.ref.region};
    return last_number();
}

core::Result<void> Recorder::add_second(const model::DestinationSecond& second) {
    const auto number = number_of(second);
    if (!number) return std::unexpected(number.error());
    auto insert = statement("INSERT OR REPLACE INTO second VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    return (*insert)
        ->bind(1, second.at.ns)
        .bind(2, *number)
        .bind(3, second.attempts)
        .bind(4, second.established)
        .bind(5, second.failed)
        .bind(6, second.rtt_us)
        .bind(7, second.segments)
        .bind(8, second.lost)
        .bind(9, second.segments_in)
        .bind(10, second.lost_in)
        .bind(11, second.bytes_sent)
        .bind(12, second.bytes_received)
        .run();
}

core::Result<void> Recorder::add_event(const model::HostEvent& event) {
    auto insert = statement("INSERT INTO change(utc_ns, topic, netns, what, by) VALUES(?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    return (*insert)
        ->bind(1, event.at.ns)
        .bind(2, event.topic)
        .bind(3, event.netns)
        .bind(4, event.what)
        .bind(5, event.by)
        .run();
}

core::Result<void> Recorder::put_incident(const ToldIncident& told) {
    auto insert = statement(
        "INSERT OR REPLACE INTO incident VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    const auto& one = told.incident;
    Statement& row = **insert;
    row.bind(1, one.id).bind(2, told.at.ns).bind(3, model::to_string(one.state));
    row.bind(4, model::to_string(one.type)).bind(5, one.cause).bind(6, model::to_string(one.severity));
    row.bind(7, one.confidence).bind(8, model::to_string(one.scope.kind)).bind(9, one.scope.value);
    if (one.destination) {
        row.bind(10, one.destination->endpoint.to_string()).bind(11, one.destination->name);
    } else {
        row.bind_null(10).bind_null(11);
    }
    row.bind(12, model::to_string(one.perspective)).bind(13, one.first_affected_at.ns);
    row.bind(14, one.opened_at.ns).bind(15, one.detected_at.ns);
    one.resolved_at ? row.bind(16, one.resolved_at->ns) : row.bind_null(16);
    one.resolution ? row.bind(17, model::to_string(*one.resolution)) : row.bind_null(17);
    row.bind(18, one.impact.attempts).bind(19, one.impact.failed).bind(20, one.impact.flows);
    row.bind(21, one.symptom).bind(22, one.root_cause.incident).bind(23, one.summary);
    row.bind(24, one.root_cause.statement).bind(25, told.json);
    return row.run();
}

core::Result<void> Recorder::log(const ToldIncident& told) {
    const auto& incident = told.incident;
    const std::string words =
        fmt::format("{} {} {} {}", model::to_string(incident.state), model::to_string(incident.type),
                    incident.cause.value_or("-"), model::to_string(incident.severity));
    Logged& last = logged_[incident.id];
    if (last.words == words && told.at.ns < last.at.ns + log_span_ns) return {};
    last = {told.at, words};
    if (incident.state == model::IncidentState::resolved) logged_.erase(incident.id);
    auto insert = statement("INSERT INTO incident_log VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    return (*insert)
        ->bind(1, told.at.ns)
        .bind(2, incident.id)
        .bind(3, model::to_string(incident.state))
        .bind(4, model::to_string(incident.type))
        .bind(5, incident.cause)
        .bind(6, model::to_string(incident.severity))
        .bind(7, incident.confidence)
        .bind(8, incident.impact.attempts)
        .bind(9, incident.impact.failed)
        .run();
}

// Hooks and accounts have tables of their own.
core::Result<void> Recorder::note(std::span<const std::byte> records, core::UtcNs at) {
    while (const std::size_t size = model::claimed_size(records)) {
        const auto bytes = records.first(size);
        records = records.subspan(size);
        const std::uint16_t kind = model::first_header(bytes).kind;
        if (kind != NETWATCH_RECORD_HOOK && kind != NETWATCH_RECORD_ACCOUNT) continue;
        const auto record = model::decode(bytes);
        if (!record) continue;
        core::Result<void> done;
        if (const auto* hook = std::get_if<netwatch_hook>(&*record)) {
            auto insert = statement("INSERT OR REPLACE INTO hooks VALUES(?, ?, ?, ?, ?)");
            if (!insert) return std::unexpected(insert.error());
            done = (*insert)
                       ->bind(1, model::text_of(hook->signal))
                       .bind(2, model::text_of(hook->hook))
                       .bind(3, name_of_state(hook->state))
                       .bind(4, model::text_of(hook->lost))
                       .bind(5, model::text_of(hook->reason))
                       .run();
        } else if (const auto* account = std::get_if<netwatch_account>(&*record)) {
            const std::uint64_t dropped = account->dropped_full + account->dropped_map + account->missed;
            const auto known = counted_.find(account->kind);
            if (known != counted_.end() && known->second.dropped == dropped &&
                at.ns < known->second.at.ns + account_span_ns)
                continue;
            counted_[account->kind] = {at, dropped};
            auto insert = statement("INSERT OR REPLACE INTO accounts VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
            if (!insert) return std::unexpected(insert.error());
            done = (*insert)
                       ->bind(1, at.ns)
                       .bind(2, model::kind_name(account->kind))
                       .bind(3, account->seen)
                       .bind(4, account->filtered)
                       .bind(5, account->emitted)
                       .bind(6, account->dropped_full)
                       .bind(7, account->dropped_map)
                       .bind(8, account->missed)
                       .run();
        }
        if (!done) return done;
    }
    return {};
}

core::Result<void> Recorder::add_gap(const Gap& gap) {
    auto insert = statement("INSERT INTO gaps VALUES(?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    return (*insert)->bind(1, gap.from.ns).bind(2, gap.to.ns).bind(3, gap.reason).run();
}

core::Result<void> Recorder::put_meta(const std::string& key, std::string_view value) {
    auto insert = statement("INSERT OR REPLACE INTO meta VALUES(?, ?)");
    if (!insert) return std::unexpected(insert.error());
    return (*insert)->bind(1, key).bind(2, value).run();
}

}  // namespace netwatch::recorder
