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
#include "top/crash_guard.h"
#include "top/draw.h"
#include "top/terminal.h"
#include "top/view_model.h"

namespace netwatch::top {
namespace {

using Clock = std::chrono::steady_clock;

// How long a key may wait; small enough that nobody feels it.
constexpr int key_wait_ms = 30;

// A second is told again while it lasts, and told late where records wait in the ring.
constexpr std::int64_t told_again_ns = 5'000'000'000;

// Asks the feed when it is time to, and keeps count of how long nothing new has come.
class Refresher {
public:
    Refresher(ViewModel& model, Feed& feed, std::chrono::milliseconds period)
        : model_(model),
          feed_(feed),
          period_(period) {}

    // Whether there is something new to draw.
    bool tick(Clock::time_point now) {
        const bool remembered = remember();
        return look(now) || remembered;
    }

private:
    bool look(Clock::time_point now) {
        ask(now);
        auto answer = feed_.take();
        if (answer && !*answer) model_.set_problem(answer->error().message);
        if (answer && *answer) take(std::move(**answer), now);
        const auto silent = std::chrono::duration_cast<std::chrono::seconds>(now - changed_);
        const bool counted = silent != silent_;
        silent_ = silent;
        model_.set_silence(static_cast<std::uint64_t>(std::max<std::int64_t>(silent.count(), 0)));
        return answer || counted;
    }

    bool remember() {
        const auto wanted = model_.wanted_past();
        if (wanted && wanted != asked_past_) feed_.ask_past(*wanted, model_.query());
        asked_past_ = wanted;
        auto past = feed_.take_past();
        if (!past) return false;
        asked_past_.reset();
        model_.set_past(std::move(*past));
        return true;
    }

    void ask(Clock::time_point now) {
        Question question = model_.question();
        const bool is_other = question.query != asked_.query || question.ladder_of != asked_.ladder_of;
        if (now < next_ && !is_other) return;
        next_ = now + period_;
        // Rows that another query brings have told nothing yet.
        if (answered_ == question.query) question.series_after = {last_at_.ns - told_again_ns};
        asked_ = question;
        feed_.ask(std::move(question));
    }

    void take(Answer answer, Clock::time_point now) {
        model_.set_problem({});
        if (answer.view.at != last_at_) changed_ = now;
        last_at_ = answer.view.at;
        answered_ = answer.question.query;
        model_.set_view(std::move(answer.view));
        if (answer.question.ladder_of && answer.ladder)
            model_.set_ladder(*answer.question.ladder_of, std::move(*answer.ladder));
    }

    ViewModel& model_;
    Feed& feed_;
    std::chrono::milliseconds period_;
    Clock::time_point next_ = Clock::time_point::min();
    Clock::time_point changed_ = Clock::now();
    std::chrono::seconds silent_{0};
    core::UtcNs last_at_;
    Question asked_;
    std::optional<core::UtcNs> asked_past_;
    std::optional<present::RowQuery> answered_;
};

Picture picture_of(ViewModel& model) {
    const auto size = ftxui::Terminal::Size();
    auto picture = draw(model, static_cast<std::size_t>(std::max(size.dimx, 1)),
                        static_cast<std::size_t>(std::max(size.dimy, 1)));
    model.set_extent(picture.extent);
    return picture;
}

void run_loop(const TopOptions& options, ViewModel& model, Feed& feed) {
    const CrashGuard guard;
    auto screen = ftxui::ScreenInteractive::Fullscreen();
    // FTXUI 5.0 leaves the shape of a cursor that nobody set undefined, and writes it to the terminal.
    screen.SetCursor({.x = 0, .y = 0, .shape = ftxui::Screen::Cursor::Hidden});
    Picture picture;
    Input input;
    auto renderer = ftxui::Renderer([&] {
        picture = picture_of(model);
        return to_element(picture.frame, options.style);
    });
    auto component = ftxui::CatchEvent(
        renderer, [&](const ftxui::Event& event) { return input.apply(event, picture.frame, model); });
    ftxui::Loop loop(&screen, component);
    Refresher refresher(model, feed, options.refresh);
    while (!loop.HasQuitted() && !model.wants_quit()) {
        loop.RunOnce();
        if (refresher.tick(Clock::now())) {
            guard.arm();
            screen.PostEvent(ftxui::Event::Custom);
        }
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
    ViewModel model;
    if (options.begin_at) model.begin_in_the_past(*options.begin_at);
    try {
        run_loop(options, model, feed);
    } catch (const std::exception& problem) {
        return core::fail(fmt::format("the live view failed: {}", problem.what()));
    }
    return {};
}

}  // namespace netwatch::top
