// SPDX-License-Identifier: Apache-2.0
#include "cli/feeds.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <mutex>
#include <optional>
#include <utility>

#include "cli/past.h"
#include "present/table.h"
#include "recorder/state_directory.h"
#include "service/agent.h"
#include "service/sensor_capture.h"
#include "service/worker.h"

namespace netwatch::cli {
namespace {

constexpr auto patience = std::chrono::seconds(5);

// Asks on a thread of its own: an agent that is busy, stopped or gone does not hold up the screen.
class SocketFeed : public top::Feed {
public:
    SocketFeed(service::Client client, std::filesystem::path recording)
        : client_(std::move(client)),
          recording_(std::move(recording)) {}
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
    void ask_past(core::UtcNs around, present::RowQuery query) override {
        past_.ask(recording_, around, std::move(query));
    }
    std::optional<core::Result<top::History>> take_past() override { return past_.take(); }

private:
    [[nodiscard]] core::Result<top::Answer> answer_to(const top::Question& question) const {
        auto view = client_.view({question.query, top::Question::most_rows, question.series_after});
        if (!view) return std::unexpected(view.error());
        top::Answer answer{question, std::move(*view), {}};
        if (question.ladder_of) answer.ladder = client_.ladder(*question.ladder_of);
        return answer;
    }

    const service::Client client_;
    const std::filesystem::path recording_;
    Past past_;
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
    void ask_past(core::UtcNs around, present::RowQuery query) override {
        past_.ask(agent_->state_dir(), around, std::move(query));
    }
    std::optional<core::Result<top::History>> take_past() override { return past_.take(); }

private:
    std::unique_ptr<service::Agent> agent_;
    std::optional<top::Answer> answer_;
    Past past_;
};

// What was recorded, and nothing else.
class RecordedFeed : public top::Feed {
public:
    RecordedFeed(std::filesystem::path recording, core::UtcNs at)
        : recording_(std::move(recording)),
          at_(at) {}
    core::Result<model::HostView> view() override { return recalled_view(recording_, at_); }
    void ask(top::Question /*question*/) override {}
    std::optional<core::Result<top::Answer>> take() override { return std::nullopt; }
    void ask_past(core::UtcNs around, present::RowQuery query) override {
        past_.ask(recording_, around, std::move(query));
    }
    std::optional<core::Result<top::History>> take_past() override { return past_.take(); }

private:
    const std::filesystem::path recording_;
    const core::UtcNs at_;
    Past past_;
};

}  // namespace

namespace {

// Empty: a private one, gone with the process.
std::optional<std::filesystem::path> state_dir_of(const Globals& globals, Keeps keeps) {
    if (globals.state_dir || keeps == Keeps::nothing) return globals.state_dir;
    // Where an agent holds the usual one, or it cannot be made, the live view does without.
    if (!recorder::StateDirectory::hold(service::default_state_dir)) return std::nullopt;
    return service::default_state_dir;
}

}  // namespace

std::unique_ptr<top::Feed> recorded_feed(const std::filesystem::path& recording, core::UtcNs at) {
    return std::make_unique<RecordedFeed>(recording, at);
}

core::Result<std::unique_ptr<top::Feed>> open_feed(const Globals& globals, bool& embedded, Keeps keeps) {
    auto regions = globals.load_regions();
    if (!regions) return std::unexpected(regions.error());
    const auto client = globals.client();
    const auto reached = client.reach();
    embedded = false;
    if (reached) {
        if (globals.regions)
            fmt::print(stderr, "netwatch: the agent has its own regions; --regions is for one without\n");
        return std::make_unique<SocketFeed>(client, globals.state_dir.value_or(service::default_state_dir));
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
    options.state_dir = state_dir_of(globals, keeps);
    options.regions = std::move(*regions);
    auto agent = service::Agent::start(std::move(options), service::open_sensor);
    if (!agent) return std::unexpected(agent.error());
    if (!(*agent)->wait_until_ready(patience)) fmt::print(stderr, "netwatch: the first walk takes long\n");
    embedded = true;
    return std::make_unique<EmbeddedFeed>(std::move(*agent));
}

}  // namespace netwatch::cli
