// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "present/incidents.h"
#include "present/inert.h"
#include "present/text.h"

namespace netwatch::present {
namespace {

std::string alarm_counts(const model::HostView& view) {
    const auto count = [&](model::Severity severity) {
        return std::ranges::count_if(view.incidents, [&](const model::Incident& incident) {
            return model::is_alarm(incident) && incident.severity == severity;
        });
    };
    const auto critical = count(model::Severity::critical);
    const auto warning = count(model::Severity::warning);
    if (critical + warning == 0) return "✔ no incident";
    std::string text;
    if (critical > 0) text += fmt::format("✖ {} critical", critical);
    if (warning > 0) text += fmt::format("{}▲ {} warning", text.empty() ? "" : "  ", warning);
    return text;
}

std::string recording_state(const model::ObserverStatus& observer) {
    if (observer.recording_error) return "▲ not recorded";
    return observer.recording ? "recording" : "no recording";
}

std::string row_painted(const model::DestinationRow& row, std::span<const Column> columns,
                        const Style& style) {
    const std::string line = row_line(row, columns);
    return paint(line, row.severity ? paint_of(*row.severity) : Paint::plain, style) + '\n';
}

std::string_view hook_mark(const model::HookStatus& hook) {
    if (hook.state == "missing") return "✖";
    return hook.lost.empty() ? "✔" : "▲";
}

Paint hook_paint(const model::HookStatus& hook) {
    if (hook.state == "missing") return Paint::red;
    return hook.lost.empty() ? Paint::green : Paint::yellow;
}

std::string hook_text(const model::HookStatus& hook) {
    std::string text = hook.hook.empty() ? std::string("no hook fits") : inert(hook.hook);
    if (!hook.lost.empty()) text += " · lost: " + inert(hook.lost);
    if (!hook.reason.empty()) text += " (" + inert(hook.reason) + ")";
    return text;
}

}  // namespace

std::string trust_line(const model::HostView& view, std::size_t width) {
    const auto& observer = view.observer;
    const auto working =
        std::ranges::count_if(observer.hooks, [](const auto& hook) { return hook.state != "missing"; });
    const bool whole = static_cast<std::size_t>(working) == observer.hooks.size();
    std::vector<std::string> parts{
        fmt::format("{}lost {}", observer.lost_records > 0 ? "▲ " : "", grouped(observer.lost_records)),
        fmt::format("{}hooks {} of {}", whole ? "" : "▲ ", working, observer.hooks.size()),
        recording_state(observer)};
    if (observer.evicted_destinations > 0) {
        parts.push_back(fmt::format("▲ evicted {}", grouped(observer.evicted_destinations)));
    }
    if (const std::uint64_t count = unreadable(observer); count > 0) {
        parts.push_back(fmt::format("unreadable {}", grouped(count)));
    }
    parts.push_back(fmt::format("{} destinations", grouped(view.observer.destinations)));
    parts.push_back(fmt::format("{:.1f} conn/s", view.attempts_per_s));
    std::string text = alarm_counts(view);
    for (const auto& part : parts) {
        std::string longer = fmt::format("{} │ {}", text, part);
        if (cell_width(longer) <= width) text = std::move(longer);
    }
    return text;
}

std::string destinations_table(const model::HostView& view, const RowQuery& query, std::size_t limit,
                               const Style& style) {
    const auto rows = select_rows(view.destinations, query);
    const auto columns = columns_for(style.width);
    std::string text = paint(heading_line(columns), Paint::bold, style) + '\n';
    const std::size_t shown = std::min(rows.size(), limit);
    for (std::size_t i = 0; i < shown; ++i) text += row_painted(*rows[i], columns, style);
    if (rows.empty()) text += query.filter.empty() ? "  no destination yet\n" : "  none matches the filter\n";
    if (rows.size() > shown) text += fmt::format("  … {} more\n", grouped(rows.size() - shown));
    return finish(std::move(text), style);
}

std::string host_text(const model::HostView& view, const Style& style) {
    constexpr std::size_t most_rows = 1000;
    std::string text = wrap("",
                            fmt::format("netwatch · {} · kernel {} · {} UTC", inert(view.hostname),
                                        inert(view.kernel), core::to_time_of_day(view.at)),
                            style);
    text += wrap("", trust_line(view, style.width), style) + '\n';
    text = finish(std::move(text), style);
    text += incidents_table(view.incidents, view.at, false, style) + '\n';
    return text + destinations_table(view, {}, most_rows, style);
}

std::string check_text(std::string_view host, std::span<const model::HookStatus> hooks,
                       std::string_view ability, const Style& style) {
    std::size_t signal_width = 0;
    for (const auto& hook : hooks) signal_width = std::max(signal_width, cell_width(inert(hook.signal)));
    signal_width = std::min<std::size_t>(signal_width, 28);
    std::string text = wrap("", inert(host), style);
    for (const auto& hook : hooks) {
        const std::string_view mark = hook_mark(hook);
        std::string lines = wrap(fmt::format("  {} {}  ", mark, pad_right(inert(hook.signal), signal_width)),
                                 hook_text(hook), style);
        text += lines.replace(2, mark.size(), paint(mark, hook_paint(hook), style));
    }
    if (!ability.empty()) text += wrap("", inert(ability), style);
    return finish(std::move(text), style);
}

std::string counters_text(std::span<const model::CounterSourceStatus> counters, const Style& style) {
    if (counters.empty()) return {};
    const auto there = std::ranges::count_if(counters, &model::CounterSourceStatus::there);
    std::string names;
    for (const auto& one : counters) {
        if (one.there) names += (names.empty() ? "" : ", ") + inert(one.source);
    }
    std::string text = wrap("", fmt::format("counters of the host: {} of {}", there, counters.size()), style);
    if (!names.empty()) text += wrap("  ✔ ", names, style);
    for (const auto& one : counters) {
        if (one.there) continue;
        text += wrap(
            "  – ",
            fmt::format("{} · not known: {} ({})", inert(one.source), inert(one.lost), inert(one.reason)),
            style);
    }
    return finish(std::move(text), style);
}

}  // namespace netwatch::present
