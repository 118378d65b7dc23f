// SPDX-License-Identifier: Apache-2.0
#include "service/capture_loop.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "model/record.h"
#include "service/host_facts.h"

namespace netwatch::service {
namespace {

constexpr core::BootNs after_failure_ns = 10 * core::ns_per_ms;
constexpr core::BootNs while_flowing_ns = 100 * core::ns_per_ms;
constexpr core::BootNs at_least_ns = 200 * core::ns_per_ms;  // silence is judged by the clock alone
constexpr core::BootNs walk_span_ns = core::ns_per_s;

}  // namespace

CaptureLoop::CaptureLoop(std::unique_ptr<Capture> capture, Pipeline& pipeline, ContextWorker& context,
                         ChangeWatch& changes, CounterWorker& counters)
    : capture_(std::move(capture)),
      pipeline_(pipeline),
      context_(context),
      changes_(changes),
      counters_(counters),
      on_record_([this](std::span<const std::byte> bytes) { take(bytes); }) {}

void CaptureLoop::take(std::span<const std::byte> bytes) {
    if (model::first_header(bytes).kind == NETWATCH_RECORD_PAYLOAD) {
        const auto record = model::decode(bytes);
        if (record) payloads_.take(std::get<netwatch_payload>(*record), on_record_);
        return;
    }
    const std::size_t begin = pending_.size();
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    records_since_clock_ = true;
    const auto record = model::refer(std::span(pending_).subspan(begin));
    if (!record) return;  // counted where it is left out
    if (const auto* close = record->get_if<netwatch_close>()) payloads_.forget(close->sock);
    if (tells_failure(*record)) failure_since_clock_ = true;
    context_.note(*record);
    changes_.note(*record);
    counters_.note(*record);
}

// Before the failures that they lead to are judged.
void CaptureLoop::take_changes() {
    const auto told = changes_.exchange();
    pending_.insert(pending_.end(), told.begin(), told.end());
    records_since_clock_ = records_since_clock_ || !told.empty();
}

core::Result<void> CaptureLoop::run(int stop_fd, const std::function<void()>& on_first_walk) {
    if (auto introduced = capture_->introduce(on_record_); !introduced) return introduced;
    while (!wait(stop_fd)) {
        const bool had_walked = walked_;
        if (auto done = beat(); !done) return done;
        if (walked_ && !had_walked) on_first_walk();
    }
    if (auto drained = capture_->poll(on_record_); !drained) return drained;
    deliver_with_clock(boot_now());
    return {};
}

core::Result<void> CaptureLoop::beat() {
    if (boot_now() >= next_walk_) {
        if (auto walked = walk(); !walked) return walked;
    }
    // Read before the drain: what is older than this instant is in the ring by now.
    const core::BootNs at = boot_now();
    if (auto drained = capture_->poll(on_record_); !drained) return drained;
    take_changes();
    const auto counted = counters_.take();
    pending_.insert(pending_.end(), counted.begin(), counted.end());
    if (clock_is_due(at)) {
        deliver_with_clock(at);
    } else if (!pending_.empty()) {
        pipeline_.deliver(pending_);
        pending_.clear();
    }
    return {};
}

core::Result<void> CaptureLoop::walk() {
    // From now on, not from the last plan: after a pause one walk is made, not all that were missed.
    next_walk_ = boot_now() + walk_span_ns;
    if (auto walked = capture_->walk(on_record_); !walked) return walked;
    payloads_.account(boot_now(), on_record_);
    const auto found = context_.exchange();
    pending_.insert(pending_.end(), found.begin(), found.end());
    walked_ = true;
    failure_since_clock_ = true;  // the counters of live sockets tell of failures too
    return {};
}

bool CaptureLoop::clock_is_due(core::BootNs now) const {
    if (failure_since_clock_ && now >= last_clock_ + after_failure_ns) return true;
    if (records_since_clock_ && now >= last_clock_ + while_flowing_ns) return true;
    return now >= last_clock_ + at_least_ns;
}

void CaptureLoop::deliver_with_clock(core::BootNs at) {
    const auto clock = clock_record(at);
    const auto bytes = model::bytes_of(clock);
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    pipeline_.deliver(pending_);
    pending_.clear();
    last_clock_ = at;
    records_since_clock_ = false;
    failure_since_clock_ = false;
}

bool CaptureLoop::wait(int stop_fd) const {
    const core::BootNs now = boot_now();
    // Quiet records wake nobody: they are fetched at the pace of the CLOCK.
    core::BootNs until = std::min(now + while_flowing_ns, next_walk_);
    if (failure_since_clock_) until = std::min(until, last_clock_ + after_failure_ns);
    const core::BootNs ns = until > now ? until - now : 0;
    const timespec patience{static_cast<std::time_t>(ns / core::ns_per_s),
                            static_cast<long>(ns % core::ns_per_s)};
    std::array<pollfd, 2> fds{{{stop_fd, POLLIN, 0}, {capture_->wait_fd(), POLLIN, 0}}};
    return ::ppoll(fds.data(), fds.size(), &patience, nullptr) > 0 && fds[0].revents != 0;
}

}  // namespace netwatch::service
