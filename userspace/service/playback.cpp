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

// Of runs of the agent that have ended: four times as many as one keeps.
constexpr std::size_t most_earlier = 4'000;
constexpr core::BootNs tell_past_every_ns = 10 * core::ns_per_s;

}  // namespace

core::Result<Playback> Playback::open(const std::filesystem::path& path, PlaybackOptions options) {
    auto source = recorder::RecordingSource::open(path, options.window);
    if (!source) return std::unexpected(source.error());
    Playback playback(std::move(options));
    playback.path_ = path;
    playback.problems_ = source->problems();
    playback.begin_part(source->meta(), source->resumed());
    playback.reader_ = std::make_unique<ReadAhead>(std::move(*source));
    return playback;
}

void Playback::begin_part(const recorder::RecordingMeta& meta,
                          const core::Result<std::vector<std::string>>& resumed) {
    for (auto& incident : engine_.incidents()) earlier_.insert_or_assign(incident.id, std::move(incident));
    while (earlier_.size() > most_earlier) {
        earlier_.erase(
            std::ranges::min_element(earlier_, {}, [](const auto& one) { return one.second.opened_at; }));
    }
    meta_ = meta;
    engine_ = diagnosis::Engine(from_named(meta.limits));
    part_ended_ = false;
    auto incidents = resumed ? parse_incidents(*resumed) : std::unexpected(resumed.error());
    if (!incidents) {
        untold_ = damaged("what was open when it began cannot be read: " + incidents.error().message);
    } else if (!incidents->empty()) {
        engine_.resume(std::move(*incidents));
    }
    if (!options_.regions) return;
    for (const auto& region : *options_.regions) engine_.observe(region_record(region, 0));
}

core::Error Playback::damaged(const std::string& what) const {
    return {path_.string() + " is damaged: " + what, "what could be read of it was", core::ExitCode::usage};
}

void Playback::end_part() {
    part_ended_ = true;
    batch_.clear();
    offset_ = 0;
    if (options_.on_past) options_.on_past(engine_.take_past(true));
}

void Playback::tell_past(core::BootNs at) {
    if (!options_.on_past || (at >= told_at_ && at - told_at_ < tell_past_every_ns)) return;
    told_at_ = at;
    options_.on_past(engine_.take_past());
}

// True: batch_ has more, or another part has begun. What is left of a part that has ended is passed over.
core::Result<bool> Playback::go_on() {
    auto item = reader_->take(std::exchange(batch_, {}));
    offset_ = 0;
    if (!item) {
        ended_ = true;
        return false;
    }
    if (auto* next = std::get_if<ReadAhead::NextPart>(&*item)) {
        ended_ = !next->readable;
        if (!next->readable) return std::unexpected(next->readable.error());
        begin_part(next->meta, next->resumed);
    } else if (auto* batch = std::get_if<ReadAhead::Batch>(&*item); batch != nullptr && !part_ended_) {
        batch_ = std::move(*batch);
        offset_ = 0;
    } else if (const auto* end = std::get_if<ReadAhead::PartEnd>(&*item); end != nullptr && !part_ended_) {
        end_part();
        if (end->damage) return std::unexpected(*end->damage);
    }
    return true;
}

core::Result<bool> Playback::step(const AfterRecord& after) {
    while (!ended_) {
        if (untold_) return std::unexpected(*std::exchange(untold_, std::nullopt));
        if (offset_ == batch_.size()) {
            const auto more = go_on();
            if (!more || !*more) return more;
            continue;
        }
        const auto rest = std::span(batch_).subspan(offset_);
        const auto record = model::refer(rest);
        if (!record) {
            end_part();
            return std::unexpected(damaged(record.error().message));
        }
        offset_ += record->header().size;
        if (options_.regions && record->get_if<netwatch_region>() != nullptr) continue;
        const auto* clock = record->get_if<netwatch_clock>();
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
