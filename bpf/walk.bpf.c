// SPDX-License-Identifier: GPL-2.0
// The periodic walk over live sockets and listeners, and the tagging of those that were there before the
// agent.
#include "lib/arrival.h"
#include "lib/counters.h"
#include "lib/emit.h"
#include "lib/process.h"
#include "lib/socket.h"

struct netwatch_walk_totals walk_totals = {};
struct netwatch_walk_clock walk_clock = {};

/* The last call of a walk has no socket. */
static __always_inline void end_walk(void) {
    end_walk_of_arrivals();
    walk_clock.jiffies = bpf_jiffies64();
    walk_clock.monotonic_ns = bpf_ktime_get_ns();
}

/* The two kinds of sample never exist at once: one piece of scratch memory, too large for the stack. */
union netwatch_sample {
    struct netwatch_socket_sample socket;
    struct netwatch_listener_sample listener;
};

/* 0 → scratch memory of this CPU for the sample being written. The walk has one reader at a time. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, union netwatch_sample);
} walk_scratch SEC(".maps");

static __always_inline union netwatch_sample *clean_sample(void) {
    __u32 zero = 0;
    union netwatch_sample *sample = bpf_map_lookup_elem(&walk_scratch, &zero);

    if (sample) __builtin_memset(sample, 0, sizeof(*sample));
    return sample;
}

static __always_inline void fill_header(struct netwatch_header *header, __u16 kind, __u16 size, __u32 netns) {
    header->at_ns = bpf_ktime_get_boot_ns();
    header->netns = netns;
    header->kind = kind;
    header->size = size;
}

/* A sample that does not fit into the iterator's buffer is asked for again by the kernel: counted once, when
 * written. */
static __always_inline void write_sample(struct seq_file *seq, struct netwatch_account_counts *account,
                                         const void *sample, __u32 size, __u32 *total) {
    if (bpf_seq_write(seq, sample, size)) return;
    account->seen++;
    account->emitted++;
    (*total)++;
}

static __always_inline void sample_listener(struct seq_file *seq, struct sock *sk, const struct tcp_sock *tp,
                                            const struct socket_state *state, __u32 netns) {
    struct netwatch_account_counts *account = account_of(NETWATCH_RECORD_LISTENER_SAMPLE);
    union netwatch_sample *sample = clean_sample();

    if (!account || !sample) return;
    fill_header(&sample->listener.header, NETWATCH_RECORD_LISTENER_SAMPLE, sizeof(sample->listener), netns);
    sample->listener.sock = identity_of(sk);
    fill_tuple_tcp(&sample->listener.tuple, tp);
    sample->listener.backlog = sk->sk_ack_backlog;
    sample->listener.backlog_limit = sk->sk_max_ack_backlog;
    sample->listener.drops = (__u32)sk->sk_drops.counter;
    if (state) sample->listener.process = state->process;
    write_sample(seq, account, &sample->listener, sizeof(sample->listener), &walk_totals.listeners);
}

static __always_inline void sample_socket(struct seq_file *seq, struct sock *sk, const struct tcp_sock *tp,
                                          const struct socket_state *state, __u32 netns) {
    struct netwatch_account_counts *account = account_of(NETWATCH_RECORD_SOCKET_SAMPLE);
    union netwatch_sample *sample = clean_sample();

    if (!account || !sample) return;
    fill_header(&sample->socket.header, NETWATCH_RECORD_SOCKET_SAMPLE, sizeof(sample->socket), netns);
    sample->socket.sock = identity_of(sk);
    fill_tuple_tcp(&sample->socket.tuple, tp);
    fill_counters(&sample->socket.counters, tp, state);
    disordered_met += tp->rcv_ooopack;
    sample->socket.passive = NETWATCH_PASSIVE_UNKNOWN;
    if (state) {
        sample->socket.start_ns = state->start_ns;
        sample->socket.process = state->process;
        sample->socket.passive = state->passive;
    }
    write_sample(seq, account, &sample->socket, sizeof(sample->socket), &walk_totals.sockets);
}

static __always_inline void sample_any(struct seq_file *seq, struct sock *sk,
                                       const struct socket_state *state) {
    __u8 tcp_state = sk->__sk_common.skc_state;
    const struct tcp_sock *tp;
    __u32 netns;

    if (!active || tcp_state == TCP_CLOSE || tcp_state == TCP_TIME_WAIT || tcp_state == TCP_NEW_SYN_RECV)
        return;
    netns = netns_of(&sk->__sk_common);
    if (!is_observed(netns)) return;
    tp = bpf_skc_to_tcp_sock(sk);
    if (!tp) return;
    if (tcp_state == TCP_LISTEN)
        sample_listener(seq, sk, tp, state, netns);
    else
        sample_socket(seq, sk, tp, state, netns);
}

/* Every socket that has a state, in all namespaces. */
SEC("iter/bpf_sk_storage_map")
int walk_states(struct bpf_iter__bpf_sk_storage_map *context) {
    struct sock *sk = context->sk;
    const struct socket_state *state = context->value;

    if (sk && state)
        sample_any(context->meta->seq, sk, state);
    else
        end_walk();
    return 0;
}

/* Stands in before 5.11: the sockets of the reader's own namespace. */
SEC("iter/tcp")
int walk_tcp(struct bpf_iter__tcp *context) {
    struct sock_common *common = context->sk_common;
    const struct tcp_sock *tp;
    __u64 address = (__u64)common;

    if (!common) {
        end_walk();
        return 0;
    }
    if (common->skc_state == TCP_TIME_WAIT || common->skc_state == TCP_NEW_SYN_RECV) return 0;
    tp = bpf_skc_to_tcp_sock(common);
    if (tp)
        sample_any(context->meta->seq, (struct sock *)tp, bpf_map_lookup_elem(&sockets_by_address, &address));
    return 0;
}

/*
 * Tags a socket that was there before with the first process found to hold it. Which end opened it is not
 * known. Sockets without a descriptor (not yet accepted, or the kernel's own) are not found.
 */
SEC("iter/task_file")
int tag_sockets(struct bpf_iter__task_file *context) {
    struct task_struct *task = context->task;
    struct file *file = context->file;
    struct socket_state *state;
    struct socket *socket;
    struct sock *sk;

    if (!task || !file) return 0;
    socket = bpf_sock_from_file(file);
    if (!socket) return 0;
    sk = socket->sk;
    if (!sk || sk->sk_protocol != IPPROTO_TCP || sk->__sk_common.skc_state == TCP_CLOSE) return 0;
    if ((sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6) ||
        !is_observed(netns_of(&sk->__sk_common)))
        return 0;
    state = find_state(sk);
    if (state) return 0;
    state = make_state(sk);
    if (!state) return 0;
    fill_task(&state->process, task);
    state->passive = sk->__sk_common.skc_state == TCP_LISTEN ? 1 : NETWATCH_PASSIVE_UNKNOWN;
    state->connecting = sk->__sk_common.skc_state == TCP_SYN_SENT;
    return 0;
}

char LICENSE[] SEC("license") __weak = "GPL";
