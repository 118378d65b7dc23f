// SPDX-License-Identifier: Apache-2.0
// The file of regions: what is read, and what is said of a line that cannot be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "context/regions.h"

namespace netwatch::context {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

model::Region region(std::string_view ip, std::uint8_t bits, std::string name) {
    return {model::Prefix::of(*model::IpAddress::parse(ip), bits), std::move(name)};
}

TEST(ContextRegions, NetworksCommentsAndBlankLines) {
    const auto regions = parse_regions("# who is where\n"
                                       "10.88.0.0/16 europe\r\n"
                                       "\n"
                                       "  2001:db8::/32\tasia  # the second provider\n"
                                       "10.88.0.0/16 europe\n"
                                       "0.0.0.0/0 elsewhere",
                                       "regions");
    ASSERT_TRUE(regions.has_value()) << regions.error().message;
    EXPECT_THAT(*regions, ElementsAre(region("10.88.0.0", 16, "europe"), region("2001:db8::", 32, "asia"),
                                      region("0.0.0.0", 0, "elsewhere")));
}

TEST(ContextRegions, AnEmptyFileHasNone) {
    EXPECT_TRUE(parse_regions("", "regions")->empty());
    EXPECT_TRUE(parse_regions("# nothing\n\n", "regions")->empty());
}

struct Bad {
    std::string_view text;
    std::string_view said;
};

class ContextRegionsBad : public testing::TestWithParam<Bad> {};

TEST_P(ContextRegionsBad, IsSaidWithItsLine) {
    const auto regions = parse_regions(GetParam().text, "the/file");
    ASSERT_FALSE(regions.has_value());
    EXPECT_EQ(regions.error().exit_code, core::ExitCode::usage);
    EXPECT_THAT(regions.error().message, StartsWith("the/file:"));
    EXPECT_THAT(regions.error().message, HasSubstr(GetParam().said));
    EXPECT_FALSE(regions.error().hint.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Lines, ContextRegionsBad,
    testing::Values(Bad{"10.0.0.0/8 one\n10.88.0.0 two", ":2: \"10.88.0.0\" has no prefix length"},
                    Bad{"10.88.0.0/33 europe", ":1: \"33\" is no prefix length from 0 to 32"},
                    Bad{"10.88.0.0/ europe", "is no prefix length"}, Bad{"10.88.0.0/1x europe", "\"1x\""},
                    Bad{"2001:db8::/129 asia", "from 0 to 128"},
                    Bad{"europe/8 10.88.0.0", "\"europe\" is no address"},
                    Bad{"10.88.0.1/16 europe", "it is 10.88.0.0/16"},
                    Bad{"\n\n10.88.0.0/16\n", ":3: 10.88.0.0/16 has no name"},
                    Bad{"10.88.0.0/16 western europe", "\"europe\" is one word too many"},
                    Bad{"10.88.0.0/16 a\x1b[2J", "control characters"},
                    Bad{"10.88.0.0/16 a\n10.88.0.0/16 b", ":2: 10.88.0.0/16 was in region a before"},
                    Bad{"10.88.0.0/16 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                        "64 bytes"}));

TEST(ContextRegions, AFileThatIsNotThere) {
    const auto regions = read_regions("/nowhere/at/all");
    ASSERT_FALSE(regions.has_value());
    EXPECT_EQ(regions.error().exit_code, core::ExitCode::usage);
    EXPECT_THAT(regions.error().message, HasSubstr("/nowhere/at/all"));
}

}  // namespace
}  // namespace netwatch::context
