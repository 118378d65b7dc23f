// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/output.h"
#include "present/json.h"
#include "present/text.h"
#include "recorder/recording_source.h"
#include "service/host_facts.h"
#include "service/open_incidents.h"
#include "service/pipeline.h"

namespace netwatch::cli {
namespace {

struct Options {
    std::filesystem::path file;
    std::string until;
    bool json = false;
};

constexpr const char* footer =
    "Examples:\n"
    "  netwatch replay /var/lib/netwatch/recording.db         the incidents of that run\n"
    "  netwatch replay recording.db --json | jq '.[].summary'\n"
    "  netwatch replay recording.db --until 2026-11-22T19:43:07Z   as it was at that time\n"
    "\n"
    "Needs no privileges. Exit 3: an incident above info was open at the end.";

core::Result<std::optional<core::UtcNs>> parse_until(const std::string& text) {
    if (text.empty()) return std::nullopt;
    const auto until = core::parse_rfc3339(text);
    if (until) return until;
    return core::usage_error(fmt::format("--until: \"{}\" is no time", text),
                             "write it as 2026-11-22T19:43:07.250Z");
}

// Times are read and written in milliseconds: a CLOCK within that of `until` belongs to it.
bool is_after(const model::Record& record, core::UtcNs until) {
    const auto* clock = std::get_if<netwatch_clock>(&record);
    return clock != nullptr && clock->realtime_ns >= until.ns + static_cast<std::int64_t>(core::ns_per_ms);
}

// What could be read enters the engine, whatever comes after it. `own_regions`: those of the recording do not
// count.
core::Result<void> feed(model::Source& source, std::optional<core::UtcNs> until, bool own_regions,
                        diagnosis::Engine& engine) {
    for (;;) {
        const auto bytes = source.next();
        if (!bytes) return std::unexpected(bytes.error());
        if (!*bytes) return {};
        const auto record = model::decode(**bytes);
        if (!record) return std::unexpected(record.error());
        if (until && is_after(*record, *until)) return {};
        if (own_regions && std::holds_alternative<netwatch_region>(*record)) continue;
        engine.observe(*record);
    }
}

core::Result<core::ExitCode> replay(const Options& options, const Globals& globals) {
    const auto until = parse_until(options.until);
    if (!until) return std::unexpected(until.error());
    const auto regions = globals.load_regions();
    if (!regions) return std::unexpected(regions.error());
    auto recording = recorder::RecordingSource::open(options.file);
    if (!recording) return std::unexpected(recording.error());
    diagnosis::Engine engine(service::from_named(recording->meta().limits));
    auto resumed = service::parse_incidents(recording->resumed());
    if (!resumed) return std::unexpected(resumed.error().within(options.file.string()));
    if (!resumed->empty()) engine.resume(std::move(*resumed));
    for (const auto& region : *regions) engine.observe(service::region_record(region, 0));
    const auto fed = feed(*recording, *until, globals.regions.has_value(), engine);

    const auto incidents = engine.incidents();
    auto list = nlohmann::json::array();
    for (const auto& incident : incidents) list.push_back(present::to_json(incident));
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    const auto printed =
        print(options.json ? present::to_text(list, 1) + "\n"
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
    command->add_option("--until", options->until, "stop at this time (RFC 3339)")->type_name("TIME");
    command->add_flag("--json", options->json, "a JSON array of incidents");
    command->footer(footer);
    return {command, [options, &globals] { return replay(*options, globals); }};
}

}  // namespace netwatch::cli
