// SPDX-License-Identifier: Apache-2.0
// Every text and every address that a record can carry is in the list of what a redacted dump does with it.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "netwatch/abi/record.h"
#include "recorder/redact_fields.h"

namespace netwatch::recorder {
namespace {

// Kinds that are never recorded have nothing to redact.
const std::set<std::string> never_recorded{"payload"};

constexpr __u32 address_bytes = 16;

struct FreeBtf {
    void operator()(btf* types) const { btf__free(types); }
};

const btf_type* resolved(const btf* types, __u32 id) {
    const btf_type* type = btf__type_by_id(types, id);
    while (btf_is_mod(type) || btf_is_typedef(type)) type = btf__type_by_id(types, type->type);
    return type;
}

// The members below a struct that are arrays of char, or of 16 bytes, or several of these: "process.comm",
// "tuple.local_ip", "addresses[0]".
void find_telling(const btf* types, const btf_type* type, const std::string& prefix,
                  std::set<std::string>& found) {
    const btf_member* members = btf_members(type);
    for (__u32 i = 0; i < btf_vlen(type); ++i) {
        const std::string name = prefix + btf__name_by_offset(types, members[i].name_off);
        const btf_type* member = resolved(types, members[i].type);
        if (btf_is_struct(member)) find_telling(types, member, name + ".", found);
        if (!btf_is_array(member)) continue;
        const struct btf_array* array = btf_array(member);
        const btf_type* element = resolved(types, array->type);
        if (btf_is_array(element) && btf_array(element)->nelems == address_bytes) {
            for (__u32 at = 0; at < array->nelems; ++at) found.insert(name + "[" + std::to_string(at) + "]");
            continue;
        }
        const std::string of = btf__name_by_offset(types, element->name_off);
        const bool is_byte = btf_is_int(element) && element->size == 1;
        if (is_byte && (of == "char" || array->nelems == address_bytes)) found.insert(name);
    }
}

TEST(Redaction, KnowsEveryTextAndEveryAddressOfARecord) {
    const std::unique_ptr<btf, FreeBtf> types(btf__parse(NETWATCH_BPF_OBJECT, nullptr));
    ASSERT_NE(types, nullptr);
    const auto check = [&](const std::string& kind, std::uint16_t number) {
        if (never_recorded.contains(kind)) return;
        const int id = btf__find_by_name_kind(types.get(), ("netwatch_" + kind).c_str(), BTF_KIND_STRUCT);
        ASSERT_GT(id, 0) << kind;
        std::set<std::string> found;
        find_telling(types.get(), btf__type_by_id(types.get(), static_cast<__u32>(id)), "", found);
        std::set<std::string> listed;
        for (const auto& field : redacted_fields) {
            const bool telling = field.treatment != Treatment::digest;  // which no type tells from a counter
            if (field.kind == number && telling) listed.insert(std::string(field.member));
        }
        EXPECT_EQ(found, listed) << "of kind " << kind << ": see recorder/redact_fields.h";
    };
#define NETWATCH_KIND(number, upper, lower, maker, text) check(#lower, number);
    NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
}

}  // namespace
}  // namespace netwatch::recorder
