// SPDX-License-Identifier: Apache-2.0
#include "model/record.h"
#include "present/export.h"
#include "present/inert.h"
#include "present/json.h"

namespace netwatch::present {
namespace {

using nlohmann::json;

template <typename T>
json nullable(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

json nullable(const std::optional<core::UtcNs>& at) {
    return at ? json(core::to_rfc3339(*at)) : json(nullptr);
}

json nullable(const std::optional<std::string>& text) {
    return text ? json(valid_utf8(*text)) : json(nullptr);
}

json share(std::uint32_t part, std::uint32_t whole) {
    return whole == 0 ? json(nullptr) : json(std::min(1.0, static_cast<double>(part) / whole));
}

class JsonLines : public Export {
public:
    void begin(const ExportHead& head) override {
        put({{"kind", "recording"},
             {"schema", "netwatch.export/1"},
             {"source", valid_utf8(head.source)},
             {"host", {{"name", valid_utf8(head.hostname)}, {"kernel", valid_utf8(head.kernel)}}},
             {"netwatch", valid_utf8(head.agent_version)},
             {"begins", core::to_rfc3339(head.begins)}});
    }

    void add(const model::DestinationSecond& second) override {
        put({{"kind", "second"},
             {"at", core::to_rfc3339(second.at)},
             {"destination", second.ref.endpoint.to_string()},
             {"name", nullable(second.ref.name)},
             {"region", nullable(second.ref.region)},
             {"perspective", model::to_string(second.perspective)},
             {"netns", second.netns},
             {"attempts", second.attempts},
             {"established", second.established},
             {"failed", second.failed},
             {"rtt_us", nullable(second.rtt_us)},
             {"loss_share", share(second.lost, second.segments)},
             {"loss_in_share", share(second.lost_in, second.segments_in)},
             {"bytes_sent", second.bytes_sent},
             {"bytes_received", second.bytes_received}});
    }

    void add(const model::Connection& one) override {
        json line = {{"kind", "connection"},
                     {"began_at", nullable(one.began_at)},
                     {"ended_at", nullable(one.ended_at)},
                     {"direction", one.passive ? json(*one.passive ? "in" : "out") : json(nullptr)},
                     {"local_ip", model::local_ip(one.tuple).to_string()},
                     {"local_port", one.tuple.local_port},
                     {"remote_ip", model::remote_ip(one.tuple).to_string()},
                     {"remote_port", one.tuple.remote_port},
                     {"protocol", model::to_string(static_cast<model::Protocol>(one.tuple.protocol))},
                     {"netns", one.netns},
                     {"outcome", model::to_string(one.outcome)},
                     {"error", one.error == 0 ? json(nullptr) : json(one.error)},
                     {"syn_retransmits", nullable(one.syn_retransmits)},
                     {"handshake_us", nullable(one.handshake_us)}};
        const bool known = one.process.pid != 0;
        line["process"] = known ? json(valid_utf8(model::text_of(one.process.comm))) : json(nullptr);
        line["pid"] = known ? json(one.process.pid) : json(nullptr);
        line["icmp"] = nullptr;
        if (one.icmp.present != 0) {
            line["icmp"] = {{"type", one.icmp.type}, {"code", one.icmp.code}, {"offender", nullptr}};
            if (one.icmp.has_offender != 0)
                line["icmp"]["offender"] = model::IpAddress(one.icmp.offender).to_string();
        }
        line["counters"] = nullptr;
        if (one.counters) {
            line["counters"] = {
                {"rtt_us", one.counters->srtt_us},           {"bytes_sent", one.counters->bytes_sent},
                {"bytes_acked", one.counters->bytes_acked},  {"bytes_received", one.counters->bytes_received},
                {"segments_sent", one.counters->segs_out},   {"segments_received", one.counters->segs_in},
                {"retransmits", one.counters->total_retrans}};
        }
        put(line);
    }

    void add(const model::HostEvent& change) override {
        put({{"kind", "change"},
             {"at", core::to_rfc3339(change.at)},
             {"topic", change.topic},
             {"netns", change.netns},
             {"what", valid_utf8(change.what)},
             {"by", nullable(change.by)}});
    }

    void end(std::span<const model::Incident> incidents, core::UtcNs at) override {
        for (const auto& incident : incidents) put({{"kind", "incident"}, {"incident", to_json(incident)}});
        put({{"kind", "end"}, {"at", core::to_rfc3339(at)}});
    }

private:
    void put(const json& line) {
        out_ += to_text(line);
        out_ += '\n';
    }
};

}  // namespace

std::unique_ptr<Export> json_lines() { return std::make_unique<JsonLines>(); }

}  // namespace netwatch::present
