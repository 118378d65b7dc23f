// SPDX-License-Identifier: Apache-2.0
#include "service/worker.h"

#include <utility>

namespace netwatch::service {

Worker::Worker() : thread_([this] { run(); }) {}

Worker::~Worker() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void Worker::hand(std::function<void()> job) {
    {
        const std::lock_guard lock(mutex_);
        next_ = std::move(job);
    }
    changed_.notify_one();
}

void Worker::run() {
    for (;;) {
        std::function<void()> job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return ending_ || next_; });
            if (ending_) return;
            job = std::exchange(next_, nullptr);
        }
        job();
    }
}

}  // namespace netwatch::service
