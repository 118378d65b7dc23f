// SPDX-License-Identifier: Apache-2.0
// Dumps of earlier versions: tests/golden/dump/format-N.db, each made by the version that wrote format N
// first, from a run of the lab. They open for ever: a file that is there is never made anew.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "recorder/recording_file.h"
#include "service/playback.h"
#include "support/temporary_directory.h"

namespace netwatch {
namespace {

namespace fs = std::filesystem;

const fs::path directory = fs::path(NETWATCH_SOURCE_DIR) / "tests/golden/dump";

std::string ask(recorder::RecordingFile& file, const char* sql) {
    auto select = file.database().prepare(sql);
    if (!select) return select.error().message;
    const auto row = select->step();
    return !row ? row.error().message : *row ? select->text(0) : "nothing";
}

TEST(GoldenDump, TheNewestFormatHasOne) {
    EXPECT_TRUE(fs::exists(directory / ("format-" + std::to_string(recorder::recording_format) + ".db")))
        << "make one: `netwatch dump` of a lab run that was kept";
}

TEST(GoldenDump, OfEachVersionOpensAndReplays) {
    for (const auto& entry : fs::directory_iterator(directory)) {
        SCOPED_TRACE(entry.path().filename());
        auto playback = service::Playback::open(entry.path(), {});
        ASSERT_TRUE(playback) << playback.error().message;
        std::uint64_t records = 0;
        const auto done = playback->run([&](model::RecordRef) { ++records; });
        EXPECT_TRUE(done) << done.error().message;
        EXPECT_GT(records, 1'000U);
        EXPECT_FALSE(playback->incidents().empty());
    }
}

// What people and scripts ask of it.
TEST(GoldenDump, AnswersThroughItsViews) {
    auto file = recorder::RecordingFile::open(directory / "format-2.db");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(ask(*file, "SELECT type || ' ' || cause || ' ' || destination || ' ' || state FROM incidents"),
              "port_blocked closed_port 10.198.222.16:2797/tcp resolved");
    EXPECT_EQ(ask(*file, "SELECT opened_at FROM incidents"), "2026-11-26T03:05:11.140Z");
    EXPECT_EQ(ask(*file, "SELECT count(*) FROM connections WHERE outcome = 'refused' AND conn_state = 'REJ'"),
              "55");
    EXPECT_EQ(ask(*file, "SELECT what || ' ' || topic FROM changes"), "netwatch started agent");
    EXPECT_EQ(ask(*file, "SELECT count(*) FROM destinations_by_second"), "62");
    EXPECT_EQ(ask(*file, "SELECT count(*) FROM hooks"), "17");
}

TEST(GoldenDump, IsReadByACopyThatNobodyCanWriteTo) {
    const support::TemporaryDirectory place;
    fs::copy_file(directory / "format-2.db", place / "d.db");
    fs::permissions(place / "d.db", fs::perms::owner_read);
    EXPECT_TRUE(recorder::RecordingFile::open(place / "d.db"));
    EXPECT_FALSE(fs::exists(place / "d.db-wal"));
}

}  // namespace
}  // namespace netwatch
