// SPDX-License-Identifier: Apache-2.0
#include "recorder/connections.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace netwatch::recorder {
namespace {

using model::ConnectionOutcome;

constexpr core::BootNs second = core::ns_per_s;
const core::ClockAnchor anchor(0, {1'000 * static_cast<std::int64_t>(second)});

class ConnectionsTest : public ::testing::Test {
protected:
    void add(const model::Record& record) { connections_.add(record, anchor); }
    static netwatch_connect connect(std::uint8_t outcome) {
        auto record = model::make_record<netwatch_connect>(3 * second, 7);
        record.sock = 1;
        record.start_ns = 2 * second;
        record.tuple.local_port = 40'000;
        record.tuple.remote_port = 443;
        record.tuple.protocol = 6;
        record.outcome = outcome;
        record.rtt_us = NETWATCH_ABSENT_U32;
        return record;
    }
    static netwatch_close close() {
        auto record = model::make_record<netwatch_close>(5 * second, 7);
        record.sock = 1;
        record.start_ns = 2 * second;
        record.counters.bytes_sent = 10;
        return record;
    }
    // How the one connection ended.
    std::string outcome() {
        const auto ended = connections_.take_ended();
        EXPECT_EQ(ended.size(), 1U);
        return ended.empty() ? "" : std::string(to_string(ended.front().outcome));
    }
    Connections connections_;
};

TEST_F(ConnectionsTest, AreToldOnceTheyHaveEnded) {
    auto attempt = model::make_record<netwatch_attempt>(2 * second, 7);
    attempt.sock = 1;
    add(attempt);
    auto established = connect(NETWATCH_OUTCOME_ESTABLISHED);
    established.rtt_us = 70;
    established.process.pid = 12;
    add(established);
    EXPECT_TRUE(connections_.take_ended().empty());
    add(close());
    const auto ended = connections_.take_ended();
    ASSERT_EQ(ended.size(), 1U);
    EXPECT_EQ(ended[0].outcome, ConnectionOutcome::closed);
    EXPECT_EQ(ended[0].began_at->ns, 1'002 * static_cast<std::int64_t>(second));
    EXPECT_EQ(ended[0].ended_at->ns, 1'005 * static_cast<std::int64_t>(second));
    EXPECT_EQ(ended[0].handshake_us, 70U);
    EXPECT_EQ(ended[0].process.pid, 12U);
    EXPECT_EQ(ended[0].netns, 7U);
    EXPECT_EQ(ended[0].passive, false);
    EXPECT_EQ(ended[0].counters->bytes_sent, 10U);
    EXPECT_TRUE(connections_.take_rest().empty());
}

TEST_F(ConnectionsTest, EndInManyWays) {
    add(close());
    EXPECT_EQ(outcome(), "closed");
    auto torn = close();
    torn.old_state = 1;
    add(torn);
    EXPECT_EQ(outcome(), "aborted");
    torn.reset_received = 1;
    add(torn);
    EXPECT_EQ(outcome(), "reset");
    auto timed_out = close();
    timed_out.error = ETIMEDOUT;
    add(timed_out);
    EXPECT_EQ(outcome(), "timed_out");
    auto failed = connect(NETWATCH_OUTCOME_FAILED);
    failed.error = ETIMEDOUT;
    add(failed);
    EXPECT_EQ(outcome(), "unanswered");
    failed.icmp.present = 1;
    add(failed);
    EXPECT_EQ(outcome(), "unreachable");
    failed.reset = 1;
    add(failed);
    EXPECT_EQ(outcome(), "refused");
    add(connect(NETWATCH_OUTCOME_ABANDONED));
    EXPECT_EQ(outcome(), "abandoned");
    auto call = model::make_record<netwatch_call_failed>(9 * second);
    call.call = NETWATCH_CALL_CONNECT;
    call.tuple.remote_port = 443;
    call.error = ENETUNREACH;
    add(call);
    EXPECT_EQ(outcome(), "not_sent");
    call.sock = 1;
    add(call);
    EXPECT_TRUE(connections_.take_ended().empty()) << "its own end tells of it";
}

TEST_F(ConnectionsTest, WhatIsAliveAtTheEndIsOpenOrTrying) {
    auto attempt = model::make_record<netwatch_attempt>(2 * second);
    attempt.sock = 1;
    add(attempt);
    auto sample = model::make_record<netwatch_socket_sample>(3 * second);
    sample.sock = 2;
    sample.passive = 2;
    sample.counters.state = 1;
    add(sample);
    const auto rest = connections_.take_rest();
    ASSERT_EQ(rest.size(), 2U);
    EXPECT_EQ(rest[0].outcome, ConnectionOutcome::trying);
    EXPECT_EQ(rest[1].outcome, ConnectionOutcome::open);
    EXPECT_FALSE(rest[1].passive);
    EXPECT_FALSE(rest[1].began_at) << "older than the recording";
    EXPECT_FALSE(rest[1].ended_at);
}

TEST_F(ConnectionsTest, AreBounded) {
    Connections few(2);
    for (std::uint64_t sock = 1; sock <= 3; ++sock) {
        auto attempt = model::make_record<netwatch_attempt>(sock * second);
        attempt.sock = sock;
        few.add(attempt, anchor);
    }
    EXPECT_EQ(few.take_ended().size(), 1U);
    EXPECT_EQ(few.take_rest().size(), 2U);
}

}  // namespace
}  // namespace netwatch::recorder
