// SPDX-License-Identifier: Apache-2.0
// A window of what was recorded, as one file: docs/recording.md. Example:
//
//     auto made = recorder::write_dump("/var/lib/netwatch", "outage.db", {.since = …, .until = …});
//
// Reads a state directory (while an agent writes to it, or not) or another recording. The file is there when
// it is complete; one of that name is replaced. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace netwatch::recorder {

struct DumpRequest {
    core::UtcNs since;
    core::UtcNs until;
    core::UtcNs made_at;
    std::string trigger = {};             // id of the incident that it is made for
    std::uint64_t most_record_bytes = 0;  // compressed; the oldest segments are left out. 0: all
    std::uint64_t most_connections = 2'000'000;
    bool redact = false;
};

struct DumpSummary {
    core::UtcNs first;  // of the records in it
    core::UtcNs last;
    std::uint64_t records = 0;
    std::uint64_t connections = 0;
    std::uint64_t connections_left_out = 0;
    std::uint64_t incidents = 0;
    std::uint64_t bytes = 0;
    std::vector<std::string> problems;  // segments that could not be read, or not to their end
};

// Errors: nothing recorded in that window, nothing readable, the file cannot be written.
[[nodiscard]] core::Result<DumpSummary>
write_dump(const std::filesystem::path& from, const std::filesystem::path& to, const DumpRequest& request);

// Gives incidents of a dump that was just made other ids, wherever one stands: from the first to the second.
[[nodiscard]] core::Result<void> rename_incidents(const std::filesystem::path& dump,
                                                  const std::map<std::string, std::string>& ids);

}  // namespace netwatch::recorder
