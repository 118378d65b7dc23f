// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <protozero/pbf_builder.hpp>
#include <queue>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "model/record.h"
#include "present/export.h"
#include "present/incidents.h"
#include "present/inert.h"

namespace netwatch::present {
namespace {

// Field numbers of protos/perfetto/trace/trace_packet.proto and track_event/*.proto.
enum class Trace : protozero::pbf_tag_type { packet = 1 };
enum class Packet : protozero::pbf_tag_type {
    clock_snapshot = 6,
    timestamp = 8,
    trusted_packet_sequence_id = 10,
    track_event = 11,
    track_descriptor = 60,
};
enum class Snapshot : protozero::pbf_tag_type { clocks = 1, primary_trace_clock = 2 };
enum class Clock : protozero::pbf_tag_type { clock_id = 1, timestamp = 2 };
enum class Descriptor : protozero::pbf_tag_type { uuid = 1, name = 2, parent_uuid = 5, counter = 8 };
enum class Event : protozero::pbf_tag_type {
    debug_annotations = 4,
    type = 9,
    track_uuid = 11,
    name = 23,
    double_counter_value = 44,
};
enum class Note : protozero::pbf_tag_type { double_value = 5, string_value = 6, name = 10, int_value = 4 };

enum EventType : std::int32_t { slice_begin = 1, slice_end = 2, instant = 3, counter = 4 };
constexpr std::uint32_t realtime_clock = 1;
constexpr std::uint32_t boottime_clock = 6;
constexpr std::uint32_t sequence = 1;
constexpr std::int64_t second_ns = core::ns_per_s;
constexpr std::size_t most_groups = 4'096;  // of destinations

using Uuid = std::uint64_t;
using EventBuilder = protozero::pbf_builder<Event>;

void note(EventBuilder& event, std::string_view name, std::string_view text) {
    if (text.empty()) return;
    protozero::pbf_builder<Note> annotation(event, Event::debug_annotations);
    annotation.add_string(Note::name, std::string(name));
    annotation.add_string(Note::string_value, inert(text));
}

void note(EventBuilder& event, std::string_view name, std::int64_t value) {
    protozero::pbf_builder<Note> annotation(event, Event::debug_annotations);
    annotation.add_string(Note::name, std::string(name));
    annotation.add_int64(Note::int_value, value);
}

// Slices of one track must nest, and connections do not: one that begins before another has ended goes to a
// track of its own beside it. The UI shows tracks of the same name as one.
class Lanes {
public:
    static constexpr std::size_t most = 256;

    // A lane that is free then; nothing where all are taken and there may be no more.
    [[nodiscard]] std::optional<std::size_t> take(std::int64_t begins, std::int64_t ends) {
        std::size_t lane = free_from_.size();
        if (!free_from_.empty() && free_from_.top().first <= begins) {
            lane = free_from_.top().second;
            free_from_.pop();
        } else if (lane >= most) {
            return std::nullopt;
        }
        free_from_.emplace(ends, lane);
        return lane;
    }

private:
    using Free = std::pair<std::int64_t, std::size_t>;
    std::priority_queue<Free, std::vector<Free>, std::greater<>> free_from_;
};

struct Series {
    Uuid attempts = 0;
    Uuid failed = 0;
    Uuid rtt = 0;
    Uuid loss = 0;
    Uuid bytes = 0;
    std::int64_t silent_from = 0;  // after the last second told of; 0: none was
};

struct Group {
    Uuid uuid = 0;
    Lanes lanes;
    std::vector<Uuid> lane_tracks;
    std::optional<Series> series;
};

class PerfettoTrace : public Export {
public:
    void begin(const ExportHead& head) override {
        begins_ = head.begins.ns;
        packet([&](auto& packet) {
            protozero::pbf_builder<Snapshot> snapshot(packet, Packet::clock_snapshot);
            // Both clocks are UTC here: a recording may span several boots.
            for (const auto id : {realtime_clock, boottime_clock}) {
                protozero::pbf_builder<Clock> clock(snapshot, Snapshot::clocks);
                clock.add_uint32(Clock::clock_id, id);
                clock.add_uint64(Clock::timestamp, stamp(begins_));
            }
            snapshot.add_uint32(Snapshot::primary_trace_clock, realtime_clock);
        });
        host_ = head.hostname;
        incidents_.uuid = track("incidents on " + host_, 0);
        changes_ = track("what changed on " + host_, 0);
    }

    void add(const model::HostEvent& change) override {
        event(change.at.ns, instant, changes_, [&](EventBuilder& event) {
            event.add_string(Event::name, inert(change.what));
            note(event, "by", change.by.value_or(""));
            note(event, "topic", change.topic);
            note(event, "netns", change.netns);
        });
    }

    void add(const model::DestinationSecond& second) override {
        Group& group = group_of(second.ref.endpoint, second.perspective == model::Perspective::server);
        if (&group == &others_) return;
        if (!group.series) group.series = series_of(group.uuid);
        Series& series = *group.series;
        const std::int64_t at = second.at.ns;
        if (series.silent_from != 0 && series.silent_from < at) {
            for (const Uuid uuid : {series.attempts, series.failed, series.bytes})
                count(series.silent_from, uuid, 0);
        }
        count(at, series.attempts, second.attempts);
        count(at, series.failed, second.failed);
        count(at, series.bytes, static_cast<double>(second.bytes_sent + second.bytes_received));
        if (second.rtt_us) count(at, series.rtt, *second.rtt_us / 1e3);
        if (second.segments > 0)
            count(at, series.loss, std::min(100.0, 100.0 * second.lost / second.segments));
        series.silent_from = at + second_ns;
    }

    void add(const model::Connection& one) override {
        const bool passive = one.passive.value_or(false);
        const model::Endpoint endpoint =
            passive ? model::local_endpoint(one.tuple) : model::remote_endpoint(one.tuple);
        // Open at the end of the recording: its slice is closed there.
        if (!one.ended_at) {
            open_.push_back(one);
            return;
        }
        slice(group_of(endpoint, passive), one, one.ended_at->ns);
    }

    void end(std::span<const model::Incident> incidents, core::UtcNs at) override {
        for (const auto& one : std::exchange(open_, {})) {
            const bool passive = one.passive.value_or(false);
            slice(group_of(passive ? model::local_endpoint(one.tuple) : model::remote_endpoint(one.tuple),
                           passive),
                  one, at.ns);
        }
        std::vector<const model::Incident*> order;
        for (const auto& incident : incidents) order.push_back(&incident);
        std::ranges::stable_sort(order, {}, &model::Incident::first_affected_at);
        for (const auto* incident : order) slice(*incident, at);
    }

private:
    template <typename Fill>
    void packet(Fill fill) {
        protozero::pbf_builder<Trace> trace(out_);
        protozero::pbf_builder<Packet> packet(trace, Trace::packet);
        packet.add_uint32(Packet::trusted_packet_sequence_id, sequence);
        fill(packet);
    }

    template <typename Fill>
    void event(std::int64_t at, EventType type, Uuid uuid, Fill fill) {
        packet([&](auto& packet) {
            packet.add_uint64(Packet::timestamp, stamp(at));
            EventBuilder event(packet, Packet::track_event);
            event.add_enum(Event::type, type);
            event.add_uint64(Event::track_uuid, uuid);
            fill(event);
        });
    }

    [[nodiscard]] static std::uint64_t stamp(std::int64_t ns) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
    }

    Uuid track(std::string_view name, Uuid parent, bool is_counter = false) {
        const Uuid uuid = ++tracks_;
        packet([&](auto& packet) {
            protozero::pbf_builder<Descriptor> descriptor(packet, Packet::track_descriptor);
            descriptor.add_uint64(Descriptor::uuid, uuid);
            descriptor.add_string(Descriptor::name, inert(name));
            if (parent != 0) descriptor.add_uint64(Descriptor::parent_uuid, parent);
            if (is_counter) descriptor.add_message(Descriptor::counter, std::string());
        });
        return uuid;
    }

    void count(std::int64_t at, Uuid uuid, double value) {
        event(at, counter, uuid,
              [&](EventBuilder& event) { event.add_double(Event::double_counter_value, value); });
    }

    Group& group_of(const model::Endpoint& endpoint, bool own) {
        if (groups_.size() >= most_groups && !groups_.contains({endpoint, own})) {
            if (others_.uuid == 0) others_.uuid = track("other destinations", 0);
            return others_;
        }
        const auto [entry, is_new] = groups_.try_emplace({endpoint, own});
        if (is_new) entry->second.uuid = track((own ? "own " : "") + endpoint.to_string(), 0);
        return entry->second;
    }

    Series series_of(Uuid parent) {
        Series series;
        series.attempts = track("attempts per second", parent, true);
        series.failed = track("failed per second", parent, true);
        series.rtt = track("round trip, ms", parent, true);
        series.loss = track("segments lost, %", parent, true);
        series.bytes = track("bytes per second", parent, true);
        return series;
    }

    // Begin and end of a slice in a lane of the group that is free.
    template <typename Fill>
    void slice(Group& group, std::string_view lane_name, std::int64_t begins, std::int64_t ends, Fill fill) {
        ends = std::max(ends, begins);
        const auto lane = group.lanes.take(begins, ends);
        if (!lane) {
            ++left_out_;
            return;
        }
        if (*lane == group.lane_tracks.size()) group.lane_tracks.push_back(track(lane_name, group.uuid));
        event(begins, slice_begin, group.lane_tracks[*lane], fill);
        event(ends, slice_end, group.lane_tracks[*lane], [](EventBuilder&) {});
    }

    void slice(Group& group, const model::Connection& one, std::int64_t ends) {
        const std::int64_t begins = one.began_at ? std::max(one.began_at->ns, begins_) : begins_;
        slice(group, "connections", begins, ends, [&](EventBuilder& event) {
            event.add_string(Event::name, std::string(model::to_string(one.outcome)));
            note(event, "local", model::local_endpoint(one.tuple).to_display());
            note(event, "remote", model::remote_endpoint(one.tuple).to_display());
            if (one.process.pid != 0) {
                note(event, "process", model::text_of(one.process.comm));
                note(event, "pid", one.process.pid);
            }
            if (one.error != 0) note(event, "errno", one.error);
            if (one.handshake_us) note(event, "handshake_us", *one.handshake_us);
            if (one.syn_retransmits) note(event, "syn_retransmits", *one.syn_retransmits);
            if (one.counters) {
                note(event, "bytes_sent", static_cast<std::int64_t>(one.counters->bytes_sent));
                note(event, "bytes_received", static_cast<std::int64_t>(one.counters->bytes_received));
                note(event, "retransmits", one.counters->total_retrans);
            }
        });
    }

    void slice(const model::Incident& incident, core::UtcNs at) {
        const std::int64_t ends = incident.resolved_at.value_or(at).ns;
        slice(incidents_, "incidents", incident.first_affected_at.ns, ends, [&](EventBuilder& event) {
            event.add_string(Event::name,
                             inert(type_and_cause(incident.type, incident.cause) + ": " + where(incident)));
            note(event, "summary", incident.summary);
            note(event, "id", incident.id);
            note(event, "severity", model::to_string(incident.severity));
            note(event, "state", model::to_string(incident.state));
            note(event, "confidence", fmt::format("{:.2f}", incident.confidence));
            note(event, "symptom_of", incident.symptom ? incident.root_cause.incident.value_or("") : "");
        });
    }

    std::int64_t begins_ = 0;
    std::string host_;
    Uuid tracks_ = 0;
    Group incidents_;
    Uuid changes_ = 0;
    std::map<std::tuple<model::Endpoint, bool>, Group> groups_;
    Group others_;
    std::vector<model::Connection> open_;
};

}  // namespace

std::unique_ptr<Export> perfetto_trace() { return std::make_unique<PerfettoTrace>(); }

}  // namespace netwatch::present
