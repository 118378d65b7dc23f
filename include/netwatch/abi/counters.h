/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The counters that the kernel keeps of a host as a whole, in COUNTER and INTERFACE_COUNTER records.
 * Userspace reads them; the kernel programs do not. Numbers are never reused.
 */
#ifndef NETWATCH_ABI_COUNTERS_H
#define NETWATCH_ABI_COUNTERS_H

/* Where they come from: X(number, UPPER, place, what is not known without it). */
#define NETWATCH_COUNTER_SOURCES(X)                                                                        \
    X(1, NETSTAT, "/proc/net/netstat", "overflows of accept queues, want of TCP memory, timeouts")         \
    X(2, SNMP, "/proc/net/snmp", "damaged segments and discarded packets")                                 \
    X(3, SNMP6, "/proc/net/snmp6", "discarded packets of IPv6")                                            \
    X(4, SOFTNET, "/proc/net/softnet_stat", "packets that this host received and had no time for")         \
    X(5, SOCKSTAT, "/proc/net/sockstat", "connections in TIME_WAIT, TCP memory in use")                    \
    X(6, CONNTRACK, "/proc/net/stat/nf_conntrack", "a full connection table looks like a rule that drops") \
    X(7, LIMITS, "/proc/sys/net/ipv4", "the limits of TCP memory and of local ports")                      \
    X(8, LINKS, "rtnetlink: links", "packets lost by network interfaces")                                  \
    X(9, QDISCS, "rtnetlink: queueing disciplines", "packets dropped by this host's own queues")           \
    X(10, ALLOWANCES, "ethtool: allowances", "what a cloud NIC drops beyond the instance's allowance")     \
    X(11, PRESSURE, "/proc/pressure", "how long tasks waited for CPU and memory")                          \
    X(12, CPU, "/proc/stat", "CPU time that the hypervisor took away")

enum netwatch_counter_source_number {
#define NETWATCH_SOURCE(number, upper, place, lost) NETWATCH_SOURCE_##upper = number,
    NETWATCH_COUNTER_SOURCES(NETWATCH_SOURCE)
#undef NETWATCH_SOURCE
};

/*
 * X(number, UPPER, source, key there, scope, words for what has grown). The key is empty where the reader
 * knows better. Scope NETNS: one for each namespace; HOST: one of all; LINK: one for each interface. Words
 * are empty for what is there now and does not only grow.
 */
#define NETWATCH_COUNTERS(X)                                                                               \
    X(1, LISTEN_OVERFLOWS, NETSTAT, "TcpExt.ListenOverflows", NETNS,                                       \
      "connections found an accept queue full")                                                            \
    X(2, LISTEN_DROPS, NETSTAT, "TcpExt.ListenDrops", NETNS, "SYNs were dropped by listeners")             \
    X(3, TCP_TIMEOUTS, NETSTAT, "TcpExt.TCPTimeouts", NETNS, "retransmission timers ran out")              \
    X(4, SYNS_AGAIN, NETSTAT, "TcpExt.TCPSynRetrans", NETNS, "SYNs were sent again")                       \
    X(5, REVERSE_PATH, NETSTAT, "TcpExt.IPReversePathFilter", NETNS,                                       \
      "packets failed the reverse path filter")                                                            \
    X(6, MEMORY_PRESSURES, NETSTAT, "TcpExt.TCPMemoryPressures", NETNS, "times TCP ran short of memory")   \
    X(7, ABORTED_FOR_MEMORY, NETSTAT, "TcpExt.TCPAbortOnMemory", NETNS,                                    \
      "connections were aborted for want of memory")                                                       \
    X(8, RECEIVE_PRUNED, NETSTAT, "TcpExt.RcvPruned", NETNS, "segments were refused for want of memory")   \
    X(9, BACKLOG_DROPS, NETSTAT, "TcpExt.TCPBacklogDrop", NETNS, "segments found a socket's backlog full") \
    X(10, RECEIVE_QUEUE_DROPS, NETSTAT, "TcpExt.TCPRcvQDrop", NETNS,                                       \
      "segments found no memory to be received")                                                           \
    X(11, REQUEST_DROPS, NETSTAT, "TcpExt.TCPReqQFullDrop", NETNS, "SYNs found a SYN queue full")          \
    X(12, SEGMENTS_DAMAGED, SNMP, "Tcp.InErrs", NETNS, "damaged segments arrived")                         \
    X(13, IP_IN_DISCARDS, SNMP, "Ip.InDiscards", NETNS, "arriving packets were discarded")                 \
    X(14, IP_OUT_DISCARDS, SNMP, "Ip.OutDiscards", NETNS, "leaving packets were discarded")                \
    X(15, UDP_OVERFLOWS, SNMP, "Udp.RcvbufErrors", NETNS, "datagrams found a receive buffer full")         \
    X(16, IP6_IN_DISCARDS, SNMP6, "Ip6InDiscards", NETNS, "arriving IPv6 packets were discarded")          \
    X(17, IP6_OUT_DISCARDS, SNMP6, "Ip6OutDiscards", NETNS, "leaving IPv6 packets were discarded")         \
    X(18, SOFTNET_DROPPED, SOFTNET, "", HOST, "arriving packets found this host's input queue full")       \
    X(19, SOFTNET_SQUEEZED, SOFTNET, "", HOST, "times arriving packets had to wait for CPU time")          \
    X(20, TIME_WAITS, SOCKSTAT, "TCP.tw", NETNS, "")                                                       \
    X(21, TCP_PAGES, SOCKSTAT, "TCP.mem", HOST, "")                                                        \
    X(22, ORPHANS, SOCKSTAT, "TCP.orphan", HOST, "")                                                       \
    X(23, CONNTRACK_ENTRIES, CONNTRACK, "nf_conntrack_count", NETNS, "")                                   \
    X(24, CONNTRACK_LIMIT, CONNTRACK, "nf_conntrack_max", NETNS, "")                                       \
    X(25, CONNTRACK_INSERT_FAILED, CONNTRACK, "insert_failed", NETNS, "entries could not be inserted")     \
    X(26, CONNTRACK_DROP, CONNTRACK, "drop", NETNS, "packets were dropped by connection tracking")         \
    X(27, CONNTRACK_EARLY_DROP, CONNTRACK, "early_drop", NETNS, "entries were evicted to make room")       \
    X(28, TCP_PRESSURE_PAGES, LIMITS, "", HOST, "")                                                        \
    X(29, TCP_LIMIT_PAGES, LIMITS, "", HOST, "")                                                           \
    X(30, ORPHAN_LIMIT, LIMITS, "", HOST, "")                                                              \
    X(31, LOCAL_PORTS, LIMITS, "", NETNS, "")                                                              \
    X(32, CPU_WAITED_US, PRESSURE, "", HOST, "microseconds in which some task waited for the CPU")         \
    X(33, MEMORY_STALLED_US, PRESSURE, "", HOST, "microseconds in which all tasks waited for memory")      \
    X(34, STEAL_TICKS, CPU, "", HOST, "hundredths of a second of CPU time were taken away")                \
    X(35, CPUS, CPU, "", HOST, "")                                                                         \
    X(64, RX_ERRORS, LINKS, "", LINK, "damaged frames arrived")                                            \
    X(65, RX_MISSED, LINKS, "", LINK, "packets found the receive ring full")                               \
    X(66, TX_ERRORS, LINKS, "", LINK, "packets could not be sent")                                         \
    X(67, TX_DROPPED, LINKS, "", LINK, "packets were dropped by the driver before they left")              \
    X(68, QDISC_PACKETS, QDISCS, "", LINK, "packets passed the queue")                                     \
    X(69, QDISC_DROPS, QDISCS, "", LINK, "packets were dropped by the queue")                              \
    X(70, BANDWIDTH_IN_EXCEEDED, ALLOWANCES, "bw_in_allowance_exceeded", LINK,                             \
      "arriving packets exceeded the instance's bandwidth allowance")                                      \
    X(71, BANDWIDTH_OUT_EXCEEDED, ALLOWANCES, "bw_out_allowance_exceeded", LINK,                           \
      "leaving packets exceeded the instance's bandwidth allowance")                                       \
    X(72, PACKETS_EXCEEDED, ALLOWANCES, "pps_allowance_exceeded", LINK,                                    \
      "packets exceeded the instance's allowance of packets a second")                                     \
    X(73, CONNECTIONS_EXCEEDED, ALLOWANCES, "conntrack_allowance_exceeded", LINK,                          \
      "packets exceeded the instance's allowance of tracked connections")                                  \
    X(74, LINK_LOCAL_EXCEEDED, ALLOWANCES, "linklocal_allowance_exceeded", LINK,                           \
      "packets to the instance's own services (DNS, metadata, time) exceeded the allowance")

enum netwatch_counter_number {
#define NETWATCH_COUNTER_NUMBER(number, upper, source, key, scope, words) NETWATCH_COUNTER_##upper = number,
    NETWATCH_COUNTERS(NETWATCH_COUNTER_NUMBER)
#undef NETWATCH_COUNTER_NUMBER
};

#endif
