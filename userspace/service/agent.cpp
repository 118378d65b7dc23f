// SPDX-License-Identifier: Apache-2.0
#include "service/agent.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "service/host_facts.h"
#include "service/socket_path.h"

namespace netwatch::service {
namespace {

void signal_fd(const core::Fd& fd) {
    const std::uint64_t one = 1;
    (void)!::write(fd.get(), &one, sizeof(one));  // fails only if it is readable already
}

std::map<std::string, std::string> config_of(const AgentOptions& options) {
    std::map<std::string, std::string> config{{"ring_size", std::to_string(options.ring_bytes)}};
    std::vector<std::string> netns;
    for (const auto& path : options.netns) netns.push_back(path.string());
    config["netns"] = netns.empty() ? "all" : fmt::format("{}", fmt::join(netns, " "));
    config["no_feature"] = fmt::format("{}", fmt::join(options.disabled_features, " "));
    config["regions"] = std::to_string(options.regions.size());
    if (options.record) {
        config["record_max_mib"] = std::to_string(options.record->max_bytes >> 20);
        config["record_max_age_s"] = std::to_string(options.record->max_age.count());
    }
    return config;
}

}  // namespace

Agent::Agent(AgentOptions options)
    : options_(std::move(options)),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Agent::~Agent() { (void)stop(); }

core::Result<std::unique_ptr<Agent>> Agent::start(AgentOptions options, const OpenCapture& open_capture) {
    std::unique_ptr<Agent> agent(new Agent(std::move(options)));
    const auto capture_options = agent->prepare();
    if (!capture_options) return std::unexpected(capture_options.error());
    auto capture = open_capture(*capture_options);
    if (!capture) return std::unexpected(capture.error());
    if (auto launched = agent->launch(std::move(*capture)); !launched)
        return std::unexpected(launched.error());
    return agent;
}

// Everything that can be wrong with the options, before anything is put into the kernel.
core::Result<CaptureOptions> Agent::prepare() {
    CaptureOptions capture{
        {}, options_.ring_bytes, options_.disabled_features, options_.watch_dns, options_.watch_tls};
    for (const auto& path : options_.netns) {
        const auto inode = netns_inode(path);
        if (!inode) return std::unexpected(inode.error());
        capture.netns.push_back(*inode);
    }
    if (!options_.state_dir) {
        auto made = PrivateDirectory::make();
        if (!made) return std::unexpected(made.error());
        private_directory_.emplace(std::move(*made));
        options_.state_dir = private_directory_->path();
    }
    auto state = recorder::StateDirectory::hold(*options_.state_dir);
    if (!state) return std::unexpected(state.error());
    state_ = std::move(*state);
    if (options_.socket) {
        if (auto prepared = prepare_socket_path(*options_.socket); !prepared)
            return std::unexpected(prepared.error());
    }
    return capture;
}

core::Result<void> Agent::launch(std::unique_ptr<Capture> capture) {
    const auto host = host_record(static_cast<std::uint32_t>(options_.netns.size()));
    pipeline_ = std::make_unique<Pipeline>(
        host, PipelineOptions{&*state_, options_.record, private_directory_ ? std::nullopt : options_.dumps,
                              config_of(options_)});
    for (const auto& region : options_.regions) {
        auto record = region_record(region, boot_now());
        pipeline_->deliver(model::writable_bytes_of(record));
    }
    if (options_.socket) {
        auto server = Server::listen(*options_.socket, *pipeline_);
        if (!server) return std::unexpected(server.error());
        server_ = std::move(*server);
    }
    context_ = std::make_unique<ContextWorker>(options_.netns);
    changes_ = std::make_unique<ChangeWatch>(options_.netns);
    counters_ = std::make_unique<CounterWorker>(options_.netns);
    loop_ = std::make_unique<CaptureLoop>(std::move(capture), *pipeline_, *context_, *changes_, *counters_);
    thread_ = std::thread([this] { run(); });
    return {};
}

void Agent::run() {
    outcome_ = loop_->run(stop_.get(), [this] { become_ready(); });
    signal_fd(ended_);
}

void Agent::become_ready() {
    if (options_.ready_file) {
        const auto written =
            recorder::write_atomically(*options_.ready_file, fmt::format("{}\n", ::getpid()));
        if (!written) spdlog::error("the ready file: {}", written.error().message);
    }
    const std::lock_guard lock(mutex_);
    ready_ = true;
    changed_.notify_all();
}

bool Agent::wait_until_ready(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return ready_; });
}

core::Result<void> Agent::stop() {
    if (!pipeline_) return {};
    signal_fd(stop_);
    if (thread_.joinable()) thread_.join();
    std::error_code ignored;
    if (options_.ready_file && ready_) std::filesystem::remove(*options_.ready_file, ignored);
    loop_.reset();
    changes_.reset();
    context_.reset();
    counters_.reset();
    pipeline_->broadcast().close();
    server_.reset();
    pipeline_->finish();
    pipeline_.reset();
    return outcome_;
}

}  // namespace netwatch::service
