// SPDX-License-Identifier: Apache-2.0
#include "cli/recorded.h"

#include <fmt/format.h>

#include <utility>

#include "cli/window.h"
#include "present/inert.h"
#include "service/host_facts.h"

namespace netwatch::cli {

void RecordedOptions::add_to(CLI::App& command) {
    command.add_option("FILE", file, "a dump, or a state directory (default: the agent's)")->type_name("");
    command.add_option("--since", since, "begin with the segment of this time")->type_name("TIME");
    command.add_option("--until", until, "stop at this time")->type_name("TIME");
}

std::filesystem::path RecordedOptions::path(const Globals& globals) const {
    return file.empty() ? globals.state_dir.value_or(service::default_state_dir) : file;
}

core::Result<service::Playback> open_recorded(const RecordedOptions& options, const Globals& globals,
                                              std::function<void(diagnosis::Past)> on_past) {
    service::PlaybackOptions how{.on_past = std::move(on_past)};
    const auto window = parse_window(options.since, options.until, service::utc_now());
    if (!window) return std::unexpected(window.error());
    how.window = *window;
    if (globals.regions) {
        auto regions = globals.load_regions();
        if (!regions) return std::unexpected(regions.error());
        how.regions = std::move(*regions);
    }
    auto playback = service::Playback::open(options.path(globals), std::move(how));
    if (!playback) return playback;
    for (const auto& problem : playback->problems())
        fmt::print(stderr, "netwatch: left out: {}\n", present::inert(problem));
    return playback;
}

}  // namespace netwatch::cli
