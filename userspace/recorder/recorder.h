// SPDX-License-Identifier: Apache-2.0
// Writes one recording: a segment while it happens, or a dump in one go. docs/recording.md describes the
// file. Example:
//
//     auto recorder = Recorder::create(path, meta, Recorder::For::segment);
//     auto segment = recorder->add_segment(start);
//     auto done = recorder->write(*segment, batch);    // everything of one moment, or nothing of it
//
// While a segment is written it has a write-ahead log next to it (-wal, -shm): a batch is there whole or not
// at all, whenever the writer is killed. A closed recording is one file.
//
// One thread at a time. Errors: the disk is full, read-only or gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "model/incident.h"
#include "model/recorded.h"
#include "recorder/database.h"
#include "recorder/frame.h"
#include "recorder/recording_meta.h"

namespace netwatch::recorder {

struct SegmentStart {
    std::string run = {};  // RFC 3339: when the agent began
    std::int64_t sequence = 0;
    core::UtcNs began_at = {};
    bool continues = false;                 // goes on where the one before ended
    std::vector<std::byte> opening = {};    // records that describe the host
    std::vector<std::string> resumed = {};  // JSON of the incidents that were open
};

struct ToldIncident {
    core::UtcNs at;
    model::Incident incident;
    std::string json;
};

struct Gap {
    core::UtcNs from;
    core::UtcNs to;
    std::string reason;
};

// What belongs to one moment. The records end with a CLOCK: `at`, `utc`.
struct Batch {
    core::BootNs at = 0;
    core::UtcNs utc;
    std::vector<std::byte> records;
    std::vector<model::DestinationSecond> seconds;
    std::vector<model::HostEvent> events;
    std::vector<ToldIncident> incidents;
};

class Recorder {
public:
    enum class For : std::uint8_t { segment, dump };
    // `path` must not exist.
    [[nodiscard]] static core::Result<Recorder> create(const std::filesystem::path& path,
                                                       const RecordingMeta& meta, For purpose);
    Recorder(Recorder&&) noexcept = default;
    Recorder& operator=(Recorder&&) noexcept = default;
    // Closes: folds the write-ahead log into the file.
    ~Recorder();

    // Its number, for write() and add_frame().
    [[nodiscard]] core::Result<std::int64_t> add_segment(const SegmentStart& start);
    // On return it survives the death of the process.
    [[nodiscard]] core::Result<void> write(std::int64_t segment, const Batch& batch);
    [[nodiscard]] core::Result<void> add_gap(const Gap& gap);

    // For a dump, which is one transaction: rows as another recording has them. A statement is prepared once;
    // its text is a literal.
    [[nodiscard]] core::Result<void> add_frame(std::int64_t segment, core::BootNs at, core::UtcNs utc,
                                               std::span<const std::byte> frame);
    [[nodiscard]] core::Result<void> add_second(const model::DestinationSecond& second);
    [[nodiscard]] core::Result<void> add_event(const model::HostEvent& event);
    [[nodiscard]] core::Result<void> put_incident(const ToldIncident& told);
    [[nodiscard]] std::int64_t last_number() const;
    [[nodiscard]] core::Result<Statement*> statement(const char* sql);
    [[nodiscard]] core::Result<void> put_meta(const std::string& key, std::string_view value);
    // Completes a dump.
    [[nodiscard]] core::Result<void> finish();

    // Size of the file, the write-ahead log left out.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    struct Statements;
    explicit Recorder(Database database);
    [[nodiscard]] core::Result<void> write_rows(std::int64_t segment, const Batch& batch);
    [[nodiscard]] core::Result<void> log(const ToldIncident& told);
    [[nodiscard]] core::Result<void> note(std::span<const std::byte> records, core::UtcNs at);
    [[nodiscard]] core::Result<std::int64_t> number_of(const model::DestinationSecond& second);

    // What incident_log said last of an incident.
    struct Logged {
        core::UtcNs at;
        std::string words;
    };
    struct Counted {
        core::UtcNs at;
        std::uint64_t dropped = 0;
    };
    using DestinationId = std::tuple<model::Endpoint, model::Perspective, std::uint32_t>;
    struct Numbered {
        std::int64_t number = 0;
        std::optional<std::string> name;
        std::optional<std::string> region;
    };

    std::optional<Database> database_;             // before the statements: they die first
    std::map<const char*, Statement> statements_;  // by the text, which is a literal
    std::map<DestinationId, Numbered> destinations_;
    std::map<std::string, Logged> logged_;
    std::map<std::uint32_t, Counted> counted_;  // by record kind
    Packer packer_;
    std::uint64_t bytes_ = 0;
    bool is_dump_ = false;
};

}  // namespace netwatch::recorder
