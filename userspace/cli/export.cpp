// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/output_file.h"
#include "cli/recorded.h"
#include "present/export.h"
#include "recorder/connections.h"

namespace netwatch::cli {
namespace {

struct Options {
    RecordedOptions recorded;
    std::string format;
    std::string output = "-";
};

constexpr std::size_t write_from_bytes = 1U << 20;
constexpr std::size_t most_waiting = 100'000;
constexpr std::size_t most_alive = 200'000;

constexpr const char* footer =
    "Examples:\n"
    "  netwatch export outage.db --format jsonl | jq 'select(.kind == \"connection\" and .outcome != "
    "\"closed\")'\n"
    "  netwatch export outage.db --format perfetto -o outage.pftrace      opens in the Perfetto UI\n"
    "  sudo netwatch export --since 1h --format jsonl -o hour.jsonl       of what this host's agent "
    "recorded\n"
    "\n"
    "jsonl: one object a line, docs/schemas/export.schema.json; \"kind\" tells what it is.\n"
    "Needs no privileges but to read the recording.";

// A recording played into a form of export. Connections need both clocks, which the CLOCK record at the end
// of a batch tells: the records wait for it.
class Teller {
public:
    Teller(present::Export& to, OutputFile& output) : to_(to), output_(output) {}

    void add(model::RecordRef record) {
        batch_.push_back(record.copy());
        if (batch_.size() >= most_waiting) fold();  // a recording without CLOCKs: the last one has to do
    }
    void add(diagnosis::Past past) {
        std::ranges::stable_sort(past.seconds, {}, &model::DestinationSecond::at);
        for (const auto& second : past.seconds) to_.add(second);
        for (const auto& event : past.events) to_.add(event);
    }
    // After each CLOCK.
    [[nodiscard]] core::Result<void> go_on() {
        const auto* clock = batch_.empty() ? nullptr : std::get_if<netwatch_clock>(&batch_.back());
        if (clock == nullptr) return {};
        anchor_ = core::ClockAnchor(clock->header.at_ns, {clock->realtime_ns});
        fold();
        for (const auto& connection : connections_.take_ended()) to_.add(connection);
        return flush(write_from_bytes);
    }
    [[nodiscard]] core::Result<void> finish(const service::Playback& playback) {
        for (const auto& connection : connections_.take_rest()) to_.add(connection);
        to_.end(playback.incidents(), playback.at());
        return flush(0);
    }

private:
    void fold() {
        for (const auto& record : batch_) connections_.add(record, anchor_);
        batch_.clear();
    }
    [[nodiscard]] core::Result<void> flush(std::size_t from_bytes) {
        return to_.size() < from_bytes ? core::Result<void>{} : output_.write(to_.take());
    }

    present::Export& to_;
    OutputFile& output_;
    core::ClockAnchor anchor_;
    std::vector<model::Record> batch_;  // since the last CLOCK
    recorder::Connections connections_{most_alive};
};

core::Result<core::ExitCode> export_recorded(const Options& options, const Globals& globals) {
    const bool is_trace = options.format == "perfetto";
    if (is_trace && options.output == "-" && ::isatty(STDOUT_FILENO) != 0)
        return core::usage_error("a trace is no text for a terminal", "write it to a file with -o");
    auto output = OutputFile::open(options.output);
    if (!output) return std::unexpected(output.error());
    const auto form = is_trace ? present::perfetto_trace() : present::json_lines();
    Teller teller(*form, *output);
    auto playback =
        open_recorded(options.recorded, globals, [&](diagnosis::Past past) { teller.add(std::move(past)); });
    if (!playback) return std::unexpected(playback.error());

    form->begin({.source = options.recorded.path(globals).filename().string(),
                 .hostname = playback->meta().hostname,
                 .kernel = playback->meta().kernel,
                 .agent_version = playback->meta().agent_version,
                 .begins = core::parse_rfc3339(playback->meta().began_at).value_or(core::UtcNs{})});
    core::Result<void> damage;
    for (;;) {
        const auto stepped = playback->step([&](model::RecordRef record) { teller.add(record); });
        if (!stepped && damage) damage = std::unexpected(stepped.error());
        if (auto told = teller.go_on(); !told) return std::unexpected(told.error());
        if (stepped && !*stepped) break;
    }
    if (auto told = teller.finish(*playback); !told) return std::unexpected(told.error());
    if (auto done = output->commit(); !done) return std::unexpected(done.error());
    if (form->left_out() > 0)
        fmt::print(stderr, "netwatch: {} connections that overlap too many others are left out\n",
                   form->left_out());
    if (!damage) return std::unexpected(damage.error());
    return core::ExitCode::fine;
}

}  // namespace

Command add_export(CLI::App& app, const Globals& globals) {
    auto* command = app.add_subcommand("export", "what was recorded, for other programs");
    const auto options = std::make_shared<Options>();
    options->recorded.add_to(*command);
    command->add_option("--format", options->format, "jsonl or perfetto")
        ->required()
        ->check(CLI::IsMember({"jsonl", "perfetto"}))
        ->type_name("FORMAT");
    command->add_option("-o,--output", options->output, "where to write it; - for stdout")
        ->type_name("FILE")
        ->capture_default_str();
    command->footer(footer);
    return {command, [options, &globals] { return export_recorded(*options, globals); }};
}

}  // namespace netwatch::cli
