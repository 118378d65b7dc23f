// SPDX-License-Identifier: Apache-2.0
// Recordings that were damaged on their way, or made to do harm.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "model/record.h"
#include "recorder/dump.h"
#include "recorder/recording_source.h"
#include "recorder/redactor.h"
#include "support/segment.h"
#include "support/temporary_directory.h"

namespace netwatch::recorder {
namespace {

constexpr core::UtcNs late{std::numeric_limits<std::int64_t>::max() / 2};

std::string contents(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// What could be read, of a file whatever it holds; neither a crash nor an exception.
std::uint64_t records_in(const std::filesystem::path& path) {
    auto source = RecordingSource::open(path);
    std::uint64_t records = 0;
    if (!source) return records;
    do {
        for (auto record = source->next(); record && *record; record = source->next()) ++records;
    } while (source->next_part().value_or(false));
    return records;
}

class HostileTest : public ::testing::Test {
protected:
    void SetUp() override {
        support::Segment segment(path_, {}, {.run = "r", .resumed = {R"({"id":"n1"})"}});
        ASSERT_TRUE(segment);
        for (std::uint64_t n = 1; n <= 40; ++n) {
            Batch batch;
            batch.at = n * core::ns_per_s;
            batch.utc = {static_cast<std::int64_t>(batch.at)};
            auto connect = model::make_record<netwatch_connect>(n * 0x9e3779b97f4a7ULL);
            connect.tuple.remote_port = 443;
            auto clock = model::make_record<netwatch_clock>(batch.at);
            for (const auto bytes : {model::bytes_of(connect), model::bytes_of(clock)})
                batch.records.insert(batch.records.end(), bytes.begin(), bytes.end());
            model::DestinationSecond second;
            second.at = batch.utc;
            second.ref.endpoint = *model::Endpoint::parse("10.0.0.1:443");
            batch.seconds = {second};
            ToldIncident told;
            told.incident.id = "n" + std::to_string(n);
            told.json = R"({"id":"n","summary":"10.0.0.1"})";
            batch.incidents = {told};
            ASSERT_TRUE(segment.write(batch));
        }
    }
    void execute(const std::string& sql) {
        auto database = Database::open_for_writing(path_);
        ASSERT_TRUE(database);
        const auto done = database->execute(sql.c_str());
        ASSERT_TRUE(done) << done.error().message;
    }
    core::Result<DumpSummary> dump(bool redact) {
        return write_dump(path_, directory_ / "dump.db",
                          {.since = {0}, .until = late, .made_at = late, .redact = redact});
    }
    support::TemporaryDirectory directory_;
    std::filesystem::path path_ = directory_ / "r.db";
};

TEST_F(HostileTest, FlippedBitsDoNoHarm) {
    const std::string whole = contents(path_);
    std::mt19937 random(20261126);
    std::uint64_t readable = 0;
    for (int n = 0; n < 400; ++n) {
        std::string bytes = whole;
        for (int flips = 1 + n % 8; flips > 0; --flips)
            bytes[random() % bytes.size()] ^= static_cast<char>(1U << random() % 8);
        directory_.write("r.db", bytes);
        readable += records_in(path_);
        (void)dump(n % 2 == 0);
    }
    EXPECT_GT(readable, 400U * 40) << "most of what is there is read";
}

TEST_F(HostileTest, WhatIsCutOffIsReadUpToThere) {
    const std::string whole = contents(path_);
    std::uint64_t before = 0;
    for (std::size_t length = 0; length < whole.size(); length += 997) {
        directory_.write("r.db", whole.substr(0, length));
        const auto records = records_in(path_);
        EXPECT_LE(records, 80U);
        before = std::max(before, records);
        (void)dump(false);
    }
    EXPECT_GT(before, 0U);
}

TEST_F(HostileTest, AFrameThatClaimsMuchTakesNoMemory) {
    // A zstd frame of one segment whose content is said to be a TiB long.
    execute("UPDATE batches SET records = x'28b52ffde0000000000100000000' WHERE id = 3");
    auto source = RecordingSource::open(path_);
    ASSERT_TRUE(source);
    core::Result<std::optional<std::span<const std::byte>>> next = source->next();
    while (next && *next) next = source->next();
    ASSERT_FALSE(next);
    EXPECT_NE(next.error().message.find("after 4 records"), std::string::npos) << next.error().message;
    const auto made = dump(false);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->problems.size(), 1U);
}

TEST_F(HostileTest, ASchemaWithMoreInItIsRefused) {
    execute("CREATE TRIGGER t AFTER INSERT ON meta BEGIN SELECT 1; END");
    const auto file = RecordingFile::open(path_);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().exit_code, core::ExitCode::usage);
    EXPECT_NE(file.error().message.find("more than a recording"), std::string::npos);
}

TEST_F(HostileTest, AViewInPlaceOfATableIsRefused) {
    execute("DROP TABLE meta; CREATE VIEW meta AS SELECT 'format' AS key, randomblob(1000000000) AS value");
    EXPECT_FALSE(RecordingFile::open(path_));
}

TEST_F(HostileTest, ValuesOfOtherTypesDoNoHarm) {
    execute("UPDATE second SET utc_ns = -utc_ns, attempts = 'many'; UPDATE destination SET ip = x'00', netns "
            "= -1.5;"
            "UPDATE segments SET began_utc_ns = 'soon', run = x'ff';"
            "UPDATE incident SET json = '[' || replace(hex(zeroblob(100000)), '0', '['), opened_ns = 0;"
            "UPDATE incident_log SET confidence = 'high'");
    EXPECT_EQ(records_in(path_), 80U);
    (void)dump(true);
    (void)dump(false);
}

// Rows of a hostile file may all be made of the same pages: it need not be large for that.
TEST_F(HostileTest, MoreIncidentsThanAnAgentKeepsAreLeftOut) {
    execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)"
            " INSERT INTO resumed SELECT 1, hex(zeroblob(500000)) FROM n");
    const auto source = RecordingSource::open(path_);
    ASSERT_TRUE(source) << source.error().message;
    ASSERT_FALSE(source->resumed());
    const std::string& said = source->resumed().error().message;
    EXPECT_NE(said.find("more incidents"), std::string::npos) << said;
    const auto made = dump(false);
    ASSERT_TRUE(made) << made.error().message;
    ASSERT_EQ(made->problems.size(), 1U);
    EXPECT_NE(made->problems[0].find("more incidents"), std::string::npos) << made->problems[0];
}

TEST_F(HostileTest, AnIncidentThatCannotBeRedactedIsLeftOut) {
    execute("UPDATE resumed SET incident = 'no JSON'; UPDATE incident SET json = '{' WHERE id = 'n7'");
    const auto made = dump(true);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->records, 80U);
    EXPECT_EQ(made->incidents, 39U);
    ASSERT_EQ(made->problems.size(), 2U);
    EXPECT_NE(made->problems[0].find("no JSON"), std::string::npos) << made->problems[0];
    EXPECT_EQ(contents(directory_ / "dump.db").find("no JSON"), std::string::npos);
}

// The rest of a recording is there, where its records are not.
TEST_F(HostileTest, TablesOutliveDamagedRecords) {
    execute("UPDATE batches SET records = x'00' WHERE id = 20");
    const auto made = dump(false);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->records, 38U);
    EXPECT_EQ(made->incidents, 40U);
    EXPECT_EQ(made->problems.size(), 1U);
}

TEST_F(HostileTest, LongTextsAreCutOrRefused) {
    execute("UPDATE resumed SET incident = hex(zeroblob(4000000)); UPDATE destination SET name = "
            "hex(zeroblob(500))");
    auto file = RecordingFile::open(path_);
    ASSERT_TRUE(file);
    const auto resumed = file->resumed(1);
    ASSERT_TRUE(resumed);
    EXPECT_EQ(resumed->at(0).size(), longest_text_bytes);
    const auto made = dump(false);
    ASSERT_TRUE(made) << made.error().message;
    ASSERT_EQ(made->problems.size(), 1U);
    EXPECT_NE(made->problems[0].find("a destination that is none"), std::string::npos) << made->problems[0];
    execute("UPDATE segments SET run = hex(zeroblob(500))");
    EXPECT_FALSE(RecordingSource::open(path_));
    execute("UPDATE meta SET value = hex(zeroblob(500000)) WHERE key = 'hostname'");
    EXPECT_FALSE(RecordingFile::open(path_));
}

TEST_F(HostileTest, LongSentencesAreRedactedInTime) {
    Redactor redactor{Pseudonyms(Pseudonyms::Key{})};
    std::string sentence(longest_text_bytes, ':');
    EXPECT_TRUE(redactor.incident('"' + sentence + '"'));
    std::ranges::fill(sentence, '.');
    EXPECT_TRUE(redactor.incident('"' + sentence + '"'));
}

// A sentence may stand before the records that name what is in it: a name that is forgotten would show.
TEST_F(HostileTest, MoreNamesThanCanBeRememberedAreNotRedacted) {
    Pseudonyms pseudonyms{Pseudonyms::Key{}};
    for (std::size_t n = 0; n < Pseudonyms::most_names; ++n) (void)pseudonyms.digest(n);
    EXPECT_FALSE(pseudonyms.has_too_many());
    (void)pseudonyms.process("one more");
    EXPECT_TRUE(pseudonyms.has_too_many());
}

TEST_F(HostileTest, DeepJsonIsCut) {
    Redactor redactor{Pseudonyms(Pseudonyms::Key{})};
    EXPECT_FALSE(redactor.incident(std::string(200'000, '[')));
    EXPECT_TRUE(redactor.incident(std::string(200'000, '[') + std::string(200'000, ']')));
}

}  // namespace
}  // namespace netwatch::recorder
