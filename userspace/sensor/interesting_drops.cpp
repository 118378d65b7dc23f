// SPDX-License-Identifier: Apache-2.0
#include "sensor/interesting_drops.h"

#include <algorithm>
#include <array>

namespace netwatch::sensor {
namespace {

constexpr auto interesting = std::to_array<std::string_view>({
    // firewall and policy
    "NETFILTER_DROP",
    "BPF_CGROUP_EGRESS",
    "TC_EGRESS",
    "TC_INGRESS",
    "XDP",
    "XFRM_POLICY",
    "SECURITY_HOOK",
    "TAP_FILTER",
    "TAP_TXFILTER",
    "SOCKET_FILTER",
    // routing
    "IP_OUTNOROUTES",
    "IP_INNOROUTES",
    "IP_RPFILTER",
    "IP_INADDRERRORS",
    "IP_INVALID_SOURCE",
    "IP_INVALID_DEST",
    "IP_LOCAL_SOURCE",
    "IP_LOCALNET",
    "IPV6DISABLED",
    // neighbours
    "NEIGH_CREATEFAIL",
    "NEIGH_FAILED",
    "NEIGH_QUEUEFULL",
    "NEIGH_DEAD",
    "NEIGH_HH_FILLFAIL",
    // queues and devices
    "QDISC_DROP",
    "QDISC_OVERLIMIT",
    "QDISC_CONGESTED",
    "QDISC_BURST_DROP",
    "CAKE_FLOOD",
    "FQ_BAND_LIMIT",
    "FQ_HORIZON_LIMIT",
    "FQ_FLOW_LIMIT",
    "CPU_BACKLOG",
    "FULL_RING",
    "DEV_READY",
    "NO_TX_TARGET",
    "RECURSION_LIMIT",
    // packet size
    "PKT_TOO_BIG",
    "FRAG_REASM_TIMEOUT",
    "FRAG_TOO_FAR",
    "SKB_GSO_SEG",
    // limits of sockets and memory
    "SOCKET_RCVBUFF",
    "SOCKET_BACKLOG",
    "PROTO_MEM",
    "NOMEM",
    "PFMEMALLOC",
    "TCP_LISTEN_OVERFLOW",
    "TCP_ZEROWINDOW",
    "TCP_OFO_QUEUE_PRUNE",
    "TCP_OFO_DROP",
    "TCP_FASTOPEN",
    "TCP_MINTTL",
    // authentication of segments
    "TCP_AUTH_HDR",
    "TCP_MD5NOTFOUND",
    "TCP_MD5UNEXPECTED",
    "TCP_MD5FAILURE",
    "TCP_AONOTFOUND",
    "TCP_AOUNEXPECTED",
    "TCP_AOKEYNOTFOUND",
    "TCP_AOFAILURE",
    // damaged on the way
    "TCP_CSUM",
    "UDP_CSUM",
    "IP_CSUM",
    "ICMP_CSUM",
    "SKB_CSUM",
});

}  // namespace

bool is_interesting_drop(std::string_view name) {
    return std::ranges::find(interesting, name) != interesting.end();
}

}  // namespace netwatch::sensor
