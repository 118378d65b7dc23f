// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

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
constexpr std::size_t spark_cells = 20;
constexpr std::size_t spark_span_s = 120;

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
    for (const auto* symptom : group.symptoms) {
        lines.emplace_back(fmt::format("    └ symptom  {} {}, {}", present::where(*symptom),
                                       model::to_string(symptom->type),
                                       present::age(symptom->first_affected_at, at)),
                           Paint::dim);
    }
    return lines;
}

// Every alarm keeps its first line; what is left of the room goes to the worst ones' words.
std::vector<Line> alarm_lines(const std::vector<present::IncidentGroup>& groups, core::UtcNs at,
                              std::size_t width, std::size_t room) {
    std::vector<Line> lines{Line(justified("INCIDENTS", "for   sure", width), Paint::bold)};
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
    }
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

std::string sparks(const model::DestinationRow& row, core::UtcNs at) {
    const auto line_of = [&](const present::PointValue& value) {
        const auto values = present::bucketed(row.series, at, spark_span_s, spark_cells, value);
        double top = 0;
        for (const auto& each : values) top = std::max(top, each.value_or(0));
        return present::sparkline(values, top);
    };
    const std::string rtt = line_of([](const model::SeriesPoint& point) { return point.rtt_us; });
    const std::string failed = line_of([](const model::SeriesPoint& point) {
        return point.attempts > 0 ? std::optional<double>(point.failed) : std::nullopt;
    });
    return "  " + rtt + "  " + failed;
}

std::string sorted_by(const present::RowQuery& query) {
    const auto* field = model::find_field(query.sort_by);
    std::string text = field == nullptr ? "worst first" : fmt::format("by {}", field->title);
    if (query.reverse) text += ", reversed";
    if (!query.filter.empty()) text += fmt::format(", only {}", present::inert(query.filter));
    return text;
}

std::vector<Line> table_lines(const ViewModel& model, std::size_t width, std::size_t room) {
    const bool with_sparks = width >= spark_from_width;
    const std::size_t table_width = with_sparks ? width - 2 * (spark_cells + 2) : width;
    const auto columns = present::columns_for(table_width);
    const auto rows = model.rows();
    std::string headings = present::pad_right(present::heading_line(columns), table_width);
    if (with_sparks) headings += "  " + present::pad_right("RTT, 2 MIN", spark_cells) + "  FAILED, 2 MIN";
    std::vector<Line> lines{Line(headings, Paint::bold)};
    const std::size_t visible = room > 2 ? room - 2 : 0;
    const std::size_t selected = model.selected_row();
    const std::size_t start = selected >= visible && visible > 0 ? selected + 1 - visible : 0;
    for (std::size_t i = start; i < std::min(rows.size(), start + visible); ++i) {
        std::string text = present::pad_right(present::row_line(*rows[i], columns), table_width);
        if (with_sparks) text += sparks(*rows[i], model.view().at);
        Line line(text, rows[i]->severity ? present::paint_of(*rows[i]->severity) : Paint::plain);
        line.inverted = i == selected;
        lines.push_back(std::move(line));
    }
    if (rows.empty())
        lines.emplace_back(model.query().filter.empty() ? "  none yet" : "  none matches the filter");
    const std::size_t unseen = rows.size() > visible ? rows.size() - visible : 0;
    lines.resize(room - 1, Line(""));
    const std::string hidden =
        unseen > 0 ? fmt::format("  … {} more", present::grouped(unseen)) : std::string();
    lines.emplace_back(justified(hidden, sorted_by(model.query()), width), Paint::dim);
    return lines;
}

}  // namespace

std::vector<Line> main_screen(const ViewModel& model, std::size_t width, std::size_t height) {
    const auto& view = model.view();
    const auto groups = present::group_incidents(view.incidents, false);
    const std::size_t room = std::max<std::size_t>(height * 2 / 5, 3);
    auto lines = groups.empty() ? calm_lines(view, width, room) : alarm_lines(groups, view.at, width, room);
    lines.emplace_back("");
    const auto table = table_lines(model, width, height - lines.size());
    lines.insert(lines.end(), table.begin(), table.end());
    return lines;
}

}  // namespace netwatch::top
