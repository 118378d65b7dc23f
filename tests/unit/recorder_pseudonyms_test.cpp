// SPDX-License-Identifier: Apache-2.0
#include "recorder/pseudonyms.h"

#include <gtest/gtest.h>

#include <set>

namespace netwatch::recorder {
namespace {

model::IpAddress ip(std::string_view text) { return *model::IpAddress::parse(text); }

class PseudonymsTest : public ::testing::Test {
protected:
    std::string address(std::string_view text) { return pseudonyms_.address(ip(text)).to_string(); }
    static unsigned shared(const model::IpAddress& a, const model::IpAddress& b) {
        unsigned bit = 0;
        while (bit < 128 && ((a.bytes()[bit / 8] ^ b.bytes()[bit / 8]) >> (7 - bit % 8) & 1) == 0) ++bit;
        return bit;
    }
    Pseudonyms pseudonyms_{Pseudonyms::Key{1, 2, 3}};
};

TEST_F(PseudonymsTest, AreTheSameForTheSame) {
    EXPECT_EQ(address("203.0.113.7"), address("203.0.113.7"));
    EXPECT_NE(address("203.0.113.7"), "203.0.113.7");
    Pseudonyms other(Pseudonyms::Key{4});
    EXPECT_NE(other.address(ip("203.0.113.7")), pseudonyms_.address(ip("203.0.113.7")));
    EXPECT_EQ(pseudonyms_.process("checkout"), "process-1");
    EXPECT_EQ(pseudonyms_.process("sync"), "process-2");
    EXPECT_EQ(pseudonyms_.process("checkout"), "process-1");
    EXPECT_EQ(pseudonyms_.process(""), "");
}

TEST_F(PseudonymsTest, KeepNeighbourhoods) {
    for (const auto& [a, b] : {std::pair("203.0.113.7", "203.0.113.200"), std::pair("8.8.8.8", "8.8.4.4"),
                               std::pair("10.1.2.3", "10.1.2.4"), std::pair("2001:db8::1", "2001:db8::2"),
                               std::pair("2001:db8:1::1", "2600::1"), std::pair("9.0.0.1", "11.0.0.1")}) {
        EXPECT_EQ(shared(ip(a), ip(b)), shared(pseudonyms_.address(ip(a)), pseudonyms_.address(ip(b))))
            << a << ' ' << b;
    }
    std::set<std::string> made;
    for (int last = 0; last < 256; ++last) made.insert(address("198.51.100." + std::to_string(last)));
    EXPECT_EQ(made.size(), 256U) << "no two become one";
}

TEST_F(PseudonymsTest, KeepSpecialNetworks) {
    for (const char* same : {"127.0.0.1", "127.0.0.53", "::1", "0.0.0.0", "::", "255.255.255.255"})
        EXPECT_EQ(address(same), same);
    const auto stays_in = [&](const char* text, const char* network, std::uint8_t bits) {
        const auto made = pseudonyms_.address(ip(text));
        EXPECT_TRUE((model::Prefix{ip(network), bits}.contains(made))) << text << " " << made.to_string();
    };
    stays_in("10.200.3.4", "10.0.0.0", 8);
    stays_in("172.20.3.4", "172.16.0.0", 12);
    stays_in("192.168.77.4", "192.168.0.0", 16);
    stays_in("169.254.77.4", "169.254.0.0", 16);
    stays_in("100.70.77.4", "100.64.0.0", 10);
    stays_in("fe80::1234", "fe80::", 10);
    stays_in("fd00:1::1", "fd00::", 8);
    for (int second = 0; second < 256; ++second) {
        const auto made = pseudonyms_.address(ip("172." + std::to_string(second) + ".0.1"));
        EXPECT_EQ((model::Prefix{ip("172.16.0.0"), 12}.contains(made)), second >= 16 && second < 32)
            << "public addresses do not become private ones";
    }
}

TEST_F(PseudonymsTest, OfNetworksAreNetworks) {
    const auto made = pseudonyms_.network({ip("203.0.113.0"), 24});
    EXPECT_EQ(made, model::Prefix::of(pseudonyms_.address(ip("203.0.113.77")), 24));
}

TEST_F(PseudonymsTest, OfPathsKeepWhatIsTheSameEverywhere) {
    EXPECT_EQ(pseudonyms_.path("/system.slice/checkout.service"), "/system.slice/unit-1.service");
    EXPECT_EQ(pseudonyms_.path("/user.slice/user-1000.slice/session-3.scope"),
              "/user.slice/user-1000.slice/session-3.scope");
    EXPECT_EQ(pseudonyms_.path("/kubepods/pod77/abc"), "/kubepods/unit-2/unit-3");
    EXPECT_EQ(pseudonyms_.interface("lo"), "lo");
    EXPECT_EQ(pseudonyms_.interface("wg-acme"), "if-1");
}

TEST_F(PseudonymsTest, OfDomainsKeepWhatLiesBelowWhat) {
    const auto db = pseudonyms_.domain("db.acme.example");
    const auto api = pseudonyms_.domain("api.acme.example");
    EXPECT_NE(db, api);
    EXPECT_EQ(db.substr(db.find('.')), api.substr(api.find('.')));
}

TEST_F(PseudonymsTest, StandInSentences) {
    const auto process = pseudonyms_.process("nginx");
    const auto route = pseudonyms_.network({ip("10.9.0.0"), 16}).to_string();
    const auto text = [&](std::string_view sentence) { return pseudonyms_.text(sentence); };
    EXPECT_EQ(text("listener 0.0.0.0:80 of nginx[812] gone"),
              "listener 0.0.0.0:80 of " + process + "[812] gone");
    EXPECT_EQ(text("to 10.1.2.3:443 (10.1.2.3)."),
              "to " + address("10.1.2.3") + ":443 (" + address("10.1.2.3") + ").");
    EXPECT_EQ(text("[2001:db8::1]:443/tcp"), "[" + address("2001:db8::1") + "]:443/tcp");
    EXPECT_EQ(text("route 10.9.0.0/16 via 10.0.0.1 removed"),
              "route " + route + " via " + address("10.0.0.1") + " removed");
    EXPECT_EQ(text("nginx-exporter and nginx."), "nginx-exporter and " + process + ".")
        << "a name is a whole word";
    EXPECT_EQ(text("41 of 41 in 1.2 ms, at 03:12:04: 0.97"), "41 of 41 in 1.2 ms, at 03:12:04: 0.97");
    EXPECT_EQ(text("::1 and ::ffff:10.1.2.3 and a: b"), "::1 and " + address("10.1.2.3") + " and a: b");
    EXPECT_NE(pseudonyms_.domain("7.2.0.10.in-addr.arpa"), "7.2.0.10.in-addr.arpa");
    EXPECT_EQ(text("7 of 10 answered"), "7 of 10 answered") << "not the labels of a reverse name";
    EXPECT_EQ(text(""), "");
}

}  // namespace
}  // namespace netwatch::recorder
