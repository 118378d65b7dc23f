// SPDX-License-Identifier: Apache-2.0
#include "service/agent.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "cli/command.h"
#include "service/sensor_capture.h"
#include "service/signals.h"

namespace netwatch::cli {
namespace {

struct Options {
    service::AgentOptions agent;
    std::uint64_t record_max_mib = recorder::Retention{}.max_bytes >> 20;
    bool no_record = false;
};

constexpr const char* footer =
    "Examples:\n"
    "  sudo netwatch agent                                  all namespaces of this machine\n"
    "  sudo netwatch agent --netns /run/netns/blue          one of them; may be repeated\n"
    "  sudo netwatch agent --ready-file /run/netwatch/ready there when the first walk is done\n"
    "\n"
    "Ends with SIGINT or SIGTERM. The recording is recording.db in the state directory.";

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
    options.agent.record = recorder::Retention{.max_bytes = options.record_max_mib << 20};
    if (options.no_record) options.agent.record.reset();
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
    command->footer(footer);
    return {command, [options, &globals] { return run_agent(*options, globals); }};
}

}  // namespace netwatch::cli
