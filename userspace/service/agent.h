// SPDX-License-Identifier: Apache-2.0
// The agent: captures, diagnoses, records, serves. Example:
//
//     service::SignalFd signals;                      // before any thread
//     auto agent = service::Agent::start(options, service::open_sensor);
//     if (!agent) return std::unexpected(agent.error());
//     signals.wait((*agent)->ended_fd());
//     auto ended = (*agent)->stop();
//
// Threads: one captures and diagnoses; one writes the recording; one finds out about cgroups and NAT; one
// reads the counters of the host; the server has a dozen. Made, stopped and destroyed by one thread;
// pipeline() answers to any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/fd.h"
#include "core/result.h"
#include "model/region.h"
#include "recorder/state_directory.h"
#include "service/capture.h"
#include "service/capture_loop.h"
#include "service/change_watch.h"
#include "service/context_worker.h"
#include "service/pipeline.h"
#include "service/private_directory.h"
#include "service/server.h"

namespace netwatch::service {

inline constexpr std::string_view default_state_dir = "/var/lib/netwatch";
inline constexpr std::uint32_t default_ring_bytes = 4U << 20;

struct CaptureOptions {
    std::vector<std::uint32_t> netns; /* inodes; empty: all */
    std::uint32_t ring_bytes = default_ring_bytes;
    std::vector<std::string> disabled_features;
    bool watch_dns = true;
    bool watch_tls = true;
};
using OpenCapture = std::function<core::Result<std::unique_ptr<Capture>>(const CaptureOptions&)>;

struct AgentOptions {
    std::optional<std::filesystem::path> state_dir;  /* empty: a private one, gone with the agent */
    std::optional<std::filesystem::path> socket;     /* empty: nobody can ask but through pipeline() */
    std::optional<std::filesystem::path> ready_file; /* there while the agent is ready; holds its pid */
    std::optional<recorder::Retention> record = recorder::Retention{}; /* empty: nothing is recorded */
    std::optional<DumpPolicy> dumps = DumpPolicy{};                    /* empty: no dump is made by itself */
    std::vector<std::filesystem::path> netns;                          /* empty: all */
    std::uint32_t ring_bytes = default_ring_bytes;
    std::vector<std::string> disabled_features;
    bool watch_dns = true; /* questions to resolvers and their answers */
    bool watch_tls = true; /* the beginnings of TLS connections */
    std::vector<model::Region> regions;
};

class Agent {
public:
    // Returns when records are being captured. Errors: a namespace that cannot be read, a taken socket or
    // state directory (usage); what `open_capture` says.
    [[nodiscard]] static core::Result<std::unique_ptr<Agent>> start(AgentOptions options,
                                                                    const OpenCapture& open_capture);
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    [[nodiscard]] Pipeline& pipeline() { return *pipeline_; }
    [[nodiscard]] const std::filesystem::path& state_dir() const { return state_->path(); }
    // True once the first walk is complete and judged; false if that takes longer than `patience`.
    [[nodiscard]] bool wait_until_ready(std::chrono::milliseconds patience);
    // Readable when capturing has ended by itself.
    [[nodiscard]] int ended_fd() const { return ended_.get(); }
    // Ends with a last CLOCK. Errors: why capturing had ended before.
    core::Result<void> stop();

private:
    explicit Agent(AgentOptions options);
    [[nodiscard]] core::Result<CaptureOptions> prepare();
    [[nodiscard]] core::Result<void> launch(std::unique_ptr<Capture> capture);
    void run();
    void become_ready();

    AgentOptions options_;
    std::optional<PrivateDirectory> private_directory_;
    std::optional<recorder::StateDirectory> state_;
    std::unique_ptr<Pipeline> pipeline_;
    std::unique_ptr<ContextWorker> context_;
    std::unique_ptr<ChangeWatch> changes_;
    std::unique_ptr<CounterWorker> counters_;
    std::unique_ptr<CaptureLoop> loop_;
    std::unique_ptr<Server> server_;

    core::Fd stop_;  /* written to: capturing shall end */
    core::Fd ended_; /* written to: it has ended */
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ready_ = false;         /* under mutex_ */
    core::Result<void> outcome_; /* the capture thread's until joined */
    std::thread thread_;
};

}  // namespace netwatch::service
