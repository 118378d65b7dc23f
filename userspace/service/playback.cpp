// SPDX-License-Identifier: Apache-2.0
#include "service/playback.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "model/record.h"
#include "service/host_facts.h"
#include "service/open_incidents.h"
#include "service/pipeline.h"

namespace netwatch::service {
namespace {

constexpr core::BootNs tell_past_every_ns = 10 * core::ns_per_s;

}  // namespace

core::Result<Playback> Playback::open(const std::filesystem::path& path, PlaybackOptions options) {
    auto source = recorder::RecordingSource::open(path, options.window);
    if (!source) return std::unexpected(source.error());
    Playback playback(std::move(*source), std::move(options));
    if (auto begun = playback.begin_part(); !begun)
        return std::unexpected(begun.error().within(path.string()));
    return playback;
}

core::Result<void> Playback::begin_part() {
    for (auto& incident : engine_.incidents()) earlier_.insert_or_assign(incident.id, std::move(incident));
    engine_ = diagnosis::Engine(from_named(source_.meta().limits));
    part_ended_ = false;
    auto resumed = parse_incidents(source_.resumed());
    if (!resumed) return std::unexpected(resumed.error());
    if (!resumed->empty()) engine_.resume(std::move(*resumed));
    if (!options_.regions) return {};
    for (const auto& region : *options_.regions) engine_.observe(region_record(region, 0));
    return {};
}

void Playback::end_part() {
    part_ended_ = true;
    if (options_.on_past) options_.on_past(engine_.take_past(true));
}

void Playback::tell_past(core::BootNs at) {
    if (!options_.on_past || (at >= told_at_ && at - told_at_ < tell_past_every_ns)) return;
    told_at_ = at;
    options_.on_past(engine_.take_past());
}

core::Result<bool> Playback::go_on_after_part() {
    const auto more = source_.next_part();
    if (!more || !*more) {
        ended_ = true;
        return more;
    }
    if (auto begun = begin_part(); !begun) {
        part_ended_ = true;
        return std::unexpected(begun.error());
    }
    return true;
}

core::Result<bool> Playback::step(const AfterRecord& after) {
    while (!ended_) {
        if (part_ended_) {
            const auto more = go_on_after_part();
            if (!more || !*more) return more;
        }
        const auto bytes = source_.next();
        if (!bytes || !*bytes) end_part();
        if (!bytes) return std::unexpected(bytes.error());
        if (!*bytes) continue;
        const auto record = model::decode(**bytes);
        if (!record) {
            end_part();
            return std::unexpected(record.error());
        }
        if (options_.regions && std::holds_alternative<netwatch_region>(*record)) continue;
        const auto* clock = std::get_if<netwatch_clock>(&*record);
        // Times are read and written in milliseconds: a CLOCK within that of the end belongs to it.
        const auto end = options_.window.until;
        if (clock != nullptr && end &&
            clock->realtime_ns >= end->ns + static_cast<std::int64_t>(core::ns_per_ms)) {
            end_part();
            ended_ = true;
            return false;
        }
        engine_.observe(*record);
        if (after) after(*record);
        if (clock == nullptr) continue;
        tell_past(clock->header.at_ns);
        at_ = {clock->realtime_ns};
        return true;
    }
    return false;
}

core::Result<void> Playback::run(const AfterRecord& after) {
    core::Result<void> first;
    while (!ended_) {
        const auto stepped = step(after);
        if (!stepped && first) first = std::unexpected(stepped.error());
    }
    return first;
}

std::vector<model::Incident> Playback::incidents() const {
    auto incidents = engine_.incidents();
    for (const auto& [id, incident] : earlier_) {
        if (std::ranges::find(incidents, id, &model::Incident::id) == incidents.end())
            incidents.push_back(incident);
    }
    return incidents;
}

}  // namespace netwatch::service
