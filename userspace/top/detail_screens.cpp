// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>

#include "model/fields.h"
#include "present/incidents.h"
#include "present/inert.h"
#include "present/sparkline.h"
#include "present/text.h"
#include "top/parts.h"

namespace netwatch::top {
namespace {

using present::Paint;

constexpr std::size_t label_cells = 12;
constexpr std::size_t legend_cells = 18;
constexpr std::size_t most_cells = 120;
constexpr std::size_t beside_from_width = 160;  // text to the left, what it is made of to the right

present::Style plain(std::size_t width) { return {.color = false, .unicode = true, .width = width}; }

void append(std::vector<Line>& lines, std::vector<Line> more) {
    std::ranges::move(more, std::back_inserter(lines));
}

// A part of the past on `cells` cells.
struct Axis {
    core::UtcNs end;
    std::size_t span_s = 0;
    std::size_t cells = 0;

    // The cell that an instant falls into: negative before the axis begins.
    [[nodiscard]] double cell_of(core::UtcNs at) const {
        const double share = 1 - static_cast<double>(end.ns - at.ns) / (static_cast<double>(span_s) * 1e9);
        return share * static_cast<double>(cells);
    }
};

// The shortest span that shows how the incident began, if that is kept.
std::size_t span_for(const model::Incident* incident, std::span<const model::SeriesPoint> series,
                     core::UtcNs at) {
    constexpr std::size_t before_onset_s = 20;
    const auto age_s = [at](core::UtcNs since) {
        return static_cast<std::size_t>(std::max<std::int64_t>(at.ns - since.ns, 0)) / core::ns_per_s;
    };
    std::size_t span_s = 120;
    for (const std::size_t longer_s : {300U, 900U}) {
        if (incident == nullptr || age_s(incident->first_affected_at) + before_onset_s <= span_s) break;
        if (series.empty() || age_s(series.front().at) < span_s) break;
        span_s = longer_s;
    }
    return span_s;
}

struct Series {
    std::string_view label;
    model::Unit unit;
    present::PointValue value;
};

Line spark_line(const Series& series, std::span<const model::SeriesPoint> points, const Axis& axis) {
    const auto values = present::bucketed(points, axis.end, axis.span_s, axis.cells, series.value);
    double most = 0;
    bool measured = false;
    for (const auto& value : values) {
        most = std::max(most, value.value_or(0));
        measured = measured || value.has_value();
    }
    double top = most;
    if (series.unit == model::Unit::microseconds) top = present::top_of_rtt(values);
    if (series.unit == model::Unit::share) top = std::max(most, present::top_of_loss);
    const std::string legend = measured ? "most " + model::to_cell(most, series.unit) +
                                              (series.unit == model::Unit::share ? " %" : "")
                                        : "not measured";
    return {fmt::format("  {:<9} {}  {}", series.label, present::sparkline(values, top), legend)};
}

// Bars under the part of the time axis that the incident covers; corners where it began and ended.
Line span_line(const model::Incident& incident, const Axis& axis) {
    const auto cells = static_cast<double>(axis.cells);
    const core::UtcNs until = incident.resolved_at.value_or(axis.end);
    const std::string name = fmt::format("{} {}", model::short_name(incident.type),
                                         present::age(incident.first_affected_at, until));
    if (axis.cell_of(until) < 0) return {fmt::format("  {:<9} {} was over before", "", name), Paint::dim};
    const double begin = axis.cell_of(incident.first_affected_at);
    const auto first = static_cast<std::size_t>(std::clamp(begin, 0.0, cells - 1));
    const auto last =
        static_cast<std::size_t>(std::clamp(axis.cell_of(until), static_cast<double>(first) + 1, cells));
    std::string bars(first, ' ');
    for (std::size_t i = first; i < last; ++i) {
        const bool began = i == first && begin >= 0;
        const bool ended = i + 1 == last && incident.resolved_at.has_value();
        bars += began ? "└" : ended ? "┘" : "─";
    }
    return {fmt::format("  {:<9} {}  {}", "", present::pad_right(bars, axis.cells), name),
            incident.resolved_at ? Paint::dim : present::paint_of(incident.severity)};
}

std::string fact_line(const model::DestinationRow& row) {
    std::string text;
    for (const auto* id : {"attempts_per_s", "ok_share", "flows", "rtt_us", "rtt_p99_us", "loss_share",
                           "loss_in_share", "bytes_per_s", "attempts", "failed"}) {
        const auto* field = model::find_field(id);
        const std::string value = model::to_cell(field->value(row), field->unit);
        text += fmt::format("{}{} {}", text.empty() ? "" : " · ", field->title, value);
    }
    return text;
}

std::string times_line(const model::DestinationRow& row, core::UtcNs at) {
    const auto ago = [&](const std::optional<core::UtcNs>& time) {
        return time ? fmt::format("{} UTC ({} ago)", core::to_time_of_day(*time),
                                  present::age_words(*time, at))
                    : std::string("never seen");
    };
    return fmt::format("last success {} · last failure {}", ago(row.last_success_at),
                       ago(row.last_failure_at));
}

std::string processes_line(const model::DestinationRow& row) {
    std::string text = row.perspective == model::Perspective::server ? "served by" : "used by";
    if (row.processes.empty()) return text + " a process that was not seen";
    for (std::size_t i = 0; i < row.processes.size(); ++i)
        text += (i == 0 ? " " : ", ") + present::inert(row.processes[i]);
    return text;
}

const model::DestinationRow* row_of(const model::HostView& view, const model::Incident& incident) {
    const auto found = std::ranges::find_if(view.destinations, [&](const auto& row) {
        return row.incident == incident.id ||
               (incident.destination && row.ref.endpoint == incident.destination->endpoint);
    });
    return found == view.destinations.end() ? nullptr : &*found;
}

// The incidents that this one explains, each a way to it.
std::vector<Line> symptom_lines(const model::HostView& view, const model::Incident& root, std::size_t width) {
    std::vector<Line> lines;
    for (const auto& incident : view.incidents) {
        if (!incident.symptom || incident.root_cause.incident != root.id) continue;
        if (lines.empty()) lines.emplace_back("symptoms of it", Paint::bold);
        const core::UtcNs until = incident.resolved_at.value_or(view.at);
        lines.emplace_back(fmt::format("  └ {} {}, {}", model::to_string(incident.type),
                                       present::where(incident),
                                       present::age(incident.first_affected_at, until)));
        lines.back().targets = {{0, width, {.row = {}, .incident = incident.id, .column = {}}}};
    }
    if (!lines.empty()) lines.emplace_back("");
    return lines;
}

// Before the line with that text.
std::vector<Line>::iterator place_of(std::vector<Line>& lines, std::string_view title) {
    return std::ranges::find_if(
        lines, [title](const Line& line) { return !line.spans.empty() && line.spans.front().text == title; });
}

void insert(std::vector<Line>& lines, std::vector<Line>::iterator at, std::vector<Line> more) {
    lines.insert(at, std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

constexpr std::string_view help_text =
    "Keys\n"
    "  up down, j k      select a row, scroll a text; g, G: first, last\n"
    "  page up, down     ten at a time\n"
    "  enter             details of the selected row; from there its incident\n"
    "  esc               back; on the first screen: no filter, then worst first\n"
    "  /                 filter: words of address, name, process or verdict,\n"
    "                    FIELD<NUMBER, FIELD>NUMBER, FIELD=TEXT\n"
    "  s   S             sort by the next column; the other way round\n"
    "  i   h   ?         incidents, hooks, this help\n"
    "  q                 quit\n"
    "\n"
    "Time\n"
    "  space             pause; go on\n"
    "  left right        a second back, a second on; beyond what this screen has seen\n"
    "                    in what was recorded\n"
    "  [   ]             a minute back, a minute on\n"
    "  t                 a time: 10m, 03:12, yesterday 03:12\n"
    "  home end          while paused: the oldest view kept; live again\n"
    "\n"
    "Mouse\n"
    "  click             selects; again: opens; on a heading: sorts by it\n"
    "  wheel             up and down; with shift the terminal itself selects text\n"
    "\n"
    "Symbols\n"
    "  ✖ critical, failing: most attempts fail, or more than one destination is hit\n"
    "  ▲ warning, degraded: a part fails, or is slow\n"
    "  ✔ fine    · not known, or only noticed    – not measured\n"
    "\n"
    "Fields\n";

}  // namespace

std::vector<Line> series_lines(const ViewModel& model, const model::DestinationRow& row,
                               const model::Incident* incident, std::size_t width) {
    const auto points = model.series(row);
    if (points.empty()) return {Line("  no series is kept for this destination", Paint::dim), Line("")};
    const core::UtcNs at = model.view().at;
    const std::size_t taken = label_cells + legend_cells;
    const Axis axis{at, span_for(incident, points, at),
                    std::clamp<std::size_t>(width > taken ? width - taken : 0, 10, most_cells)};
    const Series all[] = {
        {"attempts", model::Unit::count,
         [](const auto& point) { return std::optional<double>(point.attempts); }},
        {"failed", model::Unit::count, [](const auto& point) { return std::optional<double>(point.failed); }},
        {"rtt", model::Unit::microseconds, [](const auto& point) { return point.rtt_us; }},
        {"loss", model::Unit::share, [](const auto& point) { return point.loss_share; }},
    };
    std::vector<Line> lines{
        Line(fmt::format("The last {} minutes, until {} UTC", axis.span_s / 60, core::to_time_of_day(at)),
             Paint::bold)};
    for (const auto& series : all) lines.push_back(spark_line(series, points, axis));
    if (incident != nullptr) lines.push_back(span_line(*incident, axis));
    lines.emplace_back("");
    return lines;
}

std::vector<Line> traffic_lines(const model::DestinationRow& row, core::UtcNs at, std::size_t width) {
    std::vector<Line> lines{Line("Traffic", Paint::bold)};
    for (const auto& text : {processes_line(row), fact_line(row), times_line(row, at),
                             fmt::format("netns {}{}", row.netns,
                                         row.judged ? "" : " · UDP without DNS: counted, not judged")}) {
        append(lines, painted_lines(present::wrap("  ", text, plain(width))));
    }
    return lines;
}

Body incidents_screen(const ViewModel& model, std::size_t width) {
    Body body;
    const auto list = model.incident_list();
    if (list.empty()) body.lines.emplace_back("no incident since the agent started");
    const std::size_t selected = model.selected_incident();
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto& incident = *list[i];
        const bool over = incident.state == model::IncidentState::resolved;
        const core::UtcNs until = incident.resolved_at.value_or(model.view().at);
        const std::string left = fmt::format(
            "{}{} {} {}", incident.symptom ? "  └ " : "", over ? "✔" : present::symbol(incident.severity),
            present::pad_right(model::to_string(incident.type), 19), present::where(incident));
        Line line(
            justified(left,
                      fmt::format("{} UTC {:>7}  {:.2f}", core::to_time_of_day(incident.first_affected_at),
                                  present::age(incident.first_affected_at, until), incident.confidence),
                      width),
            over ? Paint::dim : present::paint_of(incident.severity));
        line.inverted = i == selected;
        if (i == selected) body.focus = body.lines.size() + 1;
        line.targets = {{0, width, {.row = {}, .incident = incident.id, .column = {}}}};
        body.lines.push_back(std::move(line));
        const std::string note = present::state_note(incident);
        body.lines.emplace_back("      " + (note.empty() ? present::inert(incident.summary) : note));
        body.lines.back().targets = body.lines[body.lines.size() - 2].targets;
    }
    return body;
}

Body incident_screen(const ViewModel& model, std::size_t width) {
    Body body;
    const auto* incident = model.detailed_incident();
    if (incident == nullptr) {
        body.lines.emplace_back("this incident is no longer kept");
        return body;
    }
    const bool beside = width >= beside_from_width;
    const std::size_t text_width = beside ? width / 2 : width;
    const std::size_t rest_width = beside ? width - text_width : width;
    auto lines = painted_lines(
        present::incident_details(*incident, model.view().at, plain(text_width - (beside ? 2U : 0U))));
    // After what has to be read first: the verdict, what to do next, whom else it hurts.
    auto rest = symptom_lines(model.view(), *incident, rest_width);
    if (const auto* row = row_of(model.view(), *incident))
        append(rest, series_lines(model, *row, incident, rest_width));
    if (beside) {
        const auto evidence = place_of(lines, "evidence");
        insert(rest, rest.end(), {std::make_move_iterator(evidence), std::make_move_iterator(lines.end())});
        lines.erase(evidence, lines.end());
        body.lines = side_by_side(std::move(lines), std::move(rest), text_width);
    } else {
        insert(lines, place_of(lines, "ladder"), std::move(rest));
        body.lines = std::move(lines);
    }
    return body;
}

// The eight rungs: as they were asked for, else as the row's incident had them.
std::vector<Line> ladder_lines(const ViewModel& model, const model::DestinationRow& row,
                               const model::Incident* incident, std::size_t width) {
    if (const auto* ladder = model.ladder())
        return painted_lines(present::ladder_text(*ladder, model.view(), plain(width)));
    std::vector<Line> lines{Line(present::label(row.ref), Paint::bold), Line("")};
    if (incident != nullptr) {
        append(lines, painted_lines(present::ladder_steps(incident->ladder, plain(width))));
        append(lines, painted_lines(present::wrap("", present::inert(incident->summary), plain(width))));
    } else if (!model.ladder_problem().empty()) {
        append(lines, painted_lines(present::wrap("  no ladder: ", present::inert(model.ladder_problem()),
                                                  plain(width))));
    } else {
        lines.emplace_back(model.is_paused() ? "  nothing was wrong with it; its ladder is not kept"
                                             : "  the ladder is being asked for");
    }
    return lines;
}

Body destination_screen(const ViewModel& model, std::size_t width) {
    Body body;
    const auto* row = model.detailed_row();
    if (row == nullptr) {
        body.lines.emplace_back(model.is_paused() ? "this destination was not seen at that time"
                                                  : "this destination is no longer kept");
        return body;
    }
    const auto& view = model.view();
    const auto* incident = row->incident ? present::find_incident(view.incidents, *row->incident) : nullptr;
    const bool beside = width >= beside_from_width;
    const std::size_t text_width = beside ? width / 2 : width;
    const std::size_t rest_width = beside ? width - text_width : width;
    body.lines = ladder_lines(model, *row, incident, text_width - (beside ? 2U : 0U));
    auto rest = series_lines(model, *row, incident, rest_width);
    append(rest, traffic_lines(*row, view.at, rest_width));
    if (beside) {
        body.lines = side_by_side(std::move(body.lines), std::move(rest), text_width);
    } else {
        body.lines.emplace_back("");
        append(body.lines, std::move(rest));
    }
    return body;
}

Body hooks_screen(const ViewModel& model, std::size_t width) {
    const auto& observer = model.view().observer;
    Body body;
    body.lines = painted_lines(
        present::check_text("What netwatch watches with on this kernel", observer.hooks, "", plain(width)));
    body.lines.emplace_back("");
    if (!observer.counters.empty()) {
        append(body.lines, painted_lines(present::counters_text(observer.counters, plain(width))));
        body.lines.emplace_back("");
    }
    body.lines.emplace_back(
        fmt::format("Records   {:>24} {:>12} {:>12} {:>10}", "seen", "filtered", "emitted", "dropped"),
        Paint::bold);
    for (const auto& row : observer.accounts) {
        body.lines.emplace_back(fmt::format("  {} {:>12} {:>12} {:>12} {:>10}",
                                            present::pad_right(present::inert(row.kind), 19),
                                            present::grouped(row.seen), present::grouped(row.filtered),
                                            present::grouped(row.emitted), present::grouped(row.dropped)),
                                row.dropped > 0 ? Paint::yellow : Paint::plain);
    }
    body.lines.emplace_back("");
    for (const auto& spot : present::blind_spots(model.view())) {
        append(body.lines, painted_lines(present::wrap("  unseen: ", spot, plain(width))));
    }
    return body;
}

Body help_screen(std::size_t width) {
    Body body;
    body.lines = painted_lines(help_text);
    for (const auto& field : model::destination_fields()) {
        append(body.lines, painted_lines(present::wrap(fmt::format("  {:<17} ", field.id), field.description,
                                                       plain(width))));
    }
    return body;
}

}  // namespace netwatch::top
