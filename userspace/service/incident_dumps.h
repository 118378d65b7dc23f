// SPDX-License-Identifier: Apache-2.0
// A dump by itself for each incident that opens: at once, so that what led to it is kept whatever comes, and
// again when the time after it has passed. Incidents that open meanwhile share it. The newest are kept. On a
// thread of its own. Example:
//
//     IncidentDumps dumps(state_directory, {});
//     dumps.note(changes, now);      // from the capture thread, at each CLOCK
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "core/time.h"
#include "model/incident.h"
#include "service/worker.h"

namespace netwatch::service {

struct DumpPolicy {
    std::chrono::seconds before = std::chrono::minutes(5);
    std::chrono::seconds after = std::chrono::minutes(1);
    std::size_t most = 20;                        // files
    std::uint64_t most_bytes = 256ULL << 20;      // all of them together
    std::uint64_t most_record_bytes = 32U << 20;  // of one, compressed: the oldest segments are left out
};

// One thread.
class IncidentDumps {
public:
    // `state`: the segments; the dumps go below it.
    IncidentDumps(std::filesystem::path state, DumpPolicy policy);

    // What changed, and the time of the last CLOCK.
    void note(std::span<const model::Incident> changes, core::UtcNs now);
    // Makes the dump that waits for the time after its incident, and returns when it is there. Once, when all
    // is in the segments.
    void close();

private:
    struct Pending {
        std::string incident;
        core::UtcNs since;
        core::UtcNs until;
    };
    void open(const model::Incident& incident, core::UtcNs now);
    [[nodiscard]] std::function<void()> job() const;

    const std::filesystem::path state_;
    const DumpPolicy policy_;
    std::optional<Pending> pending_;
    std::set<std::string> known_;           // incidents that have a dump
    std::optional<core::UtcNs> first_due_;  // when the first of the two is to be made
    core::UtcNs now_;
    std::optional<Worker> worker_{std::in_place};  // last: it ends first
};

}  // namespace netwatch::service
