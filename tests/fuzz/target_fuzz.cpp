// SPDX-License-Identifier: Apache-2.0
// What people type and what a socket or a file says: targets, times and the JSON of incidents, ladders and
// views. What parses must be written and read back to the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cli/target.h"
#include "core/time.h"
#include "model/address.h"
#include "present/json.h"

namespace {

namespace present = netwatch::present;

// Once read, a value is written to the same text again and again.
template <typename Read>
void settle(const nlohmann::json& json, Read read) {
    const auto value = read(json);
    if (!value) return;
    const auto written = present::to_json(*value);
    const auto again = read(written);
    if (!again || present::to_json(*again) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto endpoint = netwatch::model::Endpoint::parse(text)) {
        if (netwatch::model::Endpoint::parse(endpoint->to_display()).value().ip != endpoint->ip) std::abort();
    }
    (void)netwatch::cli::parse_target(text);
    (void)netwatch::cli::resolve({.name = "db"}, {}, text);
    (void)netwatch::core::parse_rfc3339(text);
    const auto json = present::parse_json(text);
    if (!json) return 0;
    (void)present::to_text(*json, 1);
    settle(*json, present::incident_from_json);
    settle(*json, present::ladder_from_json);
    settle(*json, present::host_view_from_json);
    return 0;
}
