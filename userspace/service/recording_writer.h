// SPDX-License-Identifier: Apache-2.0
// Writes recordings on a thread of its own, so that a slow disk never holds up the ring buffer. What cannot
// be written ends the recording with an error that is kept; the agent goes on without.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "recorder/recorder.h"
#include "recorder/state_directory.h"

namespace netwatch::service {

// begin() and append() from one thread; the rest from any.
class RecordingWriter {
public:
    // `state` outlives this.
    RecordingWriter(recorder::StateDirectory& state, recorder::Retention retention);
    // Writes what is queued and closes the file.
    ~RecordingWriter();
    RecordingWriter(const RecordingWriter&) = delete;
    RecordingWriter& operator=(const RecordingWriter&) = delete;

    // What is appended from here on goes into a new recording; the one before is put aside. Never waits.
    void begin(recorder::RecordingMeta meta, std::vector<std::string> resumed);
    // Takes whole records. Never waits.
    void append(core::BootNs at, std::vector<std::byte> records);

    // The recording is so large that another one should begin, or the earlier ones could never be removed in
    // time.
    [[nodiscard]] bool is_full() const { return bytes_.load() >= retention_.max_bytes / 4; }
    // Why the recording has stopped; empty while it goes on.
    [[nodiscard]] std::optional<std::string> error() const;

private:
    struct Beginning {
        recorder::RecordingMeta meta;
        std::vector<std::string> resumed;
    };
    struct Batch {
        core::BootNs at;
        std::vector<std::byte> records;
    };
    using Task = std::variant<Beginning, Batch>;

    void enqueue(Task task, std::size_t bytes);
    [[nodiscard]] std::optional<Task> take();
    void run();
    [[nodiscard]] core::Result<void> perform(const Beginning& beginning);
    [[nodiscard]] core::Result<void> perform(const Batch& batch);
    void stop_with(const core::Error& error);

    recorder::StateDirectory& state_;
    const recorder::Retention retention_;
    std::optional<recorder::Recorder> recorder_; /* the thread's own */
    std::atomic<std::uint64_t> bytes_ = 0;       /* of the present file */
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Task> queue_;
    std::size_t queued_bytes_ = 0;
    bool stopping_ = false;
    std::optional<std::string> error_;
    std::thread thread_; /* last: it uses all of the above */
};

}  // namespace netwatch::service
