// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/output.h"
#include "present/incidents.h"
#include "present/report.h"
#include "recorder/state_directory.h"
#include "service/playback.h"
#include "service/series_keeper.h"

namespace netwatch::cli {
namespace {

struct Options {
    std::filesystem::path file;
    std::filesystem::path output = "netwatch-report.html";
    std::string incident;
};

constexpr const char* footer =
    "Examples:\n"
    "  netwatch report outage.db -o outage.html\n"
    "  sudo netwatch report                                   of what this host's agent recorded\n"
    "  netwatch report outage.db --incident n7c1e5a90b3d4     begins with that one\n"
    "  netwatch report outage.db -o - | gzip > outage.html.gz\n"
    "\n"
    "The page needs nothing but a browser. Needs no privileges but to read the recording.";

// The whole recording through the diagnosis. What could be read of a damaged one is reported with the damage.
present::Report retrace(service::Playback& playback) {
    present::Report report;
    service::SeriesKeeper keeper;
    core::BootNs look_at = 0;
    bool begun = false;
    const auto fed = playback.run([&](const model::Record& record) {
        const auto* clock = std::get_if<netwatch_clock>(&record);
        if (clock == nullptr) return;
        if (!begun) report.begins = {clock->realtime_ns};
        begun = true;
        if (clock->header.at_ns < look_at) return;
        look_at = clock->header.at_ns + service::look_every_ns;
        keeper.look(playback.engine().view());
    });
    report.view = playback.engine().view();
    report.view.incidents = playback.incidents();
    keeper.look(report.view, true);
    report.histories = keeper.take();
    if (!begun) report.begins = report.view.at;
    if (!fed) report.damage = fed.error().message;
    return report;
}

core::Result<void> write(const std::filesystem::path& path, const std::string& html) {
    if (path == "-") return print(html);
    if (auto written = recorder::write_atomically(path, html); !written) return written;
    fmt::print(stderr, "wrote {} ({} kB)\n", path.string(), (html.size() + 999) / 1'000);
    return {};
}

core::Result<core::ExitCode> report(const Options& options, const Globals& globals) {
    const auto path =
        options.file.empty() ? globals.state_dir.value_or(service::default_state_dir) : options.file;
    service::PlaybackOptions how;
    if (globals.regions) {
        auto own = globals.load_regions();
        if (!own) return std::unexpected(own.error());
        how.regions = std::move(*own);
    }
    auto playback = service::Playback::open(path, std::move(how));
    if (!playback) return std::unexpected(playback.error());
    auto report = retrace(*playback);
    if (!options.incident.empty() &&
        present::find_incident(report.view.incidents, options.incident) == nullptr) {
        std::string known;
        for (const auto& incident : report.view.incidents) known += " " + incident.id;
        return core::usage_error(
            fmt::format("--incident: {} has none of id \"{}\"", path.string(), options.incident),
            known.empty() ? "it has no incident at all" : "it has" + known);
    }
    report.source = path.filename().string();
    report.chosen = options.incident;
    if (auto written = write(options.output, present::report_html(report)); !written)
        return std::unexpected(written.error());
    if (report.damage) return core::usage_error(*report.damage, "what came before it is in the report");
    return core::ExitCode::fine;
}

}  // namespace

Command add_report(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("report", "one HTML page of what happened, from a recording");
    const auto options = std::make_shared<Options>();
    command->add_option("FILE", options->file, "a recording, a dump or a state directory")->type_name("");
    command->add_option("-o,--output", options->output, "where to write the page; - for stdout")
        ->type_name("FILE")
        ->capture_default_str();
    command->add_option("--incident", options->incident, "begin with this one, not with the gravest")
        ->type_name("ID");
    command->footer(footer);
    return {command, [options, &globals] { return report(*options, globals); }};
}

}  // namespace netwatch::cli
