// SPDX-License-Identifier: Apache-2.0
// TLS handshakes for a Story: connections whose first bytes said what the functions' names say. Example:
//
//     TlsStory tls(story, "10.0.0.1:443", "shop.example");
//     tls.succeeds(0.1);
//     tls.refuses(0.2, By::client, 45);
#pragma once

#include <string>

#include "support/story.h"

namespace netwatch::support {

enum class By { client, server };

class TlsStory {
public:
    TlsStory(Story& story, std::string server, std::string sni, Who who = {})
        : story_(story),
          server_(std::move(server)),
          sni_(std::move(sni)),
          who_(who) {}

    // What holds for the handshakes from here on.
    TlsStory& under(std::string sni);
    TlsStory& by(Who who);
    TlsStory& version(std::uint16_t version);
    TlsStory& flags(std::uint8_t flags);  // NETWATCH_TLS_* of events
    // Accepted here from clients: `server` is this host's own listener.
    TlsStory& from_client(std::string client);

    // One connection each.
    void succeeds(double at);
    // The ClientHello is lost so often before it passes, `late_s` after the first.
    void succeeds_late(double at, double late_s, std::uint32_t lost);
    // It goes on after the handshake.
    [[nodiscard]] Flow opens(double at) { return begin(at, NETWATCH_TLS_ESTABLISHED); }
    void refuses(double at, By who, std::uint8_t alert);  // in plain text
    void refuses_hidden(double at, By who);               // encrypted, before the handshake is over
    // The client is through, says goodbye at once and goes.
    void leaves_at_once(double at);
    void leaves_after_hello(double at);
    void is_reset(double at);  // after the ClientHello
    void is_closed(double at);
    // Nothing comes back until the client gives up; `acknowledged`: the ClientHello arrived.
    void is_silent(double at, double gives_up_after, bool acknowledged = true);
    void is_answered_in_plain_text(double at, std::uint16_t http_status);
    // The client speaks plain text, which the server answers with an alert.
    void speaks_plain_text(double at);
    void shows(double at, std::int64_t not_before_s, std::int64_t not_after_s, std::uint8_t flags);

private:
    [[nodiscard]] Flow open(double at);
    void tell(double at, const Flow& flow, netwatch_tls_step step, By who, std::uint8_t alert = 0,
              std::uint16_t http_status = 0);
    // The ClientHello, and up to `step` of what follows when all goes well.
    [[nodiscard]] Flow begin(double at, netwatch_tls_step up_to);
    void end(double at, const Flow& flow, bool peer_closed_first, bool reset = false);

    Story& story_;
    std::string server_;
    std::string sni_;
    Who who_;
    std::string client_;
    std::uint16_t version_ = 0x0303;
    std::uint8_t flags_ = 0;
};

}  // namespace netwatch::support
