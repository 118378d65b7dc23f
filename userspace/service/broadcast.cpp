// SPDX-License-Identifier: Apache-2.0
#include "service/broadcast.h"

#include <algorithm>

#include "present/json.h"

namespace netwatch::service {
namespace {

constexpr std::size_t most_queued_bytes = 4 << 20;

}  // namespace

bool shown_without_all(const model::Incident& incident) {
    return incident.state != model::IncidentState::suspected && incident.severity != model::Severity::info;
}

bool Follower::wants(const model::Incident& incident) {
    if (all_) return true;
    const bool resolved = incident.state == model::IncidentState::resolved;
    const bool was_shown = shown_.contains(incident.id);
    if (resolved) return shown_.erase(incident.id) > 0 || shown_without_all(incident);
    if (!shown_without_all(incident)) return was_shown;
    shown_.insert(incident.id);
    return true;
}

bool Follower::push(const model::Incident& incident, const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (state_ != State::waiting || !wants(incident)) return true;
    if (bytes_ + line.size() > most_queued_bytes) {
        state_ = State::dropped;
        lines_.clear();
        changed_.notify_all();
        return false;
    }
    bytes_ += line.size();
    lines_.push_back(line);
    changed_.notify_all();
    return true;
}

void Follower::close() {
    const std::lock_guard lock(mutex_);
    if (state_ == State::waiting) state_ = State::closed;
    changed_.notify_all();
}

std::optional<std::string> Follower::next(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [this] { return !lines_.empty() || state_ != State::waiting; });
    if (lines_.empty()) return std::nullopt;
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    bytes_ -= line.size();
    return line;
}

Follower::State Follower::state() const {
    const std::lock_guard lock(mutex_);
    return lines_.empty() ? state_ : State::waiting;
}

std::shared_ptr<Follower> Broadcast::follow(bool all) {
    const std::lock_guard lock(mutex_);
    if (closed_ || followers_.size() >= most_followers) return nullptr;
    followers_.push_back(std::shared_ptr<Follower>(new Follower(all)));
    return followers_.back();
}

void Broadcast::unfollow(const std::shared_ptr<Follower>& follower) {
    const std::lock_guard lock(mutex_);
    std::erase(followers_, follower);
}

void Broadcast::publish(std::span<const model::Incident> changes) {
    const std::lock_guard lock(mutex_);
    if (followers_.empty()) return;
    for (const auto& incident : changes) {
        const std::string line = present::to_text(present::to_json(incident));
        std::erase_if(followers_, [&](const auto& follower) {
            const bool kept = follower->push(incident, line);
            if (!kept) ++dropped_;
            return !kept;
        });
    }
}

void Broadcast::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& follower : followers_) follower->close();
}

std::uint64_t Broadcast::dropped_followers() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
}

}  // namespace netwatch::service
