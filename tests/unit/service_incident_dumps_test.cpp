// SPDX-License-Identifier: Apache-2.0
// Dumps that an agent makes by itself: when, of what, how many, and what becomes of them.
#include "service/incident_dumps.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "model/record.h"
#include "recorder/pieces.h"
#include "recorder/recording_file.h"
#include "recorder/segments.h"
#include "support/segment.h"
#include "support/temporary_directory.h"

namespace netwatch::service {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t s = static_cast<std::int64_t>(core::ns_per_s);
constexpr core::UtcNs noon{1'795'000'000 * s};

core::UtcNs at(std::int64_t seconds) { return {noon.ns + seconds * s}; }

model::Incident alarm(const std::string& id, std::int64_t first_affected_s) {
    model::Incident incident;
    incident.id = id;
    incident.state = model::IncidentState::open;
    incident.severity = model::Severity::critical;
    incident.first_affected_at = at(first_affected_s);
    return incident;
}

// Twenty minutes are recorded, in segments of a minute.
class IncidentDumpsTest : public ::testing::Test {
protected:
    void SetUp() override { record(); }
    void record() {
        for (std::int64_t minute = 0; minute < 20; ++minute) {
            const auto began_at = at(60 * minute);
            support::Segment segment(recorder::new_segment_path(state_, began_at), {},
                                     {.run = "run",
                                      .sequence = minute,
                                      .began_at = began_at,
                                      .continues = minute > 0,
                                      .opening = {},
                                      .resumed = {}});
            ASSERT_TRUE(segment);
            for (std::int64_t second = 1; second <= 60; ++second) {
                auto clock =
                    model::make_record<netwatch_clock>(static_cast<core::BootNs>((60 * minute + second) * s));
                clock.realtime_ns = at(60 * minute + second).ns;
                recorder::Batch batch;
                batch.at = clock.header.at_ns;
                batch.utc = {clock.realtime_ns};
                const auto bytes = model::bytes_of(clock);
                batch.records.assign(bytes.begin(), bytes.end());
                ASSERT_TRUE(segment.write(batch));
            }
        }
    }
    // A CLOCK each second up to then.
    void pass(IncidentDumps& dumps, std::int64_t until) {
        for (; now_ <= until; ++now_) dumps.note({}, at(now_));
    }
    void open(IncidentDumps& dumps, const model::Incident& incident) {
        dumps.note(std::vector{incident}, at(now_++));
    }
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(state_ / "dumps", error))
            names.push_back(entry.path().filename().string());
        std::ranges::sort(names);
        return names;
    }
    // What a dump says of itself.
    std::string meta(const std::string& name, const std::string& key) const {
        auto file = recorder::RecordingFile::open(state_ / "dumps" / name);
        EXPECT_TRUE(file) << file.error().message;
        if (!file) return {};
        const auto& others = file->meta().others;
        return others.contains(key) ? others.at(key) : "";
    }
    support::TemporaryDirectory directory_;
    fs::path state_ = directory_.path();
    std::int64_t now_ = 600;
    DumpPolicy policy_{.before = std::chrono::minutes(2), .after = std::chrono::seconds(30)};
};

const std::string first_name = "incident-" + recorder::to_file_time(at(600)) + "-n1.db";

TEST_F(IncidentDumpsTest, HoldsTheTimeBeforeAndAfter) {
    IncidentDumps dumps(state_, policy_);
    pass(dumps, 602);
    open(dumps, alarm("n1", 600));
    pass(dumps, 700);
    dumps.close();
    ASSERT_EQ(names(), std::vector{first_name});
    EXPECT_EQ(meta(first_name, "trigger"), "n1");
    EXPECT_EQ(meta(first_name, "since"), core::to_rfc3339(at(480)));
    EXPECT_EQ(meta(first_name, "until"), core::to_rfc3339(at(633)));
    const auto span = recorder::span_of(state_ / "dumps" / first_name);
    ASSERT_TRUE(span);
    EXPECT_LE(span->begins, at(480));
    EXPECT_EQ(span->ends, at(633));
}

TEST_F(IncidentDumpsTest, IsThereAtOnce) {
    IncidentDumps dumps(state_, policy_);
    open(dumps, alarm("n1", 600));
    pass(dumps, 603);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (names().empty() || !names().front().ends_with(".db")) {
        ASSERT_LT(std::chrono::steady_clock::now(), until) << "not before the time after it has passed";
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(names(), std::vector{first_name});
    EXPECT_EQ(meta(first_name, "until"), core::to_rfc3339(at(602)));
}

TEST_F(IncidentDumpsTest, IsOfWhatWasThereWhenTheAgentEnds) {
    IncidentDumps dumps(state_, policy_);
    open(dumps, alarm("n1", 600));
    pass(dumps, 610);
    dumps.close();
    EXPECT_EQ(meta(first_name, "until"), core::to_rfc3339(at(610)));
}

TEST_F(IncidentDumpsTest, OnlyAlarmsHaveOne) {
    IncidentDumps dumps(state_, policy_);
    auto suspected = alarm("n1", 600);
    suspected.state = model::IncidentState::suspected;
    auto info = alarm("n2", 600);
    info.severity = model::Severity::info;
    auto symptom = alarm("n3", 600);
    symptom.symptom = true;
    for (const auto& one : {suspected, info, symptom}) open(dumps, one);
    pass(dumps, 700);
    dumps.close();
    EXPECT_TRUE(names().empty());
}

TEST_F(IncidentDumpsTest, WhatOpensMeanwhileSharesAndProlongsIt) {
    IncidentDumps dumps(state_, policy_);
    open(dumps, alarm("n1", 600));
    pass(dumps, 619);
    open(dumps, alarm("n2", 615));
    pass(dumps, 700);
    dumps.close();
    ASSERT_EQ(names(), std::vector{first_name});
    EXPECT_EQ(meta(first_name, "until"), core::to_rfc3339(at(650))) << "the time after the second one";
}

TEST_F(IncidentDumpsTest, OneThatOpensWhenTheFirstCannotGrowHasItsOwn) {
    IncidentDumps dumps(state_, policy_);
    open(dumps, alarm("n1", 600));
    for (int n = 2; n < 10; ++n) {
        pass(dumps, 600 + 20 * (n - 1) - 1);
        open(dumps, alarm("n" + std::to_string(n), 600 + 20 * (n - 1)));
    }
    pass(dumps, 1000);
    dumps.close();
    // Four times the time after it: up to 720; those of 700 and later have the next one.
    const auto found = names();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(meta(found[0], "until"), core::to_rfc3339(at(710)));
    EXPECT_EQ(meta(found[1], "trigger"), "n6");
    EXPECT_EQ(meta(found[1], "until"), core::to_rfc3339(at(790)));
}

TEST_F(IncidentDumpsTest, ALaterOneHasItsOwnAndTheSameOneNoOther) {
    IncidentDumps dumps(state_, policy_);
    open(dumps, alarm("n1", 600));
    pass(dumps, 700);
    open(dumps, alarm("n1", 600));
    open(dumps, alarm("n2", 700));
    pass(dumps, 800);
    dumps.close();
    ASSERT_EQ(names().size(), 2U);
    EXPECT_EQ(meta(first_name, "until"), core::to_rfc3339(at(630)));
}

TEST_F(IncidentDumpsTest, NoneIsLostWhileOthersAreMade) {
    IncidentDumps dumps(state_, {.before = std::chrono::minutes(5), .after = std::chrono::seconds(3)});
    for (int n = 1; n <= 15; ++n) {
        open(dumps, alarm("n" + std::to_string(n), now_));
        pass(dumps, now_ + 15);
    }
    dumps.close();
    EXPECT_EQ(names().size(), 15U);
}

TEST_F(IncidentDumpsTest, TheNewestAreKeptAndOthersFilesLeftAlone) {
    policy_.most = 3;
    fs::create_directory(state_ / "dumps");
    const std::string mine = "incident-mine.txt";
    directory_.write("dumps/" + mine, "notes");
    IncidentDumps dumps(state_, policy_);
    for (int n = 1; n <= 5; ++n) {
        open(dumps, alarm("n" + std::to_string(n), now_));
        pass(dumps, now_ + 40);
    }
    dumps.close();
    const auto found = names();
    ASSERT_EQ(found.size(), 4U);
    for (std::size_t n = 0; n < 3; ++n) EXPECT_EQ(meta(found[n], "trigger"), "n" + std::to_string(n + 3));
    EXPECT_EQ(found[3], mine);
}

TEST_F(IncidentDumpsTest, TogetherTheyAreNoLargerThanTheyMay) {
    policy_.most_bytes = 1;
    IncidentDumps dumps(state_, policy_);
    for (int n = 1; n <= 3; ++n) {
        open(dumps, alarm("n" + std::to_string(n), now_));
        pass(dumps, now_ + 40);
    }
    dumps.close();
    ASSERT_EQ(names().size(), 1U) << "the newest, whatever its size";
    EXPECT_EQ(meta(names().front(), "trigger"), "n3");
}

TEST_F(IncidentDumpsTest, ALaterRunOfTheAgentLeavesItAsItIs) {
    {
        IncidentDumps dumps(state_, policy_);
        open(dumps, alarm("n1", 600));
        pass(dumps, 700);
        dumps.close();
    }
    directory_.write("dumps/incident-20261122T000000.000Z-n9.db.new", "what a killed agent had begun");
    IncidentDumps dumps(state_, policy_);
    open(dumps, alarm("n1", 600));
    pass(dumps, 800);
    dumps.close();
    ASSERT_EQ(names(), std::vector{first_name});
    EXPECT_EQ(meta(first_name, "until"), core::to_rfc3339(at(630)));
}

// Nothing is recorded there until later: as where a disk is full.
TEST_F(IncidentDumpsTest, IsTriedAgainUntilItCanBeMade) {
    const support::TemporaryDirectory elsewhere;
    for (const auto& segment : recorder::segments_in(state_))
        fs::rename(segment.path, elsewhere.path() / segment.path.filename());
    IncidentDumps dumps(state_, policy_);
    open(dumps, alarm("n1", 600));
    pass(dumps, 700);
    EXPECT_TRUE(names().empty());
    record();
    pass(dumps, 740);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (names() != std::vector{first_name} && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_EQ(names(), std::vector{first_name});
    EXPECT_EQ(meta(first_name, "until"), core::to_rfc3339(at(630)));
}

}  // namespace
}  // namespace netwatch::service
