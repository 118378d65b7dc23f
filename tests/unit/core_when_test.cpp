// SPDX-License-Identifier: Apache-2.0
#include "core/when.h"

#include <gtest/gtest.h>

namespace netwatch::core {
namespace {

const UtcNs now = *parse_rfc3339("2026-11-22T19:43:07.250Z");

std::string at(std::string_view text) {
    const auto when = parse_when(text, now);
    return when ? to_rfc3339(*when) : when.error().message;
}

TEST(When, IsBeforeNow) {
    EXPECT_EQ(at("now"), "2026-11-22T19:43:07.250Z");
    EXPECT_EQ(at("10m"), "2026-11-22T19:33:07.250Z");
    EXPECT_EQ(at("10 minutes ago"), "2026-11-22T19:33:07.250Z");
    EXPECT_EQ(at("  90s "), "2026-11-22T19:41:37.250Z");
    EXPECT_EQ(at("1 Hour Ago"), "2026-11-22T18:43:07.250Z");
    EXPECT_EQ(at("1h30m"), "2026-11-22T18:13:07.250Z");
    EXPECT_EQ(at("2d 1h"), "2026-11-20T18:43:07.250Z");
}

TEST(When, IsTheLatestSuchTimeOfDay) {
    EXPECT_EQ(at("03:12"), "2026-11-22T03:12:00.000Z");
    EXPECT_EQ(at("03:12:04"), "2026-11-22T03:12:04.000Z");
    EXPECT_EQ(at("03:12:04.5"), "2026-11-22T03:12:04.500Z");
    EXPECT_EQ(at("19:43:08"), "2026-11-21T19:43:08.000Z") << "that of today has not come yet";
    EXPECT_EQ(at("yesterday 03:12"), "2026-11-21T03:12:00.000Z");
    EXPECT_EQ(at("today 03:12:04"), "2026-11-22T03:12:04.000Z");
    EXPECT_EQ(at("yesterday"), "2026-11-21T00:00:00.000Z");
}

TEST(When, IsAnAbsoluteTime) {
    EXPECT_EQ(at("2026-11-20T03:12:04Z"), "2026-11-20T03:12:04.000Z");
    EXPECT_EQ(at("2026-11-20T03:12:04.250+02:00"), "2026-11-20T01:12:04.250Z");
    EXPECT_EQ(at("2026-11-20T03:12:04"), "2026-11-20T03:12:04.000Z");
    EXPECT_EQ(at("2026-11-20 03:12"), "2026-11-20T03:12:00.000Z");
    EXPECT_EQ(at("2026-11-20T03:12Z"), "2026-11-20T03:12:00.000Z");
    EXPECT_EQ(at("2026-11-20"), "2026-11-20T00:00:00.000Z");
}

TEST(When, NamesExamplesWhereItIsNone) {
    for (const char* text : {"", "whenever", "10", "m", "-5m", "5x", "25:00", "03:60", "3:12", "03:12Z",
                             "yesterday 25:00", "2026-13-01", "2026-02-30T00:00:00Z", "10 minutes hence",
                             "99999999999h", "9223372036854775807s", "1d 99999999d"}) {
        const auto when = parse_when(text, now);
        ASSERT_FALSE(when) << text;
        EXPECT_EQ(when.error().exit_code, ExitCode::usage);
        EXPECT_NE(when.error().hint.find("\"10 minutes ago\""), std::string::npos);
        EXPECT_NE(when.error().hint.find("\"03:12\""), std::string::npos);
    }
}

TEST(Duration, IsALengthOfTime) {
    EXPECT_EQ(parse_duration("90s"), 90 * ns_per_s);
    EXPECT_EQ(parse_duration("10 minutes"), 600 * ns_per_s);
    EXPECT_EQ(parse_duration("1h30m"), 5'400 * ns_per_s);
    for (const char* text : {"", "0s", "10", "10 minutes ago", "soon"})
        EXPECT_NE(parse_duration(text).error().hint.find("\"90s\""), std::string::npos) << text;
}

}  // namespace
}  // namespace netwatch::core
