// SPDX-License-Identifier: Apache-2.0
#include "support/tls_story.h"

namespace netwatch::support {
namespace {

constexpr double step_s = 0.001;

}  // namespace

TlsStory& TlsStory::under(std::string sni) {
    sni_ = std::move(sni);
    return *this;
}

TlsStory& TlsStory::by(Who who) {
    who_ = who;
    return *this;
}

TlsStory& TlsStory::version(std::uint16_t version) {
    version_ = version;
    return *this;
}

TlsStory& TlsStory::flags(std::uint8_t flags) {
    flags_ = flags;
    return *this;
}

TlsStory& TlsStory::from_client(std::string client) {
    client_ = std::move(client);
    return *this;
}

Flow TlsStory::open(double at) {
    if (client_.empty()) return story_.flow(at, server_, who_);
    const auto own = model::Endpoint::parse(server_);
    return story_.accepted(at, client_, own->port, who_);
}

void TlsStory::tell(double at, const Flow& flow, netwatch_tls_step step, By who, std::uint8_t alert,
                    std::uint16_t http_status) {
    auto record = model::make_record<netwatch_tls_event>(boot_ns(at), story_netns);
    record.sock = flow.sock;
    record.tuple = story_.tuple_of(flow);
    record.version = version_;
    record.step = static_cast<__u8>(step);
    record.by_client = who == By::client ? 1 : 0;
    record.passive = flow.passive ? 1 : 0;
    record.alert_level = 2;
    record.alert = alert;
    record.flags = flags_;
    record.http_status = http_status;
    if (step == NETWATCH_TLS_CLIENT_HELLO) model::set_text(record.sni, sni_);
    story_.add(record);
}

Flow TlsStory::begin(double at, netwatch_tls_step up_to) {
    Flow flow = open(at);
    flow.counters.bytes_sent = flow.counters.bytes_acked = 500;
    tell(at + step_s, flow, NETWATCH_TLS_CLIENT_HELLO, By::client);
    if (up_to >= NETWATCH_TLS_SERVER_HELLO) {
        flow.counters.bytes_received = 2'500;
        tell(at + 2 * step_s, flow, NETWATCH_TLS_SERVER_HELLO, By::server);
    }
    if (up_to >= NETWATCH_TLS_CLIENT_DONE && version_ >= 0x0304)
        tell(at + 3 * step_s, flow, NETWATCH_TLS_CLIENT_DONE, By::client);
    if (up_to >= NETWATCH_TLS_ESTABLISHED) tell(at + 4 * step_s, flow, NETWATCH_TLS_ESTABLISHED, By::server);
    return flow;
}

void TlsStory::end(double at, const Flow& flow, bool peer_closed_first, bool reset) {
    story_.close(at, flow, reset);
    auto record = story_.take_back<netwatch_close>();
    record.peer_closed_first = peer_closed_first ? 1 : 0;
    story_.add(record);
}

void TlsStory::succeeds(double at) { end(at + 0.03, begin(at, NETWATCH_TLS_ESTABLISHED), false); }

void TlsStory::succeeds_late(double at, double late_s, std::uint32_t lost) {
    Flow flow = open(at);
    flow.sends(4, lost);
    flow.receives(4);
    tell(at + step_s, flow, NETWATCH_TLS_CLIENT_HELLO, By::client);
    tell(at + late_s, flow, NETWATCH_TLS_SERVER_HELLO, By::server);
    tell(at + late_s + step_s, flow, NETWATCH_TLS_ESTABLISHED, By::server);
    end(at + late_s + 0.03, flow, false);
}

void TlsStory::refuses(double at, By who, std::uint8_t alert) {
    const bool of_hello = who == By::server && flags_ == 0;
    const Flow flow = begin(at, of_hello ? NETWATCH_TLS_CLIENT_HELLO : NETWATCH_TLS_SERVER_HELLO);
    tell(at + 5 * step_s, flow, NETWATCH_TLS_ALERT, who, alert);
    end(at + 0.01, flow, who == By::server);
}

void TlsStory::refuses_hidden(double at, By who) {
    const Flow flow = begin(at, who == By::server ? NETWATCH_TLS_CLIENT_DONE : NETWATCH_TLS_SERVER_HELLO);
    tell(at + 5 * step_s, flow, NETWATCH_TLS_HIDDEN_ALERT, who);
    end(at + 0.01, flow, who == By::server);
}

void TlsStory::leaves_at_once(double at) {
    const Flow flow = begin(at, NETWATCH_TLS_ESTABLISHED);
    tell(at + 5 * step_s, flow, NETWATCH_TLS_HIDDEN_ALERT, By::client);
    end(at + 0.01, flow, false);
}

void TlsStory::leaves_after_hello(double at) { end(at + 0.01, begin(at, NETWATCH_TLS_CLIENT_HELLO), false); }

void TlsStory::is_reset(double at) { end(at + 0.005, begin(at, NETWATCH_TLS_CLIENT_HELLO), false, true); }

void TlsStory::is_closed(double at) { end(at + 0.005, begin(at, NETWATCH_TLS_CLIENT_HELLO), true); }

void TlsStory::is_silent(double at, double gives_up_after, bool acknowledged) {
    Flow flow = begin(at, NETWATCH_TLS_CLIENT_HELLO);
    if (!acknowledged) {
        flow.counters.bytes_acked = 0;
        flow.counters.total_retrans = 3;
    }
    end(at + gives_up_after, flow, false);
}

void TlsStory::is_answered_in_plain_text(double at, std::uint16_t http_status) {
    const Flow flow = begin(at, NETWATCH_TLS_CLIENT_HELLO);
    tell(at + 2 * step_s, flow, NETWATCH_TLS_PLAINTEXT, By::server, 0, http_status);
    end(at + 0.01, flow, true);
}

void TlsStory::speaks_plain_text(double at) {
    const Flow flow = open(at);
    const std::uint16_t version = std::exchange(version_, std::uint16_t{0});
    tell(at + 2 * step_s, flow, NETWATCH_TLS_ALERT, By::server, 70);
    version_ = version;
    end(at + 0.01, flow, true);
}

void TlsStory::shows(double at, std::int64_t not_before_s, std::int64_t not_after_s, std::uint8_t flags) {
    const Flow flow = open(at);
    auto record = model::make_record<netwatch_tls_certificate>(boot_ns(at), story_netns);
    record.sock = flow.sock;
    record.tuple = story_.tuple_of(flow);
    record.not_before_s = not_before_s;
    record.not_after_s = not_after_s;
    record.flags = flags;
    record.passive = flow.passive ? 1 : 0;
    model::set_text(record.sni, sni_);
    model::set_text(record.subject, "CN=" + sni_);
    model::set_text(record.issuer, "CN=lab ca");
    model::set_text(record.names, sni_);
    story_.add(record);
    end(at + 0.01, flow, false);
}

}  // namespace netwatch::support
