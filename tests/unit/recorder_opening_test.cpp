// SPDX-License-Identifier: Apache-2.0
#include "recorder/opening.h"

#include <gtest/gtest.h>

#include "model/record.h"

namespace netwatch::recorder {
namespace {

template <typename R>
void add(Opening& opening, const R& record) {
    opening.add(model::bytes_of(record));
}

std::vector<model::Record> records_of(const Opening& opening) {
    std::vector<model::Record> found;
    const auto bytes = opening.records();
    std::span<const std::byte> rest(bytes);
    while (const std::size_t size = model::claimed_size(rest)) {
        found.push_back(model::decode(rest.first(size)).value());
        rest = rest.subspan(size);
    }
    return found;
}

netwatch_change route(std::uint8_t third, std::uint8_t action) {
    auto change = model::make_record<netwatch_change>(1, 7);
    change.subject = NETWATCH_CHANGE_ROUTE;
    change.action = action;
    change.ip[14] = third;
    change.prefix_bits = 24;
    change.table = 254;
    return change;
}

TEST(Opening, KeepsTheLatestDescriptionOfEachSubject) {
    Opening opening;
    auto host = model::make_record<netwatch_host>(1);
    model::set_text(host.hostname, "before");
    add(opening, host);
    auto hook = model::make_record<netwatch_hook>(2);
    model::set_text(hook.signal, "life cycle");
    add(opening, hook);
    model::set_text(hook.signal, "drops");
    add(opening, hook);
    model::set_text(host.hostname, "after");
    add(opening, host);
    add(opening, model::make_record<netwatch_connect>(3));
    add(opening, model::make_record<netwatch_clock>(4));
    const auto found = records_of(opening);
    ASSERT_EQ(found.size(), 3U) << "two hooks and the host; what happened is no description";
    EXPECT_EQ(model::text_of(std::get<netwatch_host>(found[2]).hostname), "after");
}

TEST(Opening, ForgetsWhatIsGone) {
    Opening opening;
    add(opening, route(1, NETWATCH_CHANGE_FOUND));
    add(opening, route(2, NETWATCH_CHANGE_ADDED));
    add(opening, route(1, NETWATCH_CHANGE_REMOVED));
    const auto found = records_of(opening);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(std::get<netwatch_change>(found[0]).ip[14], 2);
}

TEST(Opening, IsBounded) {
    Opening opening;
    auto cgroup = model::make_record<netwatch_cgroup>(1);
    for (std::uint64_t id = 0; id < 100'000; ++id) {
        cgroup.cgroup_id = id;
        add(opening, cgroup);
    }
    EXPECT_LE(opening.records().size(), 4U << 20);
    EXPECT_GT(opening.records().size(), 3U << 20);
}

TEST(Opening, PassesOverWhatIsNoRecord) {
    Opening opening;
    opening.add(std::vector<std::byte>(7));
    EXPECT_TRUE(opening.records().empty());
}

}  // namespace
}  // namespace netwatch::recorder
