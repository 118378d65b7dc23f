/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The address as the application gave it to connect(), before a cgroup program (service translation) rewrote
 * it. It is still in the caller's memory and the pointer to it in the saved user registers, so no hook at the
 * entry of the system call is needed. Not known before 5.15 (no bpf_task_pt_regs) and for connects through
 * io_uring, MSG_FASTOPEN and 32-bit calls.
 */
#pragma once

#include "common.h"
#include "maps.h"
#include "socket.h"

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_CONNECT 42
#define SYSCALL_NUMBER(regs) ((regs)->orig_ax)
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL_CONNECT 203
#define SYSCALL_NUMBER(regs) ((regs)->syscallno)
#else
#error "unknown architecture"
#endif

static __always_inline bool has_user_registers(void) {
    return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs);
}

struct asked {
    __u8 ip[16];
    __u16 port;
    __u8 family; /* 4 or 6; 0: not known */
};

static __always_inline long read_from(void *to, __u32 size, const void *from, bool user) {
    return user ? bpf_probe_read_user(to, size, from) : bpf_probe_read_kernel(to, size, from);
}

/* `from` points to a sockaddr, in the memory of the current process (`user`) or in the kernel's copy of it.
 */
static __always_inline void read_asked(struct asked *asked, const void *from, bool user) {
    struct sockaddr_in6 address = {};

    if (read_from(&address, sizeof(struct sockaddr_in), from, user)) return;
    if (address.sin6_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const void *)&address;

        put_ipv4(asked->ip, ipv4->sin_addr.s_addr);
        asked->family = 4;
    } else if (address.sin6_family == AF_INET6 && !read_from(&address, sizeof(address), from, user)) {
        copy_bytes(asked->ip, &address.sin6_addr);
        asked->family = is_mapped(address.sin6_addr.in6_u.u6_addr32) ? 4 : 6;
    } else {
        return;
    }
    asked->port = bpf_ntohs(address.sin6_port);
}

/* Does a program of the socket's cgroup have a say in connect()? An empty item ends its list. */
static __always_inline bool has_say(const struct sock *sk, __u64 connect) {
    const struct cgroup *cgroup = sk->sk_cgrp_data.cgroup;
    struct bpf_prog_array *const *effective;

    if (!bpf_core_field_exists(cgroup->bpf.effective)) return false;
    effective = (const void *)cgroup + bpf_core_field_offset(cgroup->bpf.effective);
    return effective[connect]->items[0].prog != NULL;
}

static __always_inline bool may_be_rewritten(const struct sock *sk) {
    if (sk->__sk_common.skc_family == AF_INET)
        return has_say(sk, bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET4_CONNECT));
    return has_say(sk, bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_INET6_CONNECT));
}

/*
 * Inside connect(): tracing programs only. Where nobody can have rewritten it the socket has the address as
 * it was asked for, ten times cheaper than the caller's memory.
 */
static __always_inline void fill_asked(struct socket_state *state, const struct sock *sk) {
    struct asked asked = {};

    if (has_user_registers() && may_be_rewritten(sk)) {
        struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

        if (SYSCALL_NUMBER(regs) == SYSCALL_CONNECT)
            read_asked(&asked, (const void *)PT_REGS_PARM2_SYSCALL(regs), true);
        copy_bytes(state->asked_ip, asked.ip);
        state->asked_port = asked.port;
    } else if (has_user_registers()) {
        put_remote(state->asked_ip, &sk->__sk_common);
        state->asked_port = bpf_ntohs(sk->__sk_common.skc_dport);
    }
}
