// SPDX-License-Identifier: Apache-2.0
#include "model/taxonomy.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace netwatch::model {
namespace {

// All words of an enum whose values run from 0 to `last`, each of which comes back as its value.
template <typename Enum>
std::set<std::string> words(Enum last) {
    std::set<std::string> all;
    for (int i = 0; i <= static_cast<int>(last); ++i) {
        const auto value = static_cast<Enum>(i);
        const std::string_view word = to_string(value);
        EXPECT_EQ(from_string<Enum>(word), value) << word;
        EXPECT_TRUE(all.emplace(word).second) << word;
    }
    EXPECT_FALSE(from_string<Enum>("")) << "no word";
    EXPECT_FALSE(from_string<Enum>("Nonsense"));
    return all;
}

nlohmann::json schema() {
    std::ifstream file(std::string(NETWATCH_SOURCE_DIR) + "/docs/schemas/incident.schema.json");
    return nlohmann::json::parse(file);
}

std::set<std::string> allowed(const nlohmann::json& property) {
    std::set<std::string> all;
    for (const auto& value : property.at("enum")) {
        if (value.is_string()) all.insert(value);
    }
    return all;
}

TEST(ModelTaxonomy, WordsAreThoseOfTheContract) {
    const auto properties = schema().at("properties");
    EXPECT_EQ(words(Severity::critical), allowed(properties.at("severity")));
    EXPECT_EQ(words(IncidentState::resolved), allowed(properties.at("state")));
    EXPECT_EQ(words(Resolution::forgotten), allowed(properties.at("resolution")));
    EXPECT_EQ(words(Perspective::forwarder), allowed(properties.at("perspective")));
    EXPECT_EQ(words(OwnerHint::unknown), allowed(properties.at("owner_hint")));
}

TEST(ModelTaxonomy, EveryWordComesBack) {
    EXPECT_EQ(words(FailureType::unknown).size(), 19U);
    EXPECT_EQ(words(ScopeKind::trust).size(), 9U);
    EXPECT_EQ(words(Baseline::none), (std::set<std::string>{"full", "short", "none"}));
    EXPECT_EQ(words(Bearing::cause), (std::set<std::string>{"beside", "touches", "cause"}));
    EXPECT_EQ(words(Effect::change).size(), 2U);
    EXPECT_EQ(words(LadderStatus::unknown).size(), 4U);
    EXPECT_EQ(words(LadderVerdict::unknown).size(), 4U);
    EXPECT_EQ(words(Rung::service).size(), rung_count);
}

TEST(ModelTaxonomy, RungsAreInTheOrderOfTheWalk) {
    for (std::size_t i = 0; i < rung_count; ++i) EXPECT_EQ(static_cast<std::size_t>(all_rungs[i]), i);
}

TEST(ModelTaxonomy, ShortNamesAreDistinctAndFitAColumn) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(FailureType::unknown); ++i) {
        const std::string_view name = short_name(static_cast<FailureType>(i));
        EXPECT_TRUE(names.insert(name).second) << name;
        EXPECT_LE(name.size(), 12U);
        EXPECT_FALSE(name.empty());
    }
}

}  // namespace
}  // namespace netwatch::model
