// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "model/fields.h"
#include "present/incidents.h"
#include "present/inert.h"
#include "present/sparkline.h"
#include "present/text.h"
#include "top/parts.h"

namespace netwatch::top {
namespace {

using present::Paint;

constexpr std::size_t span_s = 120;
constexpr std::size_t label_cells = 10;
constexpr std::size_t legend_cells = 18;

present::Style plain(std::size_t width) { return {.color = false, .unicode = true, .width = width}; }

void append(std::vector<Line>& lines, std::vector<Line> more) {
    std::ranges::move(more, std::back_inserter(lines));
}

struct Series {
    std::string_view label;
    model::Unit unit;
    present::PointValue value;
};

Line spark_line(const Series& series, const model::DestinationRow& row, core::UtcNs at, std::size_t cells) {
    const auto values = present::bucketed(row.series, at, span_s, cells, series.value);
    double top = 0;
    bool measured = false;
    for (const auto& value : values) {
        top = std::max(top, value.value_or(0));
        measured = measured || value.has_value();
    }
    const std::string legend = measured ? "most " + model::to_cell(top, series.unit) +
                                              (series.unit == model::Unit::share ? " %" : "")
                                        : "not measured";
    return {fmt::format("  {:<9}{}  {}", series.label, present::sparkline(values, top), legend)};
}

// Bars under the part of the time axis that the incident covers.
Line span_line(const model::Incident& incident, core::UtcNs at, std::size_t cells) {
    const auto cell_of = [&](core::UtcNs time) {
        const double share = 1 - static_cast<double>(at.ns - time.ns) / (span_s * 1e9);
        return static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(cells));
    };
    const std::size_t first = std::min(cell_of(incident.first_affected_at), cells - 1);
    const std::size_t last = std::max(cell_of(incident.resolved_at.value_or(at)), first + 1);
    std::string bars = std::string(first, ' ');
    for (std::size_t i = first; i < last; ++i) bars += i == first ? "└" : "─";
    return {fmt::format("  {:<9}{}  {} {}", "", present::pad_right(bars, cells),
                        model::short_name(incident.type),
                        present::age(incident.first_affected_at, incident.resolved_at.value_or(at))),
            Paint::red};
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

constexpr std::string_view help_text =
    "Keys\n"
    "  up down, j k      select a row, scroll a text\n"
    "  page up, down     ten at a time; home, end or g, G: first, last\n"
    "  enter             details of the selected row; from there its incident\n"
    "  esc               back; on the first screen: clear the filter\n"
    "  /                 filter: words, FIELD<NUMBER, FIELD>NUMBER, FIELD=TEXT\n"
    "  s   r             sort by the next column; reverse\n"
    "  space             pause and go on\n"
    "  i   h   ?         incidents, hooks, this help\n"
    "  q                 quit\n"
    "\n"
    "Symbols\n"
    "  ✖ critical, failing: most attempts fail, or more than one destination is hit\n"
    "  ▲ warning, degraded: a part fails, or is slow\n"
    "  ✔ fine    · not known, or only noticed    – not measured\n"
    "\n"
    "Fields\n";

}  // namespace

std::vector<Line> series_lines(const model::DestinationRow& row, core::UtcNs at,
                               const model::Incident* incident, std::size_t width) {
    if (row.series.empty()) return {Line("  no series is kept for this destination", Paint::dim)};
    const std::size_t cells = std::min(span_s, width - label_cells - legend_cells);
    const Series all[] = {
        {"attempts", model::Unit::count,
         [](const auto& point) { return std::optional<double>(point.attempts); }},
        {"failed", model::Unit::count, [](const auto& point) { return std::optional<double>(point.failed); }},
        {"rtt", model::Unit::microseconds, [](const auto& point) { return point.rtt_us; }},
        {"loss", model::Unit::share, [](const auto& point) { return point.loss_share; }},
    };
    std::vector<Line> lines{
        Line(fmt::format("The last 2 minutes, until {} UTC", core::to_time_of_day(at)), Paint::bold)};
    for (const auto& series : all) lines.push_back(spark_line(series, row, at, cells));
    if (incident != nullptr) lines.push_back(span_line(*incident, at, cells));
    lines.emplace_back("");
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
        body.lines.push_back(std::move(line));
        const std::string note = present::state_note(incident);
        body.lines.emplace_back("      " + (note.empty() ? present::inert(incident.summary) : note));
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
    auto lines = painted_lines(present::incident_details(*incident, model.view().at, plain(width)));
    if (const auto* row = row_of(model.view(), *incident)) {
        // After what has to be read first: the verdict and what to do next.
        const auto ladder = std::ranges::find_if(lines, [](const Line& line) {
            return !line.spans.empty() && line.spans.front().text == "ladder";
        });
        auto series = series_lines(*row, model.view().at, incident, width);
        lines.insert(ladder, std::make_move_iterator(series.begin()), std::make_move_iterator(series.end()));
    }
    append(body.lines, std::move(lines));
    return body;
}

Body destination_screen(const ViewModel& model, std::size_t width) {
    Body body;
    const auto* row = model.detailed_row();
    if (row == nullptr) {
        body.lines.emplace_back("this destination is no longer kept");
        return body;
    }
    const auto& view = model.view();
    const auto* incident = row->incident ? present::find_incident(view.incidents, *row->incident) : nullptr;
    if (const auto* ladder = model.ladder()) {
        append(body.lines, painted_lines(present::ladder_text(*ladder, view, plain(width))));
    } else {
        body.lines.emplace_back(present::label(row->ref), Paint::bold);
        body.lines.emplace_back(model.ladder_problem().empty()
                                    ? "  the ladder is being asked for"
                                    : "  no ladder: " + present::inert(model.ladder_problem()));
    }
    body.lines.emplace_back("");
    append(body.lines, series_lines(*row, view.at, incident, width));
    body.lines.emplace_back("Traffic", Paint::bold);
    for (const auto& text : {processes_line(*row), fact_line(*row), times_line(*row, view.at),
                             fmt::format("netns {}{}", row->netns,
                                         row->judged ? "" : " · UDP without DNS: counted, not judged")}) {
        append(body.lines, painted_lines(present::wrap("  ", text, plain(width))));
    }
    return body;
}

Body hooks_screen(const ViewModel& model, std::size_t width) {
    const auto& observer = model.view().observer;
    Body body;
    body.lines = painted_lines(
        present::check_text("What netwatch watches with on this kernel", observer.hooks, "", plain(width)));
    body.lines.emplace_back("");
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
