// SPDX-License-Identifier: Apache-2.0
#include "service/recording_writer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace netwatch::service {
namespace {

// A disk that lags further behind than this loses the recording, not the host its memory.
constexpr std::size_t most_queued_bytes = 32U << 20;

}  // namespace

RecordingWriter::RecordingWriter(recorder::StateDirectory& state, recorder::Retention retention)
    : state_(state),
      retention_(retention),
      thread_([this] { run(); }) {}

RecordingWriter::~RecordingWriter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void RecordingWriter::begin(recorder::RecordingMeta meta, std::vector<std::string> resumed) {
    bytes_ = 0;
    enqueue(Beginning{std::move(meta), std::move(resumed)}, 0);
}

void RecordingWriter::append(core::BootNs at, std::vector<std::byte> records) {
    const std::size_t bytes = records.size();
    enqueue(Batch{at, std::move(records)}, bytes);
}

void RecordingWriter::enqueue(Task task, std::size_t bytes) {
    {
        const std::lock_guard lock(mutex_);
        if (error_) return;
        if (queued_bytes_ + bytes <= most_queued_bytes) {
            queued_bytes_ += bytes;
            queue_.push_back(std::move(task));
            changed_.notify_all();
            return;
        }
    }
    stop_with({fmt::format("the disk is too slow: {} MiB wait to be written", most_queued_bytes >> 20)});
}

std::optional<RecordingWriter::Task> RecordingWriter::take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !queue_.empty() || stopping_ || error_; });
    if (queue_.empty() || error_) return std::nullopt;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    if (const auto* batch = std::get_if<Batch>(&task)) queued_bytes_ -= batch->records.size();
    return task;
}

void RecordingWriter::run() {
    while (const auto task = take()) {
        const auto done = std::visit([this](const auto& t) { return perform(t); }, *task);
        if (!done) stop_with(done.error());
    }
    recorder_.reset();
}

core::Result<void> RecordingWriter::perform(const Beginning& beginning) {
    recorder_.reset();
    if (auto rotated = state_.rotate(); !rotated) return rotated;
    state_.prune(retention_, 0);
    auto made = recorder::Recorder::create(state_.recording_path(), beginning.meta, beginning.resumed);
    if (!made) return std::unexpected(made.error());
    recorder_ = std::move(*made);
    return {};
}

core::Result<void> RecordingWriter::perform(const Batch& batch) {
    if (!recorder_) return {};
    if (auto done = recorder_->write(batch.at, batch.records); !done) {
        return std::unexpected(done.error().within("writing " + state_.recording_path().string()));
    }
    bytes_ = recorder_->bytes();
    state_.prune(retention_, bytes_);
    return {};
}

void RecordingWriter::stop_with(const core::Error& error) {
    spdlog::warn("recording stopped: {}", error.message);
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error.message;
    queue_.clear();
    queued_bytes_ = 0;
    changed_.notify_all();
}

std::optional<std::string> RecordingWriter::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

}  // namespace netwatch::service
