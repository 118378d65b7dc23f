// SPDX-License-Identifier: Apache-2.0
#include "service/open_incidents.h"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "present/json.h"
#include "recorder/state_directory.h"

namespace netwatch::service {
namespace {

constexpr std::uintmax_t largest_file_bytes = 64U << 20;

}  // namespace

bool outlives_agent(const model::Incident& incident) {
    return incident.state == model::IncidentState::open || incident.state == model::IncidentState::stale;
}

core::Result<void> save_open_incidents(const std::filesystem::path& path, std::string_view boot_id,
                                       std::span<const model::Incident> incidents) {
    auto list = nlohmann::json::array();
    for (const auto& incident : incidents) {
        if (outlives_agent(incident)) list.push_back(present::to_json(incident));
    }
    const nlohmann::json file{{"boot_id", boot_id}, {"incidents", std::move(list)}};
    return recorder::write_atomically(path, present::to_text(file) + "\n");
}

core::Result<std::vector<std::string>> load_open_incidents(const std::filesystem::path& path,
                                                           std::string_view boot_id) {
    std::error_code error;
    std::vector<std::string> texts;
    if (!std::filesystem::exists(path, error)) return texts;
    if (std::filesystem::file_size(path, error) > largest_file_bytes)
        return core::fail(path.string() + " is too large");
    std::ifstream stream(path);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const auto file = present::parse_json(text);
    if (!file) return std::unexpected(file.error().within(path.string()));
    if (!file->is_object() || !file->contains("boot_id") || !(*file)["boot_id"].is_string() ||
        !file->contains("incidents") || !(*file)["incidents"].is_array()) {
        return core::fail(path.string() + ": not what an agent writes");
    }
    if ((*file)["boot_id"].get<std::string>() != boot_id) return texts;
    for (const auto& incident : (*file)["incidents"]) texts.push_back(present::to_text(incident));
    return texts;
}

core::Result<std::vector<model::Incident>> parse_incidents(std::span<const std::string> texts) {
    std::vector<model::Incident> incidents;
    for (const auto& text : texts) {
        const auto json = present::parse_json(text);
        if (!json) return std::unexpected(json.error());
        auto incident = present::incident_from_json(*json);
        if (!incident) return std::unexpected(incident.error());
        incidents.push_back(std::move(*incident));
    }
    return incidents;
}

}  // namespace netwatch::service
