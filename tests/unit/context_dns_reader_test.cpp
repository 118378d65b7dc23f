// SPDX-License-Identifier: Apache-2.0
// DNS messages from excerpts: whole, in parts, over TCP, and what strangers send.
#include "context/dns_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <string>

#include "model/record.h"

namespace netwatch::context {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string name_on_wire(const std::vector<std::string>& labels) {
    std::string wire;
    for (const auto& label : labels) wire += static_cast<char>(label.size()) + label;
    return wire + '\0';
}

// An answer to one question with that many A records, 10.0.0.1 and so on.
std::string answer(const std::string& name, int addresses, int rcode = 0) {
    std::string wire("\x12\x34\x81\x80\0\1\0\0\0\0\0\0", 12);
    wire[3] = static_cast<char>(0x80 | rcode);
    wire[7] = static_cast<char>(addresses);
    wire += name + std::string("\0\1\0\1", 4);
    for (int i = 0; i < addresses; ++i)
        wire += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0", 15) + static_cast<char>(i + 1);
    return wire;
}

netwatch_payload excerpt(std::string_view bytes, std::size_t offset, std::size_t length,
                         std::uint8_t protocol) {
    auto payload = model::make_record<netwatch_payload>(1'000);
    payload.sock = 7;
    payload.tuple.protocol = protocol;
    payload.tuple.remote_port = 53;
    payload.direction = NETWATCH_DIRECTION_RECEIVED;
    payload.offset = static_cast<__u32>(offset);
    payload.length = static_cast<__u32>(length);
    payload.captured = static_cast<__u16>(bytes.size());
    std::ranges::copy(bytes, payload.bytes);
    return payload;
}

std::vector<netwatch_dns_message> read(DnsReader& reader, const std::string& bytes, std::uint8_t protocol) {
    std::vector<netwatch_dns_message> all;
    for (std::size_t at = 0; at < bytes.size(); at += NETWATCH_PAYLOAD_BYTES) {
        const auto part = std::string_view(bytes).substr(at, NETWATCH_PAYLOAD_BYTES);
        for (const auto& one : reader.take(excerpt(part, at, bytes.size(), protocol))) all.push_back(one);
    }
    return all;
}

TEST(DnsReader, ReadsAnAnswerWithItsAddresses) {
    DnsReader reader;
    const auto messages = read(reader, answer(name_on_wire({"DB", "lab"}), 2), IPPROTO_UDP);
    ASSERT_THAT(messages, SizeIs(1));
    EXPECT_EQ(messages[0].status, NETWATCH_DNS_PARSED);
    EXPECT_EQ(messages[0].id, 0x1234);
    EXPECT_STREQ(messages[0].name, "db.lab");
    EXPECT_EQ(messages[0].query_type, 1);
    EXPECT_EQ(messages[0].ttl_s, 60U);
    EXPECT_EQ(messages[0].address_count, 2);
    EXPECT_EQ(model::IpAddress(messages[0].addresses[1]).to_string(), "10.0.0.2");
}

TEST(DnsReader, PutsLongAnswersTogetherAndCountsAddressesBeyondItsRoom) {
    DnsReader reader;
    const auto messages = read(reader, answer(name_on_wire({"many", "lab"}), 60), IPPROTO_UDP);
    ASSERT_THAT(messages, SizeIs(1));
    EXPECT_EQ(messages[0].address_total, 60);
    EXPECT_EQ(messages[0].address_count, NETWATCH_DNS_ADDRESSES);
}

TEST(DnsReader, ReadsMessagesThatFollowEachOtherOverTcp) {
    DnsReader reader;
    std::string stream;
    for (int i = 0; i < 9; ++i) {
        const auto message = answer(name_on_wire({"n" + std::to_string(i), "lab"}), 3);
        stream +=
            std::string{static_cast<char>(message.size() >> 8), static_cast<char>(message.size())} + message;
    }
    const auto messages = read(reader, stream, IPPROTO_TCP);
    ASSERT_THAT(messages, SizeIs(9));
    EXPECT_STREQ(messages[8].name, "n8.lab");
}

TEST(DnsReader, AMissingPartLosesThatMessageAlone) {
    DnsReader reader;
    const auto bytes = answer(name_on_wire({"many", "lab"}), 60);
    EXPECT_THAT(reader.take(excerpt(std::string_view(bytes).substr(0, 512), 0, bytes.size(), IPPROTO_UDP)),
                IsEmpty());
    EXPECT_THAT(reader.take(excerpt("x", 900, bytes.size(), IPPROTO_UDP)), IsEmpty());
    EXPECT_THAT(read(reader, answer(name_on_wire({"next", "lab"}), 1), IPPROTO_UDP), SizeIs(1));
}

TEST(DnsReader, HostileNamesComeOutEscapedAndCut) {
    DnsReader reader;
    const auto control = read(reader, answer(name_on_wire({"\x1b[31m\n", "lab"}), 1), IPPROTO_UDP);
    ASSERT_THAT(control, SizeIs(1));
    EXPECT_STREQ(control[0].name, "\\027[31m\\010.lab");
    const std::string label(63, '\1');
    const auto longest =
        read(reader, answer(name_on_wire({label, label, label, std::string(61, '\1')}), 1), IPPROTO_UDP);
    ASSERT_THAT(longest, SizeIs(1));
    EXPECT_THAT(longest[0].name, StartsWith("…"));
    EXPECT_LT(std::string_view(longest[0].name).size(), sizeof longest[0].name);
}

TEST(DnsReader, WhatIsNoDnsIsMalformed) {
    DnsReader reader;
    const auto whole = answer(name_on_wire({"db", "lab"}), 2);
    for (std::size_t length = 1; length < whole.size(); ++length) {
        const auto messages = read(reader, whole.substr(0, length), IPPROTO_UDP);
        ASSERT_THAT(messages, SizeIs(1)) << length;
        EXPECT_EQ(messages[0].status, NETWATCH_DNS_MALFORMED) << length;
        EXPECT_STREQ(messages[0].name, "");
    }
    std::string loop("\0\1\x81\x80\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", 18);  // a name that points at itself
    EXPECT_EQ(read(reader, loop, IPPROTO_UDP)[0].status, NETWATCH_DNS_MALFORMED);
    EXPECT_EQ(reader.unreadable(), whole.size());
    EXPECT_EQ(read(reader, whole, IPPROTO_UDP)[0].status, NETWATCH_DNS_PARSED);
    EXPECT_EQ(reader.seen(), whole.size() + 1);
    EXPECT_EQ(reader.refused(), 0U);
}

TEST(DnsReader, WhatIsOverTakesNoRoom) {
    DnsReader reader;
    const auto message = answer(name_on_wire({"db", "lab"}), 1);
    const auto stream = std::string{'\0', static_cast<char>(message.size())} + message;
    for (std::uint64_t sock = 1; sock < 3'000; ++sock) {
        auto payload = excerpt(stream, 0, stream.size(), IPPROTO_TCP);
        payload.sock = sock;
        EXPECT_THAT(reader.take(payload), SizeIs(1));
        if (sock > 2'000) reader.forget(sock);
    }
    EXPECT_EQ(reader.refused(), 0U) << "all of these were read";
    EXPECT_EQ(reader.seen(), 2'999U);
}

TEST(DnsReader, EndlessBeginningsAreBounded) {
    DnsReader reader;
    for (std::uint64_t sock = 1; sock < 20'000; ++sock) {
        auto payload = excerpt(std::string(512, '\xff'), 0, 60'000, IPPROTO_TCP);
        payload.sock = sock;
        EXPECT_THAT(reader.take(payload), IsEmpty());
    }
    EXPECT_EQ(reader.refused(), 19'999U - 1'024);
}

}  // namespace
}  // namespace netwatch::context
