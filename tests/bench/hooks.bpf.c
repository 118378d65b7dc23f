// SPDX-License-Identifier: GPL-2.0
// Candidates for the hook that sees what this host sends, for tests/bench/hooks: each looks at the headers of
// a packet and counts data over TCP, questions to port 53, and of these the ones that come with their socket.
// One is compiled at a time (-DCANDIDATE_name).
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

enum { DATA, QUESTIONS, WITH_SOCKET, COUNTS };

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, COUNTS);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 which) {
    __u64* value = bpf_map_lookup_elem(&counts, &which);

    if (value) ++*value;
}

static __always_inline __attribute__((unused)) void look(const void* ip, const void* end, __u32 bytes,
                                                         bool socket, bool copied) {
    const struct iphdr* header = ip;
    const __u8* transport;
    __u32 at = 20; /* a copy on the stack is read at fixed places only */

    if ((const void*)(header + 1) > end) return;
    if (!copied) at = (*(const __u8*)ip & 15) * 4;
    transport = ip + at;
    if (header->protocol == IPPROTO_TCP && (const void*)(transport + 20) <= end) {
        if (bytes > at + (transport[12] >> 4) * 4) count(DATA);
    } else if (header->protocol == IPPROTO_UDP && (const void*)(transport + 8) <= end &&
               *(const __be16*)(transport + 2) == bpf_htons(53)) {
        count(QUESTIONS);
        if (socket) count(WITH_SOCKET);
    }
}

#ifdef CANDIDATE_cgroup_egress
SEC("cgroup_skb/egress")
int cgroup_egress(struct __sk_buff* skb) {
    look((const void*)(long)skb->data, (const void*)(long)skb->data_end, skb->len, skb->sk != NULL, false);
    return 1;
}
#endif

#ifdef CANDIDATE_cgroup_ingress
SEC("cgroup_skb/ingress")
int cgroup_ingress(struct __sk_buff* skb) {
    look((const void*)(long)skb->data, (const void*)(long)skb->data_end, skb->len, skb->sk != NULL, false);
    return 1;
}
#endif

/* Headers have to be copied here. */
static __always_inline __attribute__((unused)) void look_at(struct sk_buff* skb) {
    __u8 headers[40];
    const unsigned char* ip = skb->head + skb->network_header;

    if (skb->protocol != bpf_htons(0x0800) || bpf_probe_read_kernel(headers, sizeof(headers), ip)) return;
    look(headers, headers + sizeof(headers), skb->len - (skb->network_header - (skb->data - skb->head)),
         skb->sk != NULL, true);
}

#ifdef CANDIDATE_device_queue
SEC("tp_btf/net_dev_queue")
int BPF_PROG(device_queue, struct sk_buff* skb) {
    look_at(skb);
    return 0;
}
#endif

#ifdef CANDIDATE_device_xmit
SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(device_xmit, struct sk_buff* skb) {
    look_at(skb);
    return 0;
}
#endif

#ifdef CANDIDATE_packet_socket
/* A packet socket sees both directions, and no socket. */
SEC("socket")
int packet_socket(struct __sk_buff* skb) {
    __u8 first[40];

    if (bpf_skb_load_bytes_relative(skb, 0, first, sizeof(first), BPF_HDR_START_NET) == 0)
        look(first, first + sizeof(first), skb->len, false, true);
    return 0;
}
#endif

#ifdef CANDIDATE_every_call
SEC("tp_btf/sys_enter")
int every_call(__u64* context) {
    struct pt_regs* regs = (struct pt_regs*)context[0];
    long number = context[1];

    if (number == 1 || number == 20 || number == 44 || number == 46 || number == 307) count(DATA);
    return 0;
}
#endif

char LICENSE[] SEC("license") = "GPL";
