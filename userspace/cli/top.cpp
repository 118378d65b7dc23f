// SPDX-License-Identifier: Apache-2.0
#include "top/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "cli/command.h"
#include "cli/feeds.h"
#include "cli/output.h"
#include "core/when.h"
#include "present/json.h"
#include "present/style.h"
#include "present/text.h"
#include "recorder/pieces.h"
#include "service/host_facts.h"

namespace netwatch::cli {
namespace {

struct Options {
    bool once = false;
    bool json = false;
    std::filesystem::path file;
    std::string at;
    [[nodiscard]] bool is_of_the_past() const { return !file.empty() || !at.empty(); }
};

constexpr const char* footer =
    "Shows what an agent sees, or observes by itself where none answers.\n"
    "\n"
    "Examples:\n"
    "  sudo netwatch top\n"
    "  netwatch top --once                 the same as text, then exit\n"
    "  netwatch top --once --json          the host's view as JSON\n"
    "  sudo netwatch top --at \"10 minutes ago\"   what was recorded; arrows step through it\n"
    "  netwatch top --file outage.db --at 03:12   a dump, at that time";

core::Result<void> print_once(const Options& options, const present::Style& style, top::Feed& feed) {
    const auto view = feed.view();
    if (!view) return std::unexpected(view.error());
    auto printed = print(options.json ? present::to_text(present::to_json(*view), 1) + "\n"
                                      : present::host_text(*view, style));
    if (printed && options.is_of_the_past() && view->observer.recording_error)
        return core::usage_error(*view->observer.recording_error, "what could be read of it is shown");
    return printed;
}

// When a recording is to be shown: without --at its end.
core::Result<core::UtcNs> moment_of(const Options& options, const std::filesystem::path& recording) {
    const auto span = recorder::span_of(recording);
    if (!span) return std::unexpected(span.error());
    if (options.at.empty()) return span->ends;
    // "10 minutes ago" of a file that somebody sent is ten minutes before its end.
    const auto at = core::parse_when(options.at, options.file.empty() ? service::utc_now() : span->ends);
    if (!at) return std::unexpected(at.error().within("--at"));
    if (*at >= span->begins && *at <= span->ends) return *at;
    return core::usage_error(fmt::format("--at: nothing was recorded at {}", core::to_rfc3339(*at)),
                             fmt::format("the recording reaches from {} to {}",
                                         core::to_rfc3339(span->begins), core::to_rfc3339(span->ends)));
}

core::Result<core::ExitCode> run_top(const Options& options, const Globals& globals) {
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    top::TopOptions how{.style = style};
    std::unique_ptr<top::Feed> feed;
    if (options.is_of_the_past()) {
        const auto recording =
            options.file.empty() ? globals.state_dir.value_or(service::default_state_dir) : options.file;
        const auto at = moment_of(options, recording);
        if (!at) return std::unexpected(at.error());
        how.begin_at = *at;
        feed = recorded_feed(recording, *at);
    } else {
        bool embedded = false;
        auto live = open_feed(globals, embedded, options.once ? Keeps::nothing : Keeps::recording);
        if (!live) return std::unexpected(live.error());
        feed = std::move(*live);
    }
    const auto done =
        options.once || !top::is_live_terminal() ? print_once(options, style, *feed) : top::run(how, *feed);
    if (!done) return std::unexpected(done.error());
    return core::ExitCode::fine;
}

}  // namespace

Command add_top(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("top", "live: destinations, incidents, who talks");
    const auto options = std::make_shared<Options>();
    auto* once = command->add_flag("--once", options->once, "the text of this instant, then exit");
    command->add_option("--file", options->file, "walk through a dump or a state directory, from its end")
        ->type_name("FILE");
    command->add_option("--at", options->at, "walk through what was recorded, from this time")
        ->type_name("TIME");
    command->add_flag("--json", options->json, "JSON as docs/schemas/view.schema.json has it")->needs(once);
    command->footer(footer);
    return {command, [options, &globals] { return run_top(*options, globals); }};
}

}  // namespace netwatch::cli
