// SPDX-License-Identifier: Apache-2.0
#include "recorder/dump.h"

#include <gtest/gtest.h>

#include "model/record.h"
#include "recorder/recording_source.h"
#include "recorder/segments.h"
#include "support/segment.h"
#include "support/temporary_directory.h"

namespace netwatch::recorder {
namespace {

constexpr std::int64_t s = static_cast<std::int64_t>(core::ns_per_s);
constexpr core::UtcNs noon{1'795'000'000 * s};

core::UtcNs after(std::int64_t seconds) { return {noon.ns + seconds * s}; }

// One second: a refused attempt, what is told of it, and a CLOCK.
Batch second_of(std::int64_t seconds) {
    Batch batch;
    batch.at = static_cast<core::BootNs>((1'000 + seconds) * s);
    batch.utc = after(seconds);
    auto connect = model::make_record<netwatch_connect>(batch.at - 1, 5);
    connect.sock = static_cast<std::uint64_t>(seconds + 1);
    connect.start_ns = batch.at - 2;
    connect.tuple.remote_port = 443;
    connect.tuple.local_port = 40'000;
    connect.tuple.protocol = 6;
    connect.tuple.family = 4;
    connect.outcome = NETWATCH_OUTCOME_FAILED;
    connect.reset = 1;
    connect.process.pid = 9;
    connect.process.cgroup_id = 3;
    model::set_text(connect.process.comm, "checkout");
    auto clock = model::make_record<netwatch_clock>(batch.at);
    clock.realtime_ns = batch.utc.ns;
    for (const auto bytes : {model::bytes_of(connect), model::bytes_of(clock)})
        batch.records.insert(batch.records.end(), bytes.begin(), bytes.end());
    model::DestinationSecond second;
    second.at = batch.utc;
    second.ref.endpoint = *model::Endpoint::parse("10.0.0.1:443");
    second.attempts = second.failed = 1;
    second.segments = 4;
    second.lost = 1;
    batch.seconds.push_back(second);
    return batch;
}

ToldIncident told(const std::string& id, std::int64_t opened, std::optional<std::int64_t> resolved) {
    ToldIncident told;
    told.at = after(opened);
    told.incident.id = id;
    told.incident.opened_at = after(opened);
    if (resolved) told.incident.resolved_at = after(*resolved);
    told.incident.destination = {{.endpoint = *model::Endpoint::parse("[2001:db8::1]:443")}};
    told.json = R"({"id":")" + id + R"("})";
    return told;
}

// Three segments of a minute each, of one run.
class DumpTest : public ::testing::Test {
protected:
    void SetUp() override {
        for (int n = 0; n < 3; ++n) {
            SegmentStart start{};
            start.run = "run";
            start.sequence = n;
            start.began_at = after(60 * n);
            start.continues = n > 0;
            auto cgroup = model::make_record<netwatch_cgroup>(1);
            cgroup.cgroup_id = 3;
            model::set_text(cgroup.path, "/checkout.service");
            const auto bytes = model::bytes_of(cgroup);
            if (n > 0) start.opening.assign(bytes.begin(), bytes.end());
            RecordingMeta meta;
            meta.began_at = core::to_rfc3339(start.began_at);
            meta.hostname = "web-7";
            support::Segment segment(new_segment_path(directory_.path(), start.began_at), meta, start);
            ASSERT_TRUE(segment);
            for (int i = 1; i <= 60; ++i) {
                auto batch = second_of(60 * n + i);
                if (n == 0 && i == 10) batch.incidents = {told("nearly", 10, 20)};
                if (n == 2 && i == 10) batch.incidents = {told("late", 130, std::nullopt)};
                if (n == 2 && i == 11)
                    batch.events.push_back({.at = after(131), .topic = "link", .what = "link eth0 gone"});
                ASSERT_TRUE(segment.write(batch));
            }
        }
    }
    DumpSummary dump(const DumpRequest& request) {
        const auto made = write_dump(directory_.path(), file_, request);
        EXPECT_TRUE(made) << made.error().message;
        return made.value_or(DumpSummary{});
    }
    std::string ask(const char* sql) {
        auto file = RecordingFile::open(file_);
        EXPECT_TRUE(file) << file.error().message;
        auto select = file->database().prepare(sql);
        EXPECT_TRUE(select) << select.error().message;
        const auto row = select->step();
        return row && *row ? select->text(0) : "nothing";
    }
    std::uint64_t clocks() {
        auto source = RecordingSource::open(file_);
        EXPECT_TRUE(source);
        std::uint64_t count = 0;
        do {
            for (auto record = source->next(); record && *record; record = source->next()) {
                netwatch_header header{};
                std::memcpy(&header, (*record)->data(), sizeof(header));
                count += header.kind == NETWATCH_RECORD_CLOCK ? 1 : 0;
            }
        } while (source->next_part().value_or(false));
        return count;
    }
    support::TemporaryDirectory directory_;
    std::filesystem::path file_ = directory_ / "dump.db";
};

TEST_F(DumpTest, HoldsAllThatIsAskedFor) {
    const auto made = dump({.since = after(0), .until = after(200), .made_at = after(200)});
    EXPECT_EQ(made.records, 360U);
    EXPECT_EQ(made.connections, 180U);
    EXPECT_EQ(made.incidents, 2U);
    EXPECT_TRUE(made.problems.empty());
    EXPECT_EQ(clocks(), 180U);
    EXPECT_EQ(ask("SELECT count(*) FROM destinations_by_second"), "180");
    EXPECT_EQ(ask("SELECT destination || ' ' || loss_share FROM destinations_by_second"),
              "10.0.0.1:443/tcp 0.25");
    EXPECT_EQ(ask("SELECT outcome || ' ' || conn_state || ' ' || process || cgroup FROM connections"
                  " ORDER BY began_at DESC"),
              "refused REJ checkout/checkout.service");
    EXPECT_EQ(ask("SELECT destination FROM incidents"), "[2001:db8::1]:443/tcp");
    EXPECT_EQ(ask("SELECT at || ' ' || what FROM changes"), core::to_rfc3339(after(131)) + " link eth0 gone");
    EXPECT_EQ(ask("SELECT value FROM meta WHERE key = 'hostname'"), "web-7");
    EXPECT_EQ(ask("SELECT count(*) FROM segments WHERE continues"), "2");
}

TEST_F(DumpTest, TakesWholeSegmentsAndTheRowsOfTheWindow) {
    const auto made = dump({.since = after(125), .until = after(130), .made_at = after(200)});
    EXPECT_EQ(clocks(), 60U + 10U) << "a minute before the window tells what is usual; to its end";
    EXPECT_EQ(ask("SELECT count(*) FROM destinations_by_second"), "6");
    EXPECT_EQ(ask("SELECT group_concat(id) FROM incidents"), "late");
    EXPECT_EQ(made.connections, 5U) << "those that ended in it";
}

TEST_F(DumpTest, ANarrowBoundLeavesOutTheOldest) {
    dump({.since = after(0), .until = after(200), .made_at = after(200), .most_record_bytes = 1});
    EXPECT_EQ(clocks(), 60U) << "the newest segment, whatever its size";
}

TEST_F(DumpTest, BeyondTheLimitOnlyFailuresAreListed) {
    const auto made =
        dump({.since = after(0), .until = after(200), .made_at = after(200), .most_connections = 10});
    EXPECT_EQ(made.connections, 180U) << "none of them ended well";
}

TEST_F(DumpTest, CanBeMadeOfADump) {
    dump({.since = after(0), .until = after(200), .made_at = after(200)});
    const auto part = directory_ / "part.db";
    const auto made =
        write_dump(file_, part, {.since = after(125), .until = after(130), .made_at = after(200)});
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->connections, 5U);
}

TEST_F(DumpTest, LeavesOutWhatIsDamagedAndSaysSo) {
    const auto segments = segments_in(directory_.path());
    std::filesystem::resize_file(segments[1].path, 100);
    const auto made = dump({.since = after(0), .until = after(200), .made_at = after(200)});
    ASSERT_EQ(made.problems.size(), 1U);
    EXPECT_NE(made.problems[0].find(segments[1].path.filename().string()), std::string::npos);
    EXPECT_EQ(clocks(), 120U);
    EXPECT_EQ(ask("SELECT count(*) FROM segments WHERE continues"), "0")
        << "what follows is not what went on";
}

TEST_F(DumpTest, SaysWhereThereIsNothing) {
    const auto before = write_dump(directory_.path(), file_, {.since = {1}, .until = {2}, .made_at = noon});
    ASSERT_FALSE(before);
    EXPECT_NE(before.error().hint.find(core::to_rfc3339(noon)), std::string::npos) << before.error().hint;
    const support::TemporaryDirectory empty;
    const auto none = write_dump(empty.path(), file_, {.since = noon, .until = after(1), .made_at = noon});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().exit_code, core::ExitCode::usage);
    EXPECT_FALSE(std::filesystem::exists(file_));
    const auto nowhere = write_dump(directory_.path(), directory_ / "missing/d.db",
                                    {.since = noon, .until = after(1), .made_at = noon});
    ASSERT_FALSE(nowhere);
}

}  // namespace
}  // namespace netwatch::recorder
