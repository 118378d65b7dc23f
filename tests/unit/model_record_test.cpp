// SPDX-License-Identifier: Apache-2.0
#include "model/record.h"

#include <gtest/gtest.h>

#include <vector>

namespace netwatch::model {
namespace {

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

template <typename R>
void set_header(std::vector<std::byte>& bytes, R change) {
    netwatch_header header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    change(header);
    std::memcpy(bytes.data(), &header, sizeof(header));
}

template <typename R>
void expect_round_trip() {
    const auto record = make_record<R>(123, 45);
    const auto decoded = decode(bytes_of(record));
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_TRUE(std::holds_alternative<R>(*decoded));
    EXPECT_EQ(std::memcmp(&std::get<R>(*decoded), &record, sizeof(R)), 0);
    EXPECT_EQ(header_of(*decoded).at_ns, 123U);
    EXPECT_EQ(header_of(*decoded).netns, 45U);

    auto bytes = copy_of(bytes_of(record));
    const auto referred = refer(bytes);
    ASSERT_TRUE(referred) << referred.error().message;
    EXPECT_EQ(static_cast<const void*>(referred->template get_if<R>()), bytes.data()) << "where it lies";
    EXPECT_EQ(referred->copy().index(), decoded->index());
    const RecordRef copied(*decoded);
    EXPECT_EQ(copied.template get_if<R>(), std::get_if<R>(&*decoded));
    unsigned visits = 0;
    referred->visit(overloaded{[&](const R&) { ++visits; }, [](const auto&) { ADD_FAILURE(); }});
    EXPECT_EQ(visits, 1U);
}

TEST(ModelRecord, AReferenceHasNoOtherKind) {
    const auto clock = make_record<netwatch_clock>(1);
    EXPECT_EQ(RecordRef(clock).get_if<netwatch_connect>(), nullptr);
    RecordRef(Record(std::monostate{})).visit([](const auto&) { ADD_FAILURE(); });
}

TEST(ModelRecord, TextsEndWhereTheyLie) {
    auto connect = make_record<netwatch_connect>(1);
    std::memset(connect.process.comm, 'x', sizeof(connect.process.comm));
    ASSERT_TRUE(refer(writable_bytes_of(connect)));
    EXPECT_EQ(text_of(connect.process.comm), std::string(15, 'x'));
}

TEST(ModelRecord, EveryKindComesBack){
#define NETWATCH_KIND(number, upper, lower, maker, text) \
    {                                                    \
        SCOPED_TRACE(#lower);                            \
        expect_round_trip<netwatch_##lower>();           \
        EXPECT_EQ(kind_name(number), #lower);            \
        EXPECT_EQ(kind_of<netwatch_##lower>, number);    \
    }
    NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
}

TEST(ModelRecord, TruncatedBytesAreAnError) {
    const auto record = make_record<netwatch_connect>(1);
    const auto bytes = bytes_of(record);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode(bytes.first(size))) << size;
        EXPECT_EQ(claimed_size(bytes.first(size)), 0U) << size;
    }
    EXPECT_EQ(claimed_size(bytes), bytes.size());
}

TEST(ModelRecord, WhatFollowsARecordIsNotItsOwn) {
    auto bytes = copy_of(bytes_of(make_record<netwatch_clock>(7)));
    const std::size_t size = bytes.size();
    bytes.resize(size + 100);
    EXPECT_EQ(claimed_size(bytes), size);
    EXPECT_TRUE(decode(bytes));
}

TEST(ModelRecord, AnImpossibleSizeIsAnError) {
    for (const std::uint16_t size : std::initializer_list<std::uint16_t>{0, 1, 8, 15, 20, 0xffff}) {
        auto bytes = copy_of(bytes_of(make_record<netwatch_clock>(7)));
        set_header(bytes, [&](netwatch_header& header) { header.size = size; });
        EXPECT_FALSE(decode(bytes)) << size;
    }
}

TEST(ModelRecord, ASizeOfAnotherKindIsAnError) {
    auto bytes = copy_of(bytes_of(make_record<netwatch_connect>(7)));
    set_header(bytes, [](netwatch_header& header) { header.kind = NETWATCH_RECORD_CLOCK; });
    const auto decoded = decode(bytes);
    ASSERT_FALSE(decoded);
    EXPECT_NE(decoded.error().message.find("clock"), std::string::npos);
}

TEST(ModelRecord, AnUnknownKindIsAnError) {
    for (const int kind : {0, static_cast<int>(NETWATCH_RECORD_KIND_COUNT), 0xffff}) {
        auto bytes = copy_of(bytes_of(make_record<netwatch_clock>(7)));
        set_header(bytes, [&](netwatch_header& header) { header.kind = static_cast<std::uint16_t>(kind); });
        EXPECT_FALSE(decode(bytes)) << kind;
    }
    EXPECT_TRUE(kind_name(0).empty());
}

TEST(ModelRecord, UnterminatedTextsAreCut) {
    auto host = make_record<netwatch_host>(1);
    std::memset(host.hostname, 'h', sizeof(host.hostname));
    std::memset(host.boot_id, 'b', sizeof(host.boot_id));
    std::memset(host.release, 'r', sizeof(host.release));
    std::memset(host.agent_version, 'v', sizeof(host.agent_version));
    const auto decoded = std::get<netwatch_host>(*decode(bytes_of(host)));
    EXPECT_EQ(text_of(decoded.hostname), std::string(sizeof(host.hostname) - 1, 'h'));
    EXPECT_EQ(text_of(decoded.boot_id).size(), sizeof(host.boot_id) - 1);
    EXPECT_EQ(text_of(decoded.release).size(), sizeof(host.release) - 1);
    EXPECT_EQ(text_of(decoded.agent_version).size(), sizeof(host.agent_version) - 1);

    auto connect = make_record<netwatch_connect>(1);
    std::memset(connect.process.comm, 'c', sizeof(connect.process.comm));
    EXPECT_EQ(std::get<netwatch_connect>(*decode(bytes_of(connect))).process.comm[15], '\0');

    auto cgroup = make_record<netwatch_cgroup>(1);
    std::memset(cgroup.path, 'p', sizeof(cgroup.path));
    EXPECT_EQ(text_of(std::get<netwatch_cgroup>(*decode(bytes_of(cgroup))).path).size(),
              sizeof(cgroup.path) - 1);
}

TEST(ModelRecord, BytesNeedNoAlignment) {
    const auto record = make_record<netwatch_socket_sample>(99);
    std::vector<std::byte> shifted(sizeof(record) + 1);
    std::memcpy(shifted.data() + 1, &record, sizeof(record));
    EXPECT_TRUE(decode(std::span(shifted).subspan(1)));
}

TEST(ModelRecord, TextsAreCutToFit) {
    char text[4];
    set_text(text, "abcdef");
    EXPECT_EQ(text_of(text), "abc");
    set_text(text, "");
    EXPECT_EQ(text_of(text), "");
}

}  // namespace
}  // namespace netwatch::model
