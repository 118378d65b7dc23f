// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/recent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <random>

#include "diagnosis/histogram.h"

namespace netwatch::diagnosis {
namespace {

TEST(Recent, IsWhatADequeIs) {
    std::mt19937 random(7);
    Recent<unsigned> recent;
    std::deque<unsigned> expected;
    for (unsigned n = 0; n < 20'000; ++n) {
        if (random() % 5 != 0 || expected.empty()) {
            recent.push_back(n);
            expected.push_back(n);
        }
        while (expected.size() > random() % 40) {
            recent.pop_front();
            expected.pop_front();
        }
        if (random() % 50 == 0) {
            recent.remove_if([](unsigned one) { return one % 3 == 0; });
            std::erase_if(expected, [](unsigned one) { return one % 3 == 0; });
        }
        ASSERT_TRUE(std::ranges::equal(recent, expected)) << n;
        ASSERT_TRUE(std::equal(recent.rbegin(), recent.rend(), expected.rbegin(), expected.rend())) << n;
        ASSERT_EQ(recent.size(), expected.size());
        ASSERT_EQ(recent.empty(), expected.empty());
        if (expected.empty()) continue;
        ASSERT_EQ(recent.front(), expected.front());
        ASSERT_EQ(recent.back(), expected.back());
        ASSERT_EQ(recent[expected.size() / 2], expected[expected.size() / 2]);
    }
}

TEST(Histogram, HasFourBucketsAnOctave) {
    for (double us = 1; us < 4e9; us = us * 1.01 + 0.01) {
        Histogram one;
        one.add(us);
        const double bucket = std::floor(std::log2(us) * 4);
        EXPECT_DOUBLE_EQ(*one.quantile(0.5), std::exp2((bucket + 0.5) / 4)) << us;
    }
    Histogram beyond;
    beyond.add(0);
    beyond.add(1e12);
    EXPECT_LT(*beyond.quantile(0), 2);
    EXPECT_DOUBLE_EQ(*beyond.quantile(1), std::exp2(127.5 / 4)) << "the last bucket";
}

}  // namespace
}  // namespace netwatch::diagnosis
