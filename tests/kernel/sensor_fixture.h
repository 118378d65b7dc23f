// SPDX-License-Identifier: Apache-2.0
// A sensor that observes a network namespace of the test's own, and what it has said.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "kernel/private_netns.h"
#include "model/record.h"
#include "sensor/sensor.h"

namespace netwatch::testing {

class SensorTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root: programs are loaded into the kernel";
        netns_ = enter_private_netns();
        ASSERT_NE(netns_, 0U) << "no network namespace of its own";
    }

    void open(sensor::SensorOptions options = {}) {
        if (options.netns.empty()) options.netns = {netns_};
        auto opened = sensor::Sensor::open(options);
        ASSERT_TRUE(opened.has_value()) << opened.error().message;
        sensor_ = std::move(*opened);
    }

    // The test needs this signal, whatever the hook.
    bool sees(std::string_view signal) const {
        return std::ranges::any_of(sensor_->hooks(), [&](const netwatch_hook& hook) {
            return signal == hook.signal && hook.state != NETWATCH_HOOK_MISSING;
        });
    }

    // Everything that the kernel has said so far.
    void drain() {
        while (!sensor_->poll(0, keep_)) {
        }
    }

    void walk() {
        const auto walked = sensor_->walk(keep_);
        ASSERT_TRUE(walked.has_value()) << walked.error().message;
    }

    template <typename R>
    std::vector<R> all() const {
        std::vector<R> found;
        for (const auto& record : records_)
            if (const auto* match = std::get_if<R>(&record)) found.push_back(*match);
        return found;
    }

    std::map<std::uint32_t, netwatch_account> accounts() {
        std::map<std::uint32_t, netwatch_account> by_kind;
        sensor_->read_accounts([&](std::span<const std::byte> bytes) {
            const auto record = model::decode(bytes);
            ASSERT_TRUE(record.has_value());
            const auto& account = std::get<netwatch_account>(*record);
            by_kind[account.kind] = account;
        });
        return by_kind;
    }

    void expect_balanced_books() {
        for (const auto& [kind, account] : accounts())
            EXPECT_EQ(account.seen,
                      account.emitted + account.filtered + account.dropped_full + account.dropped_map)
                << model::kind_name(kind);
    }

    std::uint32_t netns_ = 0;
    std::unique_ptr<sensor::Sensor> sensor_;
    std::vector<model::Record> records_;
    sensor::RecordSink keep_ = [this](std::span<const std::byte> bytes) {
        auto record = model::decode(bytes);
        ASSERT_TRUE(record.has_value()) << record.error().message;
        records_.push_back(*record);
    };
};

inline void expect_own_process(const netwatch_process& process) {
    EXPECT_EQ(process.pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(process.uid, 0U);
    EXPECT_GT(process.start_ns, 0U);
    EXPECT_STRNE(process.comm, "");
}

}  // namespace netwatch::testing
