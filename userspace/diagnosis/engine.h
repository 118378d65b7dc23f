// SPDX-License-Identifier: Apache-2.0
// The diagnosis: records in, incidents out. Pure: no thread, no clock, no file, no log; time comes in with
// the CLOCK records, so the same records give the same incidents, live or replayed. Example:
//
//     diagnosis::Engine engine;
//     for each record: engine.observe(record);          // a CLOCK record makes it judge
//     for (auto& incident : engine.take_changes()) …     // what is new since the last call
//
// One thread at a time. Memory is bounded by Limits.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "model/incident.h"
#include "model/record.h"
#include "model/recorded.h"
#include "model/view.h"

namespace netwatch::diagnosis {

struct Limits {
    std::size_t destinations = 100'000;     // beyond it the least valuable one is evicted, and counted
    std::size_t full_destinations = 4'096;  // with series and sketches; the others keep totals
    std::size_t sockets = 200'000;
    std::size_t incidents = 1'000;  // resolved ones go first, oldest first
};

// For a recorder: what is over.
struct Past {
    std::vector<model::DestinationSecond> seconds;  // of destinations in full detail
    std::vector<model::HostEvent> events;
};

class Engine {
public:
    explicit Engine(Limits limits = {});
    ~Engine();
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;

    // Takes in one record. A CLOCK record closes what came before it and runs the judgement.
    void observe(model::RecordRef record);

    // Incidents that were open when an earlier agent of this boot stopped; they go on under their ids.
    // Before the first record.
    void resume(std::vector<model::Incident> incidents);

    // Incidents opened or changed since the last call, in the order of their changes; each at most once.
    [[nodiscard]] std::vector<model::Incident> take_changes();

    // What is over since the last call: seconds that no record can still change, and what happened on the
    // host. `all`: the seconds under way too, at the end of a stream.
    [[nodiscard]] Past take_past(bool all = false);

    // All that are kept: alarms first, then suspected, info and resolved ones; by severity, then age.
    [[nodiscard]] std::vector<model::Incident> incidents() const;

    // Everything at the last CLOCK. Series only of the destinations with full state.
    [[nodiscard]] model::HostView view() const;

    // The ladder for one address, with a port or without. A target never seen gives verdict unknown.
    [[nodiscard]] model::Ladder ladder(const model::Endpoint& target) const;

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace netwatch::diagnosis
