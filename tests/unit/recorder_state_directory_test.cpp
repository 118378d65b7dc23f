// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <set>

#include "recorder/recording_file.h"
#include "recorder/segments.h"
#include "recorder/state_directory.h"
#include "support/segment.h"
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

constexpr const char* first = "segment-20260101T000000.000Z.db";
constexpr const char* second = "segment-20260102T000000.000Z.db";
constexpr const char* third = "segment-20260103T000000.000Z.db";

TEST(StateDirectory, RemovesTheOldestSegmentsFirstAndNeverTheNewest) {
    const support::TemporaryDirectory directory;
    auto state = StateDirectory::hold(directory.path());
    ASSERT_TRUE(state);
    const std::string kib(1024, 'x');
    for (const char* name : {first, second, third, "other.db"}) directory.write(name, kib);
    directory.write(std::string(first) + "-wal", kib);
    state->prune({.max_bytes = 2560});
    EXPECT_EQ(names(directory.path()), (std::set<std::string>{"lock", "other.db", second, third}));
    state->prune({.max_bytes = 512});
    EXPECT_EQ(names(directory.path()), (std::set<std::string>{"lock", "other.db", third}));
}

TEST(StateDirectory, RemovesWhatIsTooOld) {
    const support::TemporaryDirectory directory;
    auto state = StateDirectory::hold(directory.path());
    ASSERT_TRUE(state);
    const auto old = directory.write(first, "x");
    directory.write(second, "x");
    fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(48));
    state->prune({.max_age = std::chrono::hours(24)});
    EXPECT_EQ(names(directory.path()), (std::set<std::string>{"lock", second}));
}

TEST(StateDirectory, FoldsWhatAKilledAgentLeftInALog) {
    const support::TemporaryDirectory directory;
    auto state = StateDirectory::hold(directory.path());
    ASSERT_TRUE(state);
    const auto path = directory / first;
    const pid_t child = ::fork();
    if (child == 0) {
        support::Segment segment(path);
        ::_exit(segment ? 0 : 1);  // nothing is closed
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
    ASSERT_TRUE(fs::exists(fs::path(path) += "-wal"));
    state->settle();
    EXPECT_FALSE(fs::exists(fs::path(path) += "-wal"));
    EXPECT_TRUE(RecordingFile::open(path));
}

TEST(Segments, AreNamedByTheirBeginningInOrder) {
    const support::TemporaryDirectory directory;
    const auto at = *core::parse_rfc3339("2026-11-22T19:42:25.118Z");
    const auto path = new_segment_path(directory.path(), at);
    EXPECT_EQ(path.filename(), "segment-20261122T194225.118Z.db");
    directory.write(path.filename().string(), "x");
    EXPECT_EQ(new_segment_path(directory.path(), at).filename(), "segment-20261122T194225.119Z.db");
    const core::UtcNs set_back{at.ns - 3'600'000'000'000};
    EXPECT_EQ(new_segment_path(directory.path(), set_back).filename(), "segment-20261122T194225.119Z.db");
    directory.write("segment-nonsense.db", "x");
    const auto known = segments_in(directory.path());
    ASSERT_EQ(known.size(), 1U);
    EXPECT_EQ(known[0].began_at, at);
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
