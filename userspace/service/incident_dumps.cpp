// SPDX-License-Identifier: Apache-2.0
#include "service/incident_dumps.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "recorder/dump.h"
#include "recorder/segments.h"

namespace netwatch::service {
namespace fs = std::filesystem;
namespace {

// By then what told of the incident is in the segments.
constexpr std::int64_t settle_ns = 2 * static_cast<std::int64_t>(core::ns_per_s);
constexpr std::int64_t retry_ns = 30 * static_cast<std::int64_t>(core::ns_per_s);
constexpr unsigned most_tries = 120;        // an hour of them
constexpr std::int64_t most_shared = 4;     // times the time after one incident
constexpr std::size_t most_known = 10'000;  // twice
constexpr const char* prefix = "incident-";

std::int64_t ns_of(std::chrono::seconds span) { return std::chrono::nanoseconds(span).count(); }

// The oldest go: their names begin with their time.
void prune(const fs::path& directory, const DumpPolicy& policy) {
    struct Known {
        fs::path path;
        std::uint64_t bytes;
    };
    std::vector<Known> dumps;
    std::uint64_t total = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix) || !name.ends_with(".db")) continue;
        const auto bytes = entry.file_size(error);
        if (error) continue;
        dumps.push_back({entry.path(), bytes});
        total += bytes;
    }
    std::ranges::sort(dumps, {}, &Known::path);
    std::size_t left = dumps.size();
    for (const auto& dump : dumps) {
        if (left <= 1 || (left <= policy.most && total <= policy.most_bytes)) return;
        if (!recorder::remove_recording(dump.path)) continue;
        total -= dump.bytes;
        --left;
    }
}

core::Result<void> write(const fs::path& state, const fs::path& file, const recorder::DumpRequest& request) {
    std::error_code error;
    if (fs::create_directory(file.parent_path(), error)) ::chmod(file.parent_path().c_str(), 0750);
    const auto made = recorder::write_dump(state, file, request);
    if (!made) return std::unexpected(made.error());
    return {};
}

}  // namespace

IncidentDumps::IncidentDumps(fs::path state, DumpPolicy policy) : state_(std::move(state)), policy_(policy) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(state_ / "dumps", error)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix)) continue;
        // What an agent that was killed had begun.
        if (name.ends_with(".db.new")) fs::remove(entry.path(), error);
        if (name.ends_with(".db")) known_.insert(entry.path().stem().string().substr(name.rfind('-') + 1));
    }
}

void IncidentDumps::note(std::span<const model::Incident> changes, core::UtcNs now) {
    now_ = now;
    if (known_.size() >= most_known) {
        known_earlier_.swap(known_);
        known_.clear();
    }
    for (const auto& incident : changes) {
        if (!model::is_alarm(incident) || known_earlier_.contains(incident.id)) continue;
        if (known_.insert(incident.id).second) opened_.push_back({incident.id, incident.first_affected_at});
    }
    const core::UtcNs until{now.ns + ns_of(policy_.after)};
    std::erase_if(opened_, [&](const Opened& incident) {
        if (!pending_) begin(incident, now);
        if (until > pending_->latest) return false;  // it has its own, once this one is done
        pending_->until = until;
        return true;
    });
    if (pending_ && now >= pending_->until) {
        hand_over();
        first_due_.reset();
        pending_.reset();
    } else if (first_due_ && now >= *first_due_) {
        hand_over();
        first_due_.reset();
    } else if (now.ns >= retried_at_.ns + retry_ns) {
        retried_at_ = now;
        const std::lock_guard lock(mutex_);
        if (!due_.empty()) worker_->hand([this] { make_all(); });
    }
}

void IncidentDumps::begin(const Opened& incident, core::UtcNs now) {
    const auto file =
        state_ / "dumps" /
        fmt::format("{}{}-{}.db", prefix, recorder::to_file_time(incident.first_affected_at), incident.id);
    pending_ = {.incident = incident.id,
                .file = file,
                .since = {incident.first_affected_at.ns - ns_of(policy_.before)},
                .until = {now.ns + ns_of(policy_.after)},
                .latest = {now.ns + most_shared * ns_of(policy_.after)}};
    first_due_ = core::UtcNs{now.ns + settle_ns};
}

void IncidentDumps::close() {
    worker_.reset();
    if (pending_) hand_over();
    make_all();
}

void IncidentDumps::hand_over() {
    {
        const std::lock_guard lock(mutex_);
        if (due_.size() >= policy_.most && !due_.contains(pending_->file)) due_.erase(due_.begin());
        due_[pending_->file] = {.request = {.since = pending_->since,
                                            .until = std::min(now_, pending_->until),
                                            .made_at = now_,
                                            .trigger = pending_->incident,
                                            .most_record_bytes = policy_.most_record_bytes}};
    }
    if (worker_) worker_->hand([this] { make_all(); });
}

void IncidentDumps::make_all() {
    std::map<fs::path, Due> due;
    {
        const std::lock_guard lock(mutex_);
        due.swap(due_);
    }
    for (auto& [file, one] : due) {
        const auto written = write(state_, file, one.request);
        if (written) {
            prune(file.parent_path(), policy_);
            continue;
        }
        if (one.tries == 0)
            spdlog::warn("no dump for incident {}: {}", one.request.trigger, written.error().message);
        if (++one.tries >= most_tries) continue;
        const std::lock_guard lock(mutex_);
        due_.try_emplace(file, std::move(one));  // what was asked for meanwhile is newer
    }
}

}  // namespace netwatch::service
