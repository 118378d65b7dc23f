// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "present/json.h"
#include "service/open_incidents.h"
#include "support/temporary_directory.h"
#include "support/views.h"

namespace netwatch::service {
namespace {

TEST(OpenIncidents, GoOnAfterARestartOfTheSameBoot) {
    const support::TemporaryDirectory directory;
    auto incidents = support::failing_view().incidents;
    incidents.resize(2);
    incidents[0].state = model::IncidentState::open;
    incidents[1].state = model::IncidentState::resolved;
    ASSERT_TRUE(save_open_incidents(directory / "i.json", "boot-1", incidents));
    const auto texts = load_open_incidents(directory / "i.json", "boot-1");
    ASSERT_TRUE(texts) << texts.error().message;
    ASSERT_EQ(texts->size(), 1U);
    const auto parsed = parse_incidents(*texts);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(present::to_json(parsed->front()), present::to_json(incidents[0]));

    const auto other = load_open_incidents(directory / "i.json", "boot-2");
    ASSERT_TRUE(other);
    EXPECT_TRUE(other->empty());
}

TEST(OpenIncidents, NoneAreNoError) {
    const support::TemporaryDirectory directory;
    const auto texts = load_open_incidents(directory / "missing.json", "boot-1");
    ASSERT_TRUE(texts);
    EXPECT_TRUE(texts->empty());
}

TEST(OpenIncidents, RefuseADamagedFile) {
    const support::TemporaryDirectory directory;
    for (const char* text : {"", "{", "[]", "{}", R"({"boot_id": 1, "incidents": []})",
                             R"({"boot_id": "b", "incidents": {}})"}) {
        EXPECT_FALSE(load_open_incidents(directory.write("i.json", text), "b")) << text;
    }
    const auto texts =
        load_open_incidents(directory.write("i.json", R"({"boot_id":"b","incidents":[{}]})"), "b");
    ASSERT_TRUE(texts);
    EXPECT_FALSE(parse_incidents(*texts));
}

}  // namespace
}  // namespace netwatch::service
