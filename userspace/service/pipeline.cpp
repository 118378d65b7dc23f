// SPDX-License-Identifier: Apache-2.0
#include "service/pipeline.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "present/json.h"
#include "service/host_facts.h"
#include "service/open_incidents.h"

namespace netwatch::service {
namespace {

// With what a CLOCK waits for and a write takes, an agent that is killed loses less than a second.
constexpr core::BootNs batch_span_ns = 300 * core::ns_per_ms;
constexpr std::size_t batch_bytes = 4U << 20;
// Numbers of an incident that change with every record.
constexpr core::BootNs tell_again_ns = 2 * core::ns_per_s;
constexpr core::BootNs save_span_ns = core::ns_per_s;
constexpr auto view_age = std::chrono::milliseconds(200);

// What makes an incident worth recording at once.
std::string words_of(const model::Incident& incident) {
    return fmt::format("{} {} {} {} {} {}", model::to_string(incident.state), model::to_string(incident.type),
                       incident.cause.value_or("-"), model::to_string(incident.severity), incident.symptom,
                       incident.scope.value.value_or("-"));
}

}  // namespace

bool tells_failure(model::RecordRef record) {
    const model::overloaded tells{
        [](const netwatch_connect& c) { return c.outcome == NETWATCH_OUTCOME_FAILED; },
        [](const netwatch_close& c) { return c.error != 0 || c.reset_received != 0; },
        [](const netwatch_retransmit&) { return true; },
        [](const netwatch_reset_received&) { return true; },
        [](const netwatch_socket_error&) { return true; },
        [](const netwatch_call_failed&) { return true; },
        [](const netwatch_neighbor&) { return true; },
        [](const netwatch_tls_event& e) { return e.step >= NETWATCH_TLS_ALERT; },
        [](const auto&) { return false; },
    };
    bool failure = false;
    record.visit([&](const auto& one) { failure = tells(one); });
    return failure;
}

std::map<std::string, std::uint64_t> to_named(const diagnosis::Limits& limits) {
    return {{"destinations", limits.destinations},
            {"full_destinations", limits.full_destinations},
            {"sockets", limits.sockets},
            {"incidents", limits.incidents}};
}

diagnosis::Limits from_named(const std::map<std::string, std::uint64_t>& named) {
    diagnosis::Limits limits;
    // A recording may come from a stranger: it can lower the limits, not raise them.
    const auto take = [&](const char* name, std::size_t& limit) {
        const auto found = named.find(name);
        if (found != named.end() && found->second > 0) limit = std::min<std::uint64_t>(limit, found->second);
    };
    take("destinations", limits.destinations);
    take("full_destinations", limits.full_destinations);
    take("sockets", limits.sockets);
    take("incidents", limits.incidents);
    return limits;
}

Pipeline::Pipeline(const netwatch_host& host, const PipelineOptions& options)
    : boot_id_(model::text_of(host.boot_id)),
      kernel_(model::text_of(host.release)),
      state_(options.state),
      engine_(limits_) {
    auto resumed = resume();
    if (state_ && options.record) {
        begin_recording(host, options, std::move(resumed));
        if (options.dumps) dumps_ = std::make_unique<IncidentDumps>(state_->path(), *options.dumps);
    }
    netwatch_host first = host;
    deliver(model::writable_bytes_of(first));
}

Pipeline::~Pipeline() { broadcast_.close(); }

// The JSON goes into the recording as it was read: a replay starts from the very same state.
std::vector<std::string> Pipeline::resume() {
    if (!state_) return {};
    auto texts = load_open_incidents(state_->incidents_path(), boot_id_);
    auto incidents = texts ? parse_incidents(*texts) : std::unexpected(texts.error());
    if (!incidents) {
        spdlog::warn("open incidents of an earlier agent are lost: {}", incidents.error().message);
        return {};
    }
    if (!incidents->empty()) engine_.resume(std::move(*incidents));
    return std::move(*texts);
}

void Pipeline::begin_recording(const netwatch_host& host, const PipelineOptions& options,
                               std::vector<std::string> resumed) {
    Run run;
    run.meta.agent_version = NETWATCH_VERSION;
    run.meta.hostname = model::text_of(host.hostname);
    run.meta.kernel = kernel_;
    run.meta.boot_id = boot_id_;
    run.meta.limits = to_named(limits_);
    run.meta.others["kind"] = "segment";
    for (const auto& [key, value] : options.config) run.meta.others["config_" + key] = value;
    run.began_at = core::to_rfc3339(utc_now());
    run.resumed = std::move(resumed);
    writer_ = std::make_unique<RecordingWriter>(*state_, *options.record, std::move(run));
}

void Pipeline::deliver(std::span<std::byte> records) {
    std::optional<netwatch_clock> clock;
    {
        const std::lock_guard lock(engine_mutex_);
        while (const std::size_t size = model::claimed_size(records)) {
            const auto bytes = records.first(size);
            records = records.subspan(size);
            const auto record = model::refer(bytes);
            if (!record) {
                spdlog::error("a record was left out: {}", record.error().message);
                continue;
            }
            engine_.observe(*record);
            if (!writer_) continue;
            batch_.insert(batch_.end(), bytes.begin(), bytes.end());
            if (const auto* told = record->get_if<netwatch_clock>()) clock = *told;
        }
    }
    if (clock) last_clock_ = *clock;
    publish_changes();
    if (writer_ && clock) record_batch(*clock);
}

// A batch ends at a CLOCK, so that a recording cut off between batches ends where the live diagnosis had
// judged.
void Pipeline::record_batch(const netwatch_clock& clock) {
    const core::BootNs at = clock.header.at_ns;
    if (batch_begun_ == 0) batch_begun_ = at;
    if (at < batch_begun_ + batch_span_ns && batch_.size() < batch_bytes) return;
    batch_begun_ = at;
    hand_over(clock, false);
}

void Pipeline::hand_over(const netwatch_clock& clock, bool last) {
    recorder::Batch batch;
    batch.at = clock.header.at_ns;
    batch.utc = {clock.realtime_ns};
    batch.records = std::exchange(batch_, {});
    {
        const std::lock_guard lock(engine_mutex_);
        auto past = engine_.take_past(last);
        batch.seconds = std::move(past.seconds);
        batch.events = std::move(past.events);
    }
    tell_incidents(batch, last);
    writer_->append(std::move(batch));
}

void Pipeline::tell_incidents(recorder::Batch& batch, bool all) {
    for (auto untold = untold_.begin(); untold != untold_.end();) {
        Told& told = told_[untold->first];
        std::string words = words_of(untold->second);
        if (!all && told.words == words && batch.at < told.at + tell_again_ns) {
            ++untold;
            continue;
        }
        told = {batch.at, std::move(words)};
        if (untold->second.state == model::IncidentState::resolved) told_.erase(untold->first);
        batch.incidents.push_back({batch.utc, std::move(untold->second), {}});
        untold = untold_.erase(untold);
    }
}

void Pipeline::publish_changes() {
    std::vector<model::Incident> changes;
    {
        const std::lock_guard lock(engine_mutex_);
        changes = engine_.take_changes();
    }
    if (!changes.empty()) {
        broadcast_.publish(changes);
        unsaved_ = true;
    }
    if (dumps_) dumps_->note(changes, {last_clock_.realtime_ns});
    if (writer_) {
        for (auto& change : changes) {
            const std::string id = change.id;
            untold_.insert_or_assign(id, std::move(change));
        }
    }
    if (unsaved_ && boot_now() >= saved_at_ + save_span_ns) save_open();
}

void Pipeline::save_open() {
    unsaved_ = false;
    saved_at_ = boot_now();
    if (!state_) return;
    const auto saved = save_open_incidents(state_->incidents_path(), boot_id_, incidents());
    if (!saved) spdlog::warn("open incidents are not kept: {}", saved.error().message);
}

void Pipeline::finish() {
    save_open();
    if (writer_ && !batch_.empty()) hand_over(last_clock_, true);
    writer_.reset();
    if (dumps_) dumps_->close();
}

std::vector<model::Incident> Pipeline::incidents() const {
    const std::lock_guard lock(engine_mutex_);
    return engine_.incidents();
}

model::Ladder Pipeline::ladder(const model::Endpoint& target) const {
    const std::lock_guard lock(engine_mutex_);
    return engine_.ladder(target);
}

std::shared_ptr<const model::HostView> Pipeline::view() {
    const std::lock_guard lock(view_mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (view_ && now - view_made_at_ < view_age) return view_;
    model::HostView view;
    {
        const std::lock_guard engine_lock(engine_mutex_);
        view = engine_.view();
    }
    if (writer_) {
        view.observer.recording = writer_->path().string();
        view.observer.recording_error = writer_->error();
    }
    view_ = std::make_shared<const model::HostView>(std::move(view));
    view_made_at_ = now;
    return view_;
}

}  // namespace netwatch::service
