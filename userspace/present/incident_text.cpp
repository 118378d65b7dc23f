// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "present/incidents.h"
#include "present/inert.h"
#include "present/text.h"

namespace netwatch::present {
namespace {

constexpr std::size_t type_width = 22;
constexpr std::size_t since_width = 7;
constexpr std::size_t confidence_width = 5;
constexpr std::size_t id_width = 14;
constexpr std::size_t id_from_width = 90;

std::size_t where_width(const Style& style) {
    const std::size_t others = 2 + type_width + 1 + since_width + confidence_width +
                               (style.width >= id_from_width ? id_width + 1 : 0);
    return std::max<std::size_t>(style.width > others ? style.width - others : 0, 20);
}

std::string mark(const model::Incident& incident, const Style& style) {
    const bool over = incident.state == model::IncidentState::resolved;
    return over ? paint("✔", Paint::green, style)
                : paint(symbol(incident.severity), paint_of(incident.severity), style);
}

std::string first_line(const model::Incident& incident, core::UtcNs at, const Style& style) {
    const core::UtcNs until = incident.resolved_at.value_or(at);
    std::string line = fmt::format("{} {} {}{}{}", mark(incident, style),
                                   pad_right(model::to_string(incident.type), type_width),
                                   pad_right(where(incident), where_width(style)),
                                   pad_left(age(incident.first_affected_at, until), since_width),
                                   pad_left(fmt::format("{:.2f}", incident.confidence), confidence_width));
    if (style.width >= id_from_width)
        line += " " + paint(cut(inert(incident.id), id_width), Paint::dim, style);
    return line + '\n';
}

std::string heading_line_of_incidents(const Style& style) {
    std::string line =
        fmt::format("  {} {}{}{}", pad_right("INCIDENT", type_width), pad_right("WHERE", where_width(style)),
                    pad_left("FOR", since_width), pad_left("CONF", confidence_width));
    if (style.width >= id_from_width) line += " ID";
    return paint(line, Paint::bold, style) + '\n';
}

std::string group_text(const IncidentGroup& group, core::UtcNs at, const Style& style) {
    std::string text = first_line(*group.root, at, style);
    text += wrap("    ", inert(group.root->summary), style);
    if (const auto others = alternatives(*group.root); !others.empty()) text += wrap("    ", others, style);
    if (const auto note = state_note(*group.root); !note.empty()) text += wrap("    ", note, style);
    if (const auto change = foremost_change(*group.root); !change.empty())
        text += wrap("    changed ", change, style);
    for (const auto* symptom : group.symptoms) {
        text += wrap("    └ symptom  ",
                     fmt::format("{}, {}, {}", where(*symptom), model::to_string(symptom->type),
                                 age(symptom->first_affected_at, symptom->resolved_at.value_or(at))),
                     style);
    }
    return text;
}

std::string title(std::string_view text, const Style& style) {
    return "\n" + paint(text, Paint::bold, style) + "\n";
}

std::string labelled(std::string_view name, std::string_view text, const Style& style) {
    return wrap(fmt::format("  {:<9} ", name), text, style);
}

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const auto& part : parts) text += (text.empty() ? "" : ", ") + inert(part);
    return text;
}

std::string times(const model::Incident& incident, core::UtcNs at) {
    return fmt::format("{} UTC, {} ago; named {} after the first failure",
                       core::to_time_of_day(incident.first_affected_at),
                       age_words(incident.first_affected_at, at),
                       age_words(incident.first_affected_at, incident.detected_at));
}

std::string impact_text(const model::Incident& incident) {
    const auto& impact = incident.impact;
    std::string text =
        fmt::format("{} of {} attempts failed",
                    grouped(static_cast<std::uint64_t>(std::max<std::int64_t>(impact.failed, 0))),
                    grouped(static_cast<std::uint64_t>(std::max<std::int64_t>(impact.attempts, 0))));
    if (impact.share) text += fmt::format(" ({:.0f} % of the scope's)", *impact.share * 100);
    if (impact.flows > 0) text += fmt::format(", {} established connections affected", impact.flows);
    if (!impact.processes.empty()) text += " · " + joined(impact.processes);
    return text;
}

std::string place_of(const model::SourceRef& source) {
    std::vector<std::string> parts;
    for (const auto* part : {&source.pod, &source.container, &source.cgroup, &source.node}) {
        if (*part) parts.push_back(**part);
    }
    if (source.netns) parts.push_back(fmt::format("netns {}", *source.netns));
    return joined(parts);
}

std::string facts(const model::Incident& incident, core::UtcNs at, const Style& style) {
    std::string text = labelled("since", times(incident, at), style);
    if (const auto note = state_note(incident); !note.empty()) text += labelled("state", note, style);
    if (const auto others = alternatives(incident); !others.empty()) text += labelled("set", others, style);
    if (const auto split = would_split(incident); !split.empty()) text += labelled("tell by", split, style);
    text += labelled("impact", impact_text(incident), style);
    if (const auto place = place_of(incident.source); !place.empty()) text += labelled("from", place, style);
    if (!incident.root_cause.statement.empty()) {
        text += labelled("root", inert(incident.root_cause.statement), style);
    }
    if (incident.root_cause.offender)
        text += labelled("said by", inert(*incident.root_cause.offender), style);
    for (const auto* change : changes_by_bearing(incident))
        text += labelled("changed", change_text(incident, *change), style);
    if (incident.owner_hint != model::OwnerHint::unknown) {
        text += labelled("whose", model::to_string(incident.owner_hint), style);
    }
    return text;
}

std::string_view verdict_word(model::LadderVerdict verdict) {
    switch (verdict) {
        case model::LadderVerdict::healthy: return "HEALTHY";
        case model::LadderVerdict::not_the_network: return "NOT THE NETWORK";
        case model::LadderVerdict::failing: return "FAILING";
        case model::LadderVerdict::unknown: return "NO VERDICT";
    }
    return "NO VERDICT";
}

// What the view knows of an incident that a ladder names.
std::string explanation(const model::Incident& incident, const Style& style) {
    std::string text = wrap("",
                            fmt::format("{}, {:.2f} sure {}", type_and_cause(incident.type, incident.cause),
                                        incident.confidence, alternatives(incident)),
                            style);
    const std::string note = state_note(incident);
    text +=
        wrap("",
             fmt::format("since {} UTC, named after {}{}{}", core::to_time_of_day(incident.first_affected_at),
                         age_words(incident.first_affected_at, incident.detected_at),
                         note.empty() ? "" : "; ", note),
             style);
    for (const auto* change : changes_by_bearing(incident))
        text += wrap("changed ", change_text(incident, *change), style);
    for (const auto& ruled : incident.ruled_out) {
        text +=
            wrap("", fmt::format("not {}: {}", model::to_string(ruled.type), inert(ruled.because)), style);
    }
    if (const auto split = would_split(incident); !split.empty()) text += wrap("tell by ", split, style);
    return text;
}

std::string advice_text(const std::vector<model::Advice>& advice, const Style& style) {
    std::string text;
    for (const auto& step : advice) {
        const bool changes = step.effect == model::Effect::change;
        text += wrap("  ", inert(step.text) + (changes ? " (changes something)" : ""), style);
        if (step.command) text += fmt::format("    {}\n", paint(inert(*step.command), Paint::bold, style));
    }
    return text;
}

}  // namespace

std::string incidents_table(std::span<const model::Incident> incidents, core::UtcNs at, bool all,
                            const Style& style) {
    const auto groups = group_incidents(incidents, all);
    if (groups.empty()) return finish(all ? "no incidents\n" : "no open incidents\n", style);
    std::string text = heading_line_of_incidents(style);
    for (const auto& group : groups) text += group_text(group, at, style);
    return finish(std::move(text), style);
}

std::string incident_details(const model::Incident& incident, core::UtcNs at, const Style& style) {
    std::string text =
        wrap(fmt::format("{} ", symbol(incident.severity)),
             fmt::format("{}, {:.2f} sure · {} · {}", type_and_cause(incident.type, incident.cause),
                         incident.confidence, where(incident), inert(incident.id)),
             style);
    text += wrap("  ", inert(incident.summary), style);
    text += facts(incident, at, style);
    if (!incident.advice.empty()) text += title("next", style) + advice_text(incident.advice, style);
    text += title("ladder", style) + ladder_steps(incident.ladder, style);
    text += title("evidence", style);
    for (const auto& item : incident.evidence) {
        text += wrap(fmt::format("  {} ", core::to_time_of_day(item.at)), inert(item.text), style);
    }
    if (!incident.ruled_out.empty()) {
        text += title("ruled out", style);
        for (const auto& ruled : incident.ruled_out) {
            text += wrap("  ", fmt::format("not {}: {}", model::to_string(ruled.type), inert(ruled.because)),
                         style);
        }
    }
    if (incident.observer.lost_records > 0 || !incident.observer.missing_hooks.empty()) {
        text += title("netwatch itself", style);
        text += wrap("  ",
                     fmt::format("{} records lost during it{}{}",
                                 grouped(static_cast<std::uint64_t>(
                                     std::max<std::int64_t>(incident.observer.lost_records, 0))),
                                 incident.observer.missing_hooks.empty() ? "" : "; not watched: ",
                                 joined(incident.observer.missing_hooks)),
                     style);
    }
    return finish(std::move(text), style);
}

std::string ladder_steps(const model::LadderSteps& steps, const Style& style) {
    std::string text;
    for (const auto& step : steps) {
        const std::string head = fmt::format("  {} {:<9} ", symbol(step.status), model::to_string(step.step));
        std::string lines = wrap(head, inert(step.evidence), style);
        const std::string_view mark = symbol(step.status);
        lines.replace(2, mark.size(), paint(mark, paint_of(step.status), style));
        text += lines;
    }
    return finish(std::move(text), style);
}

std::string ladder_text(const model::Ladder& ladder, const model::HostView& view, const Style& style) {
    std::string heading = inert(ladder.target);
    if (ladder.destinations.size() == 1 && ladder.destinations.front().name)
        heading = label(ladder.destinations.front());
    if (ladder.destinations.size() > 1)
        heading += fmt::format(" ({} destinations)", ladder.destinations.size());
    if (!view.hostname.empty()) {
        heading += fmt::format(" as {} sees it, {} UTC", inert(view.hostname), core::to_time_of_day(view.at));
    }
    std::string text = wrap("", heading, style) + "\n" + ladder_steps(ladder.steps, style) + "\n";
    text += wrap("",
                 fmt::format("{}{}{}", verdict_word(ladder.verdict), ladder.summary.empty() ? "" : ": ",
                             inert(ladder.summary)),
                 style);
    for (const auto& id : ladder.incidents) {
        const auto* incident = find_incident(view.incidents, id);
        text +=
            incident == nullptr ? wrap("", "incident " + inert(id), style) : explanation(*incident, style);
    }
    if (!ladder.advice.empty()) text += "next:\n" + advice_text(ladder.advice, style);
    return finish(std::move(text), style);
}

}  // namespace netwatch::present
