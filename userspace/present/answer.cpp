// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "present/incidents.h"
#include "present/inert.h"
#include "present/text.h"

namespace netwatch::present {
namespace {

enum class Kind : std::uint8_t { failing, degraded, not_the_network, clean, nothing_seen, outdated };

// What the answer says, before it is put into a form.
struct Answer {
    Kind kind = Kind::clean;
    std::string headline;               // without the verdict itself
    std::vector<IncidentGroup> alarms;  // those of the network first
    std::vector<const model::Incident*> healed;
    std::size_t below_alarm = 0;  // suspected and info
    std::vector<std::string> blind_spots;
};

std::string_view verdict_of(Kind kind) {
    switch (kind) {
        case Kind::failing: return "NETWORK: FAILING";
        case Kind::degraded: return "NETWORK: DEGRADED";
        case Kind::not_the_network: return "NOT THE NETWORK";
        case Kind::clean: return "NETWORK: CLEAN";
        case Kind::nothing_seen:
        case Kind::outdated: return "NO VERDICT";
    }
    return "NO VERDICT";
}

Paint paint_of(Kind kind) {
    switch (kind) {
        case Kind::failing: return Paint::red;
        case Kind::degraded: return Paint::yellow;
        case Kind::not_the_network:
        case Kind::clean: return Paint::green;
        case Kind::nothing_seen:
        case Kind::outdated: return Paint::bold;
    }
    return Paint::plain;
}

bool is_hurt_by_network(const model::DestinationRow& row, const model::HostView& view) {
    if (!row.incident || !row.severity || *row.severity == model::Severity::info) return false;
    const auto* incident = find_incident(view.incidents, *row.incident);
    return incident == nullptr || blames_network(*incident);
}

std::string hurt_processes(const std::vector<IncidentGroup>& alarms) {
    constexpr std::size_t most = 3;
    std::vector<std::string> names;
    for (const auto& group : alarms) {
        for (const auto& process : group.root->impact.processes) {
            if (std::ranges::find(names, process) == names.end()) names.push_back(process);
        }
    }
    if (names.empty()) return {};
    std::string text = " · hurt: ";
    for (std::size_t i = 0; i < std::min(names.size(), most); ++i)
        text += (i == 0 ? "" : ", ") + inert(names[i]);
    if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
    return text;
}

std::string failing_headline(const model::HostView& view, const std::vector<IncidentGroup>& alarms,
                             std::size_t hurt) {
    // What is worst sets the beginning: a milder trouble may be older and is listed with its own time.
    const model::Incident& worst = *alarms.front().root;
    core::UtcNs since = worst.first_affected_at;
    for (const auto& group : alarms) {
        const bool as_bad = blames_network(*group.root) && group.root->severity == worst.severity;
        if (as_bad) since = std::min(since, group.root->first_affected_at);
    }
    return fmt::format(" since {} UTC ({}) on {} · {} of {} destinations{}", core::to_time_of_day(since),
                       age_words(since, view.at), inert(view.hostname), hurt, view.destinations.size(),
                       hurt_processes(alarms));
}

std::string watched(const model::HostView& view) {
    return fmt::format("{} destinations, {:.1f} connections/s, watched since {} UTC ({})",
                       view.destinations.size(), view.attempts_per_s, core::to_time_of_day(view.started_at),
                       age_words(view.started_at, view.at));
}

Kind kind_of(const model::HostView& view, const std::vector<IncidentGroup>& alarms,
             std::optional<core::UtcNs> now) {
    constexpr std::int64_t outdated_ns = 10'000'000'000;
    if (now && now->ns - view.at.ns > outdated_ns) return Kind::outdated;
    if (alarms.empty()) return view.destinations.empty() ? Kind::nothing_seen : Kind::clean;
    if (!blames_network(*alarms.front().root)) return Kind::not_the_network;
    const bool critical = std::ranges::any_of(alarms, [](const IncidentGroup& group) {
        return blames_network(*group.root) && group.root->severity == model::Severity::critical;
    });
    return critical ? Kind::failing : Kind::degraded;
}

std::string headline(const model::HostView& view, const Answer& answer, std::optional<core::UtcNs> now) {
    const auto hurt = static_cast<std::size_t>(std::ranges::count_if(
        view.destinations, [&](const auto& row) { return is_hurt_by_network(row, view); }));
    const std::string host = inert(view.hostname);
    switch (answer.kind) {
        case Kind::failing:
        case Kind::degraded: return failing_headline(view, answer.alarms, hurt);
        case Kind::not_the_network: {
            const auto& incident = *answer.alarms.front().root;
            return fmt::format(": {} of {} destinations clean on {} · {} {} for {}",
                               view.destinations.size() - hurt, view.destinations.size(), host,
                               where(incident), model::short_name(incident.type),
                               age_words(incident.first_affected_at, view.at));
        }
        case Kind::clean:
            return fmt::format(" on {} · nothing is wrong with the network as far as this host can see",
                               host);
        case Kind::nothing_seen:
            return fmt::format(" on {} · no connection seen in {} of watching", host,
                               age_words(view.started_at, view.at));
        case Kind::outdated:
            return fmt::format(" on {} · the agent last looked {} ago, at {} UTC; what it saw then:", host,
                               age_words(view.at, now.value_or(view.at)), core::to_time_of_day(view.at));
    }
    return {};
}

bool is_healed_of_late(const model::Incident& incident, core::UtcNs at) {
    constexpr std::int64_t recently_ns = 600'000'000'000;
    return incident.resolved_at && at.ns - incident.resolved_at->ns < recently_ns && !incident.symptom &&
           incident.severity != model::Severity::info;
}

bool is_below_alarm(const model::Incident& incident) {
    return incident.state == model::IncidentState::suspected ||
           (incident.state == model::IncidentState::open && incident.severity == model::Severity::info);
}

Answer compose(const model::HostView& view, std::optional<core::UtcNs> now) {
    Answer answer;
    answer.alarms = group_incidents(view.incidents, false);
    std::ranges::stable_partition(answer.alarms,
                                  [](const auto& group) { return blames_network(*group.root); });
    answer.kind = kind_of(view, answer.alarms, now);
    answer.headline = headline(view, answer, now);
    answer.blind_spots = blind_spots(view);
    for (const auto& incident : view.incidents) {
        if (is_healed_of_late(incident, view.at)) answer.healed.push_back(&incident);
        if (is_below_alarm(incident)) ++answer.below_alarm;
    }
    return answer;
}

// Label and content of each line about the incident that stands first.
struct Line {
    std::string_view label;
    std::string text;
    bool is_command = false;
};

void add_next_steps(std::vector<Line>& lines, const model::Incident& incident) {
    if (incident.advice.empty()) {
        lines.push_back({"next",
                         "netwatch why " + (incident.destination ? incident.destination->endpoint.to_display()
                                                                 : std::string("TARGET")),
                         true});
        return;
    }
    const auto& advice = incident.advice.front();
    lines.push_back({"next", inert(advice.text) +
                                 (advice.effect == model::Effect::change ? " (changes something)" : "")});
    if (advice.command) lines.push_back({"", inert(*advice.command), true});
}

void add_changes(std::vector<Line>& lines, const model::Incident& incident) {
    constexpr std::size_t most = 3;
    const auto changes = changes_by_bearing(incident);
    for (std::size_t i = 0; i < std::min(changes.size(), most); ++i)
        lines.push_back({i == 0 ? "changed" : "", change_text(incident, *changes[i])});
    if (changes.size() > most)
        lines.push_back({"", fmt::format("and {} more: netwatch incidents --json", changes.size() - most)});
}

std::vector<Line> lines_about(const IncidentGroup& group) {
    const model::Incident& incident = *group.root;
    std::vector<Line> lines;
    lines.push_back(
        {"cause", fmt::format("{}, {:.2f} sure · {}", type_and_cause(incident.type, incident.cause),
                              incident.confidence, where(incident))});
    lines.push_back({"", inert(incident.summary)});
    if (const auto others = alternatives(incident); !others.empty()) lines.push_back({"", others});
    if (const auto split = would_split(incident); !split.empty()) lines.push_back({"tell by", split});
    if (const auto note = state_note(incident); !note.empty()) lines.push_back({"state", note});
    for (const auto* symptom : group.symptoms) {
        lines.push_back({"symptom", fmt::format("{} · {}", type_and_cause(symptom->type, symptom->cause),
                                                where(*symptom))});
    }
    add_changes(lines, incident);
    if (incident.owner_hint != model::OwnerHint::unknown) {
        lines.push_back({"whose", std::string(model::to_string(incident.owner_hint))});
    }
    add_next_steps(lines, incident);
    return lines;
}

std::vector<Line> lines_below(const model::HostView& view, const Answer& answer) {
    constexpr std::size_t most_spots = 4;
    std::vector<Line> lines;
    if (answer.alarms.empty() && !view.destinations.empty()) lines.push_back({"seen", watched(view)});
    for (std::size_t i = 1; i < answer.alarms.size(); ++i) {
        const auto& incident = *answer.alarms[i].root;
        lines.push_back(
            {"also", fmt::format("{} {}, {:.2f} sure · {} · {}", symbol(incident.severity),
                                 type_and_cause(incident.type, incident.cause), incident.confidence,
                                 where(incident), age_words(incident.first_affected_at, view.at))});
    }
    for (const auto* incident : answer.healed) {
        lines.push_back({"over", fmt::format("{} · {} · {}", model::to_string(incident->type),
                                             where(*incident), state_note(*incident))});
    }
    if (answer.below_alarm > 0) {
        lines.push_back(
            {"noticed", fmt::format("{} below an alarm: netwatch incidents --all", answer.below_alarm)});
    }
    for (std::size_t i = 0; i < std::min(answer.blind_spots.size(), most_spots); ++i) {
        lines.push_back({i == 0 ? "unseen" : "", answer.blind_spots[i]});
    }
    if (answer.blind_spots.size() > most_spots) {
        lines.push_back(
            {"", fmt::format("and {} more: netwatch check", answer.blind_spots.size() - most_spots)});
    }
    return lines;
}

std::vector<Line> lines_of(const model::HostView& view, const Answer& answer) {
    std::vector<Line> lines;
    if (!answer.alarms.empty()) lines = lines_about(answer.alarms.front());
    const auto below = lines_below(view, answer);
    lines.insert(lines.end(), below.begin(), below.end());
    return lines;
}

// Outside text that Markdown would take for its own.
std::string markdown_text(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (std::string_view("\\`*_{}[]<>#|~@").find(c) != std::string_view::npos) escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string markdown_code(std::string text) {
    std::ranges::replace(text, '`', '\'');
    return "`" + text + "`";
}

}  // namespace

std::string answer(const model::HostView& view, const Style& style, std::optional<core::UtcNs> now) {
    const Answer answer = compose(view, now);
    const std::string_view verdict = verdict_of(answer.kind);
    std::string text = wrap("", std::string(verdict) + answer.headline, style);
    text.replace(0, verdict.size(), paint(verdict, paint_of(answer.kind), style));
    for (const Line& line : lines_of(view, answer)) {
        const std::string head = fmt::format("  {:<8} ", line.label);
        // A command is copied: it is never broken into lines.
        std::string body = line.is_command ? head + line.text + '\n' : wrap(head, line.text, style);
        if (line.is_command)
            body.replace(head.size(), line.text.size(), paint(line.text, Paint::bold, style));
        if (line.label == "unseen") body.replace(0, head.size(), paint(head, Paint::dim, style));
        text += body;
    }
    return finish(std::move(text), style);
}

std::string answer_markdown(const model::HostView& view, std::optional<core::UtcNs> now) {
    const Answer answer = compose(view, now);
    std::string text = fmt::format("**{}**{}\n\n", verdict_of(answer.kind), markdown_text(answer.headline));
    for (const Line& line : lines_of(view, answer)) {
        const std::string body = line.is_command ? markdown_code(line.text) : markdown_text(line.text);
        text +=
            line.label.empty() ? fmt::format("  {}\n", body) : fmt::format("- **{}** {}\n", line.label, body);
    }
    return text;
}

}  // namespace netwatch::present
