// SPDX-License-Identifier: Apache-2.0
// A recording through the diagnosis again. Example:
//
//     auto playback = service::Playback::open(path, {});
//     auto done = playback->run([&](model::RecordRef record) { … playback->engine().view() … });
//     for (const auto& incident : playback->incidents()) …
//
// Or moment by moment: while (playback->step().value_or(false)) { … playback->engine().view() … }
// Needs no privileges but to read the file. One thread.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "diagnosis/engine.h"
#include "model/incident.h"
#include "model/record.h"
#include "model/region.h"
#include "recorder/recording_source.h"
#include "service/read_ahead.h"

namespace netwatch::service {

struct PlaybackOptions {
    recorder::Window window = {};
    // In place of those of the recording.
    std::optional<std::vector<model::Region>> regions = std::nullopt;
    // Called with what is over, every ten seconds and at the end of each part.
    std::function<void(diagnosis::Past)> on_past = {};
};

class Playback {
public:
    [[nodiscard]] static core::Result<Playback> open(const std::filesystem::path& path,
                                                     PlaybackOptions options);

    // On to the next CLOCK, which the diagnosis has judged then. False: the recording, or the window, ends.
    // Errors: the recording is damaged; what came before it counts, and the next call goes on after it, where
    // something follows.
    // `after` is called with each record once the engine has it.
    using AfterRecord = std::function<void(model::RecordRef)>;
    [[nodiscard]] core::Result<bool> step(const AfterRecord& after = {});
    // All the rest. Errors: the first damage; what could be read has been taken in.
    [[nodiscard]] core::Result<void> run(const AfterRecord& after = {});

    [[nodiscard]] const diagnosis::Engine& engine() const { return engine_; }
    [[nodiscard]] core::UtcNs at() const { return at_; }
    // Of the present part.
    [[nodiscard]] const recorder::RecordingMeta& meta() const { return meta_; }
    [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
    // Those of earlier parts included: what a restarted agent no longer knew.
    [[nodiscard]] std::vector<model::Incident> incidents() const;

private:
    explicit Playback(PlaybackOptions options) : options_(std::move(options)) {}
    void begin_part(const recorder::RecordingMeta& meta,
                    const core::Result<std::vector<std::string>>& resumed);
    [[nodiscard]] core::Error damaged(const std::string& what) const;
    void end_part();
    void tell_past(core::BootNs at);
    [[nodiscard]] core::Result<bool> go_on();

    PlaybackOptions options_;
    std::filesystem::path path_;
    std::optional<core::Error> untold_;  // damage that the next step tells of
    recorder::RecordingMeta meta_;
    std::vector<std::string> problems_;
    std::unique_ptr<ReadAhead> reader_;
    std::vector<std::byte> batch_;
    std::size_t offset_ = 0;
    diagnosis::Engine engine_;
    std::map<std::string, model::Incident> earlier_;  // of parts that have ended, by id
    core::UtcNs at_;
    core::BootNs told_at_ = 0;
    bool part_ended_ = false;
    bool ended_ = false;
};

}  // namespace netwatch::service
