// SPDX-License-Identifier: Apache-2.0
#include "model/fields.h"

#include <gtest/gtest.h>

#include <set>

namespace netwatch::model {
namespace {

TEST(ModelFields, AreDescribedOnceEach) {
    std::set<std::string_view> ids;
    for (const Field& field : destination_fields()) {
        EXPECT_TRUE(ids.insert(field.id).second) << field.id;
        EXPECT_EQ(find_field(field.id), &field);
        EXPECT_FALSE(field.title.empty()) << field.id;
        EXPECT_TRUE(field.description.ends_with('.')) << field.id;
        EXPECT_NE(field.value, nullptr) << field.id;
    }
    EXPECT_EQ(find_field("nonsense"), nullptr);
    EXPECT_EQ(find_field(""), nullptr);
}

TEST(ModelFields, TheColumnsOfANarrowScreenFitIt) {
    int width = 0;
    for (const Field& field : destination_fields()) {
        if (field.width > 0 && field.from_width <= 80) width += field.width + 1;
    }
    EXPECT_LE(width, 105) << "screens leave out columns from the right, not by wrapping";
}

TEST(ModelFields, EveryValueOfAnEmptyRowCanBeShown) {
    const DestinationRow row;
    for (const Field& field : destination_fields())
        EXPECT_FALSE(to_cell(field.value(row), field.unit).empty()) << field.id;
}

TEST(ModelFields, WhatWasNotMeasuredIsADash) {
    const DestinationRow row;
    EXPECT_EQ(to_cell(find_field("rtt_us")->value(row), Unit::microseconds), "–");
    EXPECT_EQ(to_cell(find_field("ok_share")->value(row), Unit::share), "–");
}

TEST(ModelFields, VerdictsAreWords) {
    DestinationRow row;
    EXPECT_EQ(std::get<std::string>(find_field("verdict")->value(row)), "ok");
    row.judged = false;
    EXPECT_EQ(std::get<std::string>(find_field("verdict")->value(row)), "unjudged");
    row.type = FailureType::packet_loss;
    EXPECT_EQ(std::get<std::string>(find_field("verdict")->value(row)), "loss");
}

TEST(ModelFields, NumbersAreShort) {
    EXPECT_EQ(to_cell(0.0, Unit::count), "0");
    EXPECT_EQ(to_cell(999.0, Unit::count), "999");
    EXPECT_EQ(to_cell(1'000.0, Unit::count), "1.0k");
    EXPECT_EQ(to_cell(9.8e6, Unit::bytes_per_second), "9.8M");
    EXPECT_EQ(to_cell(123'456.0, Unit::count), "123k");
    EXPECT_EQ(to_cell(4.25, Unit::per_second), "4.2");
    EXPECT_EQ(to_cell(0.023, Unit::share), "2.3");
    EXPECT_EQ(to_cell(1.0, Unit::share), "100");
    EXPECT_EQ(to_cell(0.0, Unit::share), "0");
    EXPECT_EQ(to_cell(0.5, Unit::share), "50");
    EXPECT_EQ(to_cell(350.0, Unit::microseconds), "350us");
    EXPECT_EQ(to_cell(400'000.0, Unit::microseconds), "400ms");
    EXPECT_EQ(to_cell(1'200.0, Unit::microseconds), "1.2ms");
    EXPECT_EQ(to_cell(1'500'000.0, Unit::microseconds), "1.5s");
}

}  // namespace
}  // namespace netwatch::model
