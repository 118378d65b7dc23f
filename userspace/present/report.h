// SPDX-License-Identifier: Apache-2.0
// What happened, as one self-contained HTML page: `netwatch report`. Its looks are present/report/, embedded
// by the build; what it shows is one JSON value in it (docs/schemas/report.schema.json). Nothing from outside
// reaches the page but as inert text in that value. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "model/view.h"

namespace netwatch::present {

// One destination over all of what was recorded.
struct History {
    model::DestinationRef ref;
    model::Perspective perspective = model::Perspective::client;
    std::vector<model::SeriesPoint> points;
};

struct Report {
    std::string source;             /* name of the recording */
    model::HostView view;           /* at its end, incidents of all of it; its rows need no series */
    core::UtcNs begins;             /* of what was recorded */
    std::vector<History> histories; /* what matters first */
    std::size_t histories_dropped = 0;
    std::string chosen; /* id of the incident to begin with; empty: the gravest */
    std::optional<std::string> damage = std::nullopt; /* why it could not be read to its end */
};

// The incident that a reader wants first: an alarm before others, the gravest, a root, the newest. Null:
// none.
[[nodiscard]] const model::Incident* gravest(const std::vector<model::Incident>& incidents);

[[nodiscard]] nlohmann::json to_json(const Report& report);
[[nodiscard]] std::string report_html(const Report& report);

}  // namespace netwatch::present
