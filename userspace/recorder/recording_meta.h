// SPDX-License-Identifier: Apache-2.0
// What a recording says of itself. Plain values; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "netwatch/abi/record.h"
#include "recorder/schema.h"

namespace netwatch::recorder {

struct RecordingMeta {
    std::uint32_t format = recording_format;
    std::uint32_t abi_version = NETWATCH_ABI_VERSION;
    std::string agent_version;
    std::string hostname;
    std::string kernel;
    std::string boot_id;
    std::string began_at;                         // RFC 3339
    std::map<std::string, std::uint64_t> limits;  // of the diagnosis, by name
    // Everything else, by its key: kind, config_*, and of a dump since, until, trigger, redacted.
    std::map<std::string, std::string> others;
};

[[nodiscard]] std::map<std::string, std::string> to_values(const RecordingMeta& meta);
[[nodiscard]] RecordingMeta meta_from(std::map<std::string, std::string> values);

}  // namespace netwatch::recorder
