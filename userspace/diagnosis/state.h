// SPDX-License-Identifier: Apache-2.0
// Inside the engine: records are sorted into destinations, connections and addresses; CLOCK records run the
// judges. view.cpp holds what is read from it. One thread.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "diagnosis/call_graph.h"
#include "diagnosis/destinations.h"
#include "diagnosis/engine.h"
#include "diagnosis/incident_book.h"
#include "diagnosis/process_table.h"
#include "diagnosis/scene.h"
#include "diagnosis/socket_table.h"
#include "diagnosis/tls_handshakes.h"

namespace netwatch::diagnosis {

class Engine::State {
public:
    explicit State(const Limits& limits);

    void observe(model::RecordRef record);
    void resume(std::vector<model::Incident> incidents) { book_.resume(std::move(incidents)); }
    [[nodiscard]] std::vector<model::Incident> take_changes() { return book_.take_changes(); }
    [[nodiscard]] Past take_past(bool all);
    [[nodiscard]] std::vector<model::Incident> incidents() const { return book_.all(); }
    [[nodiscard]] model::HostView view() const;
    [[nodiscard]] model::Ladder ladder(const model::Endpoint& asked) const;

private:
    void take(const netwatch_connect& record);
    void take(const netwatch_accept& record);
    void take(const netwatch_close& record);
    void take(const netwatch_retransmit& record);
    void take(const netwatch_synack_retransmit& record);
    void take(const netwatch_reset_received& record);
    void take(const netwatch_reset_sent& record);
    void take(const netwatch_socket_error& record);
    void take(const netwatch_call_failed& record);
    void take(const netwatch_neighbor& record);
    void take(const netwatch_icmp_sent& record);
    void take(const netwatch_drops& record);
    void take(const netwatch_socket_sample& record);
    void take(const netwatch_listener_sample& record);
    void take(const netwatch_walk_end& record);
    void take(const netwatch_account& record);
    void take(const netwatch_clock& record);
    void take(const netwatch_host& record);
    void take(const netwatch_hook& record);
    void take(const netwatch_drop_reason& record);
    void take(const netwatch_cgroup& record);
    void take(const netwatch_translation& record);
    void take(const netwatch_attempt& record);
    void take(const netwatch_change& record);
    void take(const netwatch_counter& record) { counters_.add(record); }
    void take(const netwatch_interface_counter& record) { counters_.add(record); }
    void take(const netwatch_counter_source& record) { counters_.add(record); }
    void take(const netwatch_region& record);
    void take(const netwatch_payload& /*record*/) {}  // never recorded
    void take(const netwatch_dns_message& record);
    void take(const netwatch_tls_event& record);
    void take(const netwatch_tls_certificate& record);

    // The destination of a connection as this host sees it: the peer, or the own listener.
    [[nodiscard]] DestinationKey key_of(const netwatch_tuple& tuple, std::uint32_t netns, bool passive) const;
    [[nodiscard]] bool is_passive(std::uint8_t told, const netwatch_tuple& tuple, std::uint32_t netns) const;
    Destination* touch(const DestinationKey& key, std::uint32_t netns, core::BootNs at);
    // The destination of a packet, whether NAT has rewritten it already or not.
    [[nodiscard]] Destination* destination_of_packet(const netwatch_tuple& tuple, std::uint32_t netns);
    [[nodiscard]] std::string_view cgroup_path(const netwatch_process& process) const;
    void after(Destination& destination, const Outcome& outcome);
    void follow_failure(const Destination& destination);
    // The connection that a record is about: whose `sock`, `tuple`, `process`, `start_ns` it has.
    template <typename R>
    Socket* connection(const R& record, Destination& destination, bool passive);
    void leave(const Socket& socket);
    void look_for_silence(Socket& socket, const FlowChange& change, const netwatch_tuple& tuple);
    void end_handshake(const netwatch_close& record, const Destination& destination);
    void take_end(const netwatch_close& record, const Socket& socket, const FlowChange& change);
    void apply(const FlowChange& change, Socket& socket, const netwatch_tuple& tuple, std::uint32_t netns);
    [[nodiscard]] DestinationKey resolver_of(const netwatch_tuple& tuple, std::uint32_t netns) const;
    // What became of questions, told of the destination that the resolver is.
    void take_tries(const Settled& tries);
    void note_refused_question(const netwatch_connect& record, const Outcome& outcome);
    void suspect_silence();
    void look_for_mute_servers();
    [[nodiscard]] bool told_by_its_client(std::uint64_t sock, bool passive) const;
    void judge();
    void note_pause(core::BootNs at);
    void note_clock_step(const core::ClockAnchor& anchor, core::BootNs at);

    [[nodiscard]] Scene scene() const;
    [[nodiscard]] std::uint64_t lost_records() const;
    [[nodiscard]] std::vector<std::string> missing_hooks() const;
    void tell_seconds(const Destination& destination, core::BootNs until,
                      std::vector<model::DestinationSecond>& told) const;
    [[nodiscard]] model::DestinationRow row_of(const Destination& destination) const;
    [[nodiscard]] model::ObserverStatus observer() const;

    Limits limits_;
    core::ClockAnchor anchor_;
    core::BootNs now_ = 0;
    core::BootNs first_clock_ = 0;
    core::BootNs judged_at_ = 0;
    core::BootNs housekept_at_ = 0;
    core::BootNs held_until_ = 0;  // times measured while netwatch or the host stood still are not judged
    core::BootNs loss_told_at_ = 0;
    core::BootNs seconds_told_until_ = 0;
    std::uint64_t loss_told_ = 0;
    bool dirty_ = false;  // evidence since the last judgement that could change it
    netwatch_host host_{};
    std::map<std::string, netwatch_hook> hooks_;          // by signal
    std::map<std::uint32_t, netwatch_account> accounts_;  // by kind, latest
    std::map<std::uint32_t, std::string> drop_reasons_;
    std::unordered_map<std::uint64_t, std::string> cgroups_;
    std::map<std::array<std::uint8_t, 48>, std::uint64_t>
        drops_;  // last count of each sum that the kernel keeps
    std::set<std::pair<std::uint32_t, std::uint16_t>> listeners_;  // namespace and port
    FailedNeighbors failed_neighbors_;
    Exhaustion exhaustion_;
    Network network_;
    Journal journal_;
    CloseWaits close_waits_;
    HostCounters counters_;
    Destinations destinations_;
    ProcessTable processes_;
    SocketTable sockets_;
    CallGraph calls_;
    Regions regions_;
    Names names_;
    Resolvers resolvers_;
    TlsHandshakes tls_;
    std::map<model::Endpoint, DestinationKey> fronts_;  // the destination that NAT sends to this peer
    std::set<DestinationKey> failing_;
    std::set<AddressKey> oversized_;
    std::set<DestinationKey> strained_;  // they work, but not well
    std::set<DestinationKey> unsteady_;  // an attempt was not answered between others that were
    std::set<AddressKey> lossy_;
    struct Begun {
        core::BootNs start = 0;
        core::BootNs due = 0;  // when to look at it
        DestinationKey key;
        std::uint64_t sock = 0;
    };
    std::deque<Begun> begun_;  // attempts too young to be suspected
    IncidentBook book_;
    std::uint64_t udp_not_judged_ = 0;
    std::uint32_t sockets_walked_ = 0;
    core::BootNs walked_at_ = 0;
};

}  // namespace netwatch::diagnosis
