// SPDX-License-Identifier: Apache-2.0
#include "service/playback.h"

#include <utility>

#include "service/host_facts.h"
#include "service/open_incidents.h"
#include "service/pipeline.h"

namespace netwatch::service {
namespace {

// Times are read and written in milliseconds: a CLOCK within that of `until` belongs to it.
bool is_after(const model::Record& record, core::UtcNs until) {
    const auto* clock = std::get_if<netwatch_clock>(&record);
    return clock != nullptr && clock->realtime_ns >= until.ns + static_cast<std::int64_t>(core::ns_per_ms);
}

}  // namespace

core::Result<Playback> Playback::open(const std::filesystem::path& path,
                                      const std::optional<std::vector<model::Region>>& regions) {
    auto source = recorder::RecordingSource::open(path);
    if (!source) return std::unexpected(source.error());
    diagnosis::Engine engine(from_named(source->meta().limits));
    auto resumed = parse_incidents(source->resumed());
    if (!resumed) return std::unexpected(resumed.error().within(path.string()));
    if (!resumed->empty()) engine.resume(std::move(*resumed));
    if (regions) {
        for (const auto& region : *regions) engine.observe(region_record(region, 0));
    }
    return Playback(std::move(*source), std::move(engine), regions.has_value());
}

core::Result<void> Playback::run(std::optional<core::UtcNs> until,
                                 const std::function<void(const model::Record&)>& after) {
    for (;;) {
        const auto bytes = source_.next();
        if (!bytes) return std::unexpected(bytes.error());
        if (!*bytes) return {};
        const auto record = model::decode(**bytes);
        if (!record) return std::unexpected(record.error());
        if (until && is_after(*record, *until)) return {};
        if (own_regions_ && std::holds_alternative<netwatch_region>(*record)) continue;
        engine_.observe(*record);
        if (after) after(*record);
    }
}

}  // namespace netwatch::service
