// SPDX-License-Identifier: Apache-2.0
// What happens at the caps: nothing grows beyond them, what the host uses stays, and what goes is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <malloc.h>
#include <netinet/in.h>

#include <chrono>

#include "diagnosis/destinations.h"
#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using support::Story;
using support::Watch;
using testing::IsEmpty;

constexpr auto web = "10.0.0.1:80";

DestinationKey key_of(std::uint32_t number, std::uint16_t port = 80) {
    auto bytes = model::IpAddress::parse("10.0.0.0")->bytes();
    bytes[13] = static_cast<std::uint8_t>(number >> 16);
    bytes[14] = static_cast<std::uint8_t>(number >> 8);
    bytes[15] = static_cast<std::uint8_t>(number);
    return {{model::IpAddress(bytes), port, model::Protocol::tcp}, model::Perspective::client, 0};
}

const model::DestinationRow* row_of(const model::HostView& view, std::string_view display) {
    const auto found = std::ranges::find(view.destinations, display,
                                         [](const auto& row) { return row.ref.endpoint.to_display(); });
    return found == view.destinations.end() ? nullptr : &*found;
}

TEST(DiagnosisBounds, AScanOfMoreThanFitsKeepsTheDestinationThatWorks) {
    Story story;
    story.healthy(0, 5, 0.25, web);
    for (int i = 0; i < 130'000; ++i) {
        story.is_refused(5 + i * 0.0004,
                         fmt::format("10.{}.{}.1:{}", 1 + i / 60'000, i / 256 % 234, 1'000 + i % 60'000),
                         {6, "zmap"});
    }
    story.refused(60, 66, 0.25, web);
    Watch watch(story, 0.5);
    watch.until(65);
    const auto view = watch.engine.view();
    EXPECT_LE(view.destinations.size(), 100'000U);
    EXPECT_GT(view.observer.evicted_destinations, 30'000U);
    ASSERT_NE(row_of(view, web), nullptr);
    EXPECT_GE(row_of(view, web)->established, 20U);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
}

TEST(DiagnosisBounds, AScanThatGetsNoAnswerIsJudgedInTime) {
    Story story;
    for (int i = 0; i < 10'000; ++i) {
        story.is_unanswered(i * 0.002, fmt::format("10.{}.{}.9:22", i / 250, i % 250), 3.5, {6, "zmap"});
    }
    Watch watch(story, 0.1);
    const auto begin = std::chrono::steady_clock::now();
    watch.until(25);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
    EXPECT_LE(watch.incidents().size(), 1'000U);
    EXPECT_LT(took.count(), 25) << "slower than the scan itself";
}

// One question and its answer; `ip` zero: there is no such name.
void resolve(Engine& engine, core::BootNs at, std::uint32_t number, std::string_view name, std::uint32_t ip) {
    auto message = model::make_record<netwatch_dns_message>(at, support::story_netns);
    message.tuple.protocol = IPPROTO_UDP;
    message.tuple.family = 4;
    message.tuple.remote_port = 53;
    std::ranges::copy(model::IpAddress::parse("10.0.0.53")->bytes(), message.tuple.remote_ip);
    message.sock = 1'000'000 + number;
    message.id = static_cast<std::uint16_t>(number);
    message.query_type = 1;
    message.status = NETWATCH_DNS_PARSED;
    message.direction = NETWATCH_DIRECTION_SENT;
    message.process.pid = 6;
    model::set_text(message.name, name);
    engine.observe(message);
    message.header.at_ns = at + core::ns_per_ms;
    message.direction = NETWATCH_DIRECTION_RECEIVED;
    message.is_answer = 1;
    message.rcode = ip == 0 ? 3 : 0;
    message.address_count = ip == 0 ? 0 : 1;
    message.address_total = ip == 0 ? 0 : 1;
    message.addresses[0][10] = message.addresses[0][11] = 0xff;
    for (int byte = 0; byte < 4; ++byte)
        message.addresses[0][12 + byte] = static_cast<__u8>(ip >> (24 - 8 * byte));
    engine.observe(message);
}

// A crawler, or somebody who walks through a zone: a million names, every third of which does not exist.
TEST(DiagnosisBounds, AMillionNamesTakeNoMoreRoomAndAreNoTrouble) {
    constexpr std::uint32_t names = 1'000'000;
    constexpr std::uint32_t at_once = 200;  // in 10 ms
    Story story;
    story.healthy(0, 5, 0.25, "10.9.9.9:80");
    Watch watch(story);
    watch.until(1);
    resolve(watch.engine, support::boot_ns(1), names, "kept.lab", 0x0a090909);
    watch.until(5);
    const std::size_t before = ::mallinfo2().uordblks;
    std::size_t most = 0;
    for (std::uint32_t i = 0; i < names; ++i) {
        const core::BootNs at = support::boot_ns(5) + i / at_once * 10 * core::ns_per_ms + i % at_once;
        resolve(watch.engine, at, i, fmt::format("host-{}.zone-{}.example", i, i % 977),
                i % 3 == 0 ? 0 : 0x0b000000 + i);
        if (i % at_once != at_once - 1) continue;
        auto clock = model::make_record<netwatch_clock>(at + 2 * core::ns_per_ms);
        clock.realtime_ns = support::story_utc_ns + static_cast<std::int64_t>(at - support::boot_ns(0));
        watch.engine.observe(clock);
        for (const auto& incident : watch.engine.take_changes())
            EXPECT_FALSE(model::is_alarm(incident)) << incident.summary;
        if (i % 50'000 == at_once - 1) most = std::max(most, ::mallinfo2().uordblks);
    }
    EXPECT_LT(most - std::min(most, before), 24U << 20U);
    const auto view = watch.engine.view();
    ASSERT_NE(row_of(view, "10.9.9.9:80"), nullptr);
    EXPECT_EQ(row_of(view, "10.9.9.9:80")->ref.name, "kept.lab") << "what is in use keeps its name";
}

TEST(DiagnosisBounds, NoRoomIsCounted) {
    Destinations table(10, 10);
    for (std::uint32_t i = 0; i < 15; ++i) (void)table.obtain(key_of(i), 1);
    EXPECT_EQ(table.all().size(), 10U);
    EXPECT_EQ(table.evicted(), 5U);
}

TEST(DiagnosisBounds, LossIsFollowedOnSoManyPathsAndBeyondWhereItShows) {
    Destinations table(100, 2);
    FlowDelta clean;
    clean.at = core::ns_per_s;
    clean.segments = 10;
    FlowDelta lossy = clean;
    lossy.lost = 1;
    EXPECT_NE(table.quality_of(table.address_of(key_of(1)), clean), nullptr);
    PathQuality* second = table.quality_of(table.address_of(key_of(2)), clean);
    ASSERT_NE(second, nullptr);
    second->add(lossy);
    EXPECT_EQ(table.quality_of(table.address_of(key_of(3)), clean), nullptr);
    EXPECT_NE(table.quality_of(table.address_of(key_of(3)), lossy), nullptr);

    // The one that rested and never lost anything makes room; what was lost is not forgotten.
    table.housekeep(100 * core::ns_per_s, [](const DestinationKey&) { return false; });
    EXPECT_EQ(table.address_of(key_of(1)).quality, nullptr);
    EXPECT_NE(table.address_of(key_of(2)).quality, nullptr);
}

TEST(DiagnosisBounds, AnAddressKnowsItsPorts) {
    Address address;
    for (const std::uint16_t port : std::to_array<std::uint16_t>({443, 80, 8'080, 443}))
        address.add_port(port);
    EXPECT_EQ(std::vector<std::uint16_t>(address.ports.begin(), address.ports.end()),
              (std::vector<std::uint16_t>{80, 443, 8'080}));
    address.remove_port(443);
    EXPECT_EQ(address.ports.size(), 2U);
    for (std::uint16_t port = 1; port <= 100; ++port) address.add_port(port);
    EXPECT_EQ(address.ports.size(), 64U);
}

TEST(DiagnosisBounds, HousekeepingEvictsTheWorthlessFirst) {
    Destinations table(100, 10);
    for (std::uint32_t i = 0; i < 100; ++i) {
        Destination* destination = table.obtain(key_of(i), 1'000 + i);
        if (i < 40) destination->established = 1;
    }
    table.housekeep(2'000, [](const DestinationKey& key) { return key == key_of(99); });
    EXPECT_EQ(table.all().size(), 80U);
    EXPECT_EQ(table.evicted(), 20U);
    for (std::uint32_t i = 0; i < 40; ++i) EXPECT_NE(table.find(key_of(i)), nullptr) << i;
    EXPECT_EQ(table.find(key_of(40)), nullptr) << "never worked, longest idle";
    EXPECT_NE(table.find(key_of(99)), nullptr) << "needed by an incident";
}

TEST(DiagnosisBounds, FullStateIsForSoManyAndIdleOnesGiveItBack) {
    Destinations table(1'000, 100);
    const auto full = [&] {
        return std::ranges::count_if(table.all(),
                                     [](const auto& entry) { return entry.second.detail != nullptr; });
    };
    for (std::uint32_t i = 0; i < 300; ++i) (void)table.obtain(key_of(i), core::ns_per_s);
    EXPECT_EQ(full(), 100);
    table.housekeep(100 * core::ns_per_s, [](const DestinationKey&) { return false; });
    EXPECT_EQ(full(), 0);
    EXPECT_NE(table.obtain(key_of(299), 101 * core::ns_per_s)->detail, nullptr);
}

TEST(DiagnosisBounds, ClientsOfAServerDoNotPileUp) {
    Destinations table(1'000, 100);
    for (std::uint32_t i = 0; i < 50'000; ++i) {
        table.address_of(key_of(i)).quality = std::make_unique<PathQuality>();
        if (i % 500 == 0)
            table.housekeep(i * 10 * core::ns_per_ms, [](const DestinationKey&) { return false; });
    }
    EXPECT_LE(table.addresses().size(), 2'000U);
}

TEST(DiagnosisBounds, ADestinationWithoutFullStateIsStillJudged) {
    Story story;
    for (int i = 0; i < 20; ++i) story.healthy(0, 2, 1, fmt::format("10.9.0.{}:80", i + 1));
    story.healthy(2, 10, 0.25, web).refused(10, 20, 0.25, web);
    Watch watch(story, 0.05,
                {.destinations = 1'000, .full_destinations = 8, .sockets = 1'000, .incidents = 10});
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::port_blocked);
}

TEST(DiagnosisBounds, IncidentsBeyondTheCapGoResolvedOnesFirst) {
    Story story;
    for (int i = 0; i < 12; ++i) {
        const auto peer = fmt::format("10.{}.0.1:80", i + 1);
        const double at = 10 + i * 20;
        story.healthy(0, at, 0.5, peer).refused(at, at + 8, 0.25, peer).healthy(at + 8, 300, 0.5, peer);
    }
    Watch watch(story, 0.1,
                {.destinations = 1'000, .full_destinations = 100, .sockets = 1'000, .incidents = 5});
    watch.until(250);
    EXPECT_EQ(watch.incidents().size(), 5U);
    EXPECT_GE(watch.told().size(), 12U);
}

TEST(DiagnosisBounds, CompactStateIsSmall) {
    // At most 400 bytes for a destination that has no full state: its own, its map node and its share of its
    // address.
    EXPECT_LE(sizeof(Destination) + sizeof(DestinationKey) + 2 * sizeof(void*), 400U);
}

}  // namespace
}  // namespace netwatch::diagnosis
