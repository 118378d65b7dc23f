// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <set>

#include "recorder/recorder.h"
#include "recorder/recording_source.h"
#include "recorder/state_directory.h"
#include "support/temporary_directory.h"

namespace netwatch::recorder {
namespace {

namespace fs = std::filesystem;

std::set<std::string> names(const fs::path& directory) {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(directory))
        found.insert(entry.path().filename().string());
    return found;
}

void make_recording(const StateDirectory& state, const std::string& started_at) {
    RecordingMeta meta;
    meta.started_at = started_at;
    ASSERT_TRUE(Recorder::create(state.recording_path(), meta, {}));
}

TEST(StateDirectory, IsMadeForOwnerAndGroup) {
    const support::TemporaryDirectory directory;
    const auto state = StateDirectory::hold(directory / "a/b");
    ASSERT_TRUE(state) << state.error().message;
    EXPECT_EQ(fs::status(directory / "a/b").permissions(), fs::perms(0750));
}

TEST(StateDirectory, IsHeldByOneAgentAtATime) {
    const support::TemporaryDirectory directory;
    {
        const auto first = StateDirectory::hold(directory.path());
        ASSERT_TRUE(first);
        const auto second = StateDirectory::hold(directory.path());
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().exit_code, core::ExitCode::usage);
        EXPECT_NE(second.error().message.find("pid " + std::to_string(::getpid())), std::string::npos);
    }
    EXPECT_TRUE(StateDirectory::hold(directory.path())) << "the lock ends with its holder";
}

TEST(StateDirectory, CannotBeMadeBelowAFile) {
    const support::TemporaryDirectory directory;
    directory.write("file", "");
    const auto state = StateDirectory::hold(directory / "file/state");
    ASSERT_FALSE(state);
    EXPECT_NE(state.error().hint.find("--state-dir"), std::string::npos);
}

TEST(StateDirectory, PutsEarlierRecordingsAsideByTheirBeginning) {
    const support::TemporaryDirectory directory;
    auto state = StateDirectory::hold(directory.path());
    ASSERT_TRUE(state);
    EXPECT_TRUE(state->rotate()) << "nothing to put aside";
    make_recording(*state, "2026-11-22T19:42:25.118Z");
    ASSERT_TRUE(state->rotate());
    make_recording(*state, "2026-11-22T19:42:25.900Z");
    ASSERT_TRUE(state->rotate());
    EXPECT_EQ(names(directory.path()), (std::set<std::string>{"lock", "recording-20261122T194225Z.db",
                                                              "recording-20261122T194225Z-2.db"}));
    EXPECT_TRUE(RecordingSource::open(directory / "recording-20261122T194225Z.db"));
}

TEST(StateDirectory, PutsADamagedRecordingAsideToo) {
    const support::TemporaryDirectory directory;
    auto state = StateDirectory::hold(directory.path());
    ASSERT_TRUE(state);
    directory.write("recording.db", "no database at all");
    ASSERT_TRUE(state->rotate());
    EXPECT_FALSE(fs::exists(state->recording_path()));
    EXPECT_EQ(names(directory.path()).size(), 2U);
}

TEST(StateDirectory, RemovesTheOldestRecordingsFirst) {
    const support::TemporaryDirectory directory;
    auto state = StateDirectory::hold(directory.path());
    ASSERT_TRUE(state);
    const std::string kib(1024, 'x');
    for (const char* name : {"recording-20260101T000000Z.db", "recording-20260102T000000Z.db",
                             "recording-20260103T000000Z.db", "other.db"}) {
        directory.write(name, kib);
    }
    state->prune({.max_bytes = 2560}, 512);
    EXPECT_EQ(names(directory.path()),
              (std::set<std::string>{"lock", "other.db", "recording-20260102T000000Z.db",
                                     "recording-20260103T000000Z.db"}));
    state->prune({.max_bytes = 2560}, 2560);
    EXPECT_EQ(names(directory.path()), (std::set<std::string>{"lock", "other.db"}));
}

TEST(StateDirectory, RemovesWhatIsTooOld) {
    const support::TemporaryDirectory directory;
    auto state = StateDirectory::hold(directory.path());
    ASSERT_TRUE(state);
    const auto old = directory.write("recording-20260101T000000Z.db", "x");
    directory.write("recording-20260102T000000Z.db", "x");
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(48));
    state->prune({.max_age = std::chrono::hours(24)}, 0);
    EXPECT_EQ(names(directory.path()), (std::set<std::string>{"lock", "recording-20260102T000000Z.db"}));
}

TEST(WriteAtomically, ReplacesTheWholeText) {
    const support::TemporaryDirectory directory;
    ASSERT_TRUE(write_atomically(directory / "f", "a longer first text"));
    ASSERT_TRUE(write_atomically(directory / "f", "second"));
    EXPECT_EQ(fs::file_size(directory / "f"), 6U);
    EXPECT_EQ(names(directory.path()), std::set<std::string>{"f"});
    EXPECT_FALSE(write_atomically(directory / "missing/f", "x"));
}

}  // namespace
}  // namespace netwatch::recorder
