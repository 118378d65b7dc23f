// SPDX-License-Identifier: Apache-2.0
// Changed incidents on their way to those who follow. Publishing never waits for a follower: one that falls
// behind is dropped, and counted. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "model/incident.h"

namespace netwatch::service {

// An incident that plain `netwatch incidents` shows once it is open: no suspicion, nothing benign.
[[nodiscard]] bool shown_without_all(const model::Incident& incident);

class Broadcast;

// One follower's queue. A follower without `all` gets the incidents that are shown without it, and goes on
// getting those until they are resolved.
class Follower {
public:
    enum class State : std::uint8_t { waiting, closed, dropped };

    // The next line without its line break; nothing within `patience`: the state says why.
    [[nodiscard]] std::optional<std::string> next(std::chrono::milliseconds patience);
    [[nodiscard]] State state() const;

private:
    friend class Broadcast;
    explicit Follower(bool all) : all_(all) {}
    [[nodiscard]] bool wants(const model::Incident& incident);
    // False: the queue is full, the follower is dropped.
    [[nodiscard]] bool push(const model::Incident& incident, const std::string& line);
    void close();

    const bool all_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> lines_;
    std::size_t bytes_ = 0;
    std::set<std::string> shown_; /* ids */
    State state_ = State::waiting;
};

class Broadcast {
public:
    static constexpr std::size_t most_followers = 8;

    // Null: there are most_followers already, or the broadcast is closed.
    [[nodiscard]] std::shared_ptr<Follower> follow(bool all);
    void unfollow(const std::shared_ptr<Follower>& follower);
    void publish(std::span<const model::Incident> changes);
    // No further lines: every follower ends when its queue is empty.
    void close();

    [[nodiscard]] std::uint64_t dropped_followers() const;

private:
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<Follower>> followers_;
    std::uint64_t dropped_ = 0;
    bool closed_ = false;
};

}  // namespace netwatch::service
