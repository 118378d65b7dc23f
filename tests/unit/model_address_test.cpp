// SPDX-License-Identifier: Apache-2.0
#include "model/address.h"

#include <gtest/gtest.h>

namespace netwatch::model {
namespace {

TEST(ModelAddress, TextsComeBackAsTheyWere) {
    for (const std::string_view text :
         {"0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1"}) {
        const auto ip = IpAddress::parse(text);
        ASSERT_TRUE(ip) << text;
        EXPECT_EQ(ip->to_string(), text);
    }
}

TEST(ModelAddress, MappedAddressesAreIPv4) {
    const auto mapped = IpAddress::parse("::ffff:10.1.2.3");
    ASSERT_TRUE(mapped);
    EXPECT_TRUE(mapped->is_v4());
    EXPECT_EQ(*mapped, *IpAddress::parse("10.1.2.3"));
    EXPECT_EQ(mapped->to_string(), "10.1.2.3");
}

TEST(ModelAddress, IPv6IsWrittenInItsShortestForm) {
    EXPECT_EQ(IpAddress::parse("2001:0DB8:0000:0000:0001:0000:0000:0001")->to_string(), "2001:db8::1:0:0:1");
}

TEST(ModelAddress, OtherTextsAreNone) {
    for (const std::string_view text :
         {"", "10.1.2", "10.1.2.256", "10.1.2.3.4", "010.1.2.3", "1.2.3.4 ", " ::1", "::1%eth0", "[::1]",
          "2001:db8::1::2", "localhost", "10.1.2.3/24"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << text;
    }
    EXPECT_FALSE(IpAddress::parse(std::string_view("10.1.2.3\0x", 10))) << "a NUL inside";
}

TEST(ModelAddress, AreOrderedByTheirBytes) {
    const char* const in_order[] = {"::",       "0.0.0.1",    "9.255.255.255", "10.0.0.1",
                                    "10.0.1.0", "10.1.0.0",   "200.0.0.0",     "::1:0:0:1",
                                    "1::",      "2001:db8::", "fe80::1"};
    for (std::size_t i = 0; i < std::size(in_order); ++i) {
        for (std::size_t j = 0; j < std::size(in_order); ++j) {
            EXPECT_EQ(*IpAddress::parse(in_order[i]) <=> *IpAddress::parse(in_order[j]), i <=> j)
                << in_order[i] << " and " << in_order[j];
        }
    }
}

TEST(ModelAddress, Kinds) {
    EXPECT_TRUE(IpAddress::parse("127.8.0.1")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
    EXPECT_FALSE(IpAddress::parse("128.0.0.1")->is_loopback());
    EXPECT_FALSE(IpAddress::parse("2001::1")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
    EXPECT_TRUE(IpAddress{}.is_unspecified());
    EXPECT_FALSE(IpAddress::parse("0.0.0.1")->is_unspecified());
}

TEST(ModelPrefix, ClearsHostBitsAndContainsItsOwn) {
    const auto block = Prefix::of(*IpAddress::parse("10.1.2.200"), 26);
    EXPECT_EQ(block.to_string(), "10.1.2.192/26");
    EXPECT_TRUE(block.contains(*IpAddress::parse("10.1.2.255")));
    EXPECT_FALSE(block.contains(*IpAddress::parse("10.1.2.191")));
    EXPECT_EQ(Prefix::of(*IpAddress::parse("10.1.2.3"), 0).to_string(), "0.0.0.0/0");
    EXPECT_EQ(Prefix::of(*IpAddress::parse("10.1.2.3"), 32).to_string(), "10.1.2.3/32");
    EXPECT_EQ(Prefix::of(*IpAddress::parse("2001:db8:1:2:3::4"), 64).to_string(), "2001:db8:1:2::/64");
}

TEST(ModelPrefix, FamiliesDoNotContainEachOther) {
    EXPECT_FALSE(Prefix::of(*IpAddress::parse("10.0.0.0"), 0).contains(*IpAddress::parse("2001:db8::1")));
    EXPECT_FALSE(Prefix::of(*IpAddress::parse("::"), 0).contains(*IpAddress::parse("10.0.0.1")));
}

TEST(ModelPrefix, SiblingsShareABlock) {
    EXPECT_EQ(Prefix::sibling_block(*IpAddress::parse("10.1.2.3")).to_string(), "10.1.2.0/24");
    EXPECT_EQ(Prefix::sibling_block(*IpAddress::parse("2001:db8::1")).to_string(), "2001:db8::/64");
}

TEST(ModelEndpoint, TextsComeBackAsTheyWere) {
    for (const std::string_view text :
         {"10.1.2.3:443/tcp", "[2001:db8::1]:443/tcp", "10.1.2.3:53/udp", "10.1.2.3", "2001:db8::1"}) {
        const auto endpoint = Endpoint::parse(text);
        ASSERT_TRUE(endpoint) << text;
        EXPECT_EQ(endpoint->to_string(), text);
    }
    EXPECT_EQ(Endpoint::parse("[2001:db8::1]:443")->to_display(), "[2001:db8::1]:443");
    EXPECT_EQ(Endpoint::parse("[2001:db8::1]")->port, 0);
}

TEST(ModelEndpoint, OtherTextsAreNone) {
    for (const std::string_view text : {"", ":80", "10.1.2.3:", "10.1.2.3:0", "10.1.2.3:65536", "10.1.2.3:-1",
                                        "10.1.2.3:80x", "10.1.2.3:80/sctp", "[::1", "[::1]80",
                                        "[::1]:", "[::1]:/tcp", "10.1.2.3:+80", "db:443", "/tcp", "[]:80"}) {
        EXPECT_FALSE(Endpoint::parse(text)) << text;
    }
}

TEST(ModelEndpoint, HashesTellPortsAndProtocolsApart) {
    const std::hash<Endpoint> hash;
    EXPECT_NE(hash(*Endpoint::parse("10.1.2.3:80")), hash(*Endpoint::parse("10.1.2.3:81")));
    EXPECT_NE(hash(*Endpoint::parse("10.1.2.3:80")), hash(*Endpoint::parse("10.1.2.3:80/udp")));
    EXPECT_EQ(hash(*Endpoint::parse("::ffff:10.1.2.3")), hash(*Endpoint::parse("10.1.2.3")));
}

}  // namespace
}  // namespace netwatch::model
