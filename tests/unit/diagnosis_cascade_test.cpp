// SPDX-License-Identifier: Apache-2.0
// What a service passes on: the root is what it calls itself, everything above is a symptom. And what only
// happens at the same time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/crowd.h"
#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using support::Flow;
using support::Story;
using support::Watch;
using testing::Contains;
using testing::Field;
using testing::IsEmpty;
using testing::StartsWith;

constexpr auto web = "10.0.0.1:80";
constexpr auto api = "10.0.0.2:8080";
constexpr auto db = "10.0.0.9:5432";
constexpr support::Who browser{2214, "checkout"};
constexpr support::Who web_server{900, "web"};
constexpr support::Who api_server{901, "api"};
constexpr support::Who another{902, "batch"};

// Connections on which one exchange happens every other second: prompt, or late by `late_s` between two
// times.
class Exchanges {
public:
    Exchanges(Story& story, std::string_view to, support::Who who, int count = 3) : story_(story) {
        for (int i = 0; i < count; ++i) flows_.push_back(story.flow(0.1 + 0.1 * i, to, who));
    }
    // On this host, too, served by `who`.
    Exchanges& served_by(support::Who who) {
        for (const Flow& flow : flows_) ends_.push_back(story_.other_end(flow.start_s + 0.001, flow, who));
        return *this;
    }
    Exchanges& until(int seconds, int late_from = 1'000, int late_to = 1'000, double late_s = 2.5) {
        for (int second = 1; second <= seconds; ++second) {
            const bool late = second > late_from && second <= late_to;
            for (Flow& flow : flows_) {
                flow.sends(1);
                flow.receives(2);
                flow.since(0.1 + (late ? late_s : 0.02), 0.1);
                story_.look(second, flow);
            }
            for (Flow& end : ends_) {
                end.receives(1);
                end.sends(2);
                story_.look(second + 0.01, end);
            }
        }
        return *this;
    }

private:
    Story& story_;
    std::vector<Flow> flows_;
    std::vector<Flow> ends_;
};

std::vector<model::Incident> symptoms(const Watch& watch) {
    auto found = watch.incidents();
    std::erase_if(found, [](const model::Incident& incident) { return !incident.symptom; });
    return found;
}

TEST(DiagnosisCascade, ASlowDatabaseMakesAllAboveItSlow) {
    Story story;
    Exchanges(story, web, browser).served_by(web_server).until(60, 15, 35, 3.1);
    Exchanges(story, api, web_server).served_by(api_server).until(60, 15, 35, 2.8);
    Exchanges(story, db, api_server).until(60, 15, 35, 2.5);
    Watch watch(story);
    watch.until(30);
    const auto root = watch.alarm();
    EXPECT_EQ(root.type, FailureType::slow_service);
    EXPECT_EQ(root.destination->endpoint.to_string(), "10.0.0.9:5432/tcp");
    const auto above = symptoms(watch);
    ASSERT_EQ(above.size(), 2U);
    for (const auto& symptom : above) {
        EXPECT_EQ(symptom.root_cause.incident, root.id);
        EXPECT_EQ(symptom.root_cause.type, root.type);
        EXPECT_THAT(symptom.root_cause.statement, StartsWith("A consequence"));
        EXPECT_THAT(symptom.evidence, Contains(Field(&model::EvidenceItem::signal, "calls_what_fails")));
    }
    watch.until(60);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_EQ(watch.told().size(), 3U);
}

// Pool exhaustion upstream after a slowdown downstream: the accept queue is the symptom, not the cause.
TEST(DiagnosisCascade, AFullPoolAboveASlowDatabaseIsASymptom) {
    Story story;
    Exchanges(story, api, browser).served_by(api_server).until(40);
    Exchanges(story, db, api_server).until(40, 15, 40);
    story.healthy(0, 17, 0.25, api, browser).unanswered(17, 30, 0.5, api, 4, browser);
    for (int second = 1; second <= 40; ++second) {
        const bool full = second > 17;
        story.listens(second + 0.02, api, full ? 17 : 0, 16,
                      full ? 9U * static_cast<unsigned>(second - 17) : 0, api_server);
    }
    Watch watch(story);
    watch.until(28);
    const auto root = watch.alarm();
    EXPECT_EQ(root.type, FailureType::slow_service);
    EXPECT_EQ(root.destination->endpoint.to_string(), "10.0.0.9:5432/tcp");
    const auto above = symptoms(watch);
    EXPECT_THAT(above, Contains(Field(&model::Incident::cause, "listen_backlog")));
    for (const auto& symptom : above) EXPECT_EQ(symptom.root_cause.incident, root.id);
}

// A web tier that turns away what its full pool has no room for. With few clients left nothing shows whether
// it still would: that ends with its root.
TEST(DiagnosisCascade, ALimitAboveASlowDatabaseEndsWithIt) {
    Story story;
    Exchanges(story, api, browser).served_by(api_server).until(90);
    Exchanges(story, db, api_server).until(90, 15, 35);
    support::crowd(story, 0, 15, api, 1'000, 14, true, browser);
    support::crowd(story, 15.2, 36, api, 9, 14, true, browser);
    support::crowd(story, 36.4, 90, api, 1'000, 4, true, browser);
    Watch watch(story);
    watch.until(33);
    EXPECT_EQ(watch.alarm().destination->endpoint.to_string(), "10.0.0.9:5432/tcp");
    EXPECT_THAT(symptoms(watch), Contains(Field(&model::Incident::cause, "remote_limit")));
    watch.until(90);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_EQ(watch.ever_alarmed().size(), 1U);
}

TEST(DiagnosisCascade, LossBeforeTheDatabaseIsTheRoot) {
    Story story;
    Exchanges(story, api, browser).served_by(api_server).until(40, 16, 40);
    std::vector<Flow> flows;
    for (int i = 0; i < 4; ++i) flows.push_back(story.flow(0.1 * (i + 1), db, api_server));
    for (int second = 1; second <= 40; ++second) {
        for (Flow& flow : flows) {
            flow.sends(100, second > 15 ? 5 : 0);
            story.look(second, flow);
        }
    }
    Watch watch(story);
    watch.until(35);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
    ASSERT_EQ(symptoms(watch).size(), 1U);
    EXPECT_EQ(symptoms(watch).front().root_cause.type, FailureType::packet_loss);
}

TEST(DiagnosisCascade, TwoFaultsOfServicesThatDoNotCallEachOtherAreTwo) {
    Story story;
    Exchanges(story, api, browser).served_by(api_server).until(40, 15, 40);
    Exchanges(story, db, another).until(40, 15, 40);
    Watch watch(story);
    watch.until(30);
    EXPECT_EQ(watch.alarms().size(), 2U);
    EXPECT_THAT(symptoms(watch), IsEmpty());
}

// What began long before explains nothing that begins now.
TEST(DiagnosisCascade, AnOldFaultBelowIsNoRootOfANewOne) {
    Story story(700);
    story.refused(0, 220, 0.5, "10.0.0.7:25", api_server).healthy(-20, 0, 0.5, "10.0.0.7:25", api_server);
    Exchanges(story, api, browser).served_by(api_server).until(220, 190, 220);
    Watch watch(story);
    watch.until(210);
    EXPECT_EQ(watch.alarms().size(), 2U);
}

// Nor does what began well after it.
TEST(DiagnosisCascade, ALaterFaultBelowIsNoRoot) {
    Story story;
    Exchanges(story, api, browser).served_by(api_server).until(60, 15, 60);
    Exchanges(story, db, api_server).until(60, 35, 60);
    Watch watch(story);
    watch.until(50);
    EXPECT_EQ(watch.alarms().size(), 2U);
}

// The root heals, and what was taken for its symptom does not: it is a fault of its own.
TEST(DiagnosisCascade, WhatOutlivesItsRootIsAFaultOfItsOwn) {
    Story story;
    Exchanges(story, api, browser).served_by(api_server).until(90, 15, 90);
    Exchanges(story, db, api_server).until(90, 15, 35);
    Watch watch(story);
    watch.until(30);
    EXPECT_EQ(watch.alarm().destination->endpoint.to_string(), "10.0.0.9:5432/tcp");
    watch.until(85);
    const auto own = watch.alarm();
    EXPECT_EQ(own.destination->endpoint.to_string(), "10.0.0.2:8080/tcp");
    EXPECT_FALSE(own.root_cause.incident.has_value());
    EXPECT_EQ(watch.told().size(), 2U);
}

TEST(DiagnosisCascade, ARefusalOfTheHostBelowDoesNotExplainARoute) {
    Story story;
    Exchanges(story, api, browser).served_by(api_server).until(40);
    story.healthy(0, 15, 0.25, db, api_server).refused(15, 40, 0.25, db, api_server);
    story.healthy(0, 15, 0.25, api, browser).rejected(15, 40, 0.25, api, {3, 13, "10.9.9.1"}, 0.001, browser);
    Watch watch(story);
    watch.until(30);
    EXPECT_EQ(watch.alarms().size(), 2U);
}

TEST(DiagnosisCascade, NothingIsWrong) {
    Story story;
    Exchanges(story, web, browser).served_by(web_server).until(40);
    Exchanges(story, api, web_server).served_by(api_server).until(40);
    Exchanges(story, db, api_server).until(40);
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.told(), IsEmpty());
}

}  // namespace
}  // namespace netwatch::diagnosis
