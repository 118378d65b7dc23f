// SPDX-License-Identifier: Apache-2.0
#include "top/run.h"

#include <unistd.h>

#include <memory>

#include "cli/command.h"
#include "cli/feeds.h"
#include "cli/output.h"
#include "present/json.h"
#include "present/style.h"
#include "present/text.h"

namespace netwatch::cli {
namespace {

struct Options {
    bool once = false;
    bool json = false;
};

constexpr const char* footer = "Shows what an agent sees, or observes by itself where none answers.\n"
                               "\n"
                               "Examples:\n"
                               "  sudo netwatch top\n"
                               "  netwatch top --once                 the same as text, then exit\n"
                               "  netwatch top --once --json          the host's view as JSON";

core::Result<void> print_once(bool json, const present::Style& style, top::Feed& feed) {
    const auto view = feed.view();
    if (!view) return std::unexpected(view.error());
    return print(json ? present::to_text(present::to_json(*view), 1) + "\n"
                      : present::host_text(*view, style));
}

core::Result<core::ExitCode> run_top(const Options& options, const Globals& globals) {
    bool embedded = false;
    auto feed = open_feed(globals, embedded);
    if (!feed) return std::unexpected(feed.error());
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    const auto done = options.once || !top::is_live_terminal() ? print_once(options.json, style, **feed)
                                                               : top::run({.style = style}, **feed);
    if (!done) return std::unexpected(done.error());
    return core::ExitCode::fine;
}

}  // namespace

Command add_top(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("top", "live: destinations, incidents, who talks");
    const auto options = std::make_shared<Options>();
    auto* once = command->add_flag("--once", options->once, "the text of this instant, then exit");
    command->add_flag("--json", options->json, "JSON as docs/schemas/view.schema.json has it")->needs(once);
    command->footer(footer);
    return {command, [options, &globals] { return run_top(*options, globals); }};
}

}  // namespace netwatch::cli
