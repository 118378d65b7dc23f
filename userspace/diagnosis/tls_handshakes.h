// SPDX-License-Identifier: Apache-2.0
// How TLS handshakes end, by server and the name that was asked for (SNI), and by who asked: a program of
// this host, or, seen from the server, a client's address. From the steps that TLS_EVENT records tell and the
// end of the connection. A client that leaves early says nothing of the server. Bounded. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/time.h"
#include "diagnosis/destination.h"
#include "diagnosis/hop_limits.h"
#include "diagnosis/recent.h"
#include "netwatch/abi/record.h"

namespace netwatch::diagnosis {

enum class TlsEnd : std::uint8_t {
    alert,         // in plain text
    hidden_alert,  // encrypted
    plaintext,     // one end does not speak TLS
    reset,         // by a RST of the peer, or in its name
    closed,        // by the peer, without an alert
    silent,        // it takes the ClientHello and says nothing
};

struct TlsFailure {
    core::BootNs start = 0;  // when the ClientHello passed
    core::BootNs at = 0;     // when it was known
    TlsEnd end = TlsEnd::alert;
    bool by_client = false;  // who ended it, or spoke plain text
    std::uint8_t alert = 0;
    std::uint8_t flags = 0;     // NETWATCH_TLS_* of the event
    std::uint16_t version = 0;  // chosen, else offered
    std::uint16_t http_status = 0;
    bool server_spoke = false;  // a ServerHello came
    bool client_done = false;   // it has accepted the server
    core::BootNs done_at = 0;   // when that was told
    bool refuses_name = false;  // the client left after the handshake, and the certificate is for other names
    bool acknowledged = true;   // the ClientHello was
    Sender sender = Sender::unknown;  // of a RST

    // What a party refused, and how: failures that look alike.
    [[nodiscard]] auto kind() const { return std::tuple(end, by_client, alert, refuses_name); }
};

struct TlsCertificate {
    std::int64_t not_before_s = 0;  // UTC since 1970
    std::int64_t not_after_s = 0;
    bool self_signed = false;
    std::optional<bool> matches;  // the name that was asked for
    std::string subject;
    std::string issuer;
    std::string names;
    std::array<std::uint8_t, 8> fingerprint{};
    core::BootNs first_seen_at = 0;
    core::BootNs seen_at = 0;
};

// Who makes handshakes with one server under one name.
struct TlsParty {
    struct Outcome {
        core::BootNs start = 0;  // what comes to nothing is known late
        bool good = false;
    };
    std::string name;
    ProcessKey process = {};  // the latest
    core::BootNs last_at = 0;
    core::BootNs last_success = 0;
    std::uint64_t successes = 0;
    std::uint32_t successes_in_row = 0;
    core::BootNs row_since = 0;
    // Of the last minute, the latest 32, in the order in which they began.
    Recent<Outcome> outcomes = {};     // of the last minute, the latest 32
    Recent<TlsFailure> failures = {};  // those of them that failed

    // The latest outcomes, all of them failures.
    [[nodiscard]] std::vector<TlsFailure> run() const;
    // Good ones among those since the first failure.
    [[nodiscard]] std::uint32_t served_between() const;
    // How often a failure followed a good one since then: an outage is over once, a mixture is not.
    [[nodiscard]] std::uint32_t relapses() const;
};

struct TlsTarget {
    DestinationKey server;
    std::string sni;  // empty: none was asked for
    core::BootNs last_success = 0;
    core::BootNs last_good_start = 0;  // when the latest began that succeeded
    std::uint64_t successes = 0;
    std::optional<TlsCertificate> certificate;
    std::vector<TlsParty> parties;  // at most 16, the latest
    // ClientHellos that nothing acknowledged, in a row in the order in which they began.
    std::uint32_t swallowed = 0;
    core::BootNs swallowed_since = 0;  // when the first of them passed
    core::BootNs swallowed_until = 0;  // the first success after enough of them; 0: it goes on

    // What began then is lost with all others, and not by chance.
    [[nodiscard]] bool swallows(core::BootNs start) const;
};

class TlsHandshakes {
public:
    using TargetKey = std::pair<DestinationKey, std::string>;

    // A step of a connection to `server`; `party` as above.
    void add(const netwatch_tls_event& event, const DestinationKey& server, const std::string& party,
             const ProcessKey& process);
    void add(const netwatch_tls_certificate& record, const DestinationKey& server, core::UtcNs now);
    // A connection ended; `sender` of the RST, if there was one.
    void close(const netwatch_close& record, Sender sender);
    // Handshakes that have waited long for their server are failures; `acknowledged(sock)`: all that was sent
    // is, as far as is known. Nothing: not known.
    using Acknowledged = std::function<std::optional<bool>(std::uint64_t sock)>;
    void look_for_silence(core::BootNs now, const Acknowledged& acknowledged);
    void housekeep(core::BootNs now);

    // The connection is in its handshake, or that has failed: how it ends is told here alone.
    [[nodiscard]] bool owns(std::uint64_t sock) const;
    // How it ends tells of its handshake.
    [[nodiscard]] bool follows(std::uint64_t sock) const { return connections_.contains(sock); }
    // Its ClientHello passed while none to that server under that name was acknowledged.
    [[nodiscard]] bool is_swallowed(std::uint64_t sock) const;
    [[nodiscard]] const std::map<TargetKey, TlsTarget>& targets() const { return targets_; }
    // Targets whose certificates have run out, or will within a week.
    [[nodiscard]] const std::set<TargetKey>& running_out() const { return running_out_; }
    // Targets with failures in the last minute.
    [[nodiscard]] const std::set<TargetKey>& ailing() const { return ailing_; }
    // Whoever failed with it of late succeeds again: under that name, that party (nothing: any). Nothing: not
    // known yet.
    [[nodiscard]] std::optional<bool> healed(const DestinationKey& server,
                                             const std::optional<std::string>& sni,
                                             const std::optional<std::string>& party, core::BootNs now) const;

private:
    static constexpr std::size_t most_connections = 65'536;
    static constexpr std::size_t most_targets = 16'384;
    static constexpr std::size_t most_parties = 16;
    static constexpr std::size_t most_outcomes = 32;

    struct Connection {
        TargetKey target;
        std::string party;
        ProcessKey process;
        TlsFailure progress;  // what a failure would say so far
        core::BootNs last_at = 0;
        bool told = false;            // its outcome is known
        bool unsure_of_name = false;  // established; whether the client takes the name is not known yet
    };

    Connection* begin(const netwatch_tls_event& event, const DestinationKey& server, const std::string& party,
                      const ProcessKey& process);
    void fail(Connection& connection, TlsEnd end, bool by_client, core::BootNs at);
    void succeed(Connection& connection, core::BootNs at);
    static void note_silence(TlsTarget& target, core::BootNs start);
    [[nodiscard]] bool name_differs(const Connection& connection) const;
    TlsTarget* obtain_target(const TargetKey& key, core::BootNs now);
    static TlsParty& party_of(TlsTarget& target, const Connection& connection, core::BootNs at);

    std::unordered_map<std::uint64_t, Connection> connections_;   // by socket
    std::deque<std::pair<core::BootNs, std::uint64_t>> waiting_;  // begun then, oldest first
    std::map<TargetKey, TlsTarget> targets_;
    std::set<TargetKey> ailing_;
    std::set<TargetKey> running_out_;
};

}  // namespace netwatch::diagnosis
