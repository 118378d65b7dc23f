// SPDX-License-Identifier: Apache-2.0
#include "support/views.h"

#include <cmath>
#include <string>

namespace netwatch::support {
namespace {

using model::LadderStatus;
using model::Rung;

model::Endpoint endpoint(std::string_view text) { return *model::Endpoint::parse(text); }

model::DestinationRef named(std::string_view address, std::string name) {
    model::DestinationRef ref{endpoint(address)};
    ref.name = std::move(name);
    return ref;
}

// Two minutes of one second each; from `broken_after` seconds on every attempt fails and nothing is measured.
std::vector<model::SeriesPoint> series(core::UtcNs end, int broken_after, double rtt_us, double loss_share) {
    std::vector<model::SeriesPoint> points;
    for (int second = 0; second < 120; ++second) {
        const bool broken = second >= broken_after;
        model::SeriesPoint point;
        point.at = {end.ns - (120 - second) * std::int64_t{1'000'000'000}};
        point.attempts = second % 2 == 0 ? 1U : 2U;
        point.failed = broken ? point.attempts : 0U;
        if (!broken) point.rtt_us = rtt_us * (1 + 0.3 * std::sin(second / 7.0));
        if (!broken) point.loss_share = loss_share * (second % 5 == 0 ? 2 : 1);
        point.bytes = broken ? 0 : 8'192;
        points.push_back(point);
    }
    return points;
}

model::LadderSteps payments_steps() {
    return {{
        {Rung::dns, LadderStatus::ok, "41 of 41 resolved by 10.4.0.53 in 1.2 ms"},
        {Rung::ip, LadderStatus::ok, "10.4.7.21 answered on 22 and 9100 in the last 10 s"},
        {Rung::port, LadderStatus::failing,
         "0 of 23 connects in 42 s: SYN unanswered, 61 retransmits left this host"},
        {Rung::latency, LadderStatus::unknown, "nothing to measure since 19:42:25 (0.8 ms before)"},
        {Rung::loss, LadderStatus::ok, "2 established flows: 0 of 8,112 segments"},
        {Rung::route, LadderStatus::ok, "next hop 10.4.0.1 reachable; 2 neighbours in 10.4.7.0/24 fine"},
        {Rung::firewall, LadderStatus::failing, "one port, new connections only, no RST, no ICMP"},
        {Rung::service, LadderStatus::ok, "established flows answered in 12 ms"},
    }};
}

model::LadderSteps steps_not_asked() {
    model::LadderSteps steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        steps[i] = {model::all_rungs[i], LadderStatus::unknown, "not seen"};
    }
    return steps;
}

model::Incident firewall_incident() {
    model::Incident incident;
    incident.id = "n7c1e5a90b3d4";
    incident.state = model::IncidentState::open;
    incident.type = model::FailureType::firewall_block;
    incident.cause = "silent_drop";
    incident.candidates = {
        {model::FailureType::firewall_block, "silent_drop", 0.88, "a connect from another subnet"},
        {model::FailureType::connection_exhaustion, "remote_limit", 0.07,
         "the listener's backlog on 10.4.7.21"}};
    incident.confidence = 0.88;
    incident.severity = model::Severity::critical;
    incident.scope = {model::ScopeKind::destination, std::nullopt, {"10.4.7.21:443/tcp"}};
    incident.destination = named("10.4.7.21:443", "payments.internal");
    incident.source = {.netns = 4026531840,
                       .pid = 2214,
                       .comm = "checkout",
                       .cgroup = "/system.slice/checkout.service",
                       .container = {},
                       .pod = {},
                       .pod_namespace = {},
                       .workload = {},
                       .node = {}};
    incident.impact = {23, 23, 0, 1.0, {"checkout[2214]", "refund[2307]"}};
    incident.changes = {{at_time("19:42:23.310"), "nftables ruleset loaded (generation 41)", "firewalld[812]",
                         model::Bearing::touches}};
    incident.owner_hint = model::OwnerHint::platform;
    incident.first_affected_at = at_time("19:42:25.118");
    incident.opened_at = incident.detected_at = at_time("19:42:26.402");
    incident.summary = "New connections to payments.internal:443 (10.4.7.21) are dropped silently; other "
                       "ports of the host answer "
                       "and established flows live.";
    incident.evidence = {{"syn_unanswered", 23.0, "23 of 23 SYNs unanswered, 61 retransmits left this host",
                          at_time("19:43:07.000")},
                         {"sibling_port_answers", 2.0, "10.4.7.21 answered on 22 and 9100 within 10 s",
                          at_time("19:43:05.120")}};
    incident.ruled_out = {
        {model::FailureType::port_blocked, "a closed port answers with RST; none was received"},
        {model::FailureType::host_unreachable, "two other ports of the host answer"},
        {model::FailureType::packet_loss, "established flows lost 0 of 8,112 segments"}};
    incident.ladder = payments_steps();
    incident.root_cause = {"A filter on the way or on the host drops new connections to one port.",
                           model::FailureType::firewall_block, std::nullopt, std::nullopt};
    incident.advice = {{"On 10.4.7.21, see which rule covers the port; ask who changed it at 19:42.",
                        "nft list ruleset", model::Effect::read_only}};
    incident.observer = {0, {"tail-loss probes"}, model::Baseline::full};
    return incident;
}

model::Incident loss_incident() {
    model::Incident incident;
    incident.id = "n02b8c7716e5f";
    incident.state = model::IncidentState::open;
    incident.type = model::FailureType::packet_loss;
    incident.cause = "forward";
    incident.candidates = {{model::FailureType::packet_loss, "forward", 0.93, std::nullopt}};
    incident.confidence = 0.93;
    incident.severity = model::Severity::warning;
    incident.scope = {model::ScopeKind::region,
                      "europe",
                      {"10.88.1.4:443/tcp", "10.88.2.9:443/tcp", "[2001:db8:88::7]:8443/tcp"}};
    incident.destination = named("10.88.1.4:443", "eu-api.example");
    incident.impact = {310, 9, 14, 0.03, {"sync[918]"}};
    incident.owner_hint = model::OwnerHint::provider;
    incident.first_affected_at = at_time("19:39:57.000");
    incident.opened_at = at_time("19:40:02.000");
    incident.detected_at = at_time("19:40:03.000");
    incident.summary =
        "2.3 % of the segments towards europe are lost, the round trip is flat: loss on the path, not a "
        "full queue.";
    incident.evidence = {{"forward_loss", 0.023, "188 of 8,174 segments lost after 12 DSACKs were taken off",
                          at_time("19:43:06.000")}};
    incident.ladder = steps_not_asked();
    incident.ladder[4] = {Rung::loss, LadderStatus::degraded, "188 of 8,174 segments lost on 3 destinations"};
    incident.root_cause = {"Segments are lost on the way to three destinations of one region.",
                           model::FailureType::packet_loss, std::nullopt, std::nullopt};
    incident.advice = {{"Show the provider the loss per destination.", "netwatch why eu-api.example:443",
                        model::Effect::read_only}};
    incident.observer.baseline = model::Baseline::full;
    return incident;
}

model::Incident slow_symptom() {
    model::Incident incident;
    incident.id = "n5511aa20c9e8";
    incident.state = model::IncidentState::open;
    incident.type = model::FailureType::slow_service;
    incident.cause = "waiting";
    incident.candidates = {{model::FailureType::slow_service, "waiting", 0.9, std::nullopt}};
    incident.confidence = 0.9;
    incident.scope.members = {"10.4.2.8:8080/tcp"};
    incident.destination = model::DestinationRef{endpoint("10.4.2.8:8080")};
    incident.impact = {12, 0, 12, 0.8, {"gateway[1400]"}};
    incident.owner_hint = model::OwnerHint::app;
    incident.first_affected_at = at_time("19:42:28.000");
    incident.opened_at = incident.detected_at = at_time("19:42:31.000");
    incident.summary = "10.4.2.8:8080 takes 12 s to answer; its host acknowledges in 0.3 ms.";
    incident.evidence = {{"answer_late", 12.0, "12 requests acknowledged in 0.3 ms and unanswered for 12 s",
                          at_time("19:43:06.000")}};
    incident.ladder = steps_not_asked();
    incident.ladder[7] = {Rung::service, LadderStatus::failing, "12 of 12 requests wait for their answer"};
    incident.root_cause = {"It waits for payments.internal.", model::FailureType::firewall_block,
                           "n7c1e5a90b3d4", std::nullopt};
    incident.symptom = true;
    return incident;
}

model::DestinationRow clean_row(model::DestinationRef ref, std::string process, double per_s, double rtt_us) {
    model::DestinationRow row;
    row.ref = std::move(ref);
    row.netns = 4026531840;
    if (!process.empty()) row.processes = {std::move(process)};
    row.attempts = row.established = static_cast<std::uint64_t>(per_s * 1800);
    row.attempts_per_s = per_s;
    row.ok_share = 1.0;
    row.flows = 8;
    row.rtt_us = rtt_us;
    row.rtt_p99_us = rtt_us * 2.4;
    row.loss_share = 0.0;
    row.loss_in_share = 0.0;
    row.bytes_sent_per_s = 1.2e6 * per_s / 21;
    row.bytes_received_per_s = 8.6e6 * per_s / 21;
    row.last_success_at = at_time("19:43:06.500");
    row.series = series(at_time("19:43:07"), 200, rtt_us, 0.0);
    return row;
}

model::DestinationRow payments_row() {
    auto row = clean_row(named("10.4.7.21:443", "payments.internal"), "checkout[2214]", 0.5, 800);
    row.processes.emplace_back("refund[2307]");
    row.failed = 23;
    row.ok_share = 0.0;
    row.flows = 2;
    row.rtt_us = row.rtt_p99_us = row.loss_share = row.loss_in_share = std::nullopt;
    row.bytes_sent_per_s = row.bytes_received_per_s = 0;
    row.last_success_at = at_time("19:42:24.900");
    row.last_failure_at = at_time("19:43:06.800");
    row.severity = model::Severity::critical;
    row.type = model::FailureType::firewall_block;
    row.incident = "n7c1e5a90b3d4";
    row.series = series(at_time("19:43:07"), 78, 800, 0.0);
    return row;
}

model::DestinationRow europe_row() {
    auto row = clean_row(named("10.88.1.4:443", "eu-api.example"), "sync[918]", 4.1, 82'000);
    row.failed = 9;
    row.ok_share = 0.97;
    row.rtt_p99_us = 412'000;
    row.loss_share = 0.023;
    row.severity = model::Severity::warning;
    row.type = model::FailureType::packet_loss;
    row.incident = "n02b8c7716e5f";
    row.series = series(at_time("19:43:07"), 200, 82'000, 0.023);
    return row;
}

model::DestinationRow resolver_row() {
    auto row = clean_row({}, "", 55.2, 1'100);
    row.ref.endpoint = endpoint("10.4.0.53:53/udp");
    return row;
}

model::DestinationRow quic_row() {
    model::DestinationRow row;
    row.ref.endpoint = endpoint("[2001:db8:10::21]:443/udp");
    row.processes = {"chromium[3120]"};
    row.bytes_received_per_s = 312'000;
    row.judged = false;
    return row;
}

std::vector<model::CounterSourceStatus> counters() {
    return {{"/proc/net/netstat", true, "overflows of accept queues", ""},
            {"/proc/net/sockstat", true, "connections in TIME_WAIT", ""},
            {"/proc/net/stat/nf_conntrack", false, "a full connection table looks like a rule that drops",
             "/proc/thread-self/net/stat/nf_conntrack: No such file or directory"}};
}

std::vector<model::HookStatus> hooks(bool whole) {
    std::vector<model::HookStatus> plan = {
        {"connection life cycle", "tp_btf/inet_sock_set_state", "best", "", ""},
        {"connect results", "tracepoint/syscalls/sys_exit_connect", "fallback", "", "fexit refused: EPERM"},
        {"retransmits", "tp_btf/tcp_retransmit_skb", "best", "", ""},
    };
    if (whole) {
        plan.push_back({"tail-loss probes", "tp_btf/tcp_retransmit_skb", "best", "", ""});
    } else {
        plan.push_back({"tail-loss probes", "tp_btf/tcp_retransmit_skb", "fallback",
                        "not told from fast retransmits", "kernel before 5.18"});
        plan.push_back(
            {"ICMP sent", "", "missing", "rejects that this host sends are not seen", "no such tracepoint"});
    }
    return plan;
}

model::HostView host() {
    model::HostView view;
    view.hostname = "web-7";
    view.kernel = "6.18.44";
    view.boot_id = "1b0e9d4e-7c1b-4d43-9a7e-0d6e3a5f2b10";
    view.agent_version = "0.1.0";
    view.at = at_time("19:43:07.000");
    view.started_at = at_time("19:05:01.000");
    view.observer.sockets = 57;
    view.observer.last_walk_at = at_time("19:43:06.900");
    view.observer.recording = "/var/lib/netwatch/recording";
    view.observer.accounts = {{"connect", 41'200, 1'200, 40'000, 0}, {"retransmit", 260, 0, 260, 0}};
    return view;
}

model::Incident healed(model::Incident incident) {
    incident.state = model::IncidentState::resolved;
    incident.resolved_at = at_time("19:40:01.000");
    incident.resolution = model::Resolution::healed;
    incident.first_affected_at = at_time("19:38:51.000");
    incident.opened_at = incident.detected_at = at_time("19:38:53.000");
    return incident;
}

}  // namespace

core::UtcNs at_time(std::string_view time_of_day) {
    return *core::parse_rfc3339("2026-11-22T" + std::string(time_of_day) + "Z");
}

model::HostView failing_view() {
    model::HostView view = host();
    view.attempts_per_s = 80.8;
    view.incidents = {firewall_incident(), loss_incident(), slow_symptom()};
    view.destinations = {payments_row(), europe_row(),
                         clean_row(named("10.4.3.30:5432", "db.internal"), "orders[1203]", 21.0, 400),
                         resolver_row(), quic_row()};
    view.observer.destinations = 5;
    view.observer.udp_not_judged = 1;
    view.observer.lost_records = 12;
    view.observer.hooks = hooks(false);
    view.observer.counters = counters();
    return view;
}

model::HostView healthy_view() {
    model::HostView view = host();
    view.attempts_per_s = 77.1;
    view.incidents = {healed(firewall_incident())};
    view.destinations = {resolver_row(),
                         clean_row(named("10.4.3.30:5432", "db.internal"), "orders[1203]", 21.0, 400),
                         clean_row(named("10.4.7.21:443", "payments.internal"), "checkout[2214]", 0.5, 800),
                         clean_row({endpoint("[2001:db8:10::21]:443")}, "sync[918]", 0.4, 11'000)};
    view.observer.destinations = 4;
    view.observer.hooks = hooks(true);
    return view;
}

model::HostView empty_view() {
    model::HostView view = host();
    view.started_at = at_time("19:43:03.000");
    view.observer.hooks = hooks(true);
    return view;
}

model::HostView hostile_view() {
    const std::string evil(hostile_text);
    model::HostView view = failing_view();
    view.hostname = view.kernel = evil;
    for (auto& incident : view.incidents) {
        incident.id += evil;
        incident.cause = incident.summary = evil;
        incident.scope.value = evil;
        incident.scope.members = {evil};
        if (incident.destination) incident.destination->name = evil;
        incident.source.comm = incident.source.cgroup = incident.source.pod = evil;
        incident.impact.processes = {evil};
        incident.changes = {{incident.opened_at, evil, evil}};
        for (auto& candidate : incident.candidates) candidate.would_split = candidate.cause = evil;
        for (auto& item : incident.evidence) item.text = item.signal = evil;
        for (auto& ruled : incident.ruled_out) ruled.because = evil;
        for (auto& step : incident.ladder) step.evidence = evil;
        for (auto& advice : incident.advice) advice.text = evil, advice.command = evil;
        incident.root_cause.statement = evil;
        incident.root_cause.offender = evil;
        incident.observer.missing_hooks = {evil};
    }
    for (auto& row : view.destinations) {
        row.ref.name = row.ref.sni = row.ref.region = evil;
        row.processes = {evil};
        if (row.incident) *row.incident += evil;
    }
    for (auto& hook : view.observer.hooks) hook = {evil, evil, hook.state, evil, evil};
    view.observer.recording_error = evil;
    return view;
}

model::Ladder payments_ladder() {
    model::Ladder ladder;
    ladder.target = "payments.internal:443";
    ladder.destinations = {named("10.4.7.21:443", "payments.internal")};
    ladder.verdict = model::LadderVerdict::failing;
    ladder.summary = firewall_incident().summary;
    ladder.steps = payments_steps();
    ladder.incidents = {"n7c1e5a90b3d4"};
    ladder.advice = firewall_incident().advice;
    return ladder;
}

}  // namespace netwatch::support
