// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "cli/command.h"
#include "cli/output.h"
#include "context/counters.h"
#include "model/counters.h"
#include "present/incidents.h"
#include "present/inert.h"
#include "present/json.h"
#include "present/text.h"
#if NETWATCH_WITH_BPF
#include "sensor/facts.h"
#include "sensor/plan.h"
#endif

namespace netwatch::cli {
namespace {

struct Options {
    bool json = false;
};

constexpr const char* footer = "Every signal with the hook that this kernel allows, what would be missed, "
                               "and how to mend it. Works without an\n"
                               "agent; where one answers, its hooks and its accounts are shown.\n"
                               "\n"
                               "Examples:\n"
                               "  sudo netwatch check\n"
                               "  sudo netwatch check --json\n"
                               "\n"
                               "Exit 4: connections cannot be seen.";

// What could be found out, by asking the agent or the kernel.
struct Findings {
    std::string kernel;
    std::string host; /* one line about it */
    std::vector<model::HookStatus> hooks;
    std::vector<model::CounterSourceStatus> counters;
    bool observable = true;
    std::optional<model::HostView> agent;
};

#if NETWATCH_WITH_BPF
std::string_view state_name(netwatch_hook_state state) {
    switch (state) {
        case NETWATCH_HOOK_BEST: return "best";
        case NETWATCH_HOOK_FALLBACK: return "fallback";
        case NETWATCH_HOOK_MISSING: return "missing";
    }
    return "missing";
}

core::Result<Findings> ask_kernel() {
    const auto facts = sensor::gather_facts();
    if (!facts) return std::unexpected(facts.error());
    Findings findings;
    findings.kernel = facts->release;
    const auto cgroup =
        facts->cgroup2_mount.empty() ? "no cgroup v2" : "cgroup v2 at " + facts->cgroup2_mount;
    findings.host = fmt::format("kernel {}, BTF, {}, {}", facts->release, cgroup,
                                ::geteuid() == 0 ? "root" : "not root, with the capabilities");
    for (const auto& hook : sensor::make_plan(*facts, {}).hooks) {
        if (hook.vital && hook.state == NETWATCH_HOOK_MISSING) findings.observable = false;
        findings.hooks.push_back(
            {hook.signal, hook.hook, std::string(state_name(hook.state)), hook.lost, hook.reason});
    }
    return findings;
}
#else
core::Result<Findings> ask_kernel() {
    return core::fail("this netwatch was built without the programs: it cannot observe a host itself",
                      "build it with -DNETWATCH_WITH_BPF=ON", core::ExitCode::privilege_missing);
}
#endif

// What could be read of this host's counters here and now.
std::vector<model::CounterSourceStatus> read_counters() {
    context::HostCounters counters;
    const context::HostCounters::Place own{counters.namespaces().own(), 0};
    std::vector<std::uint32_t> gone;
    const auto readings = counters.read(std::span(&own, 1), gone);
    std::vector<model::CounterSourceStatus> sources;
    for (const auto& source : model::counter_sources()) {
        const auto missing = readings.missing.find(source.number);
        const bool there = missing == readings.missing.end();
        sources.push_back({std::string(source.place), there, std::string(source.lost),
                           there ? std::string() : missing->second});
    }
    return sources;
}

// What an agent has attached tells more than what could be attached.
core::Result<Findings> find_out(const Globals& globals) {
    auto agent = globals.client().view();
    auto findings = ask_kernel();
    if (findings) findings->counters = read_counters();
    if (!agent) return findings;
    if (!findings) {
        findings = Findings{};
        findings->kernel = agent->kernel;
        findings->host = fmt::format("kernel {}, as the agent sees it", agent->kernel);
    }
    if (!agent->observer.hooks.empty()) findings->hooks = agent->observer.hooks;
    if (!agent->observer.counters.empty()) findings->counters = agent->observer.counters;
    findings->observable = true;
    findings->agent = std::move(*agent);
    return findings;
}

std::string ability(const Findings& findings) {
    if (!findings.observable) return "connections cannot be seen on this kernel";
    const auto count = [&](std::string_view state) {
        return std::ranges::count(findings.hooks, state, &model::HookStatus::state);
    };
    std::string text = fmt::format("connections are seen; {} of {} signals by their best hook", count("best"),
                                   findings.hooks.size());
    if (count("fallback") > 0) text += fmt::format(", {} by another one", count("fallback"));
    if (count("missing") > 0) text += fmt::format(", {} missing", count("missing"));
    return text;
}

std::string recording_text(const model::ObserverStatus& observer) {
    if (observer.recording_error) return "nothing is recorded: " + present::inert(*observer.recording_error);
    if (observer.recording) return "recording: " + present::inert(*observer.recording);
    return "no recording (--no-record)";
}

std::string account_text(const model::HostView& view) {
    std::string text = fmt::format("\nagent {} since {}: {} records lost\n", view.agent_version,
                                   core::to_rfc3339(view.started_at), view.observer.lost_records);
    text += "  " + recording_text(view.observer) + "\n";
    for (const auto& row : view.observer.accounts) {
        text += fmt::format("  {:<18} {:>12} seen  {:>12} emitted  {:>12} filtered  {:>8} dropped\n",
                            row.kind, row.seen, row.emitted, row.filtered, row.dropped);
    }
    text += fmt::format(
        "  {} DNS messages or TLS handshakes could not be read (dns_message, tls_event: filtered)\n",
        present::unreadable(view.observer));
    return text;
}

nlohmann::json to_json(const Findings& findings) {
    auto hooks = nlohmann::json::array();
    for (const auto& hook : findings.hooks) {
        hooks.push_back({{"signal", hook.signal},
                         {"hook", hook.hook},
                         {"state", hook.state},
                         {"lost", hook.lost},
                         {"reason", hook.reason}});
    }
    auto counters = nlohmann::json::array();
    for (const auto& source : findings.counters) counters.push_back(present::to_json(source));
    nlohmann::json agent = nullptr;
    if (findings.agent) {
        agent = {{"version", findings.agent->agent_version},
                 {"started_at", core::to_rfc3339(findings.agent->started_at)},
                 {"observer", present::to_json(findings.agent->observer)}};
    }
    return {{"schema", "netwatch.check/1"},
            {"kernel", findings.kernel},
            {"connections_visible", findings.observable},
            {"hooks", hooks},
            {"counters", counters},
            {"agent", agent}};
}

core::Result<core::ExitCode> check(const Options& options, const Globals& globals) {
    const auto findings = find_out(globals);
    if (!findings) return std::unexpected(findings.error());
    const auto style = present::detect_style(STDOUT_FILENO, globals.no_color);
    std::string text;
    if (options.json) {
        text = present::to_text(to_json(*findings), 1) + "\n";
    } else {
        text = present::check_text(findings->host, findings->hooks, ability(*findings), style);
        text += "\n" + present::counters_text(findings->counters, style);
        if (findings->agent) text += account_text(*findings->agent);
    }
    if (auto printed = print(text); !printed) return std::unexpected(printed.error());
    return findings->observable ? core::ExitCode::fine : core::ExitCode::privilege_missing;
}

}  // namespace

Command add_check(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("check", "what this kernel and these privileges allow");
    const auto options = std::make_shared<Options>();
    command->add_flag("--json", options->json, "JSON as docs/schemas/check.schema.json has it");
    command->footer(footer);
    return {command, [options, &globals] { return check(*options, globals); }};
}

}  // namespace netwatch::cli
