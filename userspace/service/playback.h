// SPDX-License-Identifier: Apache-2.0
// A recording through the diagnosis again, from its beginning. Example:
//
//     auto playback = service::Playback::open("recording.db", std::nullopt);
//     auto end = playback->run({}, [&](const model::Record& record) { … playback->engine().view() … });
//
// What was fed before an error stays in the engine. One thread.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "diagnosis/engine.h"
#include "model/record.h"
#include "model/region.h"
#include "recorder/recording_source.h"

namespace netwatch::service {

class Playback {
public:
    // `regions`, where given, take the place of those in the recording. Errors: as RecordingSource::open().
    [[nodiscard]] static core::Result<Playback>
    open(const std::filesystem::path& path, const std::optional<std::vector<model::Region>>& regions);

    // Feeds the rest, or what lies before `until`; `after` is called with each record once the engine has it.
    // Errors: the recording is damaged from here on.
    [[nodiscard]] core::Result<void> run(std::optional<core::UtcNs> until,
                                         const std::function<void(const model::Record&)>& after = {});

    [[nodiscard]] const recorder::RecordingMeta& meta() const { return source_.meta(); }
    [[nodiscard]] const diagnosis::Engine& engine() const { return engine_; }

private:
    Playback(recorder::RecordingSource source, diagnosis::Engine engine, bool own_regions)
        : source_(std::move(source)),
          engine_(std::move(engine)),
          own_regions_(own_regions) {}

    recorder::RecordingSource source_;
    diagnosis::Engine engine_;
    bool own_regions_; /* those of the recording do not count */
};

}  // namespace netwatch::service
