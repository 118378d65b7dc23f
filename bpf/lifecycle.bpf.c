// SPDX-License-Identifier: GPL-2.0
// The life of a TCP socket: active opens and how they end, passive opens, and the end of connections.
#include "lib/arrival.h"
#include "lib/asked.h"
#include "lib/counters.h"
#include "lib/emit.h"
#include "lib/process.h"
#include "lib/socket.h"

static __always_inline void forget_packets(struct socket_state *state) {
    __builtin_memset(&state->syn_ack_look, 0, sizeof(state->syn_ack_look));
    __builtin_memset(&state->reset_look, 0, sizeof(state->reset_look));
    __builtin_memset(&state->sent_stream, 0, sizeof(state->sent_stream));
    __builtin_memset(&state->received_stream, 0, sizeof(state->received_stream));
}

static __always_inline void remember_connect(struct sock *sk, __u64 now_ns) {
    struct socket_state *state = make_state(sk);

    if (!state) return; /* counted when the connect ends */
    state->start_ns = now_ns;
    fill_current_process(&state->process);
    fill_asked(state, sk);
    __builtin_memset(&state->icmp, 0, sizeof(state->icmp));
    state->passive = 0;
    state->reset_received = 0;
    state->connecting = 1;
    state->call_unheard = 1;
    state->transmit_error = 0;
    state->syn_retransmits = 0;
    forget_packets(state);
}

static __always_inline void begin_connect(struct sock *sk) {
    __u32 netns = netns_of(&sk->__sk_common);
    struct netwatch_account_counts *account = saw(NETWATCH_RECORD_ATTEMPT, netns);
    __u64 now_ns = bpf_ktime_get_boot_ns();
    struct netwatch_attempt *record;

    if (!account) return;
    remember_connect(sk, now_ns);
    record = RESERVE_AT(account, ATTEMPT, attempt, netns, now_ns);
    if (!record) return;
    record->sock = identity_of(sk);
    fill_tuple_common(&record->tuple, &sk->__sk_common, IPPROTO_TCP);
    submit_quietly(account, record);
}

/*
 * A child's state is the kernel's copy of its listener's, so this is how it begins: without a start, until it
 * is established, which is when LISTEN → SYN_RECV happens, too (fast open apart).
 */
static __always_inline void begin_listen(struct sock *sk) {
    struct socket_state *state;

    if (!is_observed(netns_of(&sk->__sk_common))) return;
    state = make_state(sk);
    if (!state) return; /* counted with each ACCEPT */
    state->start_ns = 0;
    state->passive = 1;
    state->connecting = 0;
    state->reset_received = 0;
    forget_packets(state);
    fill_current_process(&state->process);
}

static __always_inline __u32 handshake_rtt_us(const struct tcp_sock *tp) {
    __u32 srtt_us = tp->srtt_us >> 3;

    return srtt_us ? srtt_us : NETWATCH_ABSENT_U32;
}

static __always_inline void fill_connect(struct netwatch_connect *record, struct sock *sk,
                                         const struct tcp_sock *tp, const struct socket_state *state) {
    record->sock = identity_of(sk);
    record->start_ns = state->start_ns;
    fill_tuple_tcp(&record->tuple, tp);
    record->process = state->process;
    record->icmp = state->icmp;
    copy_bytes(record->asked_ip, state->asked_ip);
    record->asked_port = state->asked_port;
    record->reset = state->reset_received;
    record->error = sk->sk_err;
    record->soft_error = sk->sk_err_soft;
    record->transmit_error = state->transmit_error;
    record->syn_retransmits = state->syn_retransmits;
    record->rtt_us = NETWATCH_ABSENT_U32;
    record->syn_ack_look = state->syn_ack_look;
    record->reset_look = state->reset_look;
}

static __always_inline void end_connect(struct sock *sk, const struct tcp_sock *tp,
                                        struct socket_state *state, int new_state) {
    __u32 netns = netns_of(&sk->__sk_common);
    struct netwatch_account_counts *account = saw(NETWATCH_RECORD_CONNECT, netns);
    struct netwatch_connect *record;

    if (!account) return;
    if (!state) {
        account->dropped_map++;
        return;
    }
    state->connecting = 0;
    record = RESERVE(account, CONNECT, connect, netns);
    if (!record) return;
    fill_connect(record, sk, tp, state);
    if (new_state != TCP_CLOSE) {
        record->outcome = NETWATCH_OUTCOME_ESTABLISHED;
        record->error = 0;
        if (state->syn_retransmits == 0) record->rtt_us = handshake_rtt_us(tp);
        submit_quietly(account, record);
        return;
    }
    /* Without a local port none could be had: connect() fails though the socket carries no error. */
    record->outcome = record->error || record->reset || record->icmp.present || record->tuple.local_port == 0
                          ? NETWATCH_OUTCOME_FAILED
                          : NETWATCH_OUTCOME_ABANDONED;
    submit_now(record);
}

/* Before 5.11 nothing is copied: the child begins without an owner. */
static __always_inline void end_accept(struct sock *sk, const struct tcp_sock *tp,
                                       struct socket_state *state) {
    __u32 netns = netns_of(&sk->__sk_common);
    struct netwatch_account_counts *account = saw(NETWATCH_RECORD_ACCEPT, netns);
    __u64 now_ns = bpf_ktime_get_boot_ns();
    struct netwatch_accept *record;

    if (!account) return;
    if (!has_storage) state = make_state(sk);
    if (!state) {
        account->dropped_map++;
        return;
    }
    state->start_ns = now_ns;
    state->passive = 1;
    record = RESERVE_AT(account, ACCEPT, accept, netns, now_ns);
    if (!record) return;
    record->sock = identity_of(sk);
    record->start_ns = now_ns;
    fill_tuple_tcp(&record->tuple, tp);
    record->process = state->process;
    record->rtt_us = handshake_rtt_us(tp);
    submit_quietly(account, record);
}

static __always_inline void end_connection(struct sock *sk, const struct tcp_sock *tp, int old_state) {
    __u32 netns = netns_of(&sk->__sk_common);
    struct netwatch_account_counts *account = saw(NETWATCH_RECORD_CLOSE, netns);
    const struct socket_state *state;
    struct netwatch_close *record;

    if (!account) return;
    if (old_state == TCP_LISTEN) {
        account->filtered++;
        return;
    }
    record = RESERVE(account, CLOSE, close, netns);
    if (!record) return;
    record->sock = identity_of(sk);
    fill_tuple_tcp(&record->tuple, tp);
    state = find_state(sk);
    fill_counters(&record->counters, tp, state);
    disordered_gone += tp->rcv_ooopack;
    record->error = sk->sk_err;
    record->old_state = old_state;
    record->peer_closed_first = old_state == TCP_CLOSE_WAIT || old_state == TCP_LAST_ACK;
    record->passive = NETWATCH_PASSIVE_UNKNOWN;
    if (state) {
        record->start_ns = state->start_ns;
        record->process = state->process;
        record->passive = state->passive;
        record->reset_received = state->reset_received;
        record->syn_ack_look = state->syn_ack_look;
        record->reset_look = state->reset_look;
    }
    forget_state(sk);
    if (record->error || record->reset_received)
        submit_now(record);
    else
        submit_quietly(account, record);
}

static __always_inline void leave_syn_state(struct sock *sk, const struct tcp_sock *tp, int old_state) {
    struct socket_state *state = find_state(sk);

    /* An active open may pass SYN_RECV: a simultaneous open, or a socket connected to itself. */
    if (old_state == TCP_SYN_SENT || (state && state->connecting))
        end_connect(sk, tp, state, TCP_ESTABLISHED);
    else if (old_state == TCP_SYN_RECV)
        end_accept(sk, tp, state);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old_state, int new_state) {
    const struct tcp_sock *tp;

    if (!active || sk->sk_protocol != IPPROTO_TCP) return 0;
    if (new_state == TCP_SYN_SENT) {
        begin_connect(sk);
        return 0;
    }
    if (new_state == TCP_LISTEN) {
        begin_listen(sk);
        return 0;
    }
    if (new_state != TCP_ESTABLISHED && new_state != TCP_CLOSE) return 0;
    tp = bpf_skc_to_tcp_sock(sk);
    if (!tp) return 0;
    if (new_state == TCP_ESTABLISHED) {
        leave_syn_state(sk, tp, old_state);
        return 0;
    }
    if (old_state == TCP_SYN_SENT)
        end_connect(sk, tp, find_state(sk), new_state); /* the state stays: connect() has not returned yet */
    else
        end_connection(sk, tp, old_state);
    return 0;
}

char LICENSE[] SEC("license") __weak = "GPL";
