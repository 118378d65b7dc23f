// SPDX-License-Identifier: Apache-2.0
#include "cli/feeds.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "service/agent.h"
#include "service/sensor_capture.h"

namespace netwatch::cli {
namespace {

constexpr auto patience = std::chrono::seconds(5);

class SocketFeed : public top::Feed {
public:
    explicit SocketFeed(service::Client client) : client_(std::move(client)) {}
    core::Result<model::HostView> view() override { return client_.view(); }
    core::Result<model::Ladder> ladder(const model::Endpoint& target) override {
        return client_.ladder(target);
    }

private:
    service::Client client_;
};

class EmbeddedFeed : public top::Feed {
public:
    explicit EmbeddedFeed(std::unique_ptr<service::Agent> agent) : agent_(std::move(agent)) {}
    core::Result<model::HostView> view() override { return *agent_->pipeline().view(); }
    core::Result<model::Ladder> ladder(const model::Endpoint& target) override {
        return agent_->pipeline().ladder(target);
    }

private:
    std::unique_ptr<service::Agent> agent_;
};

}  // namespace

core::Result<std::unique_ptr<top::Feed>> open_feed(const Globals& globals, bool& embedded) {
    const auto client = globals.client();
    const auto reached = client.reach();
    embedded = false;
    if (reached) return std::make_unique<SocketFeed>(client);
    if (reached.error().exit_code == core::ExitCode::usage) return std::unexpected(reached.error());
    if (auto allowed = service::check_privileges(); !allowed) {
        return core::fail(fmt::format("{}, and this process cannot observe itself: {}",
                                      reached.error().message, allowed.error().message),
                          allowed.error().hint, allowed.error().exit_code);
    }
    // A screen is no place for a log: what it would say is in the view.
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
    spdlog::set_level(spdlog::level::err);
    service::AgentOptions options;
    options.state_dir = globals.state_dir;
    auto agent = service::Agent::start(std::move(options), service::open_sensor);
    if (!agent) return std::unexpected(agent.error());
    if (!(*agent)->wait_until_ready(patience)) fmt::print(stderr, "netwatch: the first walk takes long\n");
    embedded = true;
    return std::make_unique<EmbeddedFeed>(std::move(*agent));
}

}  // namespace netwatch::cli
