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
constexpr std::size_t most_known = 10'000;
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

void write(const fs::path& state, const fs::path& file, const recorder::DumpRequest& request,
           const DumpPolicy& policy) {
    std::error_code error;
    if (fs::create_directory(file.parent_path(), error)) ::chmod(file.parent_path().c_str(), 0750);
    const auto made = recorder::write_dump(state, file, request);
    if (!made) {
        spdlog::warn("no dump for incident {}: {}", request.trigger, made.error().message);
        return;
    }
    prune(file.parent_path(), policy);
}

}  // namespace

IncidentDumps::IncidentDumps(fs::path state, DumpPolicy policy) : state_(std::move(state)), policy_(policy) {}

void IncidentDumps::note(std::span<const model::Incident> changes, core::UtcNs now) {
    for (const auto& incident : changes) {
        if (model::is_alarm(incident) && !known_.contains(incident.id)) open(incident, now);
    }
    now_ = now;
    if (!pending_) return;
    if (now >= pending_->until) {
        worker_->hand(job());
        first_due_.reset();
        pending_.reset();
    } else if (first_due_ && now >= *first_due_) {
        first_due_.reset();
        worker_->hand(job());
    }
}

void IncidentDumps::open(const model::Incident& incident, core::UtcNs now) {
    if (known_.size() >= most_known) known_.clear();
    known_.insert(incident.id);
    if (pending_) return;
    pending_ = {.incident = incident.id,
                .since = {incident.first_affected_at.ns - ns_of(policy_.before)},
                .until = {now.ns + ns_of(policy_.after)}};
    first_due_ = core::UtcNs{now.ns + settle_ns};
}

void IncidentDumps::close() {
    worker_.reset();
    if (pending_) job()();
    pending_.reset();
}

std::function<void()> IncidentDumps::job() const {
    const core::UtcNs affected{pending_->since.ns + ns_of(policy_.before)};
    const auto file = state_ / "dumps" /
                      fmt::format("{}{}-{}.db", prefix, recorder::to_file_time(affected), pending_->incident);
    const recorder::DumpRequest request{.since = pending_->since,
                                        .until = std::min(now_, pending_->until),
                                        .made_at = now_,
                                        .trigger = pending_->incident,
                                        .most_record_bytes = policy_.most_record_bytes};
    return [state = state_, file, request, policy = policy_] { write(state, file, request, policy); };
}

}  // namespace netwatch::service
