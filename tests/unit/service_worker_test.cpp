// SPDX-License-Identifier: Apache-2.0
#include "service/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>

namespace netwatch::service {
namespace {

TEST(ServiceWorker, DoesTheNewestThingAndForgetsWhatItReplaced) {
    std::binary_semaphore begun(0);
    std::binary_semaphore go_on(0);
    std::binary_semaphore done(0);
    std::atomic<int> forgotten = 0;
    Worker worker;
    worker.hand([&] {
        begun.release();
        go_on.acquire();
    });
    begun.acquire();
    worker.hand([&] { ++forgotten; });
    worker.hand([&] { done.release(); });
    go_on.release();
    done.acquire();
    EXPECT_EQ(forgotten, 0);
}

TEST(ServiceWorker, EndsWithoutBeginningWhatWaits) {
    std::atomic<int> done = 0;
    std::binary_semaphore begun(0);
    std::binary_semaphore go_on(0);
    {
        Worker worker;
        worker.hand([&] {
            begun.release();
            go_on.acquire();
            ++done;
        });
        begun.acquire();
        go_on.release();
    }
    EXPECT_EQ(done, 1);
    Worker idle;
}

}  // namespace
}  // namespace netwatch::service
