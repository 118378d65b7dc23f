// SPDX-License-Identifier: Apache-2.0
// What is open when an agent stops goes on when the next one starts on the same boot: incidents.json.
//
//     {"boot_id": "…", "incidents": [ … ]}
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/incident.h"

namespace netwatch::service {

// Neither resolved nor a mere suspicion.
[[nodiscard]] bool outlives_agent(const model::Incident& incident);

[[nodiscard]] core::Result<void> save_open_incidents(const std::filesystem::path& path,
                                                     std::string_view boot_id,
                                                     std::span<const model::Incident> incidents);

// JSON of each; none if there is no file or it is of another boot. Errors: the file is damaged.
[[nodiscard]] core::Result<std::vector<std::string>> load_open_incidents(const std::filesystem::path& path,
                                                                         std::string_view boot_id);

// The incidents that a recording or incidents.json carries as JSON. Errors: one of them is no incident.
[[nodiscard]] core::Result<std::vector<model::Incident>> parse_incidents(std::span<const std::string> texts);

}  // namespace netwatch::service
