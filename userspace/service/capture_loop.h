// SPDX-License-Identifier: Apache-2.0
// The beat of the agent: drains the ring, walks once a second, and puts CLOCK records between. A CLOCK
// follows each drained batch that told of a failure (at most one in 10 ms), every 100 ms while records flow,
// and each 200 ms at least. If this thread itself was away (stopped, or the machine was), nothing special is
// sent: the gap between two CLOCKs says it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "service/capture.h"
#include "service/change_watch.h"
#include "service/context_worker.h"
#include "service/counter_worker.h"
#include "service/payload_reader.h"
#include "service/pipeline.h"

namespace netwatch::service {

// One thread.
class CaptureLoop {
public:
    // All outlive this.
    CaptureLoop(std::unique_ptr<Capture> capture, Pipeline& pipeline, ContextWorker& context,
                ChangeWatch& changes, CounterWorker& counters);

    // HOOK, DROP_REASON, then records until `stop_fd` is readable; the last one is a CLOCK. `on_first_walk`
    // is called once, when the first walk is complete and judged. Errors: nothing more can be captured.
    [[nodiscard]] core::Result<void> run(int stop_fd, const std::function<void()>& on_first_walk);

private:
    [[nodiscard]] core::Result<void> beat();
    [[nodiscard]] core::Result<void> walk();
    void take(std::span<const std::byte> bytes);
    void take_changes();
    [[nodiscard]] bool clock_is_due(core::BootNs now) const;
    // True: it is time to stop.
    [[nodiscard]] bool wait(int stop_fd) const;
    void deliver_with_clock(core::BootNs at);

    std::unique_ptr<Capture> capture_;
    Pipeline& pipeline_;
    ContextWorker& context_;
    ChangeWatch& changes_;
    CounterWorker& counters_;
    PayloadReader payloads_;
    OnRecord on_record_;
    std::vector<std::byte> pending_; /* captured, not yet delivered */
    core::BootNs last_clock_ = 0;
    core::BootNs next_walk_ = 0;
    bool records_since_clock_ = false;
    bool failure_since_clock_ = false;
    bool walked_ = false;
};

}  // namespace netwatch::service
