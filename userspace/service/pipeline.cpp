// SPDX-License-Identifier: Apache-2.0
#include "service/pipeline.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "present/json.h"
#include "service/host_facts.h"
#include "service/open_incidents.h"

namespace netwatch::service {
namespace {

constexpr core::BootNs batch_span_ns = core::ns_per_s;
constexpr std::size_t batch_bytes = 4U << 20;
constexpr std::size_t most_opening_bytes = 4U << 20;
constexpr core::BootNs save_span_ns = core::ns_per_s;
constexpr auto view_age = std::chrono::milliseconds(200);

// A change is kept for what it leaves behind: links, addresses and routes as they are.
bool opens_a_stream(std::uint16_t kind) {
    return kind == NETWATCH_RECORD_HOST || kind == NETWATCH_RECORD_HOOK ||
           kind == NETWATCH_RECORD_DROP_REASON || kind == NETWATCH_RECORD_CGROUP ||
           kind == NETWATCH_RECORD_CHANGE || kind == NETWATCH_RECORD_REGION;
}

}  // namespace

bool tells_failure(const model::Record& record) {
    return std::visit(model::overloaded{
                          [](const netwatch_connect& c) { return c.outcome == NETWATCH_OUTCOME_FAILED; },
                          [](const netwatch_close& c) { return c.error != 0 || c.reset_received != 0; },
                          [](const netwatch_retransmit&) { return true; },
                          [](const netwatch_reset_received&) { return true; },
                          [](const netwatch_socket_error&) { return true; },
                          [](const netwatch_call_failed&) { return true; },
                          [](const netwatch_neighbor&) { return true; },
                          [](const auto&) { return false; },
                      },
                      record);
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
        writer_ = std::make_unique<RecordingWriter>(*state_, *options.record);
        begin_recording(std::move(resumed));
    }
    deliver(model::bytes_of(host));
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

void Pipeline::begin_recording(std::vector<std::string> resumed) {
    recorder::RecordingMeta meta;
    meta.agent_version = NETWATCH_VERSION;
    meta.kernel = kernel_;
    meta.boot_id = boot_id_;
    meta.started_at = core::to_rfc3339(utc_now());
    meta.limits = to_named(limits_);
    writer_->begin(std::move(meta), std::move(resumed));
}

void Pipeline::deliver(std::span<const std::byte> records) {
    core::BootNs clock_at = 0;
    {
        const std::lock_guard lock(engine_mutex_);
        while (const std::size_t size = model::claimed_size(records)) {
            const auto bytes = records.first(size);
            records = records.subspan(size);
            const auto record = model::decode(bytes);
            if (!record) {
                spdlog::error("a record was left out: {}", record.error().message);
                continue;
            }
            engine_.observe(*record);
            if (!writer_) continue;
            const auto& header = model::header_of(*record);
            batch_.insert(batch_.end(), bytes.begin(), bytes.end());
            keep_opening(bytes, header.kind);
            if (header.kind == NETWATCH_RECORD_CLOCK) clock_at = header.at_ns;
        }
    }
    publish_changes();
    if (writer_) record_batch(clock_at);
}

void Pipeline::keep_opening(std::span<const std::byte> record, std::uint16_t kind) {
    if (!opens_a_stream(kind) || opening_.size() + record.size() > most_opening_bytes) return;
    opening_.insert(opening_.end(), record.begin(), record.end());
}

// A batch ends at a CLOCK, so that a recording cut off between batches ends where the live diagnosis had
// judged.
void Pipeline::record_batch(core::BootNs at) {
    if (at == 0 && batch_.size() < batch_bytes) return;
    if (batch_begun_ == 0) batch_begun_ = at;
    if (at < batch_begun_ + batch_span_ns && batch_.size() < batch_bytes) return;
    batch_begun_ = at;
    writer_->append(at, std::exchange(batch_, {}));
    if (!writer_->is_full() || writer_->error()) return;
    std::vector<std::string> open;
    for (const auto& incident : incidents()) {
        if (outlives_agent(incident)) open.push_back(present::to_text(present::to_json(incident)));
    }
    begin_recording(std::move(open));
    writer_->append(at, opening_);
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
    if (writer_ && !batch_.empty()) writer_->append(boot_now(), std::exchange(batch_, {}));
    writer_.reset();
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
        view.observer.recording = state_->recording_path().string();
        view.observer.recording_error = writer_->error();
    }
    view_ = std::make_shared<const model::HostView>(std::move(view));
    view_made_at_ = now;
    return view_;
}

}  // namespace netwatch::service
