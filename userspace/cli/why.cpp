// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/target.h"
#include "present/json.h"
#include "present/text.h"

namespace netwatch::cli {
namespace {

struct Options {
    std::string target;
    bool json = false;
};

constexpr std::size_t most_addresses = 16;

constexpr const char* footer =
    "TARGET is ADDRESS, ADDRESS:PORT, [IPV6]:PORT or NAME[:PORT]. A name is looked up in what netwatch\n"
    "has seen and in /etc/hosts; no resolver is asked. The agent answers: start one with\n"
    "`sudo netwatch agent`.\n"
    "\n"
    "Examples:\n"
    "  netwatch why 10.1.2.3:443\n"
    "  netwatch why [2001:db8::1]:5432 --json\n"
    "  netwatch why db.internal            as /etc/hosts has it, all its ports\n"
    "\n"
    "Exit 3: the destination is failing.";

std::string hosts_file() {
    std::ifstream file("/etc/hosts");
    return {std::istreambuf_iterator<char>(file), {}};
}

int badness(model::LadderVerdict verdict) {
    switch (verdict) {
        case model::LadderVerdict::failing: return 3;
        case model::LadderVerdict::not_the_network: return 2;
        case model::LadderVerdict::healthy: return 1;
        case model::LadderVerdict::unknown: return 0;
    }
    return 0;
}

// Of several addresses the worst one is shown, with the others named.
core::Result<model::Ladder> ask(const service::Client& client,
                                const std::vector<model::Endpoint>& endpoints) {
    std::optional<model::Ladder> worst;
    std::vector<model::DestinationRef> all;
    for (const auto& endpoint : endpoints | std::views::take(most_addresses)) {
        auto ladder = client.ladder(endpoint);
        if (!ladder) return ladder;
        std::ranges::copy(ladder->destinations, std::back_inserter(all));
        if (!worst || badness(ladder->verdict) > badness(worst->verdict)) worst = std::move(*ladder);
    }
    worst->destinations = std::move(all);
    return std::move(*worst);
}

core::Result<core::ExitCode> why(const Options& options, const Globals& globals) {
    const auto target = parse_target(options.target);
    if (!target) return std::unexpected(target.error());
    const auto client = globals.client();
    const auto view = client.view();
    if (!view) return std::unexpected(view.error());
    core::Result<std::vector<model::Endpoint>> endpoints;
    if (const auto* endpoint = std::get_if<model::Endpoint>(&*target)) {
        endpoints->push_back(*endpoint);
    } else {
        endpoints = resolve(std::get<NamedTarget>(*target), *view, hosts_file());
    }
    if (!endpoints) return std::unexpected(endpoints.error());
    const auto ladder = ask(client, *endpoints);
    if (!ladder) return std::unexpected(ladder.error());
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    const auto printed = print(options.json ? present::to_text(present::to_json(*ladder), 1) + "\n"
                                            : present::ladder_text(*ladder, *view, style));
    if (!printed) return std::unexpected(printed.error());
    return ladder->verdict == model::LadderVerdict::failing ? core::ExitCode::incident_open
                                                            : core::ExitCode::fine;
}

}  // namespace

Command add_why(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("why", "what is wrong with one destination, step by step");
    const auto options = std::make_shared<Options>();
    command->add_option("TARGET", options->target, "the destination")->required()->type_name("");
    command->add_flag("--json", options->json, "JSON as docs/schemas/ladder.schema.json has it");
    command->footer(footer);
    return {command, [options, &globals] { return why(*options, globals); }};
}

}  // namespace netwatch::cli
