// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/recorded.h"
#include "present/json.h"
#include "present/text.h"
#include "service/playback.h"

namespace netwatch::cli {
namespace {

struct Options {
    RecordedOptions recorded;
    bool json = false;
};

constexpr const char* footer =
    "Examples:\n"
    "  netwatch replay outage.db                       the incidents of a dump\n"
    "  sudo netwatch replay /var/lib/netwatch          of all that an agent has recorded\n"
    "  netwatch replay outage.db --json | jq '.[].summary'\n"
    "  netwatch replay outage.db --until 03:12:30      as it was at that time\n"
    "\n"
    "Needs no privileges but to read it. Exit 3: an incident above info was open at the end.";

core::Result<core::ExitCode> replay(const Options& options, const Globals& globals) {
    auto playback = open_recorded(options.recorded, globals, {});
    if (!playback) return std::unexpected(playback.error());
    const auto fed = playback->run();

    const auto incidents = playback->incidents();
    auto list = nlohmann::json::array();
    for (const auto& incident : incidents) list.push_back(present::to_json(incident));
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    const auto printed =
        print(options.json ? present::to_text(list, 1) + "\n"
                           : present::incidents_table(incidents, playback->at(), true, style));
    if (!printed) return std::unexpected(printed.error());
    if (!fed) return std::unexpected(fed.error());
    return exit_code_of(incidents);
}

}  // namespace

Command add_replay(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("replay", "a recording through the diagnosis again");
    const auto options = std::make_shared<Options>();
    command->add_option("FILE", options->recorded.file, "a dump, or a state directory")
        ->required()
        ->type_name("");
    command->add_option("--since", options->recorded.since, "begin with the segment of this time")
        ->type_name("TIME");
    command->add_option("--until", options->recorded.until, "stop at this time")->type_name("TIME");
    command->add_flag("--json", options->json, "a JSON array of incidents");
    command->footer(footer);
    return {command, [options, &globals] { return replay(*options, globals); }};
}

}  // namespace netwatch::cli
