// SPDX-License-Identifier: Apache-2.0
// What a host looks like at one instant: everything that a screen, a table, JSON or metrics are made from.
// Made by diagnosis::Engine::view(), carried over the agent's socket as JSON. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "model/incident.h"

namespace netwatch::model {

// One second of one destination, oldest first in a series. Empty: nothing to measure.
struct SeriesPoint {
    core::UtcNs at;
    std::uint32_t attempts = 0; /* active or passive opens that ended */
    std::uint32_t failed = 0;
    std::optional<double> rtt_us =
        std::nullopt; /* smallest smoothed or handshake round trip in that second */
    std::optional<double> loss_share = std::nullopt; /* forward, 0 to 1 */
    double bytes = 0;                                /* both ways */
};

// One destination (perspective client) or one own listener (perspective server).
struct DestinationRow {
    DestinationRef ref;
    Perspective perspective = Perspective::client;
    std::uint32_t netns = 0;
    std::vector<std::string> processes; /* "checkout[2214]", busiest first */
    std::uint64_t attempts = 0;         /* since the agent first saw it */
    std::uint64_t established = 0;
    std::uint64_t failed = 0;
    std::uint64_t abandoned = 0;
    double attempts_per_s = 0;      /* over the last 10 s */
    std::optional<double> ok_share; /* of the attempts in the last 60 s that ended, 0 to 1 */
    std::uint32_t flows = 0;        /* established now */
    std::optional<double> rtt_us;   /* median of the last minute's handshake and smoothed round trips */
    std::optional<double> rtt_p99_us;
    std::optional<double> loss_share;    /* towards the destination, DSACK-corrected, last 60 s */
    std::optional<double> loss_in_share; /* towards us, lower bound, last 60 s */
    double bytes_sent_per_s = 0;         /* over the last 10 s */
    double bytes_received_per_s = 0;
    std::optional<core::UtcNs> last_success_at;
    std::optional<core::UtcNs> last_failure_at;
    std::optional<Severity> severity; /* of the incident that explains it; empty: nothing wrong */
    std::optional<FailureType> type;
    std::optional<std::string> incident; /* its id */
    bool judged = true;                  /* false: UDP without DNS, counted only */
    std::vector<SeriesPoint> series;     /* last 120 s; may be empty over a slow link */
};

// By which rows of the same severity are ordered: a connection weighs as much as a kilobyte.
[[nodiscard]] inline double traffic(const DestinationRow& row) {
    return row.attempts_per_s * 1'000 + row.bytes_sent_per_s + row.bytes_received_per_s;
}

// One signal of the plan of hooks.
struct HookStatus {
    std::string signal;
    std::string hook;
    std::string state; /* best, fallback, missing */
    std::string lost;
    std::string reason;
};

// Where counters of the host come from.
struct CounterSourceStatus {
    std::string source; /* "/proc/net/netstat" */
    bool there = false;
    std::string lost;   /* what is not known without it */
    std::string reason; /* why it is missing */
};

// Records of one kind: seen = emitted + filtered + dropped.
struct AccountRow {
    std::string kind;
    std::uint64_t seen = 0;
    std::uint64_t filtered = 0;
    std::uint64_t emitted = 0;
    std::uint64_t dropped = 0;
};

// Whether netwatch itself can be trusted.
struct ObserverStatus {
    std::uint64_t lost_records = 0;
    std::uint64_t evicted_destinations = 0;
    std::uint64_t udp_not_judged = 0;
    std::uint32_t sockets = 0; /* in the last walk */
    std::uint32_t destinations = 0;
    std::optional<core::UtcNs> last_walk_at;
    std::vector<HookStatus> hooks;
    std::vector<CounterSourceStatus> counters;
    std::vector<AccountRow> accounts;
    std::optional<std::string> recording; /* path of the recording, empty if none */
    std::optional<std::string> recording_error;
};

struct HostView {
    std::string hostname;
    std::string kernel;
    std::string boot_id;
    std::string agent_version;
    std::uint32_t observed_netns_count = 0; /* 0: all */
    core::UtcNs at;
    core::UtcNs started_at;
    double attempts_per_s = 0;
    std::vector<Incident> incidents;          /* alarms first, by severity then age; resolved and info last */
    std::vector<DestinationRow> destinations; /* by severity, then traffic */
    std::uint64_t matching = 0;               /* rows that were asked for, where not all of them are here */
    ObserverStatus observer;
};

}  // namespace netwatch::model
