// SPDX-License-Identifier: Apache-2.0
#include "cli/past.h"

#include <algorithm>
#include <utility>

#include "recorder/pieces.h"
#include "service/playback.h"
#include "top/feed.h"

namespace netwatch::cli {
namespace {

constexpr std::int64_t second_ns = static_cast<std::int64_t>(core::ns_per_s);
constexpr std::int64_t before_ns = 600 * second_ns;
constexpr std::int64_t after_ns = 300 * second_ns;

core::Result<core::UtcNs> within(const std::filesystem::path& recording, core::UtcNs at) {
    const auto span = recorder::span_of(recording);
    if (!span) return std::unexpected(span.error());
    return std::clamp(at, span->begins, std::max(span->begins, span->ends));
}

// From the first damage on the view says so.
model::HostView view_of(const service::Playback& playback, const std::filesystem::path& recording,
                        const core::Result<void>& damage) {
    auto view = playback.engine().view();
    view.observer.recording = recording.string();
    if (!damage) view.observer.recording_error = damage.error().message;
    return view;
}

}  // namespace

core::Result<top::History> recall(const std::filesystem::path& recording, core::UtcNs around,
                                  const present::RowQuery& query) {
    const auto at = within(recording, around);
    if (!at) return std::unexpected(at.error());
    const core::UtcNs since{at->ns - before_ns};
    auto playback = service::Playback::open(
        recording, {.window = {.since = since, .until = core::UtcNs{at->ns + after_ns}}});
    if (!playback) return std::unexpected(playback.error());
    top::History history;
    core::UtcNs next = since;
    core::UtcNs told;
    core::Result<void> damage;
    for (;;) {
        const auto more = playback->step();
        if (more && !*more) return history;
        if (!more && damage) damage = std::unexpected(more.error());
        if (playback->at().ns == 0 || (more && playback->at() < next)) continue;
        next = {playback->at().ns - playback->at().ns % second_ns + second_ns};
        // A second is told once more while it lasts.
        history.keep(present::narrowed(view_of(*playback, recording, damage), query, top::Question::most_rows,
                                       {told.ns - 5 * second_ns}));
        told = playback->at();
    }
}

core::Result<model::HostView> recalled_view(const std::filesystem::path& recording, core::UtcNs at) {
    const auto moment = within(recording, at);
    if (!moment) return std::unexpected(moment.error());
    auto playback = service::Playback::open(
        recording, {.window = {.since = core::UtcNs{moment->ns - before_ns}, .until = *moment}});
    if (!playback) return std::unexpected(playback.error());
    const auto done = playback->run();
    if (!done && playback->at().ns == 0) return std::unexpected(done.error());
    return view_of(*playback, recording, done);
}

void Past::ask(std::filesystem::path recording, core::UtcNs around, present::RowQuery query) {
    worker_.hand([this, recording = std::move(recording), around, query = std::move(query)] {
        auto found = recall(recording, around, query);
        const std::lock_guard lock(mutex_);
        found_ = std::move(found);
    });
}

std::optional<core::Result<top::History>> Past::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(found_, std::nullopt);
}

}  // namespace netwatch::cli
