// SPDX-License-Identifier: Apache-2.0
// Incidents, ladders and the host's view as JSON and back: docs/schemas/incident.schema.json,
// ladder.schema.json and view.schema.json. Example:
//
//     std::string body = present::to_text(present::to_json(engine.view()));
//     auto json = present::parse_json(body);
//     auto view = json ? present::host_view_from_json(*json) : std::unexpected(json.error());
//
// A value written and read back is equal to the millisecond (times) and to the byte (all else), but that
// bytes which are no UTF-8 are written as \xNN and infinite or undefined numbers as null. Errors: malformed
// input, with the path of the member that is wrong ("incidents[3].ladder: ..."). Members that are not known
// are passed over. Pure; any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/result.h"
#include "model/incident.h"
#include "model/view.h"

namespace netwatch::present {

[[nodiscard]] nlohmann::json to_json(const model::Incident& incident);
[[nodiscard]] nlohmann::json to_json(const model::Ladder& ladder);
[[nodiscard]] nlohmann::json to_json(const model::CounterSourceStatus& source);
[[nodiscard]] nlohmann::json to_json(const model::ObserverStatus& observer);
[[nodiscard]] nlohmann::json to_json(const model::HostView& view);

[[nodiscard]] core::Result<model::Incident> incident_from_json(const nlohmann::json& json);
[[nodiscard]] core::Result<model::Ladder> ladder_from_json(const nlohmann::json& json);
[[nodiscard]] core::Result<model::ObserverStatus> observer_from_json(const nlohmann::json& json);
[[nodiscard]] core::Result<model::HostView> host_view_from_json(const nlohmann::json& json);

// ASCII only, so that no name in it can move a terminal's cursor or turn its text around. indent < 0: one
// line.
[[nodiscard]] std::string to_text(const nlohmann::json& json, int indent = -1);

[[nodiscard]] core::Result<nlohmann::json> parse_json(std::string_view text);

}  // namespace netwatch::present
