// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "cli/command.h"
#include "cli/feeds.h"
#include "cli/output.h"
#include "present/text.h"
#include "service/host_facts.h"

namespace netwatch::cli {
namespace {

// Long enough for a retransmitted SYN to come again and for two walks to tell rates; the answer is due within
// 10 s.
constexpr auto observe_for = std::chrono::seconds(6);
constexpr auto look_every = std::chrono::milliseconds(250);

core::Result<model::HostView> observe(top::Feed& feed) {
    fmt::print(stderr, "no agent answers: observing for {} s\n", observe_for.count());
    const auto until = std::chrono::steady_clock::now() + observe_for;
    for (;;) {
        auto view = feed.view();
        if (!view || exit_code_of(view->incidents) != core::ExitCode::fine) return view;
        if (std::chrono::steady_clock::now() >= until) return view;
        std::this_thread::sleep_for(look_every);
    }
}

core::Result<core::ExitCode> answer(bool markdown, const Globals& globals) {
    bool embedded = false;
    const auto feed = open_feed(globals, embedded);
    if (!feed) return std::unexpected(feed.error());
    const auto view = embedded ? observe(**feed) : (*feed)->view();
    if (!view) return std::unexpected(view.error());
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    const auto now = service::utc_now();
    const auto printed =
        print(markdown ? present::answer_markdown(*view, now) : present::answer(*view, style, now));
    if (!printed) return std::unexpected(printed.error());
    return exit_code_of(view->incidents);
}

}  // namespace

Run add_answer(CLI::App& app, const Globals& globals) {
    const auto markdown = std::make_shared<bool>(false);
    app.add_flag("--markdown", *markdown, "without a command: the answer as Markdown");
    return [markdown, &globals] { return answer(*markdown, globals); };
}

}  // namespace netwatch::cli
