// SPDX-License-Identifier: Apache-2.0
// A recording read and unpacked on a thread of its own, while whoever plays it is busy with what came before.
// Example:
//
//     ReadAhead reader(std::move(source));
//     while (auto item = reader.take()) std::visit(overloaded{…}, *item);
//
// One thread takes. Memory: a few batches.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/result.h"
#include "recorder/recording_source.h"

namespace netwatch::service {

class ReadAhead {
public:
    using Batch = std::vector<std::byte>;  // whole records, one after the other
    // A part is over. The error: it is damaged from here on.
    struct PartEnd {
        std::optional<core::Error> damage;
    };
    // The next one. The error: it cannot be read, and nothing follows.
    struct NextPart {
        core::Result<void> readable;
        recorder::RecordingMeta meta;
        core::Result<std::vector<std::string>> resumed;
    };
    using Item = std::variant<Batch, PartEnd, NextPart>;

    // The source stands at the beginning of its first part.
    explicit ReadAhead(recorder::RecordingSource source);
    ~ReadAhead();
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;

    // In their order. Nothing: the recording is over. `used`: a batch whose memory may be used again.
    [[nodiscard]] std::optional<Item> take(Batch used = {});

private:
    void run();
    // False: nobody waits for it any more.
    [[nodiscard]] bool give(Item item);

    recorder::RecordingSource source_;  // the thread's own
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Item> items_;         // under mutex_
    std::size_t waiting_bytes_ = 0;  // of the batches among them; under mutex_
    Batch used_;                     // under mutex_
    bool ended_ = false;             // under mutex_: no more are given
    bool ending_ = false;            // under mutex_: no more are taken
    std::thread thread_;             // last: it uses all of the above
};

}  // namespace netwatch::service
