/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The records: the only bytes that the kernel programs and userspace share, and the whole input of the
 * diagnosis.
 *
 * Compiled as C for BPF (after vmlinux.h) and as C++ for userspace. Every struct has fixed size, natural
 * alignment and no implicit padding. Numbers are in host byte order, ports included. Times are CLOCK_BOOTTIME
 * nanoseconds. Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d. Counters are raw and cumulative as the kernel
 * keeps them: rates are derived by whoever reads two of them. A field that a kernel does not have holds
 * NETWATCH_ABSENT_U32 or _U64.
 *
 * A change of layout or meaning raises NETWATCH_ABI_VERSION; a recording names the version that it was
 * written with.
 */
#ifndef NETWATCH_ABI_RECORD_H
#define NETWATCH_ABI_RECORD_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define NETWATCH_ABI_VERSION 3

#define NETWATCH_ABSENT_U32 0xffffffffU
#define NETWATCH_ABSENT_U64 0xffffffffffffffffULL

/*
 * The one list of record kinds: X(number, UPPER, lower, who makes it, what it is). Numbers are never reused.
 * The payload of kind `lower` is `struct netwatch_<lower>`.
 */
#define NETWATCH_RECORD_KINDS(X)                                                                            \
    X(1, CONNECT, connect, KERNEL, "an active open ended: established, failed or given up")                 \
    X(2, ACCEPT, accept, KERNEL, "a passive open reached ESTABLISHED")                                      \
    X(3, CLOSE, close, KERNEL, "an established connection ended, with its final counters")                  \
    X(4, RETRANSMIT, retransmit, KERNEL, "a SYN, RTO, probe or locally refused retransmission")             \
    X(5, SYNACK_RETRANSMIT, synack_retransmit, KERNEL, "a SYN-ACK sent again by a listener")                \
    X(6, RESET_RECEIVED, reset_received, KERNEL, "a RST accepted by a socket")                              \
    X(7, RESET_SENT, reset_sent, KERNEL, "a RST sent by this host, with the kernel's reason")               \
    X(8, SOCKET_ERROR, socket_error, KERNEL, "an error reported on a socket, with the ICMP that caused it") \
    X(9, CALL_FAILED, call_failed, KERNEL, "connect(), socket() or accept() failed in the caller's face")   \
    X(10, NEIGHBOR, neighbor, KERNEL, "a neighbour failed, or a failed one came back")                      \
    X(11, ICMP_SENT, icmp_sent, KERNEL, "this host sent an ICMP error")                                     \
    X(12, DROPS, drops, USER, "packets this host dropped, by reason and destination, cumulative")           \
    X(13, SOCKET_SAMPLE, socket_sample, WALK, "one live connection in the periodic walk")                   \
    X(14, LISTENER_SAMPLE, listener_sample, WALK, "one listener in the periodic walk")                      \
    X(15, WALK_END, walk_end, USER, "a periodic walk is complete")                                          \
    X(16, ACCOUNT, account, USER, "records of one kind seen, filtered, emitted and dropped, cumulative")    \
    X(17, CLOCK, clock, USER, "everything before this instant was delivered; anchors boot time to UTC")     \
    X(18, HOST, host, USER, "who recorded: kernel, boot, host name, network namespaces")                    \
    X(19, HOOK, hook, USER, "one signal of the plan: the hook in use, or what is lost without it")          \
    X(20, DROP_REASON, drop_reason, USER, "the running kernel's name of one drop reason")                   \
    X(21, CGROUP, cgroup, USER, "the path of one cgroup")                                                   \
    X(22, TRANSLATION, translation, USER, "where NAT rewrote a connection: the peer as conntrack knows it") \
    X(23, ATTEMPT, attempt, KERNEL, "an active open began")                                                 \
    X(24, COUNTER, counter, USER, "a counter of the host or of a namespace, when it has changed")           \
    X(25, CHANGE, change, USER, "something of the network's setup changed, or how it was found")            \
    X(27, INTERFACE_COUNTER, interface_counter, USER, "a counter of a network interface, when it changed")  \
    X(28, COUNTER_SOURCE, counter_source, USER, "where counters come from, or why they do not")             \
    X(33, REGION, region, USER, "a network of a region, as the operator named it")                          \
    X(34, PAYLOAD, payload, KERNEL, "bytes of a DNS message or of a connection's beginning; not recorded")  \
    X(35, DNS_MESSAGE, dns_message, USER, "a question to a resolver or its answer, as its client saw it")   \
    X(36, TLS_EVENT, tls_event, USER, "one step of a TLS handshake, as it passed")                          \
    X(37, TLS_CERTIFICATE, tls_certificate, USER, "a server's certificate, where TLS 1.2 shows it")

enum netwatch_record_kind {
#define NETWATCH_KIND(number, upper, lower, maker, text) NETWATCH_RECORD_##upper = number,
    NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
        NETWATCH_RECORD_KIND_COUNT
};

/* First member of every record. `size` is the size of the whole record; a multiple of 8. */
struct netwatch_header {
    __u64 at_ns;
    __u32 netns; /* inode of the network namespace; 0 where none applies */
    __u16 kind;
    __u16 size;
};

struct netwatch_tuple {
    __u8 local_ip[16];
    __u8 remote_ip[16];
    __u16 local_port;
    __u16 remote_port;
    __u8 family;   /* 4 or 6: what is on the wire; a mapped address is 4 */
    __u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    __u16 reserved;
};

/* Identity of a process that survives pid reuse: (pid, start_ns). All zero: not known. */
struct netwatch_process {
    __u64 start_ns;  /* boot time at which the thread group started */
    __u64 cgroup_id; /* cgroup v2 id, as in the inode of its directory */
    __u32 pid;       /* thread group id in the initial pid namespace */
    __u32 uid;
    char comm[16]; /* of the thread group leader; NUL-terminated */
};

/* The ICMP error behind a failure. type and code are meaningful when `present`. */
struct netwatch_icmp {
    __u8 present;
    __u8 type;
    __u8 code;
    __u8 has_offender;
    __u32 reserved;
    __u8 offender[16]; /* who sent it; own address where this host did */
};

/* What the IP header of a segment said when it arrived: how far it had come tells who sent it. */
struct netwatch_header_look {
    __u8 hop_limit; /* TTL or hop limit; 0: no such segment was seen */
    __u8 reserved;
    __u16 ip_id; /* IPv4 identification; 0 with IPv6 */
};

/* `sock` in all records: the socket cookie (as `ss -e` shows it), or the socket's kernel address on kernels
 * without. */

enum netwatch_outcome {
    NETWATCH_OUTCOME_ESTABLISHED = 1,
    NETWATCH_OUTCOME_FAILED = 2,   /* the kernel ended it: `error` or `reset` says why */
    NETWATCH_OUTCOME_ABANDONED = 3 /* closed by its owner before any answer */
};

struct netwatch_attempt {
    struct netwatch_header header;
    __u64 sock;
    struct netwatch_tuple tuple; /* local_port 0: none was chosen yet */
};

struct netwatch_connect {
    struct netwatch_header header;
    __u64 sock;
    __u64 start_ns;              /* when SYN_SENT was entered */
    struct netwatch_tuple tuple; /* local_port 0: no port could be had, no SYN left */
    struct netwatch_process process;
    struct netwatch_icmp icmp;
    __u8 asked_ip[16]; /* as given to connect(); equal to the tuple's where nothing rewrote it, zero if not
                          known */
    __u16 asked_port;
    __u8 outcome; /* enum netwatch_outcome */
    __u8 reset;   /* a RST ended it */
    __s32 error;  /* errno of the socket, 0 if none */
    __s32 soft_error;
    __s32 transmit_error; /* result of the last SYN retransmission: 0 or a negative errno */
    __u32 syn_retransmits;
    __u32 rtt_us; /* handshake round trip; NETWATCH_ABSENT_U32 unless established without retransmission */
    struct netwatch_header_look syn_ack_look;
    struct netwatch_header_look reset_look;
};

struct netwatch_accept {
    struct netwatch_header header;
    __u64 sock;
    __u64 start_ns; /* when it was established; its child socket is made then, too */
    struct netwatch_tuple tuple;
    struct netwatch_process process; /* owner of the listener */
    __u32 rtt_us;
    __u32 reserved;
};

/* The counters of a TCP socket as the kernel keeps them. Times in jiffies are of the kernel's HZ (see HOST).
 */
struct netwatch_tcp_counters {
    __u64 bytes_sent; /* retransmissions included */
    __u64 bytes_acked;
    __u64 bytes_received;
    __u32 segs_out;
    __u32 segs_in;
    __u32 data_segs_out; /* retransmissions included */
    __u32 data_segs_in;
    __u32 total_retrans;
    __u32 dsack_dups;
    __u32 delivered;
    __u32 lost_out;
    __u32 sacked_out;
    __u32 packets_out;
    __u32 retrans_out;
    __u32 reord_seen;
    __u32 rcv_ooopack;
    __u32 total_rto; /* absent before 6.7 */
    __u32 srtt_us;
    __u32 rttvar_us;
    __u32 min_rtt_us; /* NETWATCH_ABSENT_U32 before the first sample */
    __u32 rcv_rtt_us;
    __u32 snd_cwnd;
    __u32 snd_wnd;
    __u32 rcv_wnd;
    __u32 mss_bytes;
    __u32 pmtu_bytes;
    __u32 rcv_mss_bytes; /* the largest segment that arrives, as the kernel guesses: 536 at most until one did
                          */
    __u32 since_heard_jiffies; /* since the peer was last heard, be it a bare acknowledgement */
    __u32 unacked_bytes;       /* sent, not yet acknowledged */
    __u32 unsent_bytes;        /* written by the application, not yet sent */
    __u32 unread_bytes;        /* received in order, not yet read by the application */
    __u32 hole_bytes;          /* 1 if segments wait behind a hole in the receive sequence, else 0 */
    __u32 rto_jiffies;
    __u32 since_sent_jiffies;     /* since data was last sent */
    __u32 since_received_jiffies; /* since data was last received */
    __u32 busy_jiffies;           /* cumulative time with data in flight or waiting */
    __u32 rwnd_limited_jiffies;
    __u32 sndbuf_limited_jiffies;
    __u32 holes_resent;   /* holes in what arrived that a retransmission filled; absent without that hook */
    __u32 segments_twice; /* segments that arrived again whole: late originals of those, for the most part;
                             absent without that hook */
    __u32 soft_error;
    __u8 backoff;
    __u8 retransmits; /* unanswered RTOs in a row */
    __u8 probes_out;
    __u8 pending;  /* armed timer: ICSK_TIME_RETRANS 1, DACK 2, PROBE0 3, LOSS_PROBE 5, REO_TIMEOUT 6 */
    __u8 ca_state; /* 0 open, 1 disorder, 2 CWR, 3 recovery, 4 loss */
    __u8 state;    /* TCP_ESTABLISHED 1 … TCP_NEW_SYN_RECV 12 */
    __u8 sack_ok;  /* the peer announced SACK: DSACKs can be trusted to come */
    __u8 heard;    /* the latest from the peer: 1 a bare acknowledgement, 2 data; 0 not known (recordings of
                      before) */
};

struct netwatch_close {
    struct netwatch_header header;
    __u64 sock;
    __u64 start_ns; /* 0: older than the agent */
    struct netwatch_tuple tuple;
    struct netwatch_process process;
    struct netwatch_tcp_counters counters;
    __s32 error;
    __u8 old_state; /* state before CLOSE: TCP_ESTABLISHED means aborted, by either end */
    __u8 reset_received;
    __u8 passive; /* 1: accepted here, 0: connected from here, 2: not known */
    __u8 peer_closed_first;
    struct netwatch_header_look syn_ack_look; /* of a connection made from here */
    struct netwatch_header_look reset_look;
};

enum netwatch_retransmit_why {
    NETWATCH_RETRANSMIT_SYN = 1,
    NETWATCH_RETRANSMIT_RTO = 2,
    NETWATCH_RETRANSMIT_TAIL_PROBE = 3,
    NETWATCH_RETRANSMIT_FAST = 4
};

struct netwatch_retransmit {
    struct netwatch_header header;
    __u64 sock;
    __u64 start_ns; /* when SYN_SENT was entered, for a SYN; else 0 */
    struct netwatch_tuple tuple;
    struct netwatch_process process;
    __s32 error; /* 0: it left this host; else the negative errno of its transmission (older kernels tell only
                    0) */
    __u8 why;    /* enum netwatch_retransmit_why; FAST is only sent when `error` is set, the counters tell the
                    rest */
    __u8 state;
    __u8 retransmits;
    __u8 passive;
    __s32 soft_error;
    __u32 packets_out; /* segments in flight, this one among them; 0: not known (recordings of before) */
};

struct netwatch_synack_retransmit {
    struct netwatch_header header;
    struct netwatch_tuple tuple;
    __u32 timeouts;
    __u32 reserved;
};

struct netwatch_reset_received {
    struct netwatch_header header;
    __u64 sock;
    struct netwatch_tuple tuple;
    struct netwatch_process process;
    __u8 state;
    __u8 passive;
    __u8 reserved[6];
};

struct netwatch_reset_sent {
    struct netwatch_header header;
    __u64 sock; /* 0: no socket was there */
    struct netwatch_tuple tuple;
    __s32 reason; /* enum sk_rst_reason of the running kernel; -1 before 6.10 */
    __u8 state;
    __u8 reserved[3];
};

struct netwatch_socket_error {
    struct netwatch_header header;
    __u64 sock;
    struct netwatch_tuple tuple;
    struct netwatch_process process;
    struct netwatch_icmp icmp;
    __s32 error;
    __s32 soft_error;
    __u8 state;
    __u8 passive;
    __u8 reserved[6];
};

enum netwatch_call { NETWATCH_CALL_CONNECT = 1, NETWATCH_CALL_SOCKET = 2, NETWATCH_CALL_ACCEPT = 3 };

struct netwatch_call_failed {
    struct netwatch_header header;
    __u64 sock; /* of a connect() that had entered SYN_SENT; else 0 */
    struct netwatch_tuple
        tuple; /* remote_* as asked for; zero for socket(); the listener's local_* for accept() if known */
    struct netwatch_process process;
    __u64 duration_ns; /* time spent in the call; 0: not measured */
    __s32 error;       /* positive errno */
    __u8 call;         /* enum netwatch_call */
    __u8 reserved[3];
};

struct netwatch_neighbor {
    struct netwatch_header header;
    __u8 ip[16];
    __u32 ifindex;
    __u8 family;
    __u8 old_state; /* NUD_INCOMPLETE 1, REACHABLE 2, STALE 4, DELAY 8, PROBE 16, FAILED 32 */
    __u8 new_state;
    __u8 reserved;
};

struct netwatch_icmp_sent {
    struct netwatch_header header;
    struct netwatch_tuple
        tuple; /* of the packet complained about: local = its source, remote = its destination */
    __u8 type;
    __u8 code;
    __u8 reserved[6];
};

struct netwatch_drops {
    struct netwatch_header header;
    struct netwatch_tuple
        tuple; /* remote_* = the packet's destination, local_ip = its source; ports of the destination only */
    __u64 packets;
    __u32 reason; /* number in the running kernel; DROP_REASON names it */
    __u32 reserved;
};

struct netwatch_socket_sample {
    struct netwatch_header header;
    __u64 sock;
    __u64 start_ns; /* when SYN_SENT was entered, or it was accepted; 0: older than the agent */
    struct netwatch_tuple tuple;
    struct netwatch_process process;
    struct netwatch_tcp_counters counters;
    __u8 passive; /* 1: accepted here, 0: connected from here, 2: not known */
    __u8 reserved[7];
};

struct netwatch_listener_sample {
    struct netwatch_header header;
    __u64 sock;
    struct netwatch_tuple tuple; /* local_* only */
    struct netwatch_process process;
    __u32 backlog;
    __u32 backlog_limit;
    __u64 drops; /* sk_drops, cumulative */
};

struct netwatch_walk_end {
    struct netwatch_header header;
    __u64 started_ns;
    __u32 sockets;
    __u32 listeners;
};

/*
 * seen = emitted + filtered + dropped_full + dropped_map, for every kind that the kernel makes, and for the
 * two that are read from PAYLOAD: messages of DNS_MESSAGE, connections of TLS_EVENT.
 */
struct netwatch_account {
    struct netwatch_header header;
    __u32 kind; /* of the records accounted for */
    __u32 reserved;
    __u64 seen;
    __u64 filtered; /* another namespace, or an event that is no news; what could not be read */
    __u64 emitted;
    __u64 dropped_full; /* the ring buffer was full */
    __u64 dropped_map;  /* a map, or the reader, had no room for what the record needs */
    __u64 missed; /* program runs that the kernel skipped, having interrupted the same one; not part of `seen`
                   */
};

struct netwatch_clock {
    struct netwatch_header header;
    __s64 realtime_ns; /* UTC at header.at_ns */
};

struct netwatch_host {
    struct netwatch_header header;
    char boot_id[40];
    char release[72];
    char hostname[64];
    char agent_version[24];
    __u32 hz;
    __u32 own_netns;
    __u32 observed_netns_count; /* 0: all namespaces */
    __u32 abi_version;
    __u64 started_ns; /* of the agent */
};

enum netwatch_hook_state {
    NETWATCH_HOOK_BEST = 1,
    NETWATCH_HOOK_FALLBACK = 2, /* attached, with the loss that `lost` names */
    NETWATCH_HOOK_MISSING = 3
};

struct netwatch_hook {
    struct netwatch_header header;
    char signal[40];
    char hook[64];
    char lost[96];   /* what is not seen, even with this hook; mostly empty for BEST */
    char reason[96]; /* why the better hook is not used */
    __u32 state;     /* enum netwatch_hook_state */
    __u32 reserved;
};

struct netwatch_drop_reason {
    struct netwatch_header header;
    __u32 reason;
    char name[60];
};

struct netwatch_cgroup {
    struct netwatch_header header;
    __u64 cgroup_id;
    char path[256]; /* below the cgroup v2 root, shortened at the left with a leading "…" */
};

struct netwatch_translation {
    struct netwatch_header header;
    struct netwatch_tuple tuple; /* as the socket has it */
    __u8 real_ip[16];            /* where the packets really go */
    __u16 real_port;
    __u16 reserved[3];
};

enum netwatch_change_subject {
    NETWATCH_CHANGE_LINK = 1,
    NETWATCH_CHANGE_ADDRESS = 2,
    NETWATCH_CHANGE_ROUTE = 3,
    NETWATCH_CHANGE_RULE = 4,      /* a policy routing rule */
    NETWATCH_CHANGE_RULESET = 5,   /* nftables: a new generation */
    NETWATCH_CHANGE_NAMESPACE = 6, /* REMOVED: its last process has ended, or its path is gone */
    NETWATCH_CHANGE_MISSED = 7     /* the kernel could not queue all that it had to tell */
};

enum netwatch_change_action {
    NETWATCH_CHANGE_FOUND = 1, /* so it was when the watch of the namespace began, no news */
    NETWATCH_CHANGE_ADDED = 2,
    NETWATCH_CHANGE_REMOVED = 3,
    NETWATCH_CHANGE_CHANGED = 4
};

#define NETWATCH_LINK_UP 1      /* administratively */
#define NETWATCH_LINK_CARRIER 2 /* the other end is there */

/* Members that a subject does not have are zero. IPv4 addresses are mapped ones. */
struct netwatch_change {
    struct netwatch_header header;
    __u64 generation; /* of the ruleset */
    __u8 ip[16];      /* the address; where the route leads; what the rule asks of the source */
    __u8 gateway[16];
    __u32 ifindex;
    __u32 mtu_bytes;
    __u32 old_mtu_bytes; /* of a link that changed */
    __u32 table;         /* of a route or rule */
    __u32 priority;      /* the route's metric, the rule's preference */
    __u32 pid;           /* who did it, for a namespace who lives there; 0: the kernel does not tell */
    __u8 subject;        /* enum netwatch_change_subject */
    __u8 action;         /* enum netwatch_change_action */
    __u8 family;         /* 4 or 6 */
    __u8 prefix_bits;    /* within the family */
    __u8 link_state;     /* NETWATCH_LINK_* */
    __u8 old_link_state; /* of a link that changed */
    __u8 route_type;     /* RTN_UNICAST 1, BLACKHOLE 6, UNREACHABLE 7, PROHIBIT 8, THROW 9 */
    __u8 protocol;       /* RTPROT_*: what kind of program the route is from */
    char interface[16];
    char comm[16]; /* of `pid` */
};

/* `counter` is of NETWATCH_COUNTERS in counters.h. The netns is 0 where it is the whole host's. */
struct netwatch_counter {
    struct netwatch_header header;
    __u64 value; /* cumulative, or what is there now, as the catalogue says */
    __u32 counter;
    __u32 reserved;
};

struct netwatch_interface_counter {
    struct netwatch_header header;
    __u64 value;
    __u32 counter;
    __u32 ifindex;
    char name[16];
};

struct netwatch_counter_source {
    struct netwatch_header header;
    __u32 source; /* of NETWATCH_COUNTER_SOURCES */
    __u32 there;  /* 0: missing, `reason` says why */
    char reason[96];
};

enum netwatch_direction { NETWATCH_DIRECTION_SENT = 1, NETWATCH_DIRECTION_RECEIVED = 2 };

#define NETWATCH_PAYLOAD_BYTES 512

/*
 * Bytes as they passed on the wire, never recorded: userspace makes other records of them. A longer excerpt
 * of one packet comes as several records in a row. Of DNS over UDP, whole messages (up to 4 KiB) that this
 * host asked or was answered; of TCP, the first bytes of both directions, if they begin as TLS does or go to
 * port 53.
 */
struct netwatch_payload {
    struct netwatch_header header;
    __u64 sock;
    struct netwatch_tuple tuple; /* the socket's own where it has them, else the packet's */
    struct netwatch_process
        process;    /* owner of a TCP socket; sender of a datagram, zero for a received one */
    __u32 offset;   /* of bytes[0], in the stream (TCP) or in the message (UDP) */
    __u32 length;   /* of the whole message (UDP), of the segment's data (TCP) */
    __u16 captured; /* how many of `bytes` hold */
    __u8 direction; /* enum netwatch_direction */
    __u8 passive;   /* 1: accepted here, 0: connected from here, or UDP */
    __u8 reserved[4];
    __u8 bytes[NETWATCH_PAYLOAD_BYTES];
};

#define NETWATCH_DNS_ADDRESSES 8

enum netwatch_dns_status {
    NETWATCH_DNS_PARSED = 1,
    NETWATCH_DNS_MALFORMED = 2 /* not DNS, or cut off: nothing but the header's fields hold */
};

/* `process` is the one that asked, for a question; zero for an answer, which `sock` and `id` tie to it. */
struct netwatch_dns_message {
    struct netwatch_header header;
    __u64 sock;
    struct netwatch_tuple tuple;
    struct netwatch_process process;
    __u32 ttl_s;         /* the least of the answer's records; NETWATCH_ABSENT_U32 without */
    __u16 id;            /* chosen by who asked */
    __u16 query_type;    /* A 1, AAAA 28, … */
    __u16 answer_count;  /* records in the answer section */
    __u16 address_total; /* addresses in it, those beyond `addresses` too */
    __u8 direction;      /* enum netwatch_direction */
    __u8 is_answer;
    __u8 status;        /* enum netwatch_dns_status */
    __u8 rcode;         /* NOERROR 0, FORMERR 1, SERVFAIL 2, NXDOMAIN 3, NOTIMP 4, REFUSED 5 */
    __u8 truncated;     /* the TC flag: the client asks again over TCP */
    __u8 address_count; /* of `addresses` */
    __u8 reserved[6];
    __u8 addresses[NETWATCH_DNS_ADDRESSES][16];
    char name[256]; /* that was asked for: lower case, without the last dot, escaped as in RFC 4343, shortened
                       at the left with a leading "…" */
};

/* What a connection's first bytes told. Each step comes at most once for a connection, in the order in which
 * they passed. */
enum netwatch_tls_step {
    NETWATCH_TLS_CLIENT_HELLO = 1,
    NETWATCH_TLS_SERVER_HELLO = 2,
    NETWATCH_TLS_CLIENT_DONE = 3, /* the client has finished: it accepts the server */
    NETWATCH_TLS_ESTABLISHED = 4, /* the server has accepted the client, too, and goes on */
    NETWATCH_TLS_ALERT = 5,       /* in plain text: `alert` holds */
    NETWATCH_TLS_HIDDEN_ALERT =
        6, /* encrypted, known by its shape: before ESTABLISHED, or by a client that sent no data after it */
    NETWATCH_TLS_PLAINTEXT = 7, /* this end spoke plain text where the other spoke TLS */
    NETWATCH_TLS_UNREADABLE = 8 /* malformed, cut off or too long: nothing more is told of the connection */
};

#define NETWATCH_TLS_ASKED_CERTIFICATE \
    1 /* the server asked for the client's certificate (TLS 1.2 shows it) */
#define NETWATCH_TLS_EMPTY_CERTIFICATE 2 /* the client was asked for one and had none */
#define NETWATCH_TLS_RESUMED 4           /* an earlier session, without certificates (TLS 1.2 shows it) */

/* Names are lower case; what is no printable ASCII in them is escaped as \xNN. */
struct netwatch_tls_event {
    struct netwatch_header header;
    __u64 sock;
    struct netwatch_tuple tuple;
    __u16 version; /* the one chosen, before that the highest one offered: 0x0303 is TLS 1.2; 0: not known */
    __u16 cipher;  /* chosen, IANA's number; 0: none yet */
    __u8 step;     /* enum netwatch_tls_step */
    __u8 by_client;
    __u8 passive; /* 1: this host is the server */
    __u8 alert_level;
    __u8 alert;        /* its description, RFC 8446 section 6 */
    __u8 flags;        /* NETWATCH_TLS_* as known by then */
    __u16 http_status; /* of plain text that is an answer of HTTP; else 0 */
    __u8 reserved[4];
    char alpn[32]; /* of a ClientHello: offered, comma-separated, cut to fit */
    char sni[128]; /* of a ClientHello, shortened at the left with a leading "…"; empty: none */
};

#define NETWATCH_TLS_SELF_SIGNED 1
#define NETWATCH_TLS_NAME_MATCHES 2 /* the certificate is one for `sni` */
#define NETWATCH_TLS_NAME_DIFFERS 4 /* it is not */

/* Told when it is another than before for that server and name, and again after a minute. */
struct netwatch_tls_certificate {
    struct netwatch_header header;
    __u64 sock;
    struct netwatch_tuple tuple;
    __s64 not_before_s; /* UTC since 1970 */
    __s64 not_after_s;
    __u8 fingerprint[8]; /* first bytes of its SHA-256 */
    __u8 flags;          /* NETWATCH_TLS_SELF_SIGNED, … */
    __u8 passive;
    __u8 reserved[6];
    char sni[128];    /* asked for on that connection, as in TLS_EVENT */
    char subject[96]; /* RFC 2253, cut to fit */
    char issuer[96];
    char names[160]; /* it is for, comma-separated, cut to fit */
};

struct netwatch_region {
    struct netwatch_header header;
    __u8 network[16]; /* host bits zero */
    __u8 bits;        /* of the prefix: up to 32 for an IPv4 network, 128 for an IPv6 one */
    __u8 reserved[7];
    char name[64];
};

#endif
