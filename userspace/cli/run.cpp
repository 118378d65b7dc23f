// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>

#include "cli/command.h"
#include "cli/config.h"
#include "cli/output.h"
#include "context/regions.h"
#include "core/fd.h"
#include "present/inert.h"

namespace netwatch::cli {
namespace {

constexpr const char* description =
    "What is wrong with the network, seen from this host without sending a packet.\n"
    "Without a command: the answer on one screen.";

constexpr const char* footer =
    "Examples:\n"
    "  sudo netwatch                       is it the network?\n"
    "  sudo netwatch top                   live\n"
    "  sudo netwatch why 10.1.2.3:443      what is wrong with this destination\n"
    "  sudo netwatch agent                 observe, record and answer the other commands\n"
    "  netwatch --markdown                 the answer for a chat\n"
    "\n"
    "Exit codes: 0 fine, 1 failure, 2 usage, 3 an incident above info is open,\n"
    "4 a privilege or a kernel feature is missing.";

int say(const core::Error& error) {
    if (!error.message.empty()) fmt::print(stderr, "netwatch: {}\n", present::inert(error.message));
    if (!error.hint.empty()) fmt::print(stderr, "  {}\n", present::inert(error.hint));
    return static_cast<int>(error.exit_code);
}

// Empty: it can be read.
std::string why_unreadable(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return path + " is a directory";
    const core::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return file ? std::string() : fmt::format("cannot read {}: {}", path, std::strerror(errno));
}

void add_globals(CLI::App& app, Globals& globals) {
    app.set_version_flag("--version", "netwatch " NETWATCH_VERSION);
    app.add_flag("--no-color", globals.no_color, "no colours (NO_COLOR in the environment does the same)");
    app.add_option("--socket", globals.socket, "the agent's socket")
        ->type_name("PATH")
        ->capture_default_str();
    app.add_option("--state-dir", globals.state_dir,
                   "where an agent keeps its recording and what is open; agent: " +
                       std::string(service::default_state_dir))
        ->type_name("DIR");
    app.add_option("--regions", globals.regions,
                   "networks by region, \"CIDR NAME\" a line: for agent, replay, and what observes by itself")
        ->type_name("FILE");
    app.set_config("--config", "", "read options from FILE (TOML or INI; keys are option names)")
        ->type_name("FILE")
        ->check(CLI::Validator(why_unreadable, ""));
    app.config_formatter(std::make_shared<ConfigFile>(app));
}

// The first argument that nothing takes, and what may have been meant.
std::string unknown_argument(const CLI::App& app) {
    const auto extras = app.remaining(true);
    const auto option = std::ranges::find_if(extras, [](const auto& word) { return word.starts_with('-'); });
    const std::string word = option != extras.end() ? *option : extras.empty() ? "" : extras.front();
    const auto chosen = app.get_subcommands();
    std::vector<std::string> known;
    if (word.starts_with('-')) {
        for (const CLI::App* taker :
             {&app, chosen.empty() ? &app : static_cast<const CLI::App*>(chosen.front())})
            for (const auto* each : taker->get_options())
                for (const auto& name : each->get_lnames()) known.push_back("--" + name);
    } else if (chosen.empty()) {
        for (const auto* each : app.get_subcommands({})) known.push_back(each->get_name());
    }
    const std::string near = nearest(word.substr(0, word.find('=')), known);
    const auto* kind = word.starts_with('-') ? "option" : chosen.empty() ? "command" : "argument";
    const std::string text = fmt::format("unknown {} \"{}\"", kind, word);
    return near.empty() ? text : fmt::format("{}; did you mean \"{}\"?", text, near);
}

// --help and --version are no errors; everything else that does not parse is the user's to mend.
int end_parse(const CLI::App& app, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
        std::string text;
        if (dynamic_cast<const CLI::CallForHelp*>(&error) != nullptr) {
            const auto chosen = app.get_subcommands();
            text = chosen.empty() ? app.help() : chosen.front()->help(app.get_name());
        } else {
            text = std::string(error.what()) + "\n";
        }
        const auto printed = print(text);
        return printed ? 0 : say(printed.error());
    }
    const auto chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "netwatch" : "netwatch " + chosen.front()->get_name();
    const std::string mend = "see `" + command + " --help`";
    std::string what = error.what();
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) what = unknown_argument(app);
    if (dynamic_cast<const CLI::ConfigError*>(&error) != nullptr) {
        what = app.get_config_ptr()->results().front() + ": " + what;
    }
    return say({what, mend, core::ExitCode::usage});
}

int run_checked(int argc, const char* const* argv) {
    CLI::App app(description, "netwatch");
    Globals globals;
    add_globals(app, globals);
    app.fallthrough();
    app.footer(footer);
    app.require_subcommand(0, 1);
    const Run answer = add_answer(app, globals);
    const std::vector<Command> commands{
        add_top(app, globals),    add_why(app, globals),    add_incidents(app, globals),
        add_agent(app, globals),  add_check(app, globals),  add_dump(app, globals),
        add_replay(app, globals), add_report(app, globals), add_export(app, globals),
    };
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return end_parse(app, error);
    }
    Run chosen = answer;
    for (const auto& command : commands) {
        if (command.app->parsed()) chosen = command.run;
    }
    const auto ended = chosen();
    return ended ? static_cast<int>(*ended) : say(ended.error());
}

}  // namespace

core::Result<std::vector<model::Region>> Globals::load_regions() const {
    return regions ? context::read_regions(*regions) : std::vector<model::Region>{};
}

int run(int argc, const char* const* argv) {
    ::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is told by write()
    try {
        return run_checked(argc, argv);
    } catch (const std::exception& error) {
        return say({fmt::format("it failed where it must not: {}", error.what()), "please report it"});
    }
}

}  // namespace netwatch::cli
