// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/story.h"

namespace netwatch::support {

Watch::Watch(const Story& story, double clock_every_s, diagnosis::Limits limits)
    : engine(limits),
      records_(story.records()),
      clock_every_s_(clock_every_s) {
    // An hour of watching before the story needs no CLOCKs; before the agent started there are none.
    const double first_s =
        static_cast<double>(model::header_of(records_.front()).at_ns) / 1e9 - story_begins_s;
    ticks_ = first_s > 0 ? static_cast<std::uint64_t>(first_s / clock_every_s_) + 1 : 0;
}

void Watch::tick(double story_s) {
    const core::BootNs at = boot_ns(story_s);
    for (; next_ < records_.size() && model::header_of(records_[next_]).at_ns <= at; ++next_) {
        engine.observe(records_[next_]);
    }
    auto clock = model::make_record<netwatch_clock>(at);
    clock.realtime_ns = utc(story_s).ns + step_ns_;
    engine.observe(clock);
    for (const auto& incident : engine.take_changes()) {
        told_[incident.id] = incident;
        if (!model::is_alarm(incident)) continue;
        if (std::ranges::find(ever_alarmed_, incident.type) == ever_alarmed_.end()) {
            ever_alarmed_.push_back(incident.type);
        }
        first_told_.try_emplace(incident.type, story_s);
    }
    for (const std::string& violation : contract_violations(engine.incidents())) {
        if (violations_.insert(violation).second) ADD_FAILURE() << "at " << story_s << " s: " << violation;
    }
}

Watch& Watch::until(double story_s) {
    // Counted in whole ticks, so that rounding does not add up.
    for (; static_cast<double>(ticks_) * clock_every_s_ <= story_s; ++ticks_) {
        tick(static_cast<double>(ticks_) * clock_every_s_);
    }
    return *this;
}

std::vector<model::Incident> Watch::alarms() const {
    auto found = engine.incidents();
    std::erase_if(found, [](const model::Incident& incident) { return !model::is_alarm(incident); });
    return found;
}

model::Incident Watch::alarm() const {
    const auto found = alarms();
    std::string list;
    for (const auto& incident : found) {
        list += fmt::format(" {}/{}", model::to_string(incident.type), incident.cause.value_or("-"));
    }
    EXPECT_EQ(found.size(), 1U) << "alarms:" << list;
    if (!found.empty()) return found.front();
    model::Incident none;
    none.candidates.push_back({});
    return none;
}

std::optional<double> Watch::first_told(model::FailureType type) const {
    const auto found = first_told_.find(type);
    return found == first_told_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace netwatch::support
