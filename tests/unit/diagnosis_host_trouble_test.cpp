// SPDX-License-Identifier: Apache-2.0
// What the host's own counters tell, and what they make of the findings of others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "support/story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;
using support::Flow;
using support::Story;
using support::Watch;
using testing::AllOf;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;

constexpr auto shop = "10.0.0.1:80";
constexpr auto other = "10.0.1.1:80";

bool has_evidence(const model::Incident& incident, std::string_view signal) {
    return std::ranges::any_of(incident.evidence, [&](const auto& item) { return item.signal == signal; });
}

// A table of 1,000 entries that holds so many from `at` on.
void table(Story& story, double at, std::uint64_t entries) {
    story.counts(at, NETWATCH_COUNTER_CONNTRACK_LIMIT, 1000);
    story.counts(at, NETWATCH_COUNTER_CONNTRACK_ENTRIES, entries);
}

// SYNs to two destinations that netfilter lets not out, one every half second, while a connection goes on.
void kept_out(Story& story, double from, double to) {
    Flow old = story.flow(1, other);
    for (int second = 2; second < 40; ++second) {
        old.sends(3);
        old.receives(3);
        old.since(0.1, 0.1);
        story.look(second, old);
    }
    for (double at = from; at < to; at += 0.5) story.cannot_leave(at, shop, 2.5, -EPERM);
}

TEST(DiagnosisConnectionTable, FullOfEntriesItKeepsNewConnectionsOut) {
    Story story;
    story.healthy(0, 10, 0.5, shop).healthy(21, 40, 0.5, shop);
    table(story, 0.5, 612);
    story.counts(0.5, NETWATCH_COUNTER_CONNTRACK_DROP, 7);
    table(story, 10.2, 1000);
    for (unsigned second = 11; second <= 20; ++second)
        story.counts(second, NETWATCH_COUNTER_CONNTRACK_DROP, 7 + 3 * (second - 10));
    table(story, 20.5, 300);
    kept_out(story, 10, 18);
    Watch watch(story);
    watch.until(15);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::connection_exhaustion);
    EXPECT_EQ(alarm.cause, "conntrack_full");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::host);
    EXPECT_EQ(alarm.severity, Severity::critical);
    EXPECT_EQ(alarm.destination->endpoint.to_string(), "10.0.0.1:80/tcp");
    EXPECT_THAT(alarm.evidence,
                testing::Contains(Field(&model::EvidenceItem::text, HasSubstr("1000 of 1000 entries"))));
    EXPECT_TRUE(has_evidence(alarm, "conntrack_drop"));
    EXPECT_TRUE(has_evidence(alarm, "established_flows_live"));
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_THAT(watch.ever_alarmed(), testing::ElementsAre(FailureType::connection_exhaustion));
}

TEST(DiagnosisConnectionTable, WithRoomItIsARuleThatDrops) {
    Story story;
    story.healthy(0, 10, 0.5, shop);
    table(story, 0.5, 612);
    kept_out(story, 10, 18);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_EQ(watch.alarm().cause, "local_rule");
}

TEST(DiagnosisConnectionTable, OfARouterThatDropsForOthersIsTold) {
    Story story;
    table(story, 0.5, 1000);
    for (unsigned second = 1; second <= 20; ++second)
        story.counts(second, NETWATCH_COUNTER_CONNTRACK_DROP, 5 * second);
    Watch watch(story);
    watch.until(10);
    EXPECT_EQ(watch.alarm().cause, "conntrack_full");
    EXPECT_EQ(watch.alarm().severity, Severity::warning);
}

TEST(DiagnosisConnectionTable, FullWithoutADropIsNotWhatARuleDrops) {
    Story story;
    story.healthy(0, 10, 0.5, shop);
    table(story, 0.5, 999);
    story.counts(0.5, NETWATCH_COUNTER_CONNTRACK_DROP, 5'000);  // of long ago
    kept_out(story, 10, 18);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
}

TEST(DiagnosisConnectionTable, FullWithoutADropHurtsNobody) {
    Story story;
    story.healthy(0, 30, 0.5, shop);
    table(story, 0.5, 999);
    story.counts(0.5, NETWATCH_COUNTER_CONNTRACK_DROP, 5'000);  // of long ago
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisConnectionTable, OfTheCloudIsToldByItsNic) {
    Story story;
    story.healthy(0, 10, 0.5, shop).unanswered(10, 20, 0.5, shop);
    story.link_counts(0.5, NETWATCH_COUNTER_CONNECTIONS_EXCEEDED, 40);
    for (unsigned second = 11; second <= 20; ++second)
        story.link_counts(second, NETWATCH_COUNTER_CONNECTIONS_EXCEEDED, 40 + second);
    Watch watch(story);
    watch.until(18);
    EXPECT_EQ(watch.alarm().type, FailureType::connection_exhaustion);
    EXPECT_EQ(watch.alarm().cause, "conntrack_full");
    EXPECT_TRUE(has_evidence(watch.alarm(), "connections_exceeded"));
}

TEST(DiagnosisPorts, HeldByTimeWait) {
    Story story;
    story.healthy(0, 10, 0.5, shop);
    story.counts(0.5, NETWATCH_COUNTER_LOCAL_PORTS, 500);
    story.counts(9.5, NETWATCH_COUNTER_TIME_WAITS, 497);
    for (double at = 10; at < 14; at += 0.4) story.call_fails(at, shop, EADDRNOTAVAIL);
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().type, FailureType::connection_exhaustion);
    EXPECT_EQ(watch.alarm().cause, "time_wait");
    EXPECT_TRUE(has_evidence(watch.alarm(), "time_wait"));
}

TEST(DiagnosisPorts, HeldByLiveConnectionsBesideSomeInTimeWait) {
    Story story;
    story.counts(0.5, NETWATCH_COUNTER_LOCAL_PORTS, 100);
    story.counts(9.5, NETWATCH_COUNTER_TIME_WAITS, 85);
    for (int i = 0; i < 95; ++i) (void)story.flow(1 + i * 0.05, shop);
    for (double at = 10; at < 14; at += 0.4) story.call_fails(at, shop, EADDRNOTAVAIL);
    Watch watch(story);
    watch.until(13);
    EXPECT_EQ(watch.alarm().cause, "ephemeral_ports");
}

TEST(DiagnosisPorts, ManyInTimeWaitWithPortsLeftAreNone) {
    Story story;
    story.healthy(0, 30, 0.1, shop);
    story.counts(0.5, NETWATCH_COUNTER_LOCAL_PORTS, 500);
    for (unsigned second = 1; second < 30; ++second)
        story.counts(second, NETWATCH_COUNTER_TIME_WAITS, 13 * second);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

void memory(Story& story, double at, std::uint64_t pages) {
    story.host_counts(at, NETWATCH_COUNTER_TCP_PRESSURE_PAGES, 4'000);
    story.host_counts(at, NETWATCH_COUNTER_TCP_LIMIT_PAGES, 5'000);
    story.host_counts(at, NETWATCH_COUNTER_TCP_PAGES, pages);
}

TEST(DiagnosisTcpMemory, ThatIsRefusedIsTheHosts) {
    Story story;
    story.healthy(0, 40, 0.5, shop);
    memory(story, 0.5, 900);
    story.counts(0.5, NETWATCH_COUNTER_ABORTED_FOR_MEMORY, 3);
    memory(story, 10, 4'990);
    for (unsigned second = 11; second < 17; ++second)
        story.counts(second, NETWATCH_COUNTER_ABORTED_FOR_MEMORY, 3 + second);
    memory(story, 18, 900);
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::connection_exhaustion);
    EXPECT_EQ(watch.alarm().cause, "tcp_memory");
    EXPECT_EQ(watch.alarm().scope.kind, ScopeKind::host);
    EXPECT_EQ(watch.alarm().severity, Severity::critical);
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisTcpMemory, UnderPressureWithoutHarmIsNone) {
    Story story;
    story.healthy(0, 30, 0.5, shop);
    story.counts(0.5, NETWATCH_COUNTER_ABORTED_FOR_MEMORY, 3);
    memory(story, 0.5, 4'800);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisTcpMemory, ConnectionsAbortedWithMemoryLeftAreNone) {
    Story story;
    story.healthy(0, 30, 0.5, shop);
    memory(story, 0.5, 900);
    for (unsigned second = 1; second < 20; ++second)
        story.counts(second, NETWATCH_COUNTER_ABORTED_FOR_MEMORY, second);
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// Out of a hundred packets a second the queue drops so many.
void queue(Story& story, unsigned from, unsigned to, unsigned drops_a_second) {
    for (unsigned second = from; second <= to; ++second) {
        story.link_counts(second, NETWATCH_COUNTER_QDISC_PACKETS, 100 * second);
        story.link_counts(second, NETWATCH_COUNTER_QDISC_DROPS, drops_a_second * (second - from));
    }
}

TEST(DiagnosisLocalQueue, ThatSynsFallToIsTheUplinks) {
    Story story;
    story.healthy(0, 40, 0.5, shop);
    queue(story, 8, 24, 12);
    for (int second = 8; second <= 23; ++second) story.connects_at_retry(second, other);
    Watch watch(story);
    watch.until(16);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.type, FailureType::packet_loss);
    EXPECT_EQ(alarm.cause, "local_queue");
    EXPECT_EQ(alarm.scope.kind, ScopeKind::uplink);
    EXPECT_EQ(alarm.scope.value, "eth0");
    EXPECT_FALSE(alarm.destination);
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisLocalQueue, ThatDropsAFourthOfAllIsTheUplinks) {
    Story story;
    story.healthy(0, 40, 0.5, shop);
    queue(story, 8, 24, 33);
    Watch watch(story);
    watch.until(16);
    EXPECT_EQ(watch.alarm().cause, "local_queue");
    EXPECT_GE(watch.alarm().first_affected_at, support::utc(8));
    watch.until(40);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisLocalQueue, ThatIsTakenAwayIsOverForGood) {
    Story story;
    story.healthy(0, 40, 0.5, shop);
    queue(story, 8, 24, 33);
    story.link_counts(24.5, NETWATCH_COUNTER_QDISC_PACKETS, 0);
    story.link_counts(24.5, NETWATCH_COUNTER_QDISC_DROPS, 0);
    Watch watch(story);
    watch.until(24);
    EXPECT_EQ(watch.alarm().cause, "local_queue");
    for (int second = 30; second <= 40; ++second) {
        watch.until(second);
        EXPECT_THAT(watch.alarms(), IsEmpty()) << second;
    }
    EXPECT_EQ(watch.incidents().front().occurrences, 1);
}

TEST(DiagnosisLocalQueue, ThatABulkTransferFillsHurtsNobody) {
    Story story;
    story.healthy(0, 40, 0.5, shop);
    queue(story, 8, 24, 12);
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisLocalQueue, ThatDropsLittleIsNotWhereSynsAreLost) {
    Story story;
    story.healthy(0, 40, 0.5, shop);
    queue(story, 8, 24, 1);
    for (int second = 8; second <= 23; ++second) story.connects_at_retry(second, other);
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// Five connections upload and lose one segment in twenty.
Story lossy_upload() {
    Story story;
    std::vector<Flow> flows;
    for (int i = 0; i < 5; ++i) flows.push_back(story.flow(0.1 * i, shop));
    for (int second = 1; second < 25; ++second) {
        for (Flow& flow : flows) {
            flow.sends(100, second < 8 ? 0 : 5);
            flow.since(0.1, 0.1);
            story.look(second, flow);
        }
    }
    return story;
}

TEST(DiagnosisLossHere, CountedByTheInterfaceIsTheHostsOwn) {
    Story story = lossy_upload();
    for (unsigned second = 7; second < 25; ++second)
        story.link_counts(second, NETWATCH_COUNTER_TX_DROPPED, 25 * (second - 7));
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
    EXPECT_EQ(watch.alarm().cause, "local_queue");
    EXPECT_EQ(watch.alarm().scope.value, "eth0");
    EXPECT_TRUE(has_evidence(watch.alarm(), "tx_dropped"));
}

TEST(DiagnosisLossHere, BeyondTheCloudsAllowanceIsItsLimit) {
    Story story = lossy_upload();
    for (unsigned second = 7; second < 25; ++second)
        story.link_counts(second, NETWATCH_COUNTER_BANDWIDTH_OUT_EXCEEDED, 25 * (second - 7));
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(watch.alarm().cause, "rate_limited");
    EXPECT_TRUE(has_evidence(watch.alarm(), "bandwidth_out_exceeded"));
}

TEST(DiagnosisLossHere, CountedByTheQueueIsASet) {
    Story story = lossy_upload();
    for (unsigned second = 7; second < 25; ++second) {
        story.link_counts(second, NETWATCH_COUNTER_QDISC_PACKETS, 525 * (second - 7));
        story.link_counts(second, NETWATCH_COUNTER_QDISC_DROPS, 25 * (second - 7));
    }
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(watch.alarm().cause, "local_queue");
    EXPECT_EQ(watch.alarm().candidates.size(), 2U);
    EXPECT_LT(watch.alarm().confidence, 0.9);
}

TEST(DiagnosisLossHere, ACountThatExplainsLittleBlamesNobodyHere) {
    Story story = lossy_upload();
    for (unsigned second = 7; second < 25; ++second)
        story.link_counts(second, NETWATCH_COUNTER_TX_DROPPED, second - 7);
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(watch.alarm().cause, "forward");
}

TEST(DiagnosisStarvation, HoldsBackWhatWasTimedMeanwhile) {
    Story story;
    story.healthy(0, 10, 0.1, shop);
    for (double at = 10; at < 18; at += 0.1) story.connects(at, shop, {}, 90);
    story.host_counts(0.5, NETWATCH_COUNTER_CPUS, 4);
    for (unsigned second = 1; second < 18; ++second)
        story.host_counts(second, NETWATCH_COUNTER_STEAL_TICKS, second < 9 ? 1 : 150 * (second - 8));
    Watch watch(story);
    watch.until(18);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisStarvation, ALittleStealHoldsNothingBack) {
    Story story;
    story.healthy(0, 10, 0.1, shop);
    for (double at = 10; at < 18; at += 0.1) story.connects(at, shop, {}, 90);
    story.host_counts(0.5, NETWATCH_COUNTER_CPUS, 4);
    for (unsigned second = 1; second < 18; ++second)
        story.host_counts(second, NETWATCH_COUNTER_STEAL_TICKS, 12 * second);
    Watch watch(story);
    watch.until(18);
    EXPECT_EQ(watch.alarm().type, FailureType::latency_spike);
}

TEST(DiagnosisStarvation, LowersTheConfidenceInSilence) {
    Story story;
    story.healthy(0, 10, 0.5, shop).healthy(0, 30, 0.5, "10.0.0.1:81").unanswered(10, 20, 0.5, shop);
    story.host_counts(0.5, NETWATCH_COUNTER_MEMORY_STALLED_US, 0);
    for (unsigned second = 10; second < 20; ++second)
        story.host_counts(second, NETWATCH_COUNTER_MEMORY_STALLED_US, 700'000 * (second - 9));
    Watch watch(story);
    watch.until(15);
    EXPECT_EQ(watch.alarm().type, FailureType::firewall_block);
    EXPECT_LT(watch.alarm().confidence, 0.9);
    EXPECT_TRUE(has_evidence(watch.alarm(), "host_starved"));
}

TEST(DiagnosisStarvation, OfACalmHostAddsNothing) {
    Story story;
    story.healthy(0, 10, 0.5, shop).healthy(0, 30, 0.5, "10.0.0.1:81").unanswered(10, 20, 0.5, shop);
    Watch watch(story);
    watch.until(15);
    EXPECT_FALSE(has_evidence(watch.alarm(), "host_starved"));
}

}  // namespace
}  // namespace netwatch::diagnosis
