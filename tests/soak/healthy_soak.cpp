// SPDX-License-Identifier: Apache-2.0
// Plays hours of a healthy host with a thousand destinations through the diagnosis, and lists every alarm.
// Healthy is not clean: SYNs are lost and sent again, services restart within a second, clients scan, give
// up, close unused connections and wait long for answers. Each destination has one of the habits below.
//
//     netwatch_healthy_soak --outcomes 15000000 --seed 7
//
// Exit 0: no alarm. 1: one or more.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "diagnosis/engine.h"
#include "support/story.h"

namespace netwatch {
namespace {

using support::Flow;
using support::Story;
using support::Who;

class Chance {
public:
    explicit Chance(std::uint64_t seed) : engine_(seed) {}
    bool one_in(double n) { return uniform(0, n) < 1; }
    double uniform(double from, double to) { return std::uniform_real_distribution(from, to)(engine_); }
    // `median` with a spread of `sigma` in the logarithm.
    double around(double median, double sigma) {
        return std::lognormal_distribution(std::log(median), sigma)(engine_);
    }
    std::uint32_t count(double mean) {
        return mean > 0 ? std::poisson_distribution<std::uint32_t>(mean)(engine_) : 0;
    }

private:
    std::mt19937_64 engine_;
};

struct Destination {
    std::string address;
    std::string other_address;  // the same service over IPv6
    Who who;
    double per_second = 1;
    double rtt_ms = 1;
    double phase_s = 0;  // so that not all do the same in the same second
    std::vector<Flow> flows;
    std::vector<double> asked_at;  // for each flow: when its open request went out
    std::vector<double> answered_at;
};

// Counts every attempt: a tool of the habits, and what they write to.
class Host {
public:
    explicit Host(std::uint64_t seed) : chance(seed) {}
    void connects(double at, const Destination& to, double rtt_ms) {
        ++outcomes;
        story.connects(at, to.address, to.who, rtt_ms);
    }
    Flow opens(double at, const Destination& to) {
        ++outcomes;
        Flow flow = story.flow(at, to.address, to.who);
        flow.counters.srtt_us = flow.counters.min_rtt_us = microseconds(to.rtt_ms);
        return flow;
    }
    static std::uint32_t microseconds(double ms) { return static_cast<std::uint32_t>(ms * 1'000); }

    Story story;
    Chance chance;
    std::uint64_t outcomes = 0;
};

// Short connections. One SYN in 400 is lost, one connection in 20,000 refused, one in 1,000 given up by its
// client before the first SYN would be sent again.
void short_connections(Host& host, Destination& to, double second, double rtt_ms) {
    for (std::uint32_t i = host.chance.count(to.per_second); i > 0; --i) {
        const double at = second + host.chance.uniform(0, 1);
        if (host.chance.one_in(400)) {
            host.story.connects_at_retry(at, to.address, to.who);
        } else if (host.chance.one_in(20'000)) {
            host.story.is_refused(at, to.address, to.who, rtt_ms / 1'000);
        } else if (host.chance.one_in(1'000)) {
            host.story.is_unanswered(at, to.address, host.chance.uniform(0.01, 0.9), to.who);
        } else {
            host.connects(at, to, host.chance.around(rtt_ms, 0.15));
            continue;
        }
        ++host.outcomes;
    }
}

void asks_and_closes(Host& host, Destination& to, double second) {
    short_connections(host, to, second, to.rtt_ms);
}

// The round trip wanders by an eighth within ten minutes.
void is_farther_at_times(Host& host, Destination& to, double second) {
    const double turn = 2 * std::numbers::pi * (second + to.phase_s) / 600;
    short_connections(host, to, second, to.rtt_ms * (1 + std::sin(turn) / 8));
}

// Every ten minutes the service restarts, within a second.
void restarts(Host& host, Destination& to, double second) {
    if (std::fmod(second + to.phase_s, 600) >= 1) return asks_and_closes(host, to, second);
    const double back = second + host.chance.uniform(0.2, 0.9);
    for (std::uint32_t i = host.chance.count(to.per_second * 2); i > 0; --i, ++host.outcomes) {
        const double at = second + host.chance.uniform(0, 1);
        if (at < back)
            host.story.is_refused(at, to.address, to.who, to.rtt_ms / 1'000);
        else
            host.story.connects(at, to.address, to.who, to.rtt_ms);
    }
}

// Two hundred at once each minute, with the queues that this makes.
void runs_from_cron(Host& host, Destination& to, double second) {
    if (std::fmod(second + to.phase_s, 60) >= 1) return;
    for (std::uint32_t i = 0; i < 200; ++i) {
        const double at = second + i * 0.0004;
        const Who one{10'000 + i, "cron"};
        ++host.outcomes;
        if (host.chance.one_in(50))
            host.story.connects_at_retry(at, to.address, one);
        else
            host.story.connects(at, to.address, one, to.rtt_ms + i * 0.05);
    }
}

// A health check of what was never up.
void checks_in_vain(Host& host, Destination& to, double second) {
    if (std::fmod(second + to.phase_s, 5) >= 1) return;
    ++host.outcomes;
    host.story.is_refused(second + to.phase_s - std::floor(to.phase_s), to.address, to.who,
                          to.rtt_ms / 1'000);
}

// IPv6 is tried first, and loses.
void prefers_what_is_quicker(Host& host, Destination& to, double second) {
    for (std::uint32_t i = host.chance.count(to.per_second); i > 0; --i) {
        const double at = second + host.chance.uniform(0, 0.7);
        const Who one{static_cast<std::uint32_t>(20'000 + host.outcomes % 10'000), "curl"};
        host.outcomes += 2;
        host.story.is_unanswered(at, to.other_address, 0.25, one);
        host.story.connects(at + 0.25, to.address, one, host.chance.around(to.rtt_ms, 0.15));
    }
}

// One in ten is opened on suspicion and closed unused, half of those before it was open.
void opens_on_suspicion(Host& host, Destination& to, double second) {
    asks_and_closes(host, to, second);
    if (!host.chance.one_in(10 / to.per_second)) return;
    const double at = second + host.chance.uniform(0, 1);
    if (host.chance.one_in(2)) {
        ++host.outcomes;
        host.story.is_unanswered(at, to.address, to.rtt_ms / 2'000, to.who);
        return;
    }
    const Flow unused = host.opens(at, to);
    host.story.close(at + 1.5, unused);
}

// Scans an address that nobody answers for, or one that refuses, once in a quarter of an hour.
void scans(Host& host, Destination& to, double second) {
    asks_and_closes(host, to, second);
    const double into = std::fmod(second + to.phase_s, 900);
    if (into >= 4) return;
    const auto number = static_cast<std::uint32_t>((second + to.phase_s) / 900 + to.phase_s);
    for (int i = 0; i < 50; ++i, ++host.outcomes) {
        const double at = second + i * 0.02;
        const auto port = 1'000 + static_cast<int>(into) * 50 + i;
        const std::string_view before_port = std::string_view(to.address).substr(0, to.address.rfind(':'));
        if (number % 2 == 0)
            host.story.is_refused(at, fmt::format("{}:{}", before_port, port), {6, "nmap"});
        else
            host.story.is_unanswered(at, fmt::format("172.20.{}.{}:22", number % 250, port % 250), 4.5,
                                     {6, "nmap"});
    }
}

// `count` connections that live for about `life_s`.
void keep(Host& host, Destination& to, double second, std::size_t count, double life_s) {
    for (std::size_t i = 0; i < to.flows.size(); ++i) {
        if (!host.chance.one_in(life_s)) continue;
        // One in fifty by a RST that ends a rest, the others in good order.
        host.story.close(second, to.flows[i], host.chance.one_in(50));
        to.flows[i] = host.opens(second + 0.01, to);
        to.asked_at[i] = to.answered_at[i] = second + 0.02;
    }
    while (to.flows.size() < count) {
        to.flows.push_back(host.opens(second, to));
        to.asked_at.push_back(second);
        to.answered_at.push_back(second);
    }
}

void look_at(Host& host, Destination& to, std::size_t i, double at) {
    to.flows[i].since(at - to.asked_at[i], at - to.answered_at[i]);
    host.story.look(at, to.flows[i]);
}

// Requests and answers on kept connections; one segment in 1,500 is lost, on the way there and back.
void keeps_connections(Host& host, Destination& to, double second) {
    keep(host, to, second, 3, 120);
    for (std::size_t i = 0; i < to.flows.size(); ++i) {
        Flow& flow = to.flows[i];
        const std::uint32_t segments = host.chance.count(20);
        flow.sends(segments, host.chance.count(segments / 1'500.0));
        flow.receives(segments, host.chance.count(segments / 1'500.0));
        flow.counters.srtt_us = Host::microseconds(host.chance.around(to.rtt_ms, 0.2));
        const double at = second + 0.95;
        to.answered_at[i] = at - host.chance.uniform(0, 0.05);
        to.asked_at[i] = to.answered_at[i] - to.rtt_ms / 1'000;
        look_at(host, to, i, at);
    }
}

// A request, an answer after a draw of `wait_s`, a rest, the next one.
void asks_and_waits(Host& host, Destination& to, double second, const std::function<double()>& wait_s,
                    double rest_s) {
    const double at = second + 0.95;
    for (std::size_t i = 0; i < to.flows.size(); ++i) {
        Flow& flow = to.flows[i];
        if (to.answered_at[i] <= at && at - to.answered_at[i] > rest_s) {
            to.asked_at[i] = at - host.chance.uniform(0, 0.9);
            to.answered_at[i] = to.asked_at[i] + wait_s();
            flow.sends(1);
        }
        const bool answered = to.answered_at[i] <= at;
        if (answered && at - to.answered_at[i] < 1) flow.receives(2);
        flow.counters.srtt_us = Host::microseconds(host.chance.around(to.rtt_ms, 0.1));
        // Before the answer of an open request: as long ago as the rest before it.
        const double heard = answered ? to.answered_at[i] : to.asked_at[i] - rest_s;
        flow.since(at - to.asked_at[i], at - heard);
        host.story.look(at, flow);
    }
}

// Half of the answers within a tenth of a second, one in a hundred after more than three.
void answers_late_at_times(Host& host, Destination& to, double second) {
    keep(host, to, second, 2, 300);
    asks_and_waits(host, to, second, [&] { return host.chance.around(0.1, 1.5); }, 1);
}

void polls_long(Host& host, Destination& to, double second) {
    keep(host, to, second, 1, 900);
    asks_and_waits(host, to, second, [&] { return host.chance.uniform(20, 30); }, 0.01);
}

// A transfer at all speed for twenty seconds of each two minutes, with a short queue of its own.
void sends_in_bulk(Host& host, Destination& to, double second) {
    keep(host, to, second, 1, 1'000);
    const bool busy = std::fmod(second + to.phase_s, 120) < 20;
    Flow& flow = to.flows.front();
    const std::uint32_t segments = busy ? 2'000 : 2;
    flow.sends(segments, host.chance.count(segments / 3'000.0));
    flow.receives(segments / 2);
    flow.counters.srtt_us = Host::microseconds(to.rtt_ms * (busy ? 1.4 : 1));
    flow.counters.packets_out = busy ? 40 : 0;
    to.asked_at.front() = second + 0.94;
    to.answered_at.front() = second + 0.945;
    look_at(host, to, 0, second + 0.95);
}

struct Habit {
    std::string_view name;
    int of_a_hundred;
    void (*second)(Host&, Destination&, double);
};
constexpr std::array habits{
    Habit{"asks and closes", 38, asks_and_closes},
    Habit{"is farther at times", 12, is_farther_at_times},
    Habit{"restarts", 8, restarts},
    Habit{"runs from cron", 4, runs_from_cron},
    Habit{"checks in vain", 3, checks_in_vain},
    Habit{"prefers what is quicker", 4, prefers_what_is_quicker},
    Habit{"opens on suspicion", 8, opens_on_suspicion},
    Habit{"scans", 1, scans},
    Habit{"keeps connections", 10, keeps_connections},
    Habit{"answers late at times", 6, answers_late_at_times},
    Habit{"polls long", 3, polls_long},
    Habit{"sends in bulk", 3, sends_in_bulk},
};

const Habit& habit_of(std::size_t number) {
    auto left = static_cast<int>(number % 100);
    for (const Habit& habit : habits) {
        if (left < habit.of_a_hundred) return habit;
        left -= habit.of_a_hundred;
    }
    return habits.front();
}

Destination destination(std::size_t number, Chance& chance) {
    return {.address = fmt::format("10.{}.{}.{}:{}", 1 + number % 9, number / 9 % 250, 1 + number % 250,
                                   number % 3 == 0 ? 443 : 8080),
            .other_address = fmt::format("[2001:db8:{:x}::1]:443", 1 + number),
            .who = {static_cast<std::uint32_t>(1'000 + number % 40), "service"},
            .per_second = std::clamp(chance.around(0.8, 1), 0.02, 20.0),
            .rtt_ms = std::clamp(chance.around(4, 1.5), 0.1, 200.0),
            .phase_s = chance.uniform(0, 600),
            .flows = {},
            .asked_at = {},
            .answered_at = {}};
}

struct Alarm {
    double at_s;
    model::Incident incident;
};

void observe(diagnosis::Engine& engine, Story& story, double second, std::vector<Alarm>& alarms) {
    const auto records = story.take(second + 1);
    auto next = records.begin();
    for (int tick = 1; tick <= 10; ++tick) {
        const double at_s = second + tick / 10.0;
        for (; next != records.end() && model::header_of(*next).at_ns <= support::boot_ns(at_s); ++next)
            engine.observe(*next);
        auto clock = model::make_record<netwatch_clock>(support::boot_ns(at_s));
        clock.realtime_ns = support::utc(at_s).ns;
        engine.observe(clock);
        for (auto& incident : engine.take_changes()) {
            if (!model::is_alarm(incident)) continue;
            const auto known = std::ranges::find(
                alarms, incident.id, [](const Alarm& alarm) -> const auto& { return alarm.incident.id; });
            if (known == alarms.end()) alarms.push_back({at_s, std::move(incident)});
        }
    }
}

std::string to_text(const model::Endpoint& endpoint) {
    return fmt::format("{}:{}", endpoint.ip.to_string(), endpoint.port);
}

int soak(std::uint64_t outcomes, std::size_t count, std::uint64_t seed) {
    Host host(seed);
    std::vector<Destination> destinations;
    for (std::size_t i = 0; i < count; ++i) destinations.push_back(destination(i, host.chance));
    diagnosis::Engine engine;
    std::vector<Alarm> alarms;
    double second = 0;
    for (; host.outcomes < outcomes; ++second) {
        for (std::size_t i = 0; i < count; ++i) habit_of(i).second(host, destinations[i], second);
        host.story.walk_ends(second + 0.96);
        observe(engine, host.story, second, alarms);
    }
    for (const Alarm& alarm : alarms) {
        const auto& incident = alarm.incident;
        const std::string address = incident.destination ? to_text(incident.destination->endpoint) : "-";
        const auto whose = std::ranges::find(destinations, address, &Destination::address);
        fmt::print("at {:.1f} s: {} {} of {} ({})\n", alarm.at_s, model::to_string(incident.type),
                   incident.cause.value_or("-"), address,
                   whose == destinations.end()
                       ? "a scan or several"
                       : habit_of(static_cast<std::size_t>(whose - destinations.begin())).name);
        for (const auto& item : incident.evidence) fmt::print("    {}\n", item.text);
    }
    fmt::print("{} outcomes of {} destinations in {:.2f} hours, seed {}: {} false alarms\n", host.outcomes,
               count, second / 3'600, seed, alarms.size());
    return alarms.empty() ? 0 : 1;
}

}  // namespace
}  // namespace netwatch

int main(int argc, char** argv) {
    CLI::App app("Plays a healthy host through the diagnosis and lists every alarm.");
    std::uint64_t outcomes = 15'000'000;
    std::size_t destinations = 1'000;
    std::uint64_t seed = 1;
    app.add_option("--outcomes", outcomes, "Connection attempts to play")->capture_default_str();
    app.add_option("--destinations", destinations)->capture_default_str();
    app.add_option("--seed", seed)->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    return netwatch::soak(outcomes, destinations, seed);
}
