// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <vector>

#include "model/record.h"
#include "recorder/recording_source.h"
#include "support/segment.h"
#include "support/temporary_directory.h"

namespace netwatch::recorder {
namespace {

using Bytes = std::vector<std::byte>;

template <typename R>
void append(Bytes& bytes, const R& record) {
    const auto more = model::bytes_of(record);
    bytes.insert(bytes.end(), more.begin(), more.end());
}

// Records of different sizes, told apart by their times.
Bytes batch(std::uint64_t first_ns, int pairs) {
    Bytes bytes;
    for (int i = 0; i < pairs; ++i) {
        append(bytes, model::make_record<netwatch_connect>(first_ns + static_cast<std::uint64_t>(i)));
        append(bytes, model::make_record<netwatch_clock>(first_ns + static_cast<std::uint64_t>(i)));
    }
    return bytes;
}

RecordingMeta meta() {
    RecordingMeta meta;
    meta.agent_version = "1.2.3";
    meta.kernel = "6.1.0";
    meta.boot_id = "b00t";
    meta.began_at = "2026-11-22T19:42:25.118Z";
    meta.limits = {{"destinations", 10}};
    return meta;
}

struct ReadBack {
    Bytes bytes;
    std::uint64_t records = 0;
    std::optional<core::Error> error;
};

ReadBack read_all(RecordingSource& source) {
    ReadBack back;
    for (;;) {
        const auto record = source.next();
        if (!record) back.error = record.error();
        if (!record || !*record) return back;
        back.bytes.insert(back.bytes.end(), (*record)->begin(), (*record)->end());
        ++back.records;
    }
}

void record(const std::filesystem::path& path, const std::vector<Bytes>& batches) {
    support::Segment segment(path, meta());
    ASSERT_TRUE(segment);
    for (const auto& bytes : batches) ASSERT_TRUE(segment.write(1, bytes));
}

void execute(const std::filesystem::path& path, const char* sql) {
    auto database = Database::open_for_writing(path);
    ASSERT_TRUE(database);
    const auto done = database->execute(sql);
    ASSERT_TRUE(done) << done.error().message;
}

TEST(Recording, ComesBackByteForByte) {
    const support::TemporaryDirectory directory;
    const auto path = directory / "recording.db";
    Bytes expected;
    {
        const std::vector<std::string> resumed{R"({"id":"n1"})", R"({"id":"n2"})"};
        SegmentStart start;
        start.resumed = resumed;
        support::Segment segment(path, meta(), start);
        ASSERT_TRUE(segment);
        for (std::uint64_t i = 0; i < 5; ++i) {
            const auto bytes = batch(1000 * i, 100);
            ASSERT_TRUE(segment.write(1000 * i, bytes));
            expected.insert(expected.end(), bytes.begin(), bytes.end());
        }
        EXPECT_GT(segment.bytes(), 0U);
    }
    EXPECT_FALSE(std::filesystem::exists(directory / "recording.db-wal"));
    auto source = RecordingSource::open(path);
    ASSERT_TRUE(source) << source.error().message;
    EXPECT_EQ(source->meta().agent_version, "1.2.3");
    EXPECT_EQ(source->meta().kernel, "6.1.0");
    EXPECT_EQ(source->meta().boot_id, "b00t");
    EXPECT_EQ(source->meta().began_at, "2026-11-22T19:42:25.118Z");
    EXPECT_EQ(source->meta().limits, meta().limits);
    EXPECT_EQ(source->resumed(), (std::vector<std::string>{R"({"id":"n1"})", R"({"id":"n2"})"}));
    const auto back = read_all(*source);
    EXPECT_FALSE(back.error);
    EXPECT_EQ(back.records, 1000U);
    EXPECT_EQ(back.bytes, expected);
}

TEST(Recording, IsForOwnerAndGroupAlone) {
    const support::TemporaryDirectory directory;
    record(directory / "r.db", {batch(1, 1)});
    const auto mode = std::filesystem::status(directory / "r.db").permissions();
    EXPECT_EQ(mode & std::filesystem::perms::others_all, std::filesystem::perms::none);
}

TEST(Recording, CanBeReadWhileItIsWritten) {
    const support::TemporaryDirectory directory;
    const auto path = directory / "recording.db";
    support::Segment segment(path);
    ASSERT_TRUE(segment.write(1, batch(1, 10)));
    auto source = RecordingSource::open(path);
    ASSERT_TRUE(source) << source.error().message;
    EXPECT_EQ(read_all(*source).records, 20U);
}

// A child writes batches and says so after each; it is killed in the middle of its work.
TEST(Recording, LosesNothingWrittenWhenTheWriterIsKilled) {
    const support::TemporaryDirectory directory;
    const auto path = directory / "recording.db";
    int said[2];
    ASSERT_EQ(::pipe(said), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        support::Segment segment(path);
        for (char n = 1; segment.write(1, batch(1, 500)); ++n) (void)!::write(said[1], &n, 1);
        ::_exit(1);
    }
    ::close(said[1]);
    int written = 0;
    for (char n = 0; written < 20 && ::read(said[0], &n, 1) == 1;) ++written;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (char n = 0; ::read(said[0], &n, 1) == 1;) ++written;
    ::close(said[0]);
    ASSERT_GE(written, 20);
    auto source = RecordingSource::open(path);
    ASSERT_TRUE(source) << source.error().message;
    const auto back = read_all(*source);
    EXPECT_FALSE(back.error) << back.error->message;
    EXPECT_GE(back.records, static_cast<std::uint64_t>(written) * 1000);
    EXPECT_EQ(back.records % 1000, 0U) << "a batch is there whole or not at all";
}

TEST(Recording, RefusesWhatIsNoRecording) {
    const support::TemporaryDirectory directory;
    const auto error_of = [](const std::filesystem::path& path) {
        const auto source = RecordingSource::open(path);
        return source ? std::string() : source.error().message;
    };
    EXPECT_NE(error_of(directory / "missing").find("No such file"), std::string::npos);
    EXPECT_NE(error_of(directory.path()).find("no recording in"), std::string::npos);
    EXPECT_NE(error_of(directory.write("text", "hello, this is text")).find("is not a recording"),
              std::string::npos);
    EXPECT_NE(error_of(directory.write("empty", "")).find("is not a recording"), std::string::npos);

    record(directory / "view.db", {batch(1, 1)});
    execute(directory / "view.db", "CREATE VIEW zoo AS SELECT 1");
    EXPECT_NE(error_of(directory / "view.db").find("more than a recording"), std::string::npos);
    record(directory / "column.db", {batch(1, 1)});
    execute(directory / "column.db",
            "DROP TABLE batches; CREATE TABLE batches(id, segment, at_ns, utc_ns, records AS (zeroblob(9)))");
    EXPECT_NE(error_of(directory / "column.db").find("tables are not"), std::string::npos);
}

TEST(Recording, NamesTheVersionThatIsNeeded) {
    const support::TemporaryDirectory directory;
    record(directory / "abi.db", {batch(1, 1)});
    execute(directory / "abi.db", "UPDATE meta SET value = '99' WHERE key = 'abi_version'");
    const auto abi = RecordingSource::open(directory / "abi.db");
    ASSERT_FALSE(abi);
    EXPECT_NE(abi.error().message.find("ABI version 99"), std::string::npos);
    EXPECT_NE(abi.error().hint.find("1.2.3"), std::string::npos);

    record(directory / "format.db", {batch(1, 1)});
    execute(directory / "format.db", "UPDATE meta SET value = '9' WHERE key = 'format'");
    const auto format = RecordingSource::open(directory / "format.db");
    ASSERT_FALSE(format);
    EXPECT_NE(format.error().message.find("of format 9"), std::string::npos);
}

TEST(Recording, GivesWhatCameBeforeTheDamageAndSaysWhereItIs) {
    const support::TemporaryDirectory directory;
    for (const char* damage :
         {"UPDATE batches SET records = x'0102' WHERE id = 3",
          "UPDATE batches SET records = substr(records, 1, length(records) - 9) WHERE id = 3",
          "UPDATE batches SET records = x'' WHERE id = 3"}) {
        const auto path = directory / "r.db";
        std::filesystem::remove(path);
        record(path, {batch(1, 10), batch(2, 10), batch(3, 10), batch(4, 10)});
        execute(path, damage);
        auto source = RecordingSource::open(path);
        ASSERT_TRUE(source);
        const auto back = read_all(*source);
        EXPECT_EQ(back.records, 40U) << damage;
        ASSERT_TRUE(back.error) << damage;
        EXPECT_NE(back.error->message.find("after 40 records (after batch 2)"), std::string::npos);
        EXPECT_FALSE(source->next()) << "damage stays damage";
    }
}

TEST(Recording, GivesWhatIsLeftOfATruncatedFile) {
    const support::TemporaryDirectory directory;
    const auto path = directory / "r.db";
    std::vector<Bytes> batches;
    // Times far apart, so that the batches do not compress into one page.
    for (std::uint64_t i = 0; i < 200; ++i) batches.push_back(batch(i * 0x9e3779b97f4a7c15ULL, 200));
    record(path, batches);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    auto source = RecordingSource::open(path);
    ASSERT_TRUE(source) << source.error().message;
    const auto back = read_all(*source);
    EXPECT_TRUE(back.error);
    EXPECT_LT(back.records, 200U * 400U);
}

// The limit on file sizes stands for a disk that is full.
TEST(Recording, KeepsWhatWasWrittenBeforeTheDiskWasFull) {
    const support::TemporaryDirectory directory;
    const auto path = directory / "r.db";
    std::optional<support::Segment> segment(path);
    ASSERT_TRUE(*segment);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit little{256 << 10, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &little);
    std::uint64_t written = 0;
    core::Result<void> done;
    while (done && written < 10'000) {
        done = segment->write(1, batch(written * 0x9e3779b97f4a7c15ULL, 200));
        if (done) ++written;
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, old_handler);
    ASSERT_FALSE(done);
    EXPECT_FALSE(done.error().message.empty());
    segment.reset();
    auto source = RecordingSource::open(path);
    ASSERT_TRUE(source) << source.error().message;
    const auto back = read_all(*source);
    EXPECT_FALSE(back.error) << back.error->message;
    EXPECT_EQ(back.records, written * 400);
}

TEST(Recording, RefusesARecordThatDoesNotFit) {
    const support::TemporaryDirectory directory;
    auto bytes = batch(1, 2);
    bytes.resize(bytes.size() - 8);
    record(directory / "r.db", {bytes});
    auto source = RecordingSource::open(directory / "r.db");
    ASSERT_TRUE(source);
    const auto back = read_all(*source);
    EXPECT_EQ(back.records, 3U);
    EXPECT_TRUE(back.error);
}

TEST(Recording, RefusesWhatItCannotWrite) {
    const support::TemporaryDirectory directory;
    EXPECT_FALSE(support::Segment(directory / "missing" / "r.db"));
    support::Segment second(directory / "r.db");
    ASSERT_TRUE(second);
    EXPECT_FALSE(second.write(1, Bytes(largest_frame_bytes + 8)));
    EXPECT_FALSE(support::Segment(directory / "r.db")) << "an existing file is not overwritten";
}

}  // namespace
}  // namespace netwatch::recorder
