// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "model/counters.h"
#include "model/record.h"
#include "service/counter_records.h"

namespace netwatch::service {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint32_t blue = 4711;
constexpr core::BootNs second = core::ns_per_s;

std::vector<model::Record> decoded(std::span<const std::byte> bytes) {
    std::vector<model::Record> records;
    while (const std::size_t size = model::claimed_size(bytes)) {
        records.push_back(*model::decode(bytes.first(size)));
        bytes = bytes.subspan(size);
    }
    return records;
}

// Numbers of the counters that were told.
std::vector<std::uint32_t> told(CounterRecords& records, const context::CounterReadings& readings,
                                core::BootNs at) {
    std::vector<std::uint32_t> counters;
    for (const auto& record : decoded(records.of(readings, at))) {
        if (const auto* one = std::get_if<netwatch_counter>(&record)) counters.push_back(one->counter);
        if (const auto* one = std::get_if<netwatch_interface_counter>(&record))
            counters.push_back(one->counter);
    }
    return counters;
}

context::CounterReadings readings_of(std::uint64_t drops, std::uint64_t packets, std::uint64_t timeouts) {
    context::CounterReadings readings;
    readings.interfaces[{blue, 2}] = "eth0";
    readings.add(blue, NETWATCH_COUNTER_TCP_TIMEOUTS, timeouts);
    readings.add(blue, NETWATCH_COUNTER_QDISC_PACKETS, packets, 2);
    readings.add(blue, NETWATCH_COUNTER_QDISC_DROPS, drops, 2);
    return readings;
}

TEST(CounterRecords, TellAllOnceAndThenWhatChanged) {
    CounterRecords records;
    EXPECT_EQ(told(records, readings_of(0, 10, 5), second).size(), 3U);
    EXPECT_THAT(told(records, readings_of(0, 10, 5), 2 * second), IsEmpty());
    EXPECT_THAT(told(records, readings_of(0, 10, 6), 3 * second), ElementsAre(NETWATCH_COUNTER_TCP_TIMEOUTS));
}

TEST(CounterRecords, TellAllOnceAMinute) {
    CounterRecords records;
    (void)told(records, readings_of(0, 10, 5), second);
    EXPECT_THAT(told(records, readings_of(0, 10, 5), 60 * second), IsEmpty());
    EXPECT_EQ(told(records, readings_of(0, 10, 5), 61 * second).size(), 3U);
}

TEST(CounterRecords, KeepNamespacesAndInterfacesApart) {
    CounterRecords records;
    (void)told(records, readings_of(0, 10, 5), second);
    auto more = readings_of(0, 10, 5);
    more.interfaces[{blue, 3}] = "eth1";
    more.add(blue, NETWATCH_COUNTER_QDISC_DROPS, 0, 3);
    more.add(blue + 1, NETWATCH_COUNTER_TCP_TIMEOUTS, 5);
    EXPECT_THAT(told(records, more, 2 * second),
                ElementsAre(NETWATCH_COUNTER_QDISC_DROPS, NETWATCH_COUNTER_TCP_TIMEOUTS));
}

TEST(CounterRecords, TellOfSourcesWhenTheyComeAndGo) {
    const auto of_netstat = [](CounterRecords& records, const context::CounterReadings& readings,
                               core::BootNs at) {
        std::vector<std::uint32_t> there;
        for (const auto& record : decoded(records.of(readings, at))) {
            const auto* one = std::get_if<netwatch_counter_source>(&record);
            if (one != nullptr && one->source == NETWATCH_SOURCE_NETSTAT) there.push_back(one->there);
        }
        return there;
    };
    CounterRecords records;
    context::CounterReadings missing;
    missing.missing[NETWATCH_SOURCE_NETSTAT] = "/proc/net/netstat: No such file or directory";
    EXPECT_THAT(of_netstat(records, missing, second), ElementsAre(0));
    EXPECT_THAT(of_netstat(records, missing, 2 * second), IsEmpty());
    EXPECT_THAT(of_netstat(records, {}, 3 * second), ElementsAre(1));
}

TEST(CounterCatalogue, HasANameForEachCounterAndWordsForWhatGrows) {
    EXPECT_EQ(model::counter_name(NETWATCH_COUNTER_SYNS_AGAIN), "syns_again");
    EXPECT_EQ(model::counter_words(NETWATCH_COUNTER_SYNS_AGAIN), "SYNs were sent again");
    EXPECT_EQ(model::counter_name(0), "");
    EXPECT_EQ(model::counter_words(NETWATCH_COUNTER_TIME_WAITS), "");
}

}  // namespace
}  // namespace netwatch::service
