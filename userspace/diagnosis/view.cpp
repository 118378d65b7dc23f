// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "diagnosis/ladder.h"
#include "diagnosis/state.h"
#include "model/counters.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t rate_window_ns = 10 * core::ns_per_s;
constexpr std::uint64_t share_window_ns = 60 * core::ns_per_s;
// So long a second may still be told of: records wait in the ring, and a walk looks back a second.
constexpr core::BootNs second_settled_ns = 2 * core::ns_per_s;

struct Sums {
    double attempts = 0;
    double bytes_sent = 0;
    double bytes_received = 0;
};

std::string_view name_of(std::uint32_t hook_state) {
    switch (hook_state) {
        case NETWATCH_HOOK_BEST: return "best";
        case NETWATCH_HOOK_FALLBACK: return "fallback";
        default: return "missing";
    }
}

std::optional<core::UtcNs> utc_of(const core::ClockAnchor& anchor, core::BootNs at) {
    return at == 0 ? std::nullopt : std::optional(anchor.utc(at));
}

bool is_silent(const Second& second) {
    return second.attempts == 0 && second.failed == 0 && second.rtt_us <= 0 && second.segments == 0 &&
           second.segments_in == 0 && second.lost_in == 0 && second.bytes_sent == 0 &&
           second.bytes_received == 0;
}

void add_detail(model::DestinationRow& row, const Detail& detail, const core::ClockAnchor& anchor,
                core::BootNs now) {
    Sums recent;
    std::uint32_t ended = 0;
    std::uint32_t established = 0;
    for (const Second& second : detail.seconds) {
        model::SeriesPoint point{
            .at = anchor.utc(second.at), .attempts = second.attempts, .failed = second.failed};
        if (second.rtt_us > 0) point.rtt_us = second.rtt_us;
        if (second.segments > 0)
            point.loss_share = std::min(1.0, static_cast<double>(second.lost) / second.segments);
        point.bytes = static_cast<double>(second.bytes_sent + second.bytes_received);
        row.series.push_back(point);
        if (second.at + share_window_ns >= now) {
            ended += second.established + second.failed;
            established += second.established;
        }
        if (second.at + rate_window_ns < now) continue;
        recent.attempts += second.attempts;
        recent.bytes_sent += static_cast<double>(second.bytes_sent);
        recent.bytes_received += static_cast<double>(second.bytes_received);
    }
    constexpr double seconds = static_cast<double>(rate_window_ns) / core::ns_per_s;
    row.attempts_per_s = recent.attempts / seconds;
    row.bytes_sent_per_s = recent.bytes_sent / seconds;
    row.bytes_received_per_s = recent.bytes_received / seconds;
    if (ended > 0) row.ok_share = static_cast<double>(established) / ended;
    row.rtt_us = detail.rtt_us.quantile(0.5);
    row.rtt_p99_us = detail.rtt_us.quantile(0.99);
}

}  // namespace

model::DestinationRow Engine::State::row_of(const Destination& destination) const {
    model::DestinationRow row;
    row.ref = {.endpoint = destination.key.endpoint,
               .sni = destination.other_names().sni,
               .region = regions_.of(destination.key.endpoint.ip),
               .real = destination.other_names().real,
               .asked = destination.other_names().asked};
    if (const std::string* name = names_.of(destination.key.endpoint.ip);
        name != nullptr && destination.key.perspective == model::Perspective::client)
        row.ref.name = *name;
    row.perspective = destination.key.perspective;
    row.netns = destination.netns;
    row.attempts = destination.attempts;
    row.established = destination.established;
    row.failed = destination.failed;
    row.abandoned = destination.abandoned;
    row.flows = destination.flows;
    row.last_success_at = utc_of(anchor_, destination.last_success_at);
    row.last_failure_at = utc_of(anchor_, destination.last_failure_at);
    row.judged = destination.key.endpoint.protocol == model::Protocol::tcp ||
                 resolvers_.find(destination.key) != nullptr;
    const Address* address = destinations_.find_address({destination.key.endpoint.ip, destination.key.netns});
    if (address != nullptr && address->quality && destination.key.perspective == model::Perspective::client) {
        const auto window = address->quality->window(now_, share_window_ns);
        if (window.segments > 0) row.loss_share = window.loss_share();
        if (window.segments_in > 0) row.loss_in_share = window.loss_in_share();
    }
    if (destination.detail) {
        add_detail(row, *destination.detail, anchor_, now_);
        auto who = destination.detail->who;
        std::ranges::stable_sort(who, std::greater{}, &Detail::Who::attempts);
        for (const auto& one : who) {
            if (const Process* process = processes_.find(one.key)) row.processes.push_back(process->label());
        }
    }
    if (const model::Incident* incident = book_.explaining(destination.key);
        incident != nullptr && incident->perspective == destination.key.perspective) {
        row.severity = incident->severity;
        row.type = incident->type;
        row.incident = incident->id;
    }
    return row;
}

model::ObserverStatus Engine::State::observer() const {
    model::ObserverStatus status;
    status.lost_records = lost_records();
    status.evicted_destinations = destinations_.evicted();
    status.udp_not_judged = udp_not_judged_;
    status.sockets = sockets_walked_;
    status.destinations = static_cast<std::uint32_t>(destinations_.all().size());
    status.last_walk_at = utc_of(anchor_, walked_at_);
    for (const auto& [signal, hook] : hooks_) {
        status.hooks.push_back({signal, model::text_of(hook.hook), std::string(name_of(hook.state)),
                                model::text_of(hook.lost), model::text_of(hook.reason)});
    }
    for (const auto& source : model::counter_sources()) {
        const auto known = counters_.sources().find(source.number);
        if (known == counters_.sources().end()) continue;
        status.counters.push_back({std::string(source.place), known->second.there != 0,
                                   std::string(source.lost), model::text_of(known->second.reason)});
    }
    for (const auto& [kind, account] : accounts_) {
        status.accounts.push_back({std::string(model::kind_name(kind)), account.seen, account.filtered,
                                   account.emitted, account.dropped_full + account.dropped_map});
    }
    return status;
}

model::HostView Engine::State::view() const {
    model::HostView view;
    view.hostname = model::text_of(host_.hostname);
    view.kernel = model::text_of(host_.release);
    view.boot_id = model::text_of(host_.boot_id);
    view.agent_version = model::text_of(host_.agent_version);
    view.observed_netns_count = host_.observed_netns_count;
    view.at = anchor_.utc(now_);
    view.started_at = anchor_.utc(scene().watching_since);
    view.incidents = book_.all();
    view.observer = observer();
    for (const auto& [key, destination] : destinations_.all()) {
        view.destinations.push_back(row_of(destination));
        view.attempts_per_s += view.destinations.back().attempts_per_s;
    }
    std::ranges::sort(view.destinations, [](const model::DestinationRow& a, const model::DestinationRow& b) {
        const auto order = [](const model::DestinationRow& row) {
            const int severity = row.severity ? static_cast<int>(*row.severity) : -1;
            return std::tuple(-severity, -model::traffic(row), row.ref.endpoint, row.perspective, row.netns);
        };
        return order(a) < order(b);
    });
    return view;
}

void Engine::State::tell_seconds(const Destination& destination, core::BootNs until,
                                 std::vector<model::DestinationSecond>& told) const {
    for (auto second = destination.detail->seconds.rbegin(); second != destination.detail->seconds.rend();
         ++second) {
        if (second->at >= until) continue;
        if (second->at < seconds_told_until_) return;
        if (is_silent(*second)) continue;
        model::DestinationSecond& row = told.emplace_back();
        row.at = anchor_.utc(second->at);
        row.ref = {.endpoint = destination.key.endpoint, .region = regions_.of(destination.key.endpoint.ip)};
        row.perspective = destination.key.perspective;
        if (const std::string* name = names_.of(destination.key.endpoint.ip);
            name != nullptr && row.perspective == model::Perspective::client)
            row.ref.name = *name;
        row.netns = destination.netns;
        row.attempts = second->attempts;
        row.established = second->established;
        row.failed = second->failed;
        if (second->rtt_us > 0) row.rtt_us = second->rtt_us;
        row.segments = second->segments;
        row.lost = second->lost;
        row.segments_in = second->segments_in;
        row.lost_in = second->lost_in;
        row.bytes_sent = second->bytes_sent;
        row.bytes_received = second->bytes_received;
    }
}

Past Engine::State::take_past(bool all) {
    Past past;
    const core::BootNs over = now_ - now_ % core::ns_per_s;
    const core::BootNs until = all ? over + core::ns_per_s : over - std::min(over, second_settled_ns);
    if (until > seconds_told_until_) {
        for (const auto& [key, destination] : destinations_.all()) {
            if (destination.detail) tell_seconds(destination, until, past.seconds);
        }
        seconds_told_until_ = until;
    }
    for (const Event* event : journal_.take_news())
        past.events.push_back({anchor_.utc(event->at), std::string(to_string(event->topic)), event->netns,
                               event->what, event->by});
    return past;
}

model::Ladder Engine::State::ladder(const model::Endpoint& asked) const {
    // A resolver is asked for by its address and port, as people type them.
    model::Endpoint target = asked;
    const auto is_target = [&](const auto& entry) { return entry.first.endpoint == target; };
    if (target.port != 0 && std::ranges::none_of(destinations_.all(), is_target))
        target.protocol = model::Protocol::udp;
    if (std::ranges::none_of(destinations_.all(), is_target)) target = asked;
    DestinationKey key{target, model::Perspective::client, 0};
    for (const auto& [known, destination] : destinations_.all()) {
        const bool same = known.endpoint.ip == target.ip && (target.port == 0 || known.endpoint == target);
        if (same && known.perspective == model::Perspective::client) {
            key.netns = known.netns;
            break;
        }
    }
    model::Ladder ladder;
    ladder.target = target.to_display();
    const model::Incident* incident = book_.explaining(key);
    ladder.steps = ladder_of(scene(), key, incident);
    ladder.verdict = verdict_of(ladder.steps, incident);
    for (const auto& [known, destination] : destinations_.all()) {
        const bool same = known.endpoint.ip == target.ip && known.netns == key.netns &&
                          (target.port == 0 || known.endpoint.port == target.port);
        if (!same || known.perspective != model::Perspective::client) continue;
        ladder.destinations.push_back({.endpoint = known.endpoint,
                                       .sni = destination.other_names().sni,
                                       .region = regions_.of(known.endpoint.ip),
                                       .real = destination.other_names().real,
                                       .asked = destination.other_names().asked});
    }
    std::ranges::sort(ladder.destinations, {}, &model::DestinationRef::endpoint);
    if (incident != nullptr) {
        ladder.incidents.push_back(incident->id);
        ladder.summary = incident->summary;
        ladder.advice = incident->advice;
        if (incident->symptom && incident->root_cause.incident) {
            ladder.incidents.push_back(*incident->root_cause.incident);
            ladder.summary += " " + incident->root_cause.statement;
        }
    } else if (ladder.destinations.empty()) {
        ladder.verdict = model::LadderVerdict::unknown;
        ladder.summary = "Nothing on this host has talked to " + ladder.target + " since netwatch started.";
    } else if (ladder.verdict == model::LadderVerdict::healthy) {
        ladder.summary = ladder.target + " is reached and answers.";
    } else {
        ladder.summary = "Too little was seen of " + ladder.target + " in the last minute to judge it.";
    }
    return ladder;
}

}  // namespace netwatch::diagnosis
