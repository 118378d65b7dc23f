// SPDX-License-Identifier: Apache-2.0
// A recording made by a stranger: any bytes as the file; and the same bytes as a batch of a well-formed file.
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>

#include "core/fd.h"
#include "recorder/database.h"
#include "recorder/dump.h"
#include "recorder/recording_source.h"
#include "service/playback.h"
#include "support/segment.h"

namespace {

using netwatch::recorder::Database;
using netwatch::recorder::RecordingSource;

void read_all(const std::filesystem::path& path) {
    auto source = RecordingSource::open(path);
    if (!source) return;
    for (;;) {
        const auto record = source->next();
        if (!record || !*record) return;
        if ((*record)->size() < sizeof(netwatch_header)) std::abort();
    }
}

// All that a dump reads of it: its rows, its incidents, its connections.
void dump(const std::filesystem::path& path) {
    constexpr netwatch::core::UtcNs late{1LL << 62};
    (void)netwatch::recorder::write_dump(path, path.parent_path() / "dump.db",
                                         {.since = {0}, .until = late, .made_at = late, .redact = true});
}

// All that replay, report and export take from it: the incidents that were open, the records, the diagnosis.
void play(const std::filesystem::path& path) {
    auto playback = netwatch::service::Playback::open(path, {.on_past = [](const auto&) {}});
    if (!playback) return;
    (void)playback->run();
    (void)playback->incidents();
}

struct Scratch {
    Scratch() {
        std::string name = (std::filesystem::temp_directory_path() / "netwatch-fuzz-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        directory = name;
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(directory, ignored);
    }
    std::filesystem::path directory;
};

void as_file(const std::filesystem::path& path, const std::uint8_t* data, std::size_t size) {
    const netwatch::core::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (::write(fd.get(), data, size) != static_cast<ssize_t>(size)) std::abort();
    read_all(path);
    play(path);
    dump(path);
}

void as_batch(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    std::filesystem::remove(path);
    if (netwatch::support::Segment segment(path); !segment.write(1, {bytes.begin(), bytes.end()})) return;
    read_all(path);  // the bytes as records
    play(path);
    {
        auto database = Database::open_for_writing(path);
        auto insert =
            database->prepare("INSERT INTO batches(segment, at_ns, utc_ns, records) VALUES(1, 2, 2, ?)");
        if (!insert || !insert->bind(1, bytes).step()) std::abort();
    }
    read_all(path);  // the bytes as a zstd frame
    dump(path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Scratch scratch;
    as_file(scratch.directory / "file.db", data, size);
    as_batch(scratch.directory / "batch.db", std::as_bytes(std::span(data, size)));
    return 0;
}
