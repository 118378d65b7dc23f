// SPDX-License-Identifier: Apache-2.0
// A dump by itself for each incident that opens: at once, so that what led to it is kept whatever comes, and
// again when the time after it has passed. Incidents that open meanwhile share it, and prolong it, up to a
// limit. One that could not be written is tried again. One that is there is never made anew by a later run of
// the agent, which may no longer have what led to the incident. The newest are kept. On a thread of its own.
// Example:
//
//     IncidentDumps dumps(state_directory, {});
//     dumps.note(changes, now);      // from the capture thread, at each CLOCK
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/time.h"
#include "model/incident.h"
#include "recorder/dump.h"
#include "service/worker.h"

namespace netwatch::service {

struct DumpPolicy {
    std::chrono::seconds before = std::chrono::minutes(5);
    std::chrono::seconds after = std::chrono::minutes(1);
    std::size_t most = 20;                        // files
    std::uint64_t most_bytes = 256ULL << 20;      // all of them together
    std::uint64_t most_record_bytes = 64U << 20;  // of one, compressed: the oldest segments are left out
};

// One thread.
class IncidentDumps {
public:
    // `state`: the segments; the dumps go below it.
    IncidentDumps(std::filesystem::path state, DumpPolicy policy);

    // What changed, and the time of the last CLOCK.
    void note(std::span<const model::Incident> changes, core::UtcNs now);
    // Makes the dumps that wait, for the time after their incident too, and returns when they are there.
    // Once, when all is in the segments.
    void close();

private:
    struct Opened {
        std::string id;
        core::UtcNs first_affected_at;
    };
    struct Pending {
        std::string incident;
        std::filesystem::path file;
        core::UtcNs since;
        core::UtcNs until;
        core::UtcNs latest;  // however many share it
    };
    struct Due {
        recorder::DumpRequest request;
        unsigned tries = 0;
    };
    void begin(const Opened& incident, core::UtcNs now);
    void hand_over();
    void make_all();

    const std::filesystem::path state_;
    const DumpPolicy policy_;
    std::optional<Pending> pending_;
    std::set<std::string> known_;           // incidents that have a dump, share one or wait for one
    std::set<std::string> known_earlier_;   // the latest of those before them
    std::vector<Opened> opened_;            // those that wait for one
    std::optional<core::UtcNs> first_due_;  // when the first of the two is to be made
    core::UtcNs now_;
    core::UtcNs retried_at_;
    std::mutex mutex_;
    std::map<std::filesystem::path, Due> due_;     // under mutex_
    std::optional<Worker> worker_{std::in_place};  // last: it ends first
};

}  // namespace netwatch::service
