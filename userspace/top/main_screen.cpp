// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>

#include "model/fields.h"
#include "present/incidents.h"
#include "present/inert.h"
#include "present/sparkline.h"
#include "present/style.h"
#include "top/parts.h"

namespace netwatch::top {
namespace {

using present::Paint;

constexpr std::size_t spark_from_width = 160;
constexpr std::size_t spark_span_s = 120;
constexpr std::size_t panel_from_height = 40;  // of the whole screen less its three lines
constexpr std::size_t panel_height = 12;

std::size_t spark_cells(std::size_t width) { return width < 200 ? 12 : 20; }

Line incident_line(const model::Incident& incident, core::UtcNs at, std::size_t width) {
    const std::string left = fmt::format("{} {}", present::pad_right(model::to_string(incident.type), 19),
                                         present::where(incident));
    const std::string right =
        fmt::format("{:>7}   {:.2f}", present::age(incident.first_affected_at, at), incident.confidence);
    Line line;
    line.spans = {
        {fmt::format("{} ", present::symbol(incident.severity)), present::paint_of(incident.severity)},
        {justified(left, right, width - 2), Paint::bold}};
    return line;
}

void lead_to(Line& line, const model::Incident& incident, std::size_t width) {
    line.targets = {{0, width, {.row = {}, .incident = incident.id, .column = {}}}};
}

// The lines of one alarm, the ones that can go first last.
std::vector<Line> group_lines(const present::IncidentGroup& group, core::UtcNs at, std::size_t width) {
    std::vector<Line> lines{incident_line(*group.root, at, width)};
    const std::string note = present::state_note(*group.root);
    const std::string text = note.empty() ? present::inert(group.root->summary)
                                          : note + ": " + present::inert(group.root->summary);
    const auto wrapped = present::wrap("    ", text, {.color = false, .unicode = true, .width = width});
    for (auto& line : painted_lines(wrapped)) lines.push_back(std::move(line));
    if (const auto others = present::alternatives(*group.root); !others.empty())
        lines.emplace_back("    " + others);
    for (auto& line : lines) lead_to(line, *group.root, width);
    for (const auto* symptom : group.symptoms) {
        lines.emplace_back(fmt::format("    └ symptom  {} {}, {}", present::where(*symptom),
                                       model::to_string(symptom->type),
                                       present::age(symptom->first_affected_at, at)),
                           Paint::dim);
        lead_to(lines.back(), *symptom, width);
    }
    return lines;
}

// What changed goes under its incident where there is still room, the worst one's first. `ends`: where the
// lines of each group end.
void add_changes(std::vector<Line>& lines, const std::vector<present::IncidentGroup>& groups,
                 const std::vector<std::size_t>& ends, std::size_t room) {
    std::size_t added = 0;
    for (std::size_t i = 0; i < ends.size() && lines.size() < room; ++i) {
        const auto change = present::foremost_change(*groups[i].root);
        if (change.empty()) continue;
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(ends[i] + added),
                     Line("    changed " + change));
        ++added;
    }
}

// Every alarm keeps its first line; what is left of the room goes to the worst ones' words.
std::vector<Line> alarm_lines(const std::vector<present::IncidentGroup>& groups, core::UtcNs at,
                              std::size_t width, std::size_t room) {
    std::vector<Line> lines{Line(justified("INCIDENTS", "for   sure", width), Paint::bold)};
    std::vector<std::size_t> ends;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::size_t left = groups.size() - i - 1;
        if (lines.size() + 1 >= room && left > 0) {
            lines.emplace_back(fmt::format("  … {} more incidents: i", left + 1), Paint::dim);
            break;
        }
        auto group = group_lines(*(groups.begin() + static_cast<std::ptrdiff_t>(i)), at, width);
        const std::size_t free = room > lines.size() + left ? room - lines.size() - left : 1;
        if (group.size() > free) {
            group.resize(free, Line(""));
            if (free > 1) group.back().spans.push_back({" …"});
        }
        lines.insert(lines.end(), group.begin(), group.end());
        ends.push_back(lines.size());
    }
    add_changes(lines, groups, ends, room);
    return lines;
}

std::vector<Line> calm_lines(const model::HostView& view, std::size_t width, std::size_t room) {
    std::vector<Line> lines;
    if (view.destinations.empty()) {
        lines.emplace_back(fmt::format("no connection seen in {} of watching: no verdict",
                                       present::age_words(view.started_at, view.at)),
                           Paint::bold);
    } else {
        lines = painted_lines("✔ nothing is wrong with the network as far as this host can see");
    }
    constexpr std::int64_t recently_ns = 600'000'000'000;
    for (const auto& incident : view.incidents) {
        if (!incident.resolved_at || incident.symptom || view.at.ns - incident.resolved_at->ns > recently_ns)
            continue;
        const std::string text = fmt::format("{} {}, {}", model::to_string(incident.type),
                                             present::where(incident), present::state_note(incident));
        for (auto& line : painted_lines(present::wrap("  over: ", text, {false, true, width}))) {
            lines.push_back(std::move(line));
        }
    }
    for (const auto& spot : present::blind_spots(view)) {
        for (auto& line : painted_lines(present::wrap("  unseen: ", spot, {false, true, width}))) {
            line.spans.front().paint = Paint::dim;
            lines.push_back(std::move(line));
        }
    }
    if (lines.size() > room) lines.resize(room, Line(""));
    return lines;
}

using Values = std::vector<std::optional<double>>;

std::vector<Span> marked(const Values& values, double top, Paint paint_of_some) {
    std::vector<Span> spans;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const Paint paint = values[i].value_or(0) > 0 ? paint_of_some : Paint::plain;
        if (spans.empty() || spans.back().paint != paint) spans.push_back({"", paint});
        spans.back().text += present::sparkline(std::span(values).subspan(i, 1), top);
    }
    return spans;
}

// Two minutes of round trip, loss and failed attempts, each after two spaces.
std::vector<Span> sparks(const ViewModel& model, const model::DestinationRow& row, std::size_t cells) {
    const auto series = model.series(row);
    const auto values_of = [&](const present::PointValue& value) {
        return present::bucketed(series, model.view().at, spark_span_s, cells, value);
    };
    const auto rtt = values_of([](const model::SeriesPoint& point) { return point.rtt_us; });
    const auto loss = values_of([](const model::SeriesPoint& point) { return point.loss_share; });
    const auto failed = values_of(present::failed_share);
    std::vector<Span> spans{{"  " + present::sparkline(rtt, present::top_of_rtt(rtt)) + "  "}};
    std::ranges::move(marked(loss, present::top_of_loss, Paint::yellow), std::back_inserter(spans));
    spans.push_back({"  "});
    std::ranges::move(marked(failed, 1.0, Paint::red), std::back_inserter(spans));
    return spans;
}

// Headings with an arrow at the one that the table is sorted by; each can be clicked.
Line headings(std::span<const present::Column> columns, const present::RowQuery& query) {
    Line line;
    std::string text(present::mark_width, ' ');
    for (const auto& column : columns) {
        const std::size_t from = present::cell_width(text);
        std::string title(column.field->title);
        if (column.field->id == query.sort_by) {
            const std::string_view arrow = query.reverse ? "↑" : "↓";
            title.insert(column.is_text() ? title.size() : 0, arrow);
        }
        // An arrow may stand in the space between two columns.
        if (!column.is_text() && present::cell_width(title) > column.width) {
            text.pop_back();
            text += present::pad_left(title, column.width + 1) + ' ';
        } else {
            text += (column.is_text() ? present::pad_right(title, column.width)
                                      : present::pad_left(title, column.width)) +
                    ' ';
        }
        line.targets.push_back({from,
                                present::cell_width(text),
                                {.row = {}, .incident = {}, .column = std::string(column.field->id)}});
    }
    text.pop_back();
    line.spans = {{std::move(text), Paint::bold}};
    return line;
}

// The mark and the verdict carry the colour; the rest has to be read on any background.
Line row_of_table(const model::DestinationRow& row, std::span<const present::Column> columns,
                  std::size_t table_width) {
    const Paint paint = row.severity ? present::paint_of(*row.severity) : Paint::plain;
    const std::string mark = row.severity ? fmt::format("{} ", present::symbol(*row.severity)) : "  ";
    Line line;
    line.spans = {{mark, paint},
                  {"", row.severity == model::Severity::critical ? Paint::bold : Paint::plain}};
    for (const auto& column : columns) {
        std::string text = present::cell(row, column);
        if (column.field->id == "verdict") {
            line.spans.push_back({std::move(text), paint});
        } else {
            line.spans[1].text += text + ' ';
        }
    }
    std::size_t used = 0;
    for (const auto& span : line.spans) used += present::cell_width(span.text);
    line.spans.push_back({std::string(table_width > used ? table_width - used : 0, ' ')});
    return line;
}

std::string sorted_by(const ViewModel& model) {
    const auto& query = model.query();
    const auto* field = model::find_field(query.sort_by);
    std::string text = field == nullptr ? "worst first" : fmt::format("by {}", field->title);
    if (query.reverse) text += ", reversed";
    if (query.filter.empty()) return text;
    return text + fmt::format(", only {}: {} of {}", present::inert(query.filter),
                              present::grouped(model.matching()),
                              present::grouped(model.view().observer.destinations));
}

// What is known of the selected row, for a screen that has the room.
std::vector<Line> panel_lines(const ViewModel& model, std::size_t width) {
    const auto& row = *model.rows()[model.selected_row()];
    std::vector<Line> lines{Line(present::label(row.ref), Paint::bold)};
    const auto* incident =
        row.incident ? present::find_incident(model.view().incidents, *row.incident) : nullptr;
    for (auto more :
         {series_lines(model, row, incident, width), traffic_lines(row, model.view().at, width)}) {
        std::ranges::move(more, std::back_inserter(lines));
    }
    return lines;
}

void add_rows(const ViewModel& model, std::span<const present::Column> columns, MainScreen& screen,
              std::size_t width) {
    const auto& rows = model.rows();
    const std::size_t start = model.first_row(screen.table_rows);
    for (std::size_t i = start; i < std::min(rows.size(), start + screen.table_rows); ++i) {
        Line line = row_of_table(*rows[i], columns, screen.table_width);
        if (screen.table_width < width)
            std::ranges::move(sparks(model, *rows[i], spark_cells(width)), std::back_inserter(line.spans));
        line.inverted = i == model.selected_row();
        line.targets = {{0, width, {.row = id_of(*rows[i]), .incident = {}, .column = {}}}};
        screen.lines.push_back(std::move(line));
    }
    if (rows.empty())
        screen.lines.emplace_back(model.query().filter.empty() ? "  none yet" : "  none matches the filter");
}

void add_table(const ViewModel& model, MainScreen& screen, std::size_t width, std::size_t height) {
    const bool with_sparks = width >= spark_from_width;
    screen.table_width = with_sparks ? width - 3 * (spark_cells(width) + 2) : width;
    const auto columns = present::columns_for(screen.table_width);
    Line heading = headings(columns, model.query());
    if (with_sparks) {
        auto& text = heading.spans.front().text =
            present::pad_right(heading.spans.front().text, screen.table_width);
        for (const auto* title : {"RTT, 2 MIN", "LOSS", "FAILED"})
            text += "  " + present::pad_right(title, spark_cells(width));
    }
    screen.lines.push_back(std::move(heading));
    screen.table_rows = height - std::min(height, screen.lines.size() + 1);
    add_rows(model, columns, screen, width);
}

}  // namespace

MainScreen main_screen(const ViewModel& model, std::size_t width, std::size_t height) {
    const auto& view = model.view();
    const auto groups = present::group_incidents(view.incidents, false);
    const std::size_t room = std::max<std::size_t>(height * 2 / 5, 3);
    MainScreen screen;
    screen.lines = groups.empty() ? calm_lines(view, width, room) : alarm_lines(groups, view.at, width, room);
    screen.lines.emplace_back("");
    add_table(model, screen, width, height);
    if (height >= panel_from_height && screen.lines.size() + panel_height + 2 < height &&
        !model.rows().empty()) {
        auto panel = panel_lines(model, width);
        panel.resize(std::min(panel.size(), height - screen.lines.size() - 2));
        screen.lines.resize(height - 1 - panel.size(), Line(""));
        std::ranges::move(panel, std::back_inserter(screen.lines));
    }
    screen.lines.resize(height - 1, Line(""));
    const std::uint64_t hidden =
        model.matching() > screen.table_rows ? model.matching() - screen.table_rows : 0;
    screen.lines.emplace_back(
        justified(hidden > 0 ? fmt::format("  … {} more", present::grouped(hidden)) : "", sorted_by(model),
                  width),
        Paint::dim);
    return screen;
}

}  // namespace netwatch::top
