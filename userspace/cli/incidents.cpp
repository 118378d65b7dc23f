// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/window.h"
#include "present/inert.h"
#include "present/json.h"
#include "present/text.h"
#include "service/broadcast.h"
#include "service/host_facts.h"
#include "service/open_incidents.h"

namespace netwatch::cli {
namespace {

struct Options {
    bool all = false;
    bool follow = false;
    bool json = false;
    bool check = false;
    std::string since;
};

constexpr const char* footer =
    "Examples:\n"
    "  netwatch incidents                  what is open now\n"
    "  netwatch incidents --all            suspected, benign and resolved ones too\n"
    "  netwatch incidents --follow --json  a JSON object a line, each time one changes\n"
    "  netwatch incidents --check || page  exit 3 if one above info is open";

// Whoever looks for what happened ought to know that it will not be found later.
void say_where_nothing_is_recorded(const service::Client& client) {
    const auto answer = client.get("/v1/check");
    if (!answer || !answer->contains("observer")) return;
    const auto observer = present::observer_from_json((*answer)["observer"]);
    if (observer && observer->recording_error)
        fmt::print(stderr, "netwatch: nothing is recorded: {}\n", present::inert(*observer->recording_error));
}

core::Result<core::ExitCode> list(const Options& options, const Globals& globals) {
    const auto window = parse_window(options.since, {}, service::utc_now());
    if (!window) return std::unexpected(window.error());
    const auto client = globals.client();
    const auto json = client.get("/v1/incidents?all=1");
    if (!json) return std::unexpected(json.error());
    std::vector<model::Incident> incidents;
    auto shown = nlohmann::json::array();
    for (const auto& item : *json) {
        auto incident = present::incident_from_json(item);
        if (!incident) return std::unexpected(incident.error().within("the agent's answer"));
        if (window->since && incident->resolved_at && *incident->resolved_at < *window->since) continue;
        if (options.all || window->since ||
            (service::shown_without_all(*incident) && service::outlives_agent(*incident))) {
            shown.push_back(item);
        }
        incidents.push_back(std::move(*incident));
    }
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    const auto printed = print(options.json ? present::to_text(shown, 1) + "\n"
                                            : present::incidents_table(incidents, service::utc_now(),
                                                                       options.all || window->since, style));
    if (!printed) return std::unexpected(printed.error());
    say_where_nothing_is_recorded(client);
    return options.check ? exit_code_of(incidents) : core::ExitCode::fine;
}

core::Result<core::ExitCode> follow(const Options& options, const Globals& globals) {
    if (!options.since.empty())
        return core::usage_error("--since does not go with --follow", "see `netwatch incidents --help`");
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    core::Result<void> printed;
    const auto on_line = [&](std::string_view line) {
        if (options.json) {
            printed = print(std::string(line) + "\n");
            return printed.has_value();
        }
        const auto json = present::parse_json(line);
        const auto incident = json ? present::incident_from_json(*json) : std::unexpected(json.error());
        if (!incident) {
            printed = std::unexpected(incident.error().within("the agent's answer"));
        } else {
            printed = print(present::incident_details(*incident, service::utc_now(), style));
        }
        return printed.has_value();
    };
    if (auto followed = globals.client().follow(options.all, on_line); !followed) {
        return std::unexpected(followed.error());
    }
    if (!printed) return std::unexpected(printed.error());
    return core::ExitCode::fine;
}

}  // namespace

Command add_incidents(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("incidents", "what is open; a running agent is asked");
    const auto options = std::make_shared<Options>();
    command->add_flag("--all", options->all, "suspected, benign (info) and resolved ones too");
    auto* follow_flag =
        command->add_flag("--follow", options->follow, "each time one changes, until interrupted");
    command
        ->add_option("--since", options->since,
                     "all that were open at this time or later, as far as the agent knows them")
        ->type_name("TIME");
    command->add_flag("--json", options->json, "JSON as docs/schemas/incident.schema.json has it");
    command->add_flag("--check", options->check, "exit 3 if one above info is open")->excludes(follow_flag);
    command->footer(footer);
    return {command, [options, &globals] {
                return options->follow ? follow(*options, globals) : list(*options, globals);
            }};
}

}  // namespace netwatch::cli
