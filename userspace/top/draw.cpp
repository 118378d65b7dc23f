// SPDX-License-Identifier: Apache-2.0
#include "top/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "present/inert.h"
#include "present/text.h"
#include "top/parts.h"

namespace netwatch::top {
namespace {

using present::Paint;

constexpr std::uint64_t silence_shown_s = 4;

std::string state_of(const ViewModel& model) {
    if (model.is_recorded()) return "⏸ recorded " + core::to_rfc3339(model.view().at).substr(0, 10);
    if (model.is_paused()) {
        const std::uint64_t behind_ns = model.seconds_behind() * core::ns_per_s;
        return behind_ns == 0 ? "⏸ paused" : fmt::format("⏸ paused, {} ago", core::to_duration(behind_ns));
    }
    if (model.silent_seconds() >= silence_shown_s)
        return fmt::format("✖ no news for {} s", model.silent_seconds());
    return "▶ live";
}

Line first_line(const ViewModel& model, std::size_t width) {
    if (!model.has_view()) return {"netwatch", Paint::bold};
    const auto& view = model.view();
    const std::string namespaces = view.observed_netns_count == 0
                                       ? "all namespaces"
                                       : fmt::format("{} namespace{}", view.observed_netns_count,
                                                     view.observed_netns_count == 1 ? "" : "s");
    const bool troubled = model.silent_seconds() >= silence_shown_s && !model.is_paused();
    return {justified(fmt::format("netwatch · {} · kernel {} · {}", present::inert(view.hostname),
                                  present::inert(view.kernel), namespaces),
                      fmt::format("{} UTC  {}", core::to_time_of_day(view.at), state_of(model)), width),
            troubled ? Paint::red : Paint::bold};
}

Line second_line(const ViewModel& model, std::size_t width) {
    if (!model.problem().empty()) return {"✖ " + present::inert(model.problem()), Paint::red};
    if (!model.has_view()) return {"waiting for the first view"};
    return painted_lines(' ' + present::trust_line(model.view(), width - 1)).front();
}

std::string keys_in_time(const ViewModel& model) {
    return fmt::format(" ←→:second  [ ]:minute  t:time  home:{} back  end:live  enter:open  esc:back",
                       core::to_duration(model.seconds_kept() * core::ns_per_s));
}

std::string keys_of_screen(const ViewModel& model) {
    switch (model.screen()) {
        case Screen::destinations:
            return " ?:help  /:filter  s:sort  enter:open  i:incidents  ←:past  space:pause  q:quit";
        case Screen::incidents:
            return " ↑↓:select  enter:open  esc:back  ←:past  space:pause  ?:help  q:quit";
        case Screen::destination_details: {
            const auto* row = model.detailed_row();
            const bool has_incident = row != nullptr && row->incident;
            return fmt::format(" ↑↓:scroll  {}esc:back  ←:past  space:pause  ?:help  q:quit",
                               has_incident ? "enter:incident  " : "");
        }
        default: return " ↑↓:scroll  esc:back  ←:past  space:pause  ?:help  q:quit";
    }
}

std::string status_text(const ViewModel& model) {
    if (model.is_typing_filter()) {
        return fmt::format(" filter: {}▏  enter keep  esc clear  (words, or FIELD<N FIELD>N FIELD=TEXT)",
                           present::inert(model.query().filter));
    }
    if (model.is_typing_time()) {
        return fmt::format(" time: {}▏  enter go  esc stay  (10m, 03:12, yesterday 03:12, 2026-11-22T19:43)",
                           present::inert(model.typed_time()));
    }
    return model.is_paused() ? keys_in_time(model) : keys_of_screen(model);
}

Line status_bar(const ViewModel& model) {
    Line line(status_text(model));
    line.inverted = true;
    return line;
}

Body body_of(const ViewModel& model, std::size_t width) {
    switch (model.screen()) {
        case Screen::incidents: return incidents_screen(model, width);
        case Screen::incident_details: return incident_screen(model, width);
        case Screen::destination_details: return destination_screen(model, width);
        case Screen::hooks: return hooks_screen(model, width);
        case Screen::destinations:
        case Screen::help: break;
    }
    return help_screen(width);
}

std::size_t most_scroll(const Body& body, std::size_t height) {
    return body.lines.size() > height ? body.lines.size() - height : 0;
}

// The part of a body that a screen of that height shows, and how much there is below it.
std::vector<Line> window(Body body, std::size_t scroll, std::size_t height) {
    const std::size_t most = most_scroll(body, height);
    std::size_t start = std::min(scroll, most);
    if (body.focus >= start + height) start = std::min(body.focus + 1 - height, most);
    const std::size_t end = std::min(start + height, body.lines.size());
    std::vector<Line> shown(body.lines.begin() + static_cast<std::ptrdiff_t>(start),
                            body.lines.begin() + static_cast<std::ptrdiff_t>(end));
    const std::size_t below = body.lines.size() - end;
    if (below > 0 && !shown.empty()) shown.back() = {fmt::format("… {} more lines", below + 1), Paint::dim};
    return shown;
}

// Between the lines at the top and the status bar.
std::vector<Line> middle(const ViewModel& model, std::size_t width, std::size_t height, Extent& extent) {
    if (!model.has_view() && model.screen() != Screen::help) return {};
    if (model.screen() == Screen::destinations) {
        auto main = main_screen(model, width, height);
        extent = {.table_rows = main.table_rows, .table_width = main.table_width, .most_scroll = 0};
        return std::move(main.lines);
    }
    auto body = body_of(model, width);
    extent.most_scroll = most_scroll(body, height);
    return window(std::move(body), model.scroll(), height);
}

Frame too_small(const ViewModel& model, std::size_t width) {
    if (!model.has_view())
        return {Line(model.problem().empty() ? "netwatch: waiting" : present::inert(model.problem()))};
    return painted_lines(present::answer(model.view(), {.color = false, .unicode = true, .width = width}));
}

}  // namespace

Picture draw(const ViewModel& model, std::size_t width, std::size_t height) {
    Picture picture;
    auto& frame = picture.frame;
    if (width < least_width || height < least_height) {
        frame = too_small(model, width);
    } else {
        frame = {first_line(model, width), second_line(model, width), Line("")};
        const std::size_t room = height - frame.size() - 1;
        auto body = middle(model, width, room, picture.extent);
        body.resize(room, Line(""));
        frame.insert(frame.end(), std::make_move_iterator(body.begin()), std::make_move_iterator(body.end()));
        frame.push_back(status_bar(model));
    }
    frame.resize(height, Line(""));
    for (auto& line : frame) line = fit(std::move(line), width);
    return picture;
}

}  // namespace netwatch::top
