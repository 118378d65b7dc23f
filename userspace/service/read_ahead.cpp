// SPDX-License-Identifier: Apache-2.0
#include "service/read_ahead.h"

#include <sys/prctl.h>

#include <utility>

namespace netwatch::service {
namespace {

constexpr std::size_t most_waiting_bytes = 8U << 20;

std::size_t bytes_of(const ReadAhead::Item& item) {
    const auto* batch = std::get_if<ReadAhead::Batch>(&item);
    return batch == nullptr ? 0 : batch->size();
}

}  // namespace

ReadAhead::ReadAhead(recorder::RecordingSource source)
    : source_(std::move(source)),
      thread_([this] { run(); }) {}

ReadAhead::~ReadAhead() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

std::optional<ReadAhead::Item> ReadAhead::take(Batch used) {
    std::unique_lock lock(mutex_);
    if (used.capacity() > used_.capacity()) used_ = std::move(used);
    changed_.wait(lock, [this] { return !items_.empty() || ended_; });
    if (items_.empty()) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    waiting_bytes_ -= bytes_of(item);
    lock.unlock();
    changed_.notify_all();
    return item;
}

bool ReadAhead::give(Item item) {
    std::unique_lock lock(mutex_);
    const std::size_t bytes = bytes_of(item);
    changed_.wait(lock,
                  [&] { return ending_ || items_.empty() || waiting_bytes_ + bytes <= most_waiting_bytes; });
    if (ending_) return false;
    waiting_bytes_ += bytes;
    items_.push_back(std::move(item));
    lock.unlock();
    changed_.notify_all();
    return true;
}

void ReadAhead::run() {
    ::prctl(PR_SET_NAME, "reader");
    for (bool more = true; more;) {
        Batch batch;
        {
            const std::lock_guard lock(mutex_);
            batch.swap(used_);
        }
        const auto read = source_.next_batch(batch);
        if (read && *read) {
            more = give(std::move(batch));
            continue;
        }
        more = give(PartEnd{read ? std::nullopt : std::optional(read.error())});
        if (!more) break;
        const auto next = source_.next_part();
        if (next && !*next) break;
        more = next ? give(NextPart{{}, source_.meta(), source_.resumed()})
                    : give(NextPart{std::unexpected(next.error()), {}, {}}) && false;
    }
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    changed_.notify_all();
}

}  // namespace netwatch::service
