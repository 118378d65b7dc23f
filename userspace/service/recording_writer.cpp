// SPDX-License-Identifier: Apache-2.0
#include "service/recording_writer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>

#include <chrono>
#include <memory>
#include <utility>

#include "model/record.h"
#include "present/json.h"
#include "recorder/segments.h"
#include "service/open_incidents.h"

namespace netwatch::service {
namespace {

// A disk that lags further behind than this loses records, not the host its memory.
constexpr std::size_t most_queued_bytes = 32U << 20;
constexpr auto retry_after = std::chrono::seconds(2);
constexpr core::BootNs prune_span_ns = 10 * core::ns_per_s;

}  // namespace

RecordingWriter::RecordingWriter(recorder::StateDirectory& state, recorder::Retention retention, Run run)
    : state_(state),
      retention_(retention),
      run_(std::move(run)),
      path_(state.path()),
      thread_([this] { this->run(); }) {}

RecordingWriter::~RecordingWriter() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void RecordingWriter::append(recorder::Batch batch) {
    const std::size_t bytes = batch.records.size();
    {
        const std::lock_guard lock(mutex_);
        // The thread makes room while it waits for the disk; one that hangs in a write cannot.
        if (queued_bytes_ + bytes > 2 * most_queued_bytes) {
            ++refused_;
            return;
        }
        queued_bytes_ += bytes;
        queue_.push_back(std::move(batch));
    }
    changed_.notify_all();
}

std::optional<recorder::Batch> RecordingWriter::take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !queue_.empty() || stopping_; });
    if (queue_.empty()) return std::nullopt;
    recorder::Batch batch = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= batch.records.size();
    if (std::exchange(refused_, 0) > 0) gap_ = recorder::Gap{last_utc_, batch.utc, "the disk is too slow"};
    return batch;
}

void RecordingWriter::run() {
    ::prctl(PR_SET_NAME, "recorder");
    state_.settle();
    if (auto resumed = parse_incidents(run_.resumed)) {
        for (std::size_t n = 0; n < resumed->size(); ++n) {
            const std::string id = (*resumed)[n].id;
            open_[id] = {.at = {}, .incident = std::move((*resumed)[n]), .json = run_.resumed[n]};
        }
    }
    while (auto batch = take()) {
        for (auto& told : batch->incidents) told.json = present::to_text(present::to_json(told.incident));
        auto written = write(*batch);
        while (!written) {
            say(&written.error());
            recorder_.reset();
            if (!wait_to_retry(*batch)) return;
            written = write(*batch);
        }
        say(nullptr);
        prune(batch->at);
    }
    recorder_.reset();
}

// Returns after a while, having made room in the queue where that is full: what could not be written is left
// out, so that what comes now can be.
bool RecordingWriter::wait_to_retry(const recorder::Batch& batch) {
    std::unique_lock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + retry_after;
    while (std::chrono::steady_clock::now() < until) {
        changed_.wait_until(lock, until, [this] { return stopping_ || queued_bytes_ > most_queued_bytes; });
        if (stopping_) return false;
        while (queued_bytes_ > most_queued_bytes) {
            recorder::Batch oldest = std::move(queue_.front());
            queue_.pop_front();
            queued_bytes_ -= oldest.records.size();
            lock.unlock();
            if (!gap_) gap_ = recorder::Gap{batch.utc, oldest.utc, reason_};
            leave_out(oldest);
            lock.lock();
        }
    }
    return true;
}

void RecordingWriter::leave_out(const recorder::Batch& batch) {
    gap_->to = batch.utc;
    learn(batch);
}

// What the next segment has to say of the host as it is then.
void RecordingWriter::learn(const recorder::Batch& batch) {
    std::span<const std::byte> records(batch.records);
    while (const std::size_t size = model::claimed_size(records)) {
        opening_.add(records.first(size));
        records = records.subspan(size);
    }
    for (const auto& told : batch.incidents) {
        if (outlives_agent(told.incident)) {
            open_[told.incident.id] = told;
        } else {
            open_.erase(told.incident.id);
        }
    }
}

core::Result<void> RecordingWriter::write(const recorder::Batch& batch) {
    const auto span_ns = std::chrono::nanoseconds(retention_.segment_span).count();
    const bool is_full =
        recorder_ && (recorder_->bytes() >= retention_.segment_bytes ||
                      batch.utc.ns >= segment_began_at_.ns + span_ns || batch.utc < segment_began_at_);
    if (!recorder_ || is_full || gap_) {
        if (auto begun = begin_segment(batch.utc); !begun) return begun;
    }
    if (auto done = recorder_->write(segment_, batch); !done)
        return std::unexpected(done.error().within("writing " + path().string()));
    last_utc_ = batch.utc;
    learn(batch);
    return {};
}

core::Result<void> RecordingWriter::begin_segment(core::UtcNs at) {
    if (recorder_) {
        {
            const std::lock_guard lock(ended_mutex_);
            ended_.push_back(std::move(*recorder_));
        }
        recorder_.reset();
        closer_.hand([this] {
            std::vector<recorder::Recorder> closing;
            const std::lock_guard lock(ended_mutex_);
            closing.swap(ended_);
        });
    }
    state_.prune(retention_);
    const bool is_first = sequence_ == 0 && !gap_;
    recorder::SegmentStart start{.run = run_.began_at,
                                 .sequence = sequence_,
                                 .began_at = is_first ? core::parse_rfc3339(run_.began_at).value_or(at)
                                             : gap_   ? gap_->to
                                                      : last_utc_,
                                 .continues = !is_first && !gap_,
                                 .opening = opening_.records(),
                                 .resumed = {}};
    // In the very order in which this run's diagnosis took them up; later ones begin anew in any case.
    if (is_first) {
        start.resumed = run_.resumed;
    } else {
        for (const auto& [id, told] : open_) start.resumed.push_back(told.json);
    }
    auto meta = run_.meta;
    meta.began_at = core::to_rfc3339(start.began_at);
    const auto path = recorder::new_segment_path(state_.path(), start.began_at);
    auto made = recorder::Recorder::create(path, meta, recorder::Recorder::For::segment);
    auto segment = made ? made->add_segment(start) : std::unexpected(made.error());
    auto noted = segment && gap_ ? made->add_gap(*gap_) : core::Result<void>();
    for (auto open = open_.begin(); segment && noted && open != open_.end(); ++open)
        noted = made->put_incident(open->second);
    if (!segment || !noted) {
        if (made) made = core::fail("closed");
        recorder::remove_recording(path);
        return std::unexpected((segment ? noted.error() : segment.error()).within("making " + path.string()));
    }
    recorder_ = std::move(*made);
    segment_ = *segment;
    segment_began_at_ = start.began_at;
    ++sequence_;
    gap_.reset();
    const std::lock_guard lock(mutex_);
    path_ = path;
    return {};
}

void RecordingWriter::prune(core::BootNs at) {
    if (at < pruned_at_ + prune_span_ns) return;
    pruned_at_ = at;
    state_.prune(retention_);
}

void RecordingWriter::say(const core::Error* error) {
    const std::lock_guard lock(mutex_);
    if (error != nullptr && !error_) spdlog::warn("nothing is recorded: {}", error->message);
    if (error == nullptr && error_) spdlog::info("recording again");
    error_ = error == nullptr ? std::nullopt : std::optional(error->message);
    if (error != nullptr) reason_ = error->message;
}

std::optional<std::string> RecordingWriter::error() const {
    const std::lock_guard lock(mutex_);
    return error_;
}

std::filesystem::path RecordingWriter::path() const {
    const std::lock_guard lock(mutex_);
    return path_;
}

}  // namespace netwatch::service
