// SPDX-License-Identifier: Apache-2.0
// The one way from captured records to incidents: what enters the diagnosis is what is recorded, in the same
// order, CLOCK records included; what changes is published. deliver() from the capture thread; the questions
// from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "diagnosis/engine.h"
#include "model/incident.h"
#include "model/record.h"
#include "model/view.h"
#include "recorder/state_directory.h"
#include "service/broadcast.h"
#include "service/incident_dumps.h"
#include "service/recording_writer.h"

namespace netwatch::service {

struct PipelineOptions {
    recorder::StateDirectory* state =
        nullptr; /* keeps what is open, and the recording; outlives the pipeline */
    std::optional<recorder::Retention> record; /* empty: nothing is recorded */
    std::optional<DumpPolicy> dumps;           /* empty: none is made by itself; needs `record` */
    std::map<std::string, std::string> config; /* what the recording tells of the agent's options */
};

// Whether a record tells of a failure that ought to be judged at once.
[[nodiscard]] bool tells_failure(model::RecordRef record);

// Limits of the diagnosis as a recording carries them, and back; what is missing or out of reason is the
// default.
[[nodiscard]] std::map<std::string, std::uint64_t> to_named(const diagnosis::Limits& limits);
[[nodiscard]] diagnosis::Limits from_named(const std::map<std::string, std::uint64_t>& named);

class Pipeline {
public:
    // `host` is the first record of the stream. Incidents that an earlier agent of this boot left open go on.
    Pipeline(const netwatch_host& host, const PipelineOptions& options);
    ~Pipeline();
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    // Whole records, one after the other, in the order of their arrival.
    void deliver(std::span<std::byte> records);
    // Ends the stream: what is open is kept, the recording is closed. Once, after the last deliver() and
    // question.
    void finish();

    [[nodiscard]] std::vector<model::Incident> incidents() const;
    // At most 0.2 s old.
    [[nodiscard]] std::shared_ptr<const model::HostView> view();
    [[nodiscard]] model::Ladder ladder(const model::Endpoint& target) const;
    [[nodiscard]] Broadcast& broadcast() { return broadcast_; }

private:
    [[nodiscard]] std::vector<std::string> resume();
    void begin_recording(const netwatch_host& host, const PipelineOptions& options,
                         std::vector<std::string> resumed);
    void record_batch(const netwatch_clock& clock);
    void hand_over(const netwatch_clock& clock, bool last);
    void tell_incidents(recorder::Batch& batch, bool all);
    void save_open();
    void publish_changes();

    const std::string boot_id_;
    const std::string kernel_;
    const diagnosis::Limits limits_;
    recorder::StateDirectory* const state_;

    mutable std::mutex engine_mutex_;
    diagnosis::Engine engine_; /* under engine_mutex_ */
    std::mutex view_mutex_;
    std::shared_ptr<const model::HostView> view_; /* under view_mutex_ */
    std::chrono::steady_clock::time_point view_made_at_;
    Broadcast broadcast_;

    /* The capture thread's own from here on. */
    struct Told {
        core::BootNs at = 0;
        std::string words;
    };
    std::vector<std::byte> batch_;                  /* not yet handed to the writer */
    std::map<std::string, model::Incident> untold_; /* incidents that changed since they were last recorded */
    std::map<std::string, Told> told_;
    netwatch_clock last_clock_{};
    core::BootNs batch_begun_ = 0;
    core::BootNs saved_at_ = 0;
    bool unsaved_ = false;
    std::unique_ptr<RecordingWriter> writer_;
    std::unique_ptr<IncidentDumps> dumps_;
};

}  // namespace netwatch::service
