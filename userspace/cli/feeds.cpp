// SPDX-License-Identifier: Apache-2.0
#include "cli/feeds.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <mutex>
#include <optional>
#include <utility>

#include "present/table.h"
#include "service/agent.h"
#include "service/sensor_capture.h"
#include "service/worker.h"

namespace netwatch::cli {
namespace {

constexpr auto patience = std::chrono::seconds(5);

// Asks on a thread of its own: an agent that is busy, stopped or gone does not hold up the screen.
class SocketFeed : public top::Feed {
public:
    explicit SocketFeed(service::Client client) : client_(std::move(client)) {}
    ~SocketFeed() override { client_.cancel(); }
    core::Result<model::HostView> view() override { return client_.view(); }
    void ask(top::Question question) override {
        worker_.hand([this, question = std::move(question)] {
            auto answer = answer_to(question);
            const std::lock_guard lock(mutex_);
            answer_ = std::move(answer);
        });
    }
    std::optional<core::Result<top::Answer>> take() override {
        const std::lock_guard lock(mutex_);
        return std::exchange(answer_, std::nullopt);
    }

private:
    [[nodiscard]] core::Result<top::Answer> answer_to(const top::Question& question) const {
        auto view = client_.view({question.query, top::Question::most_rows, question.series_after});
        if (!view) return std::unexpected(view.error());
        top::Answer answer{question, std::move(*view), {}};
        if (question.ladder_of) answer.ladder = client_.ladder(*question.ladder_of);
        return answer;
    }

    const service::Client client_;
    std::mutex mutex_;
    std::optional<core::Result<top::Answer>> answer_; /* under mutex_ */
    service::Worker worker_;                          /* last: it ends first */
};

class EmbeddedFeed : public top::Feed {
public:
    explicit EmbeddedFeed(std::unique_ptr<service::Agent> agent) : agent_(std::move(agent)) {}
    core::Result<model::HostView> view() override { return *agent_->pipeline().view(); }
    void ask(top::Question question) override {
        auto& pipeline = agent_->pipeline();
        answer_ = top::Answer{question,
                              present::narrowed(*pipeline.view(), question.query, top::Question::most_rows,
                                                question.series_after),
                              {}};
        if (question.ladder_of) answer_->ladder = pipeline.ladder(*question.ladder_of);
    }
    std::optional<core::Result<top::Answer>> take() override { return std::exchange(answer_, std::nullopt); }

private:
    std::unique_ptr<service::Agent> agent_;
    std::optional<top::Answer> answer_;
};

}  // namespace

core::Result<std::unique_ptr<top::Feed>> open_feed(const Globals& globals, bool& embedded) {
    auto regions = globals.load_regions();
    if (!regions) return std::unexpected(regions.error());
    const auto client = globals.client();
    const auto reached = client.reach();
    embedded = false;
    if (reached) {
        if (globals.regions)
            fmt::print(stderr, "netwatch: the agent has its own regions; --regions is for one without\n");
        return std::make_unique<SocketFeed>(client);
    }
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
    options.regions = std::move(*regions);
    auto agent = service::Agent::start(std::move(options), service::open_sensor);
    if (!agent) return std::unexpected(agent.error());
    if (!(*agent)->wait_until_ready(patience)) fmt::print(stderr, "netwatch: the first walk takes long\n");
    embedded = true;
    return std::make_unique<EmbeddedFeed>(std::move(*agent));
}

}  // namespace netwatch::cli
