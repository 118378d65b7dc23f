// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "cli/command.h"
#include "cli/output_file.h"
#include "cli/recorded.h"
#include "present/incidents.h"
#include "present/report.h"
#include "service/series_keeper.h"

namespace netwatch::cli {
namespace {

struct Options {
    RecordedOptions recorded;
    std::string output = "netwatch-report.html";
    std::string incident;
};

constexpr const char* footer =
    "Examples:\n"
    "  netwatch report outage.db -o outage.html\n"
    "  sudo netwatch report --since 1h                        of what this host's agent recorded\n"
    "  netwatch report outage.db --incident n7c1e5a90b3d4     begins with that one\n"
    "  netwatch report outage.db -o - | gzip > outage.html.gz\n"
    "\n"
    "The page needs nothing but a browser. Needs no privileges but to read the recording.";

// All of it through the diagnosis. What could be read of a damaged recording is told with the damage.
core::Result<present::Report> retrace(const Options& options, const Globals& globals) {
    service::SeriesKeeper keeper;
    bool told = false;
    auto playback = open_recorded(options.recorded, globals, [&](const diagnosis::Past& past) {
        for (const auto& second : past.seconds) keeper.add(second);
        told = true;
    });
    if (!playback) return std::unexpected(playback.error());
    present::Report report;
    for (;;) {
        const auto stepped = playback->step();
        if (!stepped && !report.damage) report.damage = stepped.error().message;
        if (std::exchange(told, false)) {
            for (const auto& incident : playback->incidents()) keeper.note(incident);
        }
        if (stepped && !*stepped) break;
        if (report.begins.ns == 0) report.begins = playback->at();
    }
    if (report.begins.ns == 0 && !report.damage) return core::usage_error("nothing is recorded there");
    report.view = playback->engine().view();
    report.view.incidents = playback->incidents();
    report.histories = keeper.take();
    report.histories_dropped = keeper.dropped();
    return report;
}

core::Result<void> choose(present::Report& report, const std::string& incident) {
    constexpr std::size_t most_named = 20;
    if (incident.empty() || present::find_incident(report.view.incidents, incident) != nullptr) {
        report.chosen = incident;
        return {};
    }
    std::string known;
    for (std::size_t i = 0; i < std::min(report.view.incidents.size(), most_named); ++i)
        known += " " + report.view.incidents[i].id;
    return core::usage_error(fmt::format("--incident: none of the recording is \"{}\"", incident),
                             known.empty() ? "it has no incident at all" : "there are:" + known);
}

core::Result<core::ExitCode> report(const Options& options, const Globals& globals) {
    auto output = OutputFile::open(options.output);
    if (!output) return std::unexpected(output.error());
    auto report = retrace(options, globals);
    if (!report) return std::unexpected(report.error());
    if (auto chosen = choose(*report, options.incident); !chosen) return std::unexpected(chosen.error());
    report->source = options.recorded.path(globals).filename().string();
    const std::string html = present::report_html(*report);
    if (auto written = output->write(html); !written) return std::unexpected(written.error());
    if (auto done = output->commit(); !done) return std::unexpected(done.error());
    if (options.output != "-")
        fmt::print(stderr, "wrote {} ({} kB)\n", options.output, (html.size() + 999) / 1'000);
    if (report->damage) return core::usage_error(*report->damage, "what could be read is in the report");
    return core::ExitCode::fine;
}

}  // namespace

Command add_report(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("report", "one HTML page of what happened, from a recording");
    const auto options = std::make_shared<Options>();
    options->recorded.add_to(*command);
    command->add_option("-o,--output", options->output, "where to write the page; - for stdout")
        ->type_name("FILE")
        ->capture_default_str();
    command->add_option("--incident", options->incident, "begin with this one, not with the gravest")
        ->type_name("ID");
    command->footer(footer);
    return {command, [options, &globals] { return report(*options, globals); }};
}

}  // namespace netwatch::cli
