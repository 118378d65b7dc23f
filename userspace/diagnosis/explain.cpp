// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::OwnerHint;

// Placeholders: {0} the subject, {1} the address, {2} the port, {3} who sent the ICMP error ("a router" if
// not known), {4} the process, {5} the link, {6} the name asked for in TLS, {7} address
// and port.
struct Entry {
    FailureType type;
    std::string_view cause;
    OwnerHint owner;
    std::string_view summary;
    std::string_view statement;
    std::string_view advice;
    std::string_view command;  // read-only; empty if none helps
};

constexpr std::array catalogue = std::to_array<Entry>({
    {FailureType::dns_failure, "resolver_silent", OwnerHint::platform,
     "The resolver {1} does not answer: names do not resolve.",
     "Questions to the resolver are not answered: it is down, overloaded, or cut off.",
     "See whether the resolver runs and whether port 53 on {1} can be reached.",
     "cat /etc/resolv.conf; ip route get {1}"},
    {FailureType::dns_failure, "resolver_refused", OwnerHint::platform,
     "Nothing listens at the resolver {1}: names do not resolve.",
     "The resolver's host answers that the port is shut: its process is down or bound elsewhere.",
     "On {1}, see whether the resolver runs and what it listens on.", "ss -lunp 'sport = :53'"},
    {FailureType::dns_failure, "servfail", OwnerHint::platform,
     "{0} answers with SERVFAIL: it cannot find out what it is asked.",
     "The resolver is there and fails itself: what it asks further is unreachable, or what it hears does not "
     "validate.",
     "On {1}, look at the resolver's log, its forwarders and its DNSSEC validation.", ""},
    {FailureType::dns_failure, "refused_by_policy", OwnerHint::platform, "{0} refuses to answer this host.",
     "A policy of the resolver forbids it to answer these questions of this client.",
     "On {1}, look at the resolver's access list.", ""},
    {FailureType::dns_failure, "slow", OwnerHint::platform,
     "The resolver {1} answers late: every name that is asked for waits.",
     "The resolver is slow, or what it asks further.",
     "On {1}, look at the resolver's load and its forwarders.", ""},
    {FailureType::dns_failure, "lossy", OwnerHint::platform,
     "Questions to the resolver {1}, or its answers, get lost: some names take seconds.",
     "Packets are lost between this host and the resolver, or the resolver drops what is too much for it.",
     "Compare with other traffic to {1}; look at the resolver's socket drops and at rate limits.",
     "nstat -az UdpRcvbufErrors"},
    {FailureType::dns_failure, "name_gone", OwnerHint::app,
     "{0} no longer exists: the resolver says so, and it resolved before.",
     "The name was removed or renamed, or the zone that has it was lost.",
     "See who removed the record or the service that it stands for.", ""},
    {FailureType::dns_failure, "pair_race", OwnerHint::platform,
     "Names take seconds to resolve: of the questions for A and AAAA that go out together one gets lost.",
     "Two packets of one new connection race in conntrack, and the later one is dropped (insert_failed).",
     "Let the resolver library ask one after the other (options single-request-reopen), or use a local "
     "cache.",
     "conntrack -S"},
    {FailureType::load_balancer, "address_dead", OwnerHint::platform,
     "{0} is dead while the other addresses of its name answer: a share of all who use the name fails.",
     "One member of what the name stands for is down, and the name still leads to it.",
     "See why {1} is down; take its address out of the name until it is back.", ""},
    {FailureType::load_balancer, "stale_endpoint", OwnerHint::platform,
     "{4} asks {1} from a port whose way leads to where nobody answers; other ports are answered.",
     "NAT remembers an endpoint that is gone for this one source port, and every packet keeps that alive.",
     "Delete the conntrack entry, or let the process open a new socket.",
     "conntrack -L -p udp --orig-dst {1}"},
    {FailureType::port_blocked, "closed_port", OwnerHint::app,
     "Connections to {0} are refused: the host is there, nothing listens on the port.",
     "No process listens on the port: the service is down, restarting or bound to another address.",
     "On {1}, see whether the service runs and what it listens on.", "ss -ltnp 'sport = :{2}'"},
    {FailureType::host_unreachable, "icmp_host_unreachable", OwnerHint::remote,
     "{1} is down or off the network: {3} reports it unreachable after address resolution failed.",
     "The last router before the host gets no answer to address resolution: the host is down or "
     "disconnected.",
     "See whether {1} is powered and connected; ask {3} for its neighbour table.", "ip route get {1}"},
    {FailureType::host_unreachable, "neighbor_failed", OwnerHint::remote,
     "{1} on the local link does not answer address resolution: it is down or disconnected.",
     "The host on the local link answers no ARP or neighbour solicitation.",
     "Look at the neighbour entry and at the host's own link.", "ip neigh show {1}"},
    {FailureType::host_unreachable, "silent", OwnerHint::remote,
     "{0} answers nothing, neither RST nor ICMP; other hosts of its network do.",
     "The host is down, or everything to it is dropped.", "See whether {1} is up from a host beside it.",
     "ip route get {1}"},
    {FailureType::routing_failure, "no_route", OwnerHint::host,
     "This host has no route to {0}: connections fail before a packet is sent.",
     "The routing table of this host has no route to the destination.",
     "Look at the routes; see which link or daemon used to provide this one.", "ip route get {1}"},
    {FailureType::routing_failure, "local_blackhole", OwnerHint::host,
     "A blackhole route on this host swallows connections to {0}.",
     "A blackhole route of this host covers the destination.", "Find who added the route.",
     "ip route show type blackhole"},
    {FailureType::routing_failure, "local_unreachable", OwnerHint::host,
     "An unreachable route on this host covers {0}.",
     "An unreachable route of this host covers the destination.", "Find who added the route.",
     "ip route show type unreachable"},
    {FailureType::routing_failure, "local_prohibit", OwnerHint::host,
     "A prohibit route or rule on this host covers {0}.",
     "A prohibit route or rule of this host covers the destination.", "Find who added the route or rule.",
     "ip route show type prohibit; ip rule show"},
    {FailureType::routing_failure, "icmp_net_unreachable", OwnerHint::provider,
     "{0} cannot be routed: {3} answers that it has no route.",
     "The router that answered has no route to the destination.", "Ask who runs {3} about its route to {1}.",
     "ip route get {1}"},
    {FailureType::routing_failure, "ttl_exceeded", OwnerHint::provider,
     "Packets to {0} go in a circle: {3} reports their time to live exceeded.",
     "Two or more routers send the packets back and forth.", "Ask who runs {3} about its route to {1}.",
     "ip route get {1}"},
    {FailureType::routing_failure, "prefix_silent", OwnerHint::provider,
     "{0} fell silent together: nothing of this network answers.",
     "The route to the network is gone or swallows packets somewhere on the way.",
     "Ask the network's operator about the route to it; compare from a host elsewhere.", "ip route get {1}"},
    {FailureType::routing_failure, "rp_filter", OwnerHint::host,
     "This host drops the answers of {0} itself: they come in at another interface than its route leaves by.",
     "Strict reverse path filtering and an asymmetric route: rp_filter drops what comes back.",
     "Compare the route to it with the interface its packets come in at; set rp_filter to loose (2) there, "
     "or "
     "mend the route.",
     "ip route get {1}; sysctl -ar 'ipv4.conf.*rp_filter'"},
    {FailureType::routing_failure, "ipv6_broken", OwnerHint::host,
     "IPv6 to {0} does not work; IPv4 takes over and hides it.",
     "This host has IPv6 addresses for its destinations but no working IPv6 route.",
     "Look at the IPv6 default route.", "ip -6 route show default"},
    {FailureType::firewall_block, "local_rule", OwnerHint::platform,
     "The firewall of this host drops connections with {0}.",
     "A netfilter rule of this host drops or rejects the packets.",
     "See which rule covers it and who loaded it.", "nft list ruleset"},
    {FailureType::firewall_block, "local_bpf", OwnerHint::platform,
     "A BPF program or security module of this host forbids connections to {0}.",
     "A program of a cgroup or of tc, or a security module, refuses connect() or drops the packets.",
     "List the BPF programs attached to cgroups and interfaces.",
     "bpftool cgroup tree; bpftool net; tc filter show dev IFACE egress"},
    {FailureType::firewall_block, "admin_prohibited", OwnerHint::platform,
     "A filter at {3} forbids connections to {0}.",
     "A router or firewall answers that the traffic is administratively prohibited.",
     "Ask who runs {3} which rule covers it.", ""},
    {FailureType::firewall_block, "icmp_port_unreachable", OwnerHint::platform,
     "A REJECT rule at {3} refuses connections to {0}.",
     "A firewall rejects with ICMP port unreachable; a closed TCP port would answer with RST.",
     "On {1} or the firewall before it, see which rule covers the port.", "nft list ruleset"},
    {FailureType::firewall_block, "reset_by_middlebox", OwnerHint::platform,
     "A firewall before {0} refuses connections in its name.",
     "Something on the way answers the SYN with RST; the TTL of its RSTs is not that of the host's segments.",
     "On the firewalls before {1}, see which rule rejects the port with a TCP reset.", "nft list ruleset"},
    {FailureType::firewall_block, "state_lost", OwnerHint::platform,
     "A firewall before {0} has forgotten its connections: all that were open died together.",
     "Connections made before died in the same moment, busy ones too, while new ones are made: a stateful "
     "device on the way has lost its state, as in a failover or a restart.",
     "Ask whether a firewall or NAT gateway on the way failed over; restart the clients' connections.", ""},
    {FailureType::firewall_block, "silent_drop", OwnerHint::platform,
     "New connections to {0} are dropped silently while the host answers elsewhere.",
     "A filter on the way or on the host drops new connections to the port.",
     "On {1}, see which rule covers the port; a connect from another subnet tells path from host.",
     "nft list ruleset"},
    {FailureType::firewall_block, "new_flows_only", OwnerHint::platform,
     "New connections to {0} are dropped silently; established ones live.",
     "A stateful filter drops new connections and lets established ones pass.",
     "On {1}, see which rule covers the port; a connect from another subnet tells path from host.",
     "nft list ruleset"},
    {FailureType::neighbor_failure, "gateway", OwnerHint::host,
     "The gateway of this host does not answer: everything behind it is unreachable.",
     "The next hop answers no ARP or neighbour solicitation.",
     "Look at the gateway's neighbour entry and the link.", "ip neigh show; ip -s link"},
    {FailureType::link_down, "admin", OwnerHint::host,
     "Link {5} of this host is set down: nothing is reached over it.",
     "The link was taken down administratively, by a person or a program of this host.",
     "See who took it down; it goes up again with ip link set {5} up.", "ip link show {5}"},
    {FailureType::link_down, "carrier", OwnerHint::provider,
     "Link {5} of this host has no carrier: nothing is reached over it.",
     "The cable, the port at its other end, or what stands for them is gone.",
     "Look at the cable and at the port it leads to.", "ip -s link show {5}; ethtool {5}"},
    {FailureType::link_down, "removed", OwnerHint::host,
     "Link {5} is gone from this host: nothing is reached over it.",
     "The network interface was removed: unplugged, or deleted by a program.",
     "See which program or device it belonged to.", "ip link show"},
    {FailureType::connection_exhaustion, "ephemeral_ports", OwnerHint::app,
     "No local port is left for connections to {0}.",
     "The ephemeral ports for this destination are used up: too many connections, or too many in TIME_WAIT.",
     "Count the connections to it by state; reuse connections or use a pool.",
     "ss -tan dst {1} | awk '{{print $1}}' | sort | uniq -c"},
    {FailureType::connection_exhaustion, "time_wait", OwnerHint::app,
     "No local port is left for connections to {0}: nearly all are in TIME_WAIT.",
     "This host closes short connections faster than their ports come back: a port rests for a minute.",
     "Reuse connections or use a pool; let the peer close first, or allow reuse (net.ipv4.tcp_tw_reuse).",
     "ss -tan state time-wait | wc -l; sysctl net.ipv4.ip_local_port_range"},
    {FailureType::connection_exhaustion, "close_wait_leak", OwnerHint::app,
     "{0} leaks connections: their peers have closed them, it never does.",
     "The process does not close connections whose peer is done: it will run out of file descriptors.",
     "Find the code that forgets to close after the end of the stream; a restart frees them for now.",
     "ss -tanp state close-wait | grep pid={4}"},
    {FailureType::connection_exhaustion, "conntrack_full", OwnerHint::platform,
     "The connection table of this host is full: new connections are dropped, established ones live.",
     "Connection tracking has no entry left; what is new is dropped before any rule sees it.",
     "See what fills the table; raise its limit or shorten its timeouts.",
     "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max; conntrack -S"},
    {FailureType::connection_exhaustion, "tcp_memory", OwnerHint::platform,
     "This host has no memory left for TCP: segments and connections are dropped for want of it.",
     "TCP holds as much memory as net.ipv4.tcp_mem allows: unread or unsent data, or too low a limit.",
     "Find the sockets with the fullest queues, and what their processes wait for.",
     "ss -tm; cat /proc/net/sockstat; sysctl net.ipv4.tcp_mem"},
    {FailureType::connection_exhaustion, "listen_backlog", OwnerHint::app,
     "The accept queue of {0} overflows: new connections wait or fail.",
     "The process that listens does not accept as fast as connections come, or its backlog is too short.",
     "See what the listening process waits for; compare Recv-Q with Send-Q, the backlog.",
     "ss -ltnp 'sport = :{2}'"},
    {FailureType::connection_exhaustion, "file_descriptors", OwnerHint::app,
     "{0} has run out of file descriptors: it can open no further connection.",
     "As many files are open as the limit allows: a leak, or a limit too low.",
     "Count what it has open, and compare with its limit.", "ls -l /proc/{4}/fd; prlimit --nofile --pid {4}"},
    {FailureType::connection_exhaustion, "nat_ports_remote", OwnerHint::platform,
     "A gateway on the way to {0} has no room for more connections: some attempts wait or fail.",
     "The NAT gateway before the destination has run out of ports, or of table entries, for it.",
     "Look at the gateway's allocation errors; give it more addresses, or reuse connections.",
     "ss -tan dst {1} | wc -l"},
    {FailureType::connection_exhaustion, "remote_limit", OwnerHint::app,
     "{0} takes no more connections: beyond a limit it accepts them and ends them at once.",
     "The service, or a proxy before it, has a limit of connections, and it is reached.",
     "Compare the connections that are open with the service's limit; use a pool, or raise it.",
     "ss -tan state established dst {1} | wc -l"},
    {FailureType::load_balancer, "backend_silent", OwnerHint::platform,
     "Some connections to {0} fail for good while others work: a backend behind it is silent.",
     "The address stands for several backends, and one of them does not answer.",
     "See the health of the backends at the load balancer.", ""},
    {FailureType::routing_failure, "path_member", OwnerHint::provider,
     "Some connections to {0} fail for good while others work: one of several parallel paths is dead.",
     "Connections are spread over several paths by their addresses and ports, and one of these swallows "
     "them.",
     "Ask the network's operator for a dead member of a bundle or of equal routes; an attempt from another "
     "local "
     "port may take another path.",
     "ip route get {1}"},
    {FailureType::packet_loss, "syn_only", OwnerHint::platform,
     "Some connections to {0} are made only when they are tried again: SYNs get lost, data does not.",
     "Something on the way drops SYNs by chance or by rate: a SYN flood protection, or a policer of new "
     "connections.",
     "See what on the way limits new connections.", "nstat -az TcpExtTCPSynRetrans"},
    {FailureType::packet_loss, "forward", OwnerHint::provider, "Segments to {0} are lost on the way there.",
     "The path to the destination loses packets; its queues are not full.",
     "Compare with other destinations over the same link; look at interface errors.", "ip -s link"},
    {FailureType::packet_loss, "bursty", OwnerHint::provider,
     "Segments to {0} are lost on the way there, several at a time.",
     "Something on the way fails for moments at a time: a link, a radio, a short queue.",
     "Compare the drops of links and queues on the way with the seconds in which they happen.", "ip -s link"},
    {FailureType::packet_loss, "rate_limited", OwnerHint::provider,
     "Segments to {0} are lost when more is sent than somebody on the way lets pass.",
     "A policer on the way drops what comes faster than its rate.",
     "Ask the path's operator for its limits; to stay below one, pace what is sent (fq with a maxrate).",
     "tc -s qdisc show"},
    {FailureType::packet_loss, "reverse", OwnerHint::provider, "Segments from {0} are lost on the way here.",
     "The path from the destination to this host loses packets.",
     "Compare with other sources over the same link; look at interface errors and receive drops.",
     "ip -s link"},
    {FailureType::packet_loss, "both", OwnerHint::provider, "Segments are lost on the way to {0} and back.",
     "The path loses packets in both directions.",
     "Compare with other destinations over the same link; look at interface errors.", "ip -s link"},
    {FailureType::packet_loss, "local_queue", OwnerHint::host,
     "This host itself drops packets of connections with {0}: its own queue or interface is full.",
     "What is lost is lost before the wire: a queue of this host is too short or its limit too low.",
     "Look at the queue's limit and rate, and at who sends that much.", "tc -s qdisc show; ip -s -s link"},
    {FailureType::path_mtu_blackhole, "forward", OwnerHint::provider,
     "{1} is reached by small packets only: full ones disappear on the way.",
     "A link on the way takes no packets of that size, and the ICMP message that says so does not arrive.",
     "Compare the MTU of tunnels on the way; let ICMP fragmentation needed pass, or clamp the MSS.",
     "ip route get {1}; ss -tin dst {1}"},
    {FailureType::path_mtu_blackhole, "reverse", OwnerHint::provider,
     "Large answers of {1} do not arrive: full segments disappear on the way here, small ones pass.",
     "A link on the way here takes no packets of that size, and the ICMP message that says so does not reach "
     "the "
     "sender.",
     "Compare the MTU of tunnels on the way; let ICMP fragmentation needed pass, or clamp the MSS.",
     "ip route get {1}; ss -tin dst {1}"},
    {FailureType::latency_spike, "path", OwnerHint::provider, "Round trips to {0} have become longer.",
     "The path to the destination has become slower: another route, or a queue on the way.",
     "Compare with other destinations; ask the network's operator for changes of the route.",
     "ip route get {1}"},
    {FailureType::latency_spike, "self_induced", OwnerHint::host,
     "Round trips to {0} have become longer since this host sends much.",
     "An upload of this host fills the queue before the bottleneck.",
     "See which process sends most; limit its rate, or shape the uplink.", "ss -tinp dst {1}"},
    {FailureType::latency_spike, "uplink_queue", OwnerHint::provider,
     "Round trips to all destinations have become longer: the uplink.",
     "What all destinations share has a queue: the uplink is full with somebody else's traffic.",
     "Look at the uplink's load at the router.", "ip -s link"},
    {FailureType::connection_reset, "by_peer", OwnerHint::app, "{0} resets connections instead of answering.",
     "The process behind the port ends connections with a request unanswered: it crashes, or refuses them.",
     "On {1}, look at the log of the service and for restarts of its process.", "ss -ltnp 'sport = :{2}'"},
    {FailureType::connection_reset, "injected", OwnerHint::platform,
     "Connections to {0} are reset by something on the way, in the name of its host.",
     "The RSTs do not come from the host that accepted the connections.",
     "Ask who runs the firewalls and inspection devices on the way to {1} what they reset.", ""},
    {FailureType::connection_reset, "half_open", OwnerHint::remote,
     "{0} no longer knows the connections that were open to it; new ones work.",
     "The host behind the address was restarted or replaced without closing its connections: it answers what "
     "comes on them with RST.",
     "See when {1} was started; let the clients make new connections.", ""},
    {FailureType::tls_handshake_failure, "certificate_expired", OwnerHint::app,
     "TLS handshakes with {0} fail: a certificate has expired.",
     "The certificate that one end shows has run out, by the clock of the other.",
     "Renew the certificate and load it into the service; compare the clocks of both ends.",
     "echo | openssl s_client -connect {7} -servername {6} | openssl x509 -noout -dates -subject"},
    {FailureType::tls_handshake_failure, "certificate_expiring", OwnerHint::app,
     "The certificate of {0} will soon have run out.",
     "The certificate is near its end, and clients still take it.",
     "Renew the certificate and load it into the service.",
     "echo | openssl s_client -connect {7} -servername {6} | openssl x509 -noout -dates -subject"},
    {FailureType::tls_handshake_failure, "certificate_not_yet_valid", OwnerHint::app,
     "TLS handshakes with {0} fail: the certificate is not valid yet.",
     "The certificate's time has not begun, by the clock of the client.",
     "Compare the clocks of both ends with the certificate's dates.",
     "date -u; echo | openssl s_client -connect {7} -servername {6} | openssl x509 -noout -dates"},
    {FailureType::tls_handshake_failure, "unknown_ca", OwnerHint::app,
     "TLS handshakes with {0} fail: the issuer of the certificate is not trusted.",
     "The end that refuses does not know who issued the certificate, or an intermediate certificate is "
     "missing.",
     "Compare the certificate's issuer with the authorities that the other end trusts; see whether the chain "
     "is "
     "complete.",
     "echo | openssl s_client -connect {7} -servername {6} -showcerts"},
    {FailureType::tls_handshake_failure, "bad_certificate", OwnerHint::app,
     "TLS handshakes with {0} fail: the certificate is refused.", "One end refuses the other's certificate.",
     "Look at the log of the end that refuses.",
     "echo | openssl s_client -connect {7} -servername {6} -showcerts"},
    {FailureType::tls_handshake_failure, "name_mismatch", OwnerHint::app,
     "TLS handshakes with {0} fail: the certificate is for other names.",
     "The server shows a certificate that is not for the name that its clients ask for.",
     "See which certificate the server has for the name; or the client goes to the wrong server.",
     "echo | openssl s_client -connect {7} -servername {6} | openssl x509 -noout -ext subjectAltName"},
    {FailureType::tls_handshake_failure, "protocol_version", OwnerHint::app,
     "TLS handshakes with {0} fail: the two ends have no version of TLS in common.",
     "What the client offers at most and what the server takes at least do not meet.",
     "Compare the versions that both ends allow.",
     "for v in tls1_2 tls1_3; do openssl s_client -connect {7} -$v </dev/null | grep Protocol; done"},
    {FailureType::tls_handshake_failure, "no_shared_cipher", OwnerHint::app,
     "TLS handshakes with {0} fail: the two ends have no cipher in common.",
     "None of the ciphers, groups or signatures that the client offers is one that the server takes.",
     "Compare the cipher lists of both ends, and the kind of the server's key.", ""},
    {FailureType::tls_handshake_failure, "client_certificate_required", OwnerHint::app,
     "TLS handshakes with {0} fail: the server wants a certificate of the client, which has none.",
     "The server asks for a client certificate and gets none.",
     "Give the client its certificate and key, or see why it does not send them.",
     "openssl s_client -connect {7} -servername {6} </dev/null | grep -A9 'client certificate'"},
    {FailureType::tls_handshake_failure, "unrecognized_name", OwnerHint::app,
     "TLS handshakes with {0} fail: the server does not know the name.",
     "The server serves no site of the name that is asked for.",
     "See whether the name is configured there, or the client goes to the wrong server.", ""},
    {FailureType::tls_handshake_failure, "no_alpn", OwnerHint::app,
     "TLS handshakes with {0} fail: the two ends have no application protocol in common.",
     "The server takes none of the protocols that the client offers (ALPN).",
     "Compare the protocols of both ends, such as h2 and http/1.1.", ""},
    {FailureType::tls_handshake_failure, "plaintext_on_tls", OwnerHint::app,
     "{0}: one end speaks TLS and the other plain text.",
     "The client and the port do not agree on whether the connection is encrypted.",
     "See whether the client's address should begin with https or http, and what the port serves.",
     "echo | openssl s_client -connect {7}"},
    {FailureType::tls_handshake_failure, "other_alert", OwnerHint::app,
     "TLS handshakes with {0} fail: one end refuses with an alert.",
     "One end breaks off the handshake for a reason of its own.", "Look at the log of the end that refuses.",
     ""},
    {FailureType::tls_handshake_failure, "encrypted_alert", OwnerHint::app,
     "TLS handshakes with {0} fail: one end refuses, in an encrypted alert.",
     "TLS 1.3 hides the reason; the shape of the last message tells that it is a refusal.",
     "Look at the log of the end that refuses; see the certificate that the server shows.",
     "echo | openssl s_client -connect {7} -servername {6} | openssl x509 -noout -dates -subject -issuer"},
    {FailureType::tls_handshake_failure, "reset", OwnerHint::platform,
     "Connections to {0} are reset during the TLS handshake.",
     "The server, or something on the way that reads the ClientHello, ends the connection with a RST.",
     "Look at the server's log; if nothing is there, ask who runs the firewalls on the way which names they "
     "block.",
     ""},
    {FailureType::tls_handshake_failure, "closed", OwnerHint::app,
     "{0} closes connections during the TLS handshake, without an alert.",
     "The server ends the connection instead of answering the handshake.", "Look at the log of the server.",
     ""},
    {FailureType::tls_handshake_failure, "silent", OwnerHint::platform,
     "TLS handshakes with {0} get no answer: the ClientHello arrives and nothing comes back.",
     "The server, or something on the way that reads the ClientHello, says nothing.",
     "See whether other names are answered; look at the server's process.",
     "ss -tnp state established dst {1}"},
    {FailureType::load_balancer, "backend_tls", OwnerHint::platform,
     "Some TLS handshakes with {0} fail while others succeed: a backend behind it has another certificate or "
     "other settings.",
     "The address stands for several backends, and one of them fails in the handshake.",
     "Compare the certificates and TLS settings of the backends.", ""},
    {FailureType::idle_timeout_drop, "silent", OwnerHint::platform,
     "Connections to {0} that have rested get no answer any more when they are used again.",
     "A firewall, NAT gateway or load balancer on the way forgets connections that are idle, and drops what "
     "comes on them.",
     "Let the client send keepalives more often than that, or raise the timeout on the way.",
     "sysctl net.ipv4.tcp_keepalive_time; ss -tno dst {1}"},
    {FailureType::idle_timeout_drop, "reset", OwnerHint::platform,
     "Connections to {0} that have rested are reset when they are used again.",
     "A firewall or load balancer on the way forgets connections that are idle.",
     "Let the client send keepalives more often than that, or raise the timeout on the way.", ""},
    {FailureType::receiver_stalled, "zero_window", OwnerHint::app,
     "Not the network: {0} takes no data; its receive window is shut.",
     "The process behind the port does not read what its host has received for it.",
     "On {1}, see what the process that owns the connection waits for.", "ss -tnmp 'sport = :{2}'"},
    {FailureType::slow_service, "slow", OwnerHint::app,
     "Not the network: {0} answers late, while its host acknowledges requests at once.",
     "The service takes its time between the request and the answer.",
     "Look at the service's process on {1}.", ""},
    {FailureType::slow_service, "waiting", OwnerHint::app,
     "Not the network: {0} takes requests and does not answer them.",
     "The service's host acknowledges requests, and the service never answers: it hangs or waits for "
     "something.",
     "Look at the service's process on {1}, and at what it waits for.", ""},
});

const Entry* entry_for(const model::Incident& incident) {
    const auto found = std::ranges::find_if(catalogue, [&](const Entry& entry) {
        return entry.type == incident.type && incident.cause && entry.cause == *incident.cause;
    });
    return found == catalogue.end() ? nullptr : &*found;
}

// A name that a stranger chose, where a person may copy the command into a shell.
std::string in_command(const std::optional<std::string>& name) {
    const bool harmless =
        name && !name->empty() && name->front() != '-' &&
        name->find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string::npos;
    return harmless ? *name : "NAME";
}

// What happens, whichever of several causes it has.
std::string_view symptom_of(const model::Incident& incident) {
    switch (incident.type) {
        case FailureType::slow_service: return "takes requests and nothing comes back";
        case FailureType::path_mtu_blackhole:
            return incident.cause == "reverse" ? "takes requests and nothing comes back"
                                               : "cannot be reached";
        case FailureType::tls_handshake_failure: return "fails in the TLS handshake";
        case FailureType::idle_timeout_drop:
        case FailureType::connection_reset: return "loses connections while new ones are made";
        default: break;
    }
    return incident.cause == "state_lost" ? "loses connections while new ones are made" : "cannot be reached";
}

// The change that did it, where one is known.
std::string brought_about(const model::Incident& incident) {
    const auto cause = std::ranges::find(incident.changes, model::Bearing::cause, &model::Change::bearing);
    if (cause == incident.changes.end()) return {};
    const std::int64_t before_ns = incident.first_affected_at.ns - cause->at.ns;
    const std::string when = before_ns > 0
                                 ? core::to_duration(static_cast<std::uint64_t>(before_ns)) + " after"
                                 : std::string("with");
    const std::string who = !cause->by                ? ""
                            : *cause->by == "unknown" ? " by an unknown process"
                                                      : " by " + *cause->by;
    return fmt::format(" It began {} this change: {}{}.", when, cause->what, who);
}

std::string listed(const std::vector<model::Candidate>& candidates) {
    std::string text;
    for (const auto& candidate : candidates) {
        if (!text.empty()) text += ", ";
        text += fmt::format("{} {:.2f}", model::to_string(candidate.type), candidate.probability);
    }
    return text;
}

}  // namespace

std::string subject_of(const model::Incident& incident) {
    if (incident.scope.kind == model::ScopeKind::process && incident.scope.value)
        return *incident.scope.value;
    if (incident.scope.kind == model::ScopeKind::name && !incident.scope.members.empty()) {
        if (incident.scope.members.size() == 1) return incident.scope.members.front();
        return fmt::format("{} names", incident.scope.members.size());
    }
    if (incident.scope.members.size() > 1) {
        if (incident.destination && incident.scope.kind == model::ScopeKind::destination) {
            return fmt::format("{} ({} ports)", incident.destination->endpoint.ip.to_string(),
                               incident.scope.members.size());
        }
        const std::string where = incident.scope.value ? " in " + *incident.scope.value : "";
        return fmt::format("{} destinations{}", incident.scope.members.size(), where);
    }
    if (incident.destination) {
        const auto& ref = *incident.destination;
        const auto& name = ref.name ? ref.name : ref.sni;
        if (!name) return ref.endpoint.to_display();
        return fmt::format("{} ({})", *name, ref.endpoint.to_display());
    }
    return incident.scope.members.empty() ? "this host" : incident.scope.members.front();
}

Words words_for(const model::Incident& incident) {
    const std::string subject = subject_of(incident);
    const std::string ip = incident.destination ? incident.destination->endpoint.ip.to_string() : subject;
    const std::string port = incident.destination ? std::to_string(incident.destination->endpoint.port) : "";
    const std::string offender = incident.root_cause.offender.value_or("a router on the way");
    const std::string pid = incident.source.pid ? std::to_string(*incident.source.pid) : "PID";
    const std::string link = incident.scope.value.value_or("");
    const std::string sni = in_command(incident.destination ? incident.destination->sni : std::nullopt);
    const std::string endpoint = incident.destination ? incident.destination->endpoint.to_display() : subject;
    const auto fill = [&](std::string_view text) {
        return fmt::format(fmt::runtime(text), subject, ip, port, offender, pid, link, sni, endpoint);
    };

    // Below 0.9 the answer is a set: the summary says what is seen, not which of them it is.
    const bool set_valued = incident.candidates.size() > 1 && incident.confidence < 0.9;
    Words words;
    const Entry* entry = entry_for(incident);
    if (entry == nullptr) {
        words.summary = fmt::format("{}: {}", subject, model::to_string(incident.type));
        words.statement = std::string(model::to_string(incident.type));
        return words;
    }
    words.owner = entry->owner;
    words.summary = fill(entry->summary);
    words.statement = fill(entry->statement);
    words.advice.push_back({fill(entry->advice),
                            entry->command.empty() ? std::nullopt : std::optional(fill(entry->command)),
                            model::Effect::read_only});
    words.statement += brought_about(incident);
    const bool one_type = std::ranges::all_of(incident.candidates, [&](const model::Candidate& candidate) {
        return candidate.type == incident.type;
    });
    if (set_valued && one_type) {
        for (const auto& candidate : incident.candidates) {
            words.advice.push_back({fmt::format("It is {} if {}.", candidate.cause.value_or("it"),
                                                candidate.would_split.value_or("nothing else is")),
                                    std::nullopt, model::Effect::read_only});
        }
    } else if (set_valued) {
        words.owner = OwnerHint::unknown;
        words.summary = fmt::format("{} {}; from here it is one of: {}.", subject, symptom_of(incident),
                                    listed(incident.candidates));
        words.statement = "One end alone cannot tell these apart: " + listed(incident.candidates) + ".";
        for (const auto& candidate : incident.candidates) {
            if (!candidate.would_split) continue;
            words.advice.push_back(
                {fmt::format("To tell {}: {}.", model::to_string(candidate.type), *candidate.would_split),
                 std::nullopt, model::Effect::read_only});
        }
    }
    return words;
}

}  // namespace netwatch::diagnosis
