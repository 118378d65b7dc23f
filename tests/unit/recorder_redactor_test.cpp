// SPDX-License-Identifier: Apache-2.0
#include "recorder/redactor.h"

#include <gtest/gtest.h>

#include "model/record.h"

namespace netwatch::recorder {
namespace {

class RedactorTest : public ::testing::Test {
protected:
    template <typename R>
    R redacted(R record) {
        redactor_.redact(std::as_writable_bytes(std::span(&record, 1)));
        return record;
    }
    Redactor redactor_{Pseudonyms(Pseudonyms::Key{7})};
};

TEST_F(RedactorTest, ReplacesNamesAndAddressesAndNothingElse) {
    auto connect = model::make_record<netwatch_connect>(5, 9);
    connect.sock = 77;
    connect.tuple.remote_port = 443;
    const auto ip = model::IpAddress::parse("203.0.113.7")->bytes();
    std::ranges::copy(ip, connect.tuple.remote_ip);
    std::ranges::copy(ip, connect.asked_ip);
    model::set_text(connect.process.comm, "checkout");
    const auto made = redacted(connect);
    EXPECT_EQ(model::text_of(made.process.comm), "process-1");
    EXPECT_NE(model::remote_ip(made.tuple).bytes(), ip);
    EXPECT_EQ(model::remote_ip(made.tuple), model::IpAddress(made.asked_ip)) << "the same for the same";
    EXPECT_EQ(made.sock, 77U);
    EXPECT_EQ(made.header.at_ns, 5U);
    EXPECT_EQ(made.tuple.remote_port, 443);
}

TEST_F(RedactorTest, CertificatesAreNotFoundByTheirFingerprint) {
    auto certificate = model::make_record<netwatch_tls_certificate>(5, 9);
    std::ranges::fill(certificate.fingerprint, std::uint8_t{0xab});
    const auto made = redacted(certificate);
    EXPECT_NE(made.fingerprint[7], 0xab);
    EXPECT_TRUE(std::ranges::equal(made.fingerprint, redacted(certificate).fingerprint))
        << "the same for the same";
}

TEST_F(RedactorTest, ARouteLeadsToTheNetworkOfItsAddresses) {
    auto change = model::make_record<netwatch_change>(5, 9);
    change.subject = NETWATCH_CHANGE_ROUTE;
    change.prefix_bits = 16;
    const auto network = model::IpAddress::parse("10.9.0.0")->bytes();
    std::ranges::copy(network, change.ip);
    const auto made = redacted(change);
    const auto inside = redactor_.pseudonyms().address(*model::IpAddress::parse("10.9.44.5"));
    EXPECT_EQ(model::IpAddress(made.ip), model::Prefix::of(inside, 16).network);
    change.prefix_bits = 0;
    std::ranges::copy(model::IpAddress::parse("0.0.0.0")->bytes(), change.ip);
    EXPECT_EQ(model::IpAddress(redacted(change).ip), *model::IpAddress::parse("0.0.0.0"));
}

TEST_F(RedactorTest, KeepsTheWordsOfAnIncident) {
    auto connect = model::make_record<netwatch_connect>(5);
    model::set_text(connect.process.comm, "open");  // a process that is called like a state
    (void)redacted(connect);
    const auto json = redactor_.incident(
        R"({"id":"n1","state":"open","summary":"open[7] cannot reach 203.0.113.7:443",)"
        R"("destination":{"ip":"203.0.113.7","name":null,"port":443},"impact":{"processes":["open[7]"]}})");
    ASSERT_TRUE(json) << json.error().message;
    EXPECT_NE(json->find(R"("state":"open")"), std::string::npos) << *json;
    EXPECT_NE(json->find(R"("processes":["process-1[7]"])"), std::string::npos) << *json;
    EXPECT_EQ(json->find("203.0.113.7"), std::string::npos) << *json;
    EXPECT_FALSE(redactor_.incident("{"));
}

}  // namespace
}  // namespace netwatch::recorder
