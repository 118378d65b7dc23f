// SPDX-License-Identifier: Apache-2.0
#include "present/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "model/fields.h"
#include "support/views.h"

namespace netwatch::present {
namespace {

using nlohmann::json;

// Written, read back and written again; equal texts mean that nothing was lost on the way.
template <typename T, typename Read>
void expect_round_trip(const T& value, Read read) {
    const json first = to_json(value);
    const auto text = parse_json(to_text(first));
    ASSERT_TRUE(text) << text.error().message;
    const auto back = read(*text);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(to_json(*back), first);
}

TEST(PresentJson, ViewsComeBackAsTheyWere) {
    for (const auto& view : {support::failing_view(), support::healthy_view(), support::empty_view()}) {
        expect_round_trip(view, host_view_from_json);
    }
}

TEST(PresentJson, HostileTextComesBackHarmlessAndOnce) {
    expect_round_trip(support::hostile_view(), host_view_from_json);
}

TEST(PresentJson, LaddersComeBackAsTheyWere) {
    expect_round_trip(support::payments_ladder(), ladder_from_json);
}

TEST(PresentJson, EveryMemberOfAnIncidentIsReadBack) {
    const auto written = support::failing_view().incidents.front();
    const auto read = incident_from_json(to_json(written));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->id, written.id);
    EXPECT_EQ(read->cause, written.cause);
    EXPECT_EQ(read->candidates.size(), 2U);
    EXPECT_EQ(read->candidates[1].would_split, written.candidates[1].would_split);
    EXPECT_EQ(read->confidence, written.confidence);
    EXPECT_EQ(read->destination->endpoint, written.destination->endpoint);
    EXPECT_EQ(read->source.netns, written.source.netns);
    EXPECT_EQ(read->impact.processes, written.impact.processes);
    EXPECT_EQ(read->changes[0].by, written.changes[0].by);
    EXPECT_EQ(read->changes[0].bearing, written.changes[0].bearing);
    EXPECT_EQ(read->first_affected_at, written.first_affected_at);
    EXPECT_EQ(read->evidence[0].value, written.evidence[0].value);
    EXPECT_EQ(read->ladder[2].status, model::LadderStatus::failing);
    EXPECT_EQ(read->observer.missing_hooks, written.observer.missing_hooks);
}

TEST(PresentJson, PortZeroIsLeftOutAndNothingIsNull) {
    auto incident = support::failing_view().incidents.front();
    incident.destination->endpoint.port = 0;
    incident.root_cause.type = std::nullopt;
    const json written = to_json(incident);
    EXPECT_FALSE(written["destination"].contains("port"));
    EXPECT_FALSE(written["root_cause"].contains("type"));
    EXPECT_TRUE(written["resolved_at"].is_null());
    EXPECT_TRUE(written["destination"]["real_ip"].is_null());
    incident.destination = std::nullopt;
    EXPECT_TRUE(to_json(incident)["destination"].is_null());
    ASSERT_TRUE(incident_from_json(to_json(incident)));
}

TEST(PresentJson, NatAndAskedAddressesSurvive) {
    auto ladder = support::payments_ladder();
    ladder.destinations[0].real = model::Endpoint::parse("10.9.9.9:8443");
    ladder.destinations[0].asked = model::Endpoint::parse("[2001:db8::1]:443");
    const auto back = ladder_from_json(to_json(ladder));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->destinations[0].real, ladder.destinations[0].real);
    EXPECT_EQ(back->destinations[0].asked, ladder.destinations[0].asked);
}

TEST(PresentJson, ARowHasEveryFieldOfTheRegistry) {
    const json view = to_json(support::failing_view());
    for (const auto& row : view["destinations"]) {
        for (const auto& field : model::destination_fields()) EXPECT_TRUE(row.contains(field.id)) << field.id;
    }
    EXPECT_EQ(view["destinations"][0]["verdict"], "firewall");
}

TEST(PresentJson, NumbersThatJsonHasNotAreNull) {
    auto view = support::healthy_view();
    view.destinations[0].rtt_us = std::numeric_limits<double>::infinity();
    view.destinations[0].loss_share = std::nan("");
    const auto back = host_view_from_json(to_json(view));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_FALSE(back->destinations[0].rtt_us);
    EXPECT_FALSE(back->destinations[0].loss_share);
}

TEST(PresentJson, TextIsAsciiWhateverANameHolds) {
    for (const char c : to_text(to_json(support::hostile_view()))) ASSERT_TRUE(c >= 0x20 && c < 0x7f);
}

TEST(PresentJson, UnknownMembersAndCausesAreAccepted) {
    json written = to_json(support::failing_view().incidents.front());
    written["later_addition"] = {{"a", 1}};
    written["cause"] = "a_cause_of_tomorrow";
    const auto read = incident_from_json(written);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->cause, "a_cause_of_tomorrow");
}

// Every member in turn is taken away, and replaced by something of another kind: the reader must answer with
// a value or an error, never with an exception.
void mutate(const json& whole, const json::json_pointer& at, const std::function<void(const json&)>& each) {
    const json& here = whole.at(at);
    for (const json& other :
         {json(nullptr), json(-1), json(1e300), json("x"), json(true), json::array(), json::object()}) {
        json changed = whole;
        changed[at] = other;
        each(changed);
    }
    if (here.is_object()) {
        for (const auto& [key, value] : here.items()) {
            json changed = whole;
            changed[at].erase(key);
            each(changed);
            mutate(whole, at / key, each);
        }
    } else if (here.is_array() && !here.empty()) {
        mutate(whole, at / std::size_t{0}, each);
    }
}

TEST(PresentJson, MalformedInputIsAnErrorValue) {
    std::size_t errors = 0;
    mutate(to_json(support::failing_view().incidents.front()), json::json_pointer(),
           [&](const json& changed) {
               const auto read = incident_from_json(changed);
               if (read) return;
               ++errors;
               EXPECT_TRUE(read.error().message.starts_with("malformed incident: ")) << read.error().message;
           });
    EXPECT_GT(errors, 300U);
    auto view = support::failing_view();
    view.incidents.clear();
    view.destinations.resize(1);
    view.destinations[0].series.resize(1);
    mutate(to_json(view), json::json_pointer(),
           [](const json& changed) { static_cast<void>(host_view_from_json(changed)); });
    mutate(to_json(support::payments_ladder()), json::json_pointer(),
           [](const json& changed) { static_cast<void>(ladder_from_json(changed)); });
}

TEST(PresentJson, TheErrorSaysWhere) {
    json view = to_json(support::failing_view());
    view["incidents"][1]["ladder"][3]["status"] = "fine";
    EXPECT_EQ(host_view_from_json(view).error().message,
              "malformed view: incidents[1].ladder[3].status is not a word of the contract");
    view.erase("at");
    EXPECT_EQ(host_view_from_json(view).error().message, "malformed view: at is missing");
    EXPECT_FALSE(parse_json("{\"a\": "));
    EXPECT_FALSE(host_view_from_json(json("netwatch.view/1")));
}

TEST(PresentJson, NumbersOutOfRangeAreRefused) {
    json view = to_json(support::healthy_view());
    for (const json& netns : {json(-1), json(4294967296ULL), json(1.5)}) {
        view["destinations"][0]["netns"] = netns;
        EXPECT_FALSE(host_view_from_json(view)) << netns;
    }
    json incident = to_json(support::failing_view().incidents.front());
    for (const char* at :
         {"2026-13-01T00:00:00Z", "2026-11-22", "2026-11-22T25:00:00Z", "9999-01-01T00:00:00Z", ""}) {
        incident["opened_at"] = at;
        EXPECT_FALSE(incident_from_json(incident)) << at;
    }
    incident["opened_at"] = "2026-11-22T21:42:26.402+02:00";
    EXPECT_EQ(incident_from_json(incident)->opened_at, support::at_time("19:42:26.402"));
}

}  // namespace
}  // namespace netwatch::present
