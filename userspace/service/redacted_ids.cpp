// SPDX-License-Identifier: Apache-2.0
#include "service/redacted_ids.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "recorder/dump.h"
#include "service/playback.h"

namespace netwatch::service {
namespace {

// What redaction leaves as it is, and tells an incident from the others.
auto same_in_both(const model::Incident& incident) {
    return std::tuple(incident.opened_at, incident.detected_at, incident.type, incident.scope.kind,
                      incident.perspective, incident.impact.attempts, incident.impact.failed);
}

core::Result<std::vector<model::Incident>> incidents_of(const std::filesystem::path& path,
                                                        const recorder::Window& window) {
    auto playback = Playback::open(path, {.window = window});
    if (!playback) return std::unexpected(playback.error());
    (void)playback->run();  // what could be read of it counts
    return playback->incidents();
}

}  // namespace

core::Result<void> align_ids(const std::filesystem::path& from, const recorder::Window& window,
                             const std::filesystem::path& redacted) {
    const auto told = incidents_of(from, window);
    auto replayed = incidents_of(redacted, {});
    if (!told || !replayed) return std::unexpected(told ? replayed.error() : told.error());
    std::map<std::string, std::string> ids;
    for (const auto& incident : *told) {
        const auto same = std::ranges::find_if(*replayed, [&](const model::Incident& other) {
            return same_in_both(other) == same_in_both(incident);
        });
        if (same == replayed->end()) continue;
        if (same->id != incident.id) ids[incident.id] = same->id;
        replayed->erase(same);
    }
    return recorder::rename_incidents(redacted, ids);
}

}  // namespace netwatch::service
