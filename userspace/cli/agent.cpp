// SPDX-License-Identifier: Apache-2.0
#include "service/agent.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/command.h"
#include "core/when.h"
#include "service/sensor_capture.h"
#include "service/signals.h"

namespace netwatch::cli {
namespace {

struct Options {
    service::AgentOptions agent;
    std::uint64_t record_max_mib = recorder::Retention{}.max_bytes >> 20;
    std::string record_max_age = "7d";
    std::string dump_before = "5m";
    std::string dump_after = "1m";
    std::size_t dump_keep = service::DumpPolicy{}.most;
    std::uint64_t dump_max_mib = service::DumpPolicy{}.most_bytes >> 20;
    bool no_record = false;
    bool no_dns = false;
    bool no_tls = false;
};

constexpr const char* footer =
    "Examples:\n"
    "  sudo netwatch agent                                  all namespaces of this machine\n"
    "  sudo netwatch agent --netns /run/netns/blue          one of them; may be repeated\n"
    "  sudo netwatch agent --ready-file /run/netwatch/ready there when the first walk is done\n"
    "\n"
    "Ends with SIGINT or SIGTERM. What is recorded lies in the state directory: see `netwatch dump`.";

core::Result<std::chrono::seconds> seconds_of(const char* option, const std::string& text) {
    const auto span = core::parse_duration(text);
    if (!span) return std::unexpected(span.error().within(option));
    return std::chrono::seconds(*span / core::ns_per_s);
}

core::Result<void> set_recording(Options& options) {
    const auto age = seconds_of("--record-max-age", options.record_max_age);
    const auto before = seconds_of("--dump-before", options.dump_before);
    const auto after = seconds_of("--dump-after", options.dump_after);
    for (const auto& given : {age, before, after}) {
        if (!given) return std::unexpected(given.error());
    }
    recorder::Retention retention;
    retention.max_bytes = options.record_max_mib << 20;
    retention.max_age = *age;
    retention.segment_bytes = std::min(retention.segment_bytes, retention.max_bytes / 4);
    options.agent.record = retention;
    service::DumpPolicy policy;
    policy.before = *before;
    policy.after = *after;
    policy.most = options.dump_keep;
    policy.most_bytes = options.dump_max_mib << 20;
    options.agent.dumps = policy;
    if (options.dump_keep == 0) options.agent.dumps.reset();
    if (options.no_record) options.agent.record.reset();
    return {};
}

core::Result<core::ExitCode> run_agent(Options& options, const Globals& globals) {
    // stdout is for data, and this command has none.
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    auto regions = globals.load_regions();
    if (!regions) return std::unexpected(regions.error());
    options.agent.regions = std::move(*regions);
    if (auto allowed = service::check_privileges(); !allowed) return std::unexpected(allowed.error());
    const service::SignalFd signals;
    options.agent.socket = globals.socket;
    options.agent.state_dir = globals.state_dir.value_or(service::default_state_dir);
    if (auto set = set_recording(options); !set) return std::unexpected(set.error());
    options.agent.watch_dns = !options.no_dns;
    options.agent.watch_tls = !options.no_tls;
    auto agent = service::Agent::start(options.agent, service::open_sensor);
    if (!agent) return std::unexpected(agent.error());
    spdlog::info("observing; ask at {}", globals.socket.string());
    signals.wait((*agent)->ended_fd());
    if (auto ended = (*agent)->stop(); !ended) return std::unexpected(ended.error());
    return core::ExitCode::fine;
}

}  // namespace

Command add_agent(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("agent", "observe, diagnose, record, and answer the other commands");
    const auto options = std::make_shared<Options>();
    command
        ->add_option("--netns", options->agent.netns,
                     "observe this network namespace (repeatable; default: all)")
        ->type_name("PATH")
        ->expected(1)
        ->take_all();
    command
        ->add_option("--ready-file", options->agent.ready_file,
                     "made when the first walk is done, gone at the end")
        ->type_name("PATH");
    command->add_flag("--no-record", options->no_record, "write no recording");
    command
        ->add_option("--record-max-mib", options->record_max_mib,
                     "all recordings together; the oldest go first")
        ->type_name("MIB")
        ->check(CLI::Range(std::uint64_t{4}, std::uint64_t{1} << 30).description(""))
        ->capture_default_str();
    command->add_option("--record-max-age", options->record_max_age, "older segments go")
        ->type_name("SPAN")
        ->capture_default_str();
    command
        ->add_option("--dump-before", options->dump_before,
                     "when an incident opens a dump is made by itself: of the time before")
        ->type_name("SPAN")
        ->capture_default_str();
    command->add_option("--dump-after", options->dump_after, "and of the time after")
        ->type_name("SPAN")
        ->capture_default_str();
    command->add_option("--dump-keep", options->dump_keep, "so many of those are kept; 0: none is made")
        ->type_name("N")
        ->check(CLI::Range(std::size_t{0}, std::size_t{10'000}).description(""))
        ->capture_default_str();
    command->add_option("--dump-max-mib", options->dump_max_mib, "all of them together")
        ->type_name("MIB")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 30).description(""))
        ->capture_default_str();
    command->add_option("--ring-size", options->agent.ring_bytes, "of the ring buffer, a power of two")
        ->type_name("BYTES")
        ->check(CLI::Range(std::uint32_t{4096}, std::uint32_t{1} << 30).description(""))
        ->capture_default_str();
    command
        ->add_option("--no-feature", options->agent.disabled_features,
                     "do without a kernel feature, as if it were missing (repeatable)")
        ->type_name("NAME")
        ->expected(1)
        ->take_all();
    command->add_flag("--no-dns", options->no_dns, "read no DNS messages: no names, no DNS failures");
    command->add_flag("--no-tls", options->no_tls, "read no beginnings of TLS connections");
    command->footer(footer);
    return {command, [options, &globals] { return run_agent(*options, globals); }};
}

}  // namespace netwatch::cli
