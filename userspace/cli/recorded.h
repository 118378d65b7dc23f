// SPDX-License-Identifier: Apache-2.0
// The recording that a command is about: FILE, --since, --until. One thread.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>

#include "cli/command.h"
#include "service/playback.h"

namespace netwatch::cli {

struct RecordedOptions {
    std::filesystem::path file;
    std::string since;
    std::string until;

    void add_to(CLI::App& command);
    // What was named, else the agent's state directory.
    [[nodiscard]] std::filesystem::path path(const Globals& globals) const;
};

// Ready to be played from its beginning; what of it cannot be read is told on stderr. `on_past` as in
// PlaybackOptions.
[[nodiscard]] core::Result<service::Playback> open_recorded(const RecordedOptions& options,
                                                            const Globals& globals,
                                                            std::function<void(diagnosis::Past)> on_past);

}  // namespace netwatch::cli
