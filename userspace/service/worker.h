// SPDX-License-Identifier: Apache-2.0
// One thread that does the newest thing it was handed, for callers that must not wait. Example:
//
//     Worker worker;
//     worker.hand([client] { … client.view() … });
//
// Any thread may hand. What a job touches outlives the worker.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace netwatch::service {

class Worker {
public:
    Worker();
    // Waits for the job that runs; one that has not begun is forgotten.
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Takes the place of a job that has not begun.
    void hand(std::function<void()> job);

private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void()> next_; /* under mutex_ */
    bool ending_ = false;        /* under mutex_ */
    std::thread thread_;
};

}  // namespace netwatch::service
