// SPDX-License-Identifier: Apache-2.0
// A segment as an agent writes it, with records that a test made up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "recorder/recorder.h"

namespace netwatch::support {

class Segment {
public:
    explicit Segment(const std::filesystem::path& path, const recorder::RecordingMeta& meta = {},
                     const recorder::SegmentStart& start = {.run = "2026-11-22T19:42:25.118Z"})
        : recorder_(recorder::Recorder::create(path, meta, recorder::Recorder::For::segment)) {
        if (recorder_) number_ = recorder_->add_segment(start).value();
    }
    // One batch; its CLOCK is said to lie at that time on both clocks.
    core::Result<void> write(std::uint64_t at, std::vector<std::byte> records) {
        recorder::Batch batch;
        batch.at = at;
        batch.utc = {static_cast<std::int64_t>(at)};
        batch.records = std::move(records);
        return write(batch);
    }
    core::Result<void> write(const recorder::Batch& batch) {
        if (!recorder_) return std::unexpected(recorder_.error());
        return recorder_->write(number_, batch);
    }
    [[nodiscard]] std::uint64_t bytes() const { return recorder_->bytes(); }
    explicit operator bool() const { return recorder_.has_value(); }

private:
    core::Result<recorder::Recorder> recorder_;
    std::int64_t number_ = 0;
};

}  // namespace netwatch::support
