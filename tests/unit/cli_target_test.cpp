// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cli/target.h"
#include "support/views.h"

namespace netwatch::cli {
namespace {

std::string error_of(std::string_view text) {
    const auto target = parse_target(text);
    if (target) return "";
    EXPECT_EQ(target.error().exit_code, core::ExitCode::usage);
    EXPECT_FALSE(target.error().hint.empty());
    return target.error().message;
}

TEST(Target, IsAnAddressOrAName) {
    EXPECT_EQ(std::get<model::Endpoint>(*parse_target("10.1.2.3:443")).to_string(), "10.1.2.3:443/tcp");
    EXPECT_EQ(std::get<model::Endpoint>(*parse_target("[2001:db8::1]:53/udp")).to_string(),
              "[2001:db8::1]:53/udp");
    EXPECT_EQ(std::get<model::Endpoint>(*parse_target("2001:db8::1")).to_string(), "2001:db8::1");
    const auto name = std::get<NamedTarget>(*parse_target("db.internal:5432"));
    EXPECT_EQ(name.name, "db.internal");
    EXPECT_EQ(name.port, 5432);
    EXPECT_EQ(std::get<NamedTarget>(*parse_target("resolver:53/udp")).protocol, model::Protocol::udp);
    EXPECT_EQ(std::get<NamedTarget>(*parse_target("db")).port, 0);
}

TEST(Target, SaysWhatIsWrong) {
    EXPECT_EQ(error_of(""), "no destination given");
    EXPECT_EQ(error_of("10.0.0.300"), "\"10.0.0.300\" is no IPv4 address");
    EXPECT_EQ(error_of("10.0.0.1:0"), "the port \"0\" is no number from 1 to 65535");
    EXPECT_EQ(error_of("10.0.0.1:65536"), "the port \"65536\" is no number from 1 to 65535");
    EXPECT_EQ(error_of("db:-1"), "the port \"-1\" is no number from 1 to 65535");
    EXPECT_EQ(error_of("db:"), "the port \"\" is no number from 1 to 65535");
    EXPECT_EQ(error_of("[::1"), "\"[::1\" has no closing bracket");
    EXPECT_EQ(error_of("[db]:1"), "\"db\" is no IPv6 address");
    EXPECT_EQ(error_of("[::1]443"), "\"443\" after the bracket is no port");
    EXPECT_EQ(error_of("[::1]:x"), "the port \"x\" is no number from 1 to 65535");
    EXPECT_EQ(error_of("2001:db8::zz"), "\"2001:db8::zz\" is no IPv6 address");
    EXPECT_EQ(error_of("-5"), "\"-5\" is neither an address nor a name");
    EXPECT_EQ(error_of("a b"), "\"a b\" is neither an address nor a name");
    EXPECT_EQ(error_of(std::string(300, 'a')).substr(0, 4), "\"aaa");
}

TEST(Resolve, KnowsWhatDestinationsCarryAndTheHostsFile) {
    model::HostView view;
    view.destinations.resize(2);
    view.destinations[0].ref = {.endpoint = *model::Endpoint::parse("10.4.7.21:443"), .name = "pay.internal"};
    view.destinations[1].ref = {.endpoint = *model::Endpoint::parse("10.4.7.21:80"), .name = "pay.internal"};
    const auto known = resolve({.name = "PAY.internal", .port = 443}, view, "10.9.9.9 pay.internal\n");
    ASSERT_TRUE(known);
    ASSERT_EQ(known->size(), 1U) << "what was seen goes before what a file says";
    EXPECT_EQ((*known)[0].to_string(), "10.4.7.21:443/tcp");

    const auto from_file = resolve({.name = "db"}, view,
                                   "# db\n127.0.0.1 localhost\n10.0.0.5\tdb.internal db # x\n"
                                   "::5 db\nnonsense db\n");
    ASSERT_TRUE(from_file);
    ASSERT_EQ(from_file->size(), 2U);
    const auto unknown = resolve({.name = "nobody"}, view, "10.0.0.5 db\n");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().exit_code, core::ExitCode::usage);
    EXPECT_NE(unknown.error().hint.find("give its address"), std::string::npos);
}

}  // namespace
}  // namespace netwatch::cli
