// SPDX-License-Identifier: Apache-2.0
// The records and tables as userspace sees them against the BTF of the built object: one layout, member by
// member.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "netwatch/abi/record.h"
#include "netwatch/abi/record_check.hpp"
#include "netwatch/abi/tables.h"

namespace {

struct FreeBtf {
    void operator()(btf* types) const { btf__free(types); }
};
using Types = std::unique_ptr<btf, FreeBtf>;

Types parse(const char* path) { return Types(btf__parse(path, nullptr)); }

const btf_type* find_struct(const btf* types, const std::string& name) {
    const int id = btf__find_by_name_kind(types, name.c_str(), BTF_KIND_STRUCT);
    return id > 0 ? btf__type_by_id(types, static_cast<__u32>(id)) : nullptr;
}

class RecordLayout : public ::testing::Test {
protected:
    void SetUp() override {
        object_ = parse(NETWATCH_BPF_OBJECT);
        ASSERT_NE(object_, nullptr) << NETWATCH_BPF_OBJECT;
    }

    void expect_size(const std::string& name, std::size_t size) {
        const btf_type* type = find_struct(object_.get(), name);
        ASSERT_NE(type, nullptr) << name;
        EXPECT_EQ(type->size, size) << name;
    }

    // No gap between two members and none at the end, as the compiler of the programs laid it out.
    void expect_no_padding(const std::string& name) {
        const btf_type* type = find_struct(object_.get(), name);
        ASSERT_NE(type, nullptr) << name;
        __u32 end_bits = 0;
        const btf_member* member = btf_members(type);
        for (__u32 i = 0; i < btf_vlen(type); ++i, ++member) {
            EXPECT_EQ(btf_member_bit_offset(type, i), end_bits)
                << name << '.' << btf__name_by_offset(object_.get(), member->name_off);
            end_bits += static_cast<__u32>(btf__resolve_size(object_.get(), member->type)) * 8;
        }
        EXPECT_EQ(end_bits, type->size * 8) << name;
    }

    Types object_;
};

#define MEMBER_OFFSET(type, member) \
    ++checked;                      \
    EXPECT_EQ(offset_of(#type, #member), offsetof(type, member)) << #type "." #member

TEST_F(RecordLayout, SizesAreTheSameOnBothSides) {
#define NETWATCH_KIND(number, upper, lower, maker, text) \
    expect_size("netwatch_" #lower, sizeof(netwatch_##lower));
    NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
    expect_size("netwatch_header", sizeof(netwatch_header));
    expect_size("netwatch_tuple", sizeof(netwatch_tuple));
    expect_size("netwatch_process", sizeof(netwatch_process));
    expect_size("netwatch_icmp", sizeof(netwatch_icmp));
    expect_size("netwatch_header_look", sizeof(netwatch_header_look));
    expect_size("netwatch_tcp_counters", sizeof(netwatch_tcp_counters));
    expect_size("netwatch_account_counts", sizeof(netwatch_account_counts));
    expect_size("netwatch_drop_key", sizeof(netwatch_drop_key));
    expect_size("netwatch_drop_count", sizeof(netwatch_drop_count));
}

TEST_F(RecordLayout, NothingIsPadded) {
#define NETWATCH_KIND(number, upper, lower, maker, text) expect_no_padding("netwatch_" #lower);
    NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
    expect_no_padding("netwatch_tcp_counters");
    expect_no_padding("netwatch_drop_key");
    expect_no_padding("netwatch_drop_count");
}

TEST_F(RecordLayout, MembersLieWhereUserspaceReadsThem) {
    const auto offset_of = [this](const std::string& name, const std::string& member) -> std::size_t {
        const btf_type* type = find_struct(object_.get(), name);
        const btf_member* members = type ? btf_members(type) : nullptr;
        for (__u32 i = 0; type && i < btf_vlen(type); ++i)
            if (member == btf__name_by_offset(object_.get(), members[i].name_off))
                return btf_member_bit_offset(type, i) / 8;
        return static_cast<std::size_t>(-1);
    };
    int checked = 0;
    MEMBER_OFFSET(netwatch_header, kind);
    MEMBER_OFFSET(netwatch_connect, icmp);
    MEMBER_OFFSET(netwatch_connect, rtt_us);
    MEMBER_OFFSET(netwatch_connect, reset_look);
    MEMBER_OFFSET(netwatch_accept, rtt_us);
    MEMBER_OFFSET(netwatch_close, peer_closed_first);
    MEMBER_OFFSET(netwatch_close, reset_look);
    MEMBER_OFFSET(netwatch_retransmit, soft_error);
    MEMBER_OFFSET(netwatch_synack_retransmit, timeouts);
    MEMBER_OFFSET(netwatch_reset_received, passive);
    MEMBER_OFFSET(netwatch_reset_sent, state);
    MEMBER_OFFSET(netwatch_socket_error, passive);
    MEMBER_OFFSET(netwatch_call_failed, call);
    MEMBER_OFFSET(netwatch_neighbor, new_state);
    MEMBER_OFFSET(netwatch_icmp_sent, code);
    MEMBER_OFFSET(netwatch_socket_sample, passive);
    MEMBER_OFFSET(netwatch_listener_sample, drops);
    MEMBER_OFFSET(netwatch_tcp_counters, sack_ok);
    MEMBER_OFFSET(netwatch_tcp_counters, heard);
    MEMBER_OFFSET(netwatch_process, comm);
    MEMBER_OFFSET(netwatch_tuple, protocol);
    MEMBER_OFFSET(netwatch_drop_key, family);
    EXPECT_EQ(checked, 22);
}

TEST_F(RecordLayout, EveryMapIsTheOneThatTheSensorExpects) {
    std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object(bpf_object__open(NETWATCH_BPF_OBJECT),
                                                                     &bpf_object__close);
    ASSERT_NE(object, nullptr);
    const auto value_size = [&](const char* name) {
        const bpf_map* map = bpf_object__find_map_by_name(object.get(), name);
        return map ? bpf_map__value_size(map) : 0;
    };
    EXPECT_EQ(value_size("accounts"), sizeof(netwatch_account_counts));
    EXPECT_EQ(value_size("drops"), sizeof(netwatch_drop_count));
    EXPECT_EQ(bpf_map__key_size(bpf_object__find_map_by_name(object.get(), "drops")),
              sizeof(netwatch_drop_key));
    EXPECT_EQ(value_size("overflowed_drops"), sizeof(__u64));
}

}  // namespace
