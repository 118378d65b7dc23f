// SPDX-License-Identifier: Apache-2.0
// Writes segments on a thread of its own, so that a slow disk never holds up the ring buffer. While nothing
// can be written (the disk is full, read-only, gone) it says why, keeps what fits into memory, and tries
// again; what had to be left out is a gap, noted in the segment that comes after it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "recorder/opening.h"
#include "recorder/recorder.h"
#include "recorder/state_directory.h"
#include "service/worker.h"

namespace netwatch::service {

// What all segments of one run of the agent share.
struct Run {
    recorder::RecordingMeta meta;
    std::string began_at;              // RFC 3339
    std::vector<std::string> resumed;  // JSON of the incidents that were open
};

// append() from one thread; the rest from any.
class RecordingWriter {
public:
    // `state` outlives this.
    RecordingWriter(recorder::StateDirectory& state, recorder::Retention retention, Run run);
    // Writes what is queued and closes the segment.
    ~RecordingWriter();
    RecordingWriter(const RecordingWriter&) = delete;
    RecordingWriter& operator=(const RecordingWriter&) = delete;

    // Never waits.
    void append(recorder::Batch batch);

    // Why nothing is written at present; empty while it is.
    [[nodiscard]] std::optional<std::string> error() const;
    // The present segment; while there is none, the directory.
    [[nodiscard]] std::filesystem::path path() const;

private:
    void run();
    [[nodiscard]] std::optional<recorder::Batch> take();
    [[nodiscard]] core::Result<void> write(const recorder::Batch& batch);
    [[nodiscard]] core::Result<void> begin_segment(core::UtcNs at);
    void learn(const recorder::Batch& batch);
    void leave_out(const recorder::Batch& batch);
    // False: it is time to end.
    [[nodiscard]] bool wait_to_retry(const recorder::Batch& batch);
    void prune(core::BootNs at);
    void say(const core::Error* error);

    recorder::StateDirectory& state_;
    const recorder::Retention retention_;
    const Run run_;

    /* The thread's own. */
    std::optional<recorder::Recorder> recorder_;
    std::int64_t segment_ = 0;   // its number in the file
    std::int64_t sequence_ = 0;  // of the next segment
    core::UtcNs segment_began_at_;
    core::UtcNs last_utc_;  // of what was written last
    core::BootNs pruned_at_ = 0;
    recorder::Opening opening_;
    std::map<std::string, recorder::ToldIncident> open_;  // by id
    std::optional<recorder::Gap> gap_;                    // to be noted
    std::string reason_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<recorder::Batch> queue_;
    std::size_t queued_bytes_ = 0;
    std::size_t refused_ = 0;  // batches that found the queue full
    bool stopping_ = false;
    std::optional<std::string> error_;
    std::filesystem::path path_;
    std::mutex ended_mutex_;
    std::vector<recorder::Recorder> ended_; /* segments that are to be closed; under ended_mutex_ */
    Worker closer_;                         /* closes them: the disk has to be waited for then */
    std::thread thread_;                    /* last: it uses all of the above */
};

}  // namespace netwatch::service
