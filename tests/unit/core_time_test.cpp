// SPDX-License-Identifier: Apache-2.0
#include "core/time.h"

#include <gtest/gtest.h>

#include <limits>

namespace netwatch::core {
namespace {

constexpr std::int64_t s = 1'000'000'000;

TEST(CoreTime, RfcTextsComeBackAsTheyWere) {
    for (const std::string_view text : {"1970-01-01T00:00:00.000Z", "2026-11-22T19:42:25.118Z",
                                        "2024-02-29T23:59:59.999Z", "2261-12-31T00:00:00.001Z"}) {
        const auto at = parse_rfc3339(text);
        ASSERT_TRUE(at) << text;
        EXPECT_EQ(to_rfc3339(*at), text);
    }
}

TEST(CoreTime, KnownInstants) {
    EXPECT_EQ(parse_rfc3339("2001-09-09T01:46:40Z")->ns, 1'000'000'000 * s);
    EXPECT_EQ(to_rfc3339({1'000'000'000 * s + 7'000'000}), "2001-09-09T01:46:40.007Z");
    EXPECT_EQ(to_time_of_day({1'000'000'000 * s}), "01:46:40");
}

TEST(CoreTime, FractionsAndOffsets) {
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.123456789Z")->ns, 123'456'789);
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.1234567899Z")->ns, 123'456'789);
    EXPECT_EQ(parse_rfc3339("1970-01-01T02:30:00+02:30")->ns, 0);
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00-01:00")->ns, 3'600 * s);
    EXPECT_EQ(parse_rfc3339("1970-01-01t00:00:01z")->ns, s);
}

TEST(CoreTime, MalformedTextsAreNoInstant) {
    for (const std::string_view text : {"",
                                        "2026",
                                        "2026-11-22",
                                        "2026-11-22T19:42",
                                        "2026-11-22T19:42:25",
                                        "2026-11-22T19:42:25.Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",
                                        "2026-01-32T00:00:00Z",
                                        "2026-01-01T24:00:00Z",
                                        "2026-01-01T00:60:00Z",
                                        "2026-01-01T00:00:61Z",
                                        "1969-12-31T23:59:59Z",
                                        "2262-01-01T00:00:00Z",
                                        "2026-01-01T00:00:00+2:00",
                                        "2026-01-01T00:00:00+02:60",
                                        "2026-01-01T00:00:00Zx",
                                        "2026-1-01T00:00:00Z",
                                        "2026-01-01T-1:00:00Z",
                                        "+026-01-01T00:00:00Z",
                                        "2026-02-30T00:00:00Z",
                                        "2025-02-29T00:00:00Z"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

TEST(CoreTime, InstantsBeforeTheEpochRoundDownwards) {
    EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999Z");
}

TEST(CoreTime, AnAnchorJoinsTheClocks) {
    const ClockAnchor anchor(50, {1'000});
    EXPECT_EQ(anchor.utc(60).ns, 1'010);
    EXPECT_EQ(anchor.utc(0).ns, 950);
}

TEST(CoreTime, DurationsForPeople) {
    EXPECT_EQ(to_duration(0), "0.0 s");
    EXPECT_EQ(to_duration(300'000'000), "0.3 s");
    EXPECT_EQ(to_duration(9'940'000'000), "9.9 s");
    EXPECT_EQ(to_duration(42ULL * ns_per_s), "42 s");
    EXPECT_EQ(to_duration(190ULL * ns_per_s), "3 min 10 s");
    EXPECT_EQ(to_duration(7'500ULL * ns_per_s), "2 h 5 min");
    EXPECT_FALSE(to_duration(std::numeric_limits<std::uint64_t>::max()).empty());
}

}  // namespace
}  // namespace netwatch::core
