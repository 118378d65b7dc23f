// SPDX-License-Identifier: Apache-2.0
#include "top/run.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <ftxui/component/component.hpp>
#include <ftxui/component/event.hpp>
#include <ftxui/component/loop.hpp>
#include <ftxui/component/screen_interactive.hpp>
#include <ftxui/screen/terminal.hpp>
#include <string_view>

#include "present/inert.h"
#include "top/draw.h"
#include "top/terminal.h"
#include "top/view_model.h"

namespace netwatch::top {
namespace {

using Clock = std::chrono::steady_clock;

// How long a key may wait; small enough that nobody feels it.
constexpr int key_wait_ms = 30;

// Asks the feed when it is time to, and keeps count of how long nothing new has come.
class Refresher {
public:
    Refresher(ViewModel& model, Feed& feed, std::chrono::milliseconds period)
        : model_(model),
          feed_(feed),
          period_(period) {}

    // Whether there is something new to draw.
    bool tick(Clock::time_point now) {
        const auto wanted = model_.wanted_ladder();
        const bool new_target = wanted && wanted != asked_;
        if (now < next_ && !new_target) return false;
        asked_ = wanted;
        if (wanted) model_.set_ladder(*wanted, feed_.ladder(*wanted));
        if (now < next_) return true;
        next_ = now + period_;
        take(feed_.view(), now);
        return true;
    }

private:
    void take(core::Result<model::HostView> view, Clock::time_point now) {
        if (!view) {
            model_.set_problem(view.error().message);
        } else {
            model_.set_problem({});
            if (view->at != last_at_) changed_ = now;
            last_at_ = view->at;
            model_.set_view(std::move(*view));
        }
        const auto silent = std::chrono::duration_cast<std::chrono::seconds>(now - changed_);
        model_.set_silence(static_cast<std::uint64_t>(std::max<std::int64_t>(silent.count(), 0)));
    }

    ViewModel& model_;
    Feed& feed_;
    std::chrono::milliseconds period_;
    Clock::time_point next_ = Clock::time_point::min();
    Clock::time_point changed_ = Clock::now();
    core::UtcNs last_at_;
    std::optional<model::Endpoint> asked_;
};

void run_loop(const TopOptions& options, ViewModel& model, Feed& feed) {
    auto screen = ftxui::ScreenInteractive::Fullscreen();
    screen.TrackMouse(false);
    // FTXUI 5.0 leaves the shape of a cursor that nobody set undefined, and writes it to the terminal.
    screen.SetCursor({.x = 0, .y = 0, .shape = ftxui::Screen::Cursor::Hidden});
    auto picture = ftxui::Renderer([&] {
        const auto size = ftxui::Terminal::Size();
        return to_element(draw(model, static_cast<std::size_t>(std::max(size.dimx, 1)),
                               static_cast<std::size_t>(std::max(size.dimy, 1))),
                          options.style);
    });
    auto component =
        ftxui::CatchEvent(picture, [&](const ftxui::Event& event) { return apply(event, model); });
    ftxui::Loop loop(&screen, component);
    Refresher refresher(model, feed, options.refresh);
    while (!loop.HasQuitted() && !model.wants_quit()) {
        loop.RunOnce();
        if (refresher.tick(Clock::now())) screen.PostEvent(ftxui::Event::Custom);
        poll(nullptr, 0, key_wait_ms);
    }
}

}  // namespace

bool is_live_terminal() {
    const char* terminal = std::getenv("TERM");
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && terminal != nullptr &&
           *terminal != '\0' && std::string_view(terminal) != "dumb";
}

core::Result<void> run(const TopOptions& options, Feed& feed) {
    auto first = feed.view();
    if (!first) return std::unexpected(first.error());
    ViewModel model;
    model.set_view(std::move(*first));
    try {
        run_loop(options, model, feed);
    } catch (const std::exception& problem) {
        return core::fail(fmt::format("the live view failed: {}", problem.what()));
    }
    return {};
}

}  // namespace netwatch::top
