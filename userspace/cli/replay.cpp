// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "present/json.h"
#include "present/text.h"
#include "recorder/recording_source.h"
#include "service/open_incidents.h"
#include "service/pipeline.h"

namespace netwatch::cli {
namespace {

struct Options {
    std::filesystem::path file;
    bool json = false;
};

constexpr const char* footer =
    "Examples:\n"
    "  netwatch replay /var/lib/netwatch/recording.db         the incidents of that run\n"
    "  netwatch replay recording.db --json | jq '.[].summary'\n"
    "\n"
    "Needs no privileges. Exit 3: an incident above info was open at the end.";

// What could be read enters the engine, whatever comes after it.
core::Result<void> feed(model::Source& source, diagnosis::Engine& engine) {
    for (;;) {
        const auto bytes = source.next();
        if (!bytes) return std::unexpected(bytes.error());
        if (!*bytes) return {};
        const auto record = model::decode(**bytes);
        if (!record) return std::unexpected(record.error());
        engine.observe(*record);
    }
}

core::Result<core::ExitCode> replay(const Options& options, const Globals& globals) {
    auto recording = recorder::RecordingSource::open(options.file);
    if (!recording) return std::unexpected(recording.error());
    diagnosis::Engine engine(service::from_named(recording->meta().limits));
    auto resumed = service::parse_incidents(recording->resumed());
    if (!resumed) return std::unexpected(resumed.error().within(options.file.string()));
    if (!resumed->empty()) engine.resume(std::move(*resumed));
    const auto fed = feed(*recording, engine);

    const auto incidents = engine.incidents();
    auto list = nlohmann::json::array();
    for (const auto& incident : incidents) list.push_back(present::to_json(incident));
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    const auto printed = print(options.json ? present::to_text(list, 1) + "\n"
                                            : present::incidents_table(incidents, engine.view().at, true, style));
    if (!printed) return std::unexpected(printed.error());
    if (!fed) return std::unexpected(fed.error());
    return exit_code_of(incidents);
}

}  // namespace

Command add_replay(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("replay", "a recording through the diagnosis again");
    const auto options = std::make_shared<Options>();
    command->add_option("FILE", options->file, "the recording")->required()->type_name("");
    command->add_flag("--json", options->json, "a JSON array of incidents");
    command->footer(footer);
    return {command, [options, &globals] { return replay(*options, globals); }};
}

}  // namespace netwatch::cli
