// SPDX-License-Identifier: Apache-2.0
#include "recorder/dump.h"

#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/window.h"
#include "present/inert.h"
#include "recorder/segments.h"
#include "service/host_facts.h"
#include "service/redacted_ids.h"

namespace netwatch::cli {
namespace {

struct Options {
    std::string since;
    std::string until;
    std::filesystem::path file;
    std::filesystem::path output;
    bool redact = false;
};

constexpr std::int64_t usual_span_ns = 600 * static_cast<std::int64_t>(core::ns_per_s);

constexpr const char* footer =
    "Examples:\n"
    "  sudo netwatch dump                                   the last ten minutes\n"
    "  sudo netwatch dump --since 1h -o outage.db           the last hour\n"
    "  sudo netwatch dump --since 03:00 --until 03:30       what happened at 03:12?\n"
    "  sudo netwatch dump --since 1h --redact -o for-others.db\n"
    "  netwatch dump --file outage.db --since 03:10 -o part.db   a part of another dump\n"
    "\n"
    "The file is an SQLite database: `sqlite3 outage.db \"SELECT * FROM incidents\"`. docs/recording.md\n"
    "describes it. TIME: 10m, \"10 minutes ago\", 03:12, \"yesterday 03:12\", 2026-11-22T19:43:07Z; UTC.\n"
    "Exit 2, and what could be read is in the file: a part of the recording is damaged.";

core::Result<core::ExitCode> dump(const Options& options, const Globals& globals) {
    const core::UtcNs now = service::utc_now();
    const auto window = parse_window(options.since, options.until, now);
    if (!window) return std::unexpected(window.error());
    recorder::DumpRequest request{.since = {}, .until = window->until.value_or(now), .made_at = now};
    request.redact = options.redact;
    // All of another dump, unless less is asked for.
    const core::UtcNs usual =
        options.file.empty() ? core::UtcNs{request.until.ns - usual_span_ns} : core::UtcNs{};
    request.since = window->since.value_or(usual);
    const auto from =
        options.file.empty() ? globals.state_dir.value_or(service::default_state_dir) : options.file;
    const auto to = options.output.empty()
                        ? std::filesystem::path("netwatch-" + recorder::to_file_time(now) + ".db")
                        : options.output;
    const auto made = recorder::write_dump(from, to, request);
    if (!made) return std::unexpected(made.error());
    if (options.redact) {
        const recorder::Window whole{.since = request.since, .until = request.until};
        if (auto aligned = service::align_ids(from, whole, to); !aligned)
            return std::unexpected(aligned.error().within(to.string()));
    }
    for (const auto& problem : made->problems)
        fmt::print(stderr, "netwatch: incomplete: {}\n", present::inert(problem));
    fmt::print(stderr, "{}: {} to {}, {} incidents, {} connections, {} records, {:.1f} MiB\n", to.string(),
               core::to_rfc3339(made->first), core::to_rfc3339(made->last), made->incidents,
               made->connections, made->records, static_cast<double>(made->bytes) / (1 << 20));
    if (made->connections_left_out > 0)
        fmt::print(stderr, "  {} connections that ended well are not listed\n", made->connections_left_out);
    return made->problems.empty() ? core::ExitCode::fine : core::ExitCode::usage;
}

}  // namespace

Command add_dump(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("dump", "a window of what was recorded, as one file");
    const auto options = std::make_shared<Options>();
    command->add_option("--since", options->since, "its beginning (default: 10m before its end)")
        ->type_name("TIME");
    command->add_option("--until", options->until, "its end (default: now)")->type_name("TIME");
    command->add_option("--file", options->file, "out of this dump, in place of the state directory")
        ->type_name("FILE");
    command->add_option("-o,--output", options->output, "the file (default: netwatch-TIME.db here)")
        ->type_name("FILE");
    command->add_flag("--redact", options->redact,
                      "pseudonyms in place of names, addresses and command lines");
    command->footer(footer);
    return {command, [options, &globals] { return dump(*options, globals); }};
}

}  // namespace netwatch::cli
