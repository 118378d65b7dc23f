// SPDX-License-Identifier: GPL-2.0
// connect(), socket() and accept() that fail in their caller's face: local routes, ports and descriptors that
// ran out show nowhere else. The best hooks are fexit programs; where trampolines are refused, the exits of
// the system calls.
#include "lib/asked.h"
#include "lib/emit.h"
#include "lib/process.h"
#include "lib/socket.h"

enum {
    EPERM_ = 1,
    EINTR_ = 4,
    EBADF_ = 9,
    ENOMEM_ = 12,
    EFAULT_ = 14,
    ENFILE_ = 23,
    EMFILE_ = 24,
    ENOTSOCK_ = 88,
    EADDRNOTAVAIL_ = 99,
    ECONNABORTED_ = 103,
    ENOBUFS_ = 105,
    EISCONN_ = 106,
    EALREADY_ = 114,
    EINPROGRESS_ = 115,
    ERESTARTSYS_ = 512, /* first of the kernel's own codes for "call again" */
};

enum { INODE_TYPE_MASK = 0xf000, INODE_TYPE_SOCKET = 0xc000 };

/* A call that failed, before it is known whether it is news. `sk` is untrusted: probe reads only. NULL: not
 * known. */
struct failed_call {
    const struct sock *sk;
    __u64 sock;
    __u64 duration_ns;
    __s32 error;
    __u8 call;
    struct asked asked;
};

/* Not a failure of the network or of a limit: in progress, to be called again, or a mistake of the program.
 */
static __always_inline bool is_connect_news(__s32 error) {
    return error != EINPROGRESS_ && error != EALREADY_ && error != EISCONN_ && error != EINTR_ &&
           error != EBADF_ && error != EFAULT_ && error != ENOTSOCK_ && error < ERESTARTSYS_;
}

static __always_inline bool is_limit(__s32 error) {
    return error == EMFILE_ || error == ENFILE_ || error == ENOBUFS_ || error == ENOMEM_;
}

static __always_inline bool is_news(const struct failed_call *call) {
    if (call->call == NETWATCH_CALL_CONNECT) return call->asked.family && is_connect_news(call->error);
    if (call->call == NETWATCH_CALL_ACCEPT)
        return is_limit(call->error) || call->error == ECONNABORTED_ || call->error == EPERM_;
    return is_limit(call->error);
}

static __always_inline bool is_inet(const struct sock *sk) {
    __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

    return family == AF_INET || family == AF_INET6;
}

static __always_inline void fill_local(struct netwatch_tuple *tuple, const struct sock *sk) {
    if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
        put_ipv4(tuple->local_ip, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
        tuple->family = 4;
    } else {
        BPF_CORE_READ_INTO(&tuple->local_ip, sk, __sk_common.skc_v6_rcv_saddr);
        tuple->family = 6;
    }
    tuple->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
    tuple->protocol = BPF_CORE_READ(sk, sk_protocol);
}

static __always_inline int tell(const struct failed_call *call) {
    const struct sock *sk = call->sk;
    __u32 netns = sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) : current_netns();
    struct netwatch_account_counts *account = saw(NETWATCH_RECORD_CALL_FAILED, netns);
    struct netwatch_call_failed *record;

    if (!account) return 0;
    if (!is_news(call)) {
        account->filtered++;
        return 0;
    }
    record = RESERVE(account, CALL_FAILED, call_failed, netns);
    if (!record) return 0;
    record->sock = call->sock;
    record->duration_ns = call->duration_ns;
    record->error = call->error;
    record->call = call->call;
    fill_current_process(&record->process);
    if (sk && is_inet(sk)) fill_local(&record->tuple, sk);
    if (call->asked.family) {
        copy_bytes(record->tuple.remote_ip, call->asked.ip);
        record->tuple.remote_port = call->asked.port;
        record->tuple.family = call->asked.family;
    }
    submit_now(record);
    return 0;
}

static __always_inline bool is_stream_or_datagram(const struct sock *sk) {
    __u16 protocol = BPF_CORE_READ(sk, sk_protocol);

    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/* fexit: proto_ops are called through pointers, so io_uring, 32-bit and kernel callers pass here too. */

static __always_inline int connect_returned(struct socket *socket, const void *address, int result) {
    struct failed_call call = {.call = NETWATCH_CALL_CONNECT, .error = -result};
    struct sock *sk = socket->sk;
    struct socket_state *state;

    if (!active || result >= 0 || !sk || !is_stream_or_datagram(sk)) return 0;
    read_asked(&call.asked, address, false);
    call.sk = sk;
    state = find_state(sk);
    if (state && state->call_unheard && is_connect_news(call.error)) {
        state->call_unheard = 0;
        call.sock = identity_of(sk);
        call.duration_ns = bpf_ktime_get_boot_ns() - state->start_ns;
        copy_bytes(call.asked.ip, state->asked_port ? state->asked_ip : call.asked.ip);
        call.asked.port = state->asked_port ?: call.asked.port;
    }
    return tell(&call);
}

SEC("fexit/inet_stream_connect")
int BPF_PROG(on_stream_connect, struct socket *socket, void *address, int length, int flags, int result) {
    return connect_returned(socket, address, result);
}

SEC("fexit/inet_dgram_connect")
int BPF_PROG(on_dgram_connect, struct socket *socket, void *address, int length, int flags, int result) {
    return connect_returned(socket, address, result);
}

static __always_inline const struct sock *socket_of_descriptor(__u32 descriptor) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    struct file **files = BPF_CORE_READ(table, fd);
    struct file *file;
    struct socket *socket;

    if (descriptor >= BPF_CORE_READ(table, max_fds)) return NULL;
    if (bpf_probe_read_kernel(&file, sizeof(file), files + descriptor) || !file) return NULL;
    if ((BPF_CORE_READ(file, f_inode, i_mode) & INODE_TYPE_MASK) != INODE_TYPE_SOCKET) return NULL;
    socket = BPF_CORE_READ(file, private_data);
    return BPF_CORE_READ(socket, sk);
}

static __always_inline struct pt_regs *user_registers(void) {
    return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

/*
 * Socket storage is out of reach here. A socket that had sent a SYN keeps a write_seq even after the kernel
 * has disconnected it; one that never left route lookup has none. Only where no port could be had was
 * SYN_SENT entered without a write_seq. `duration_ns` stays 0: not measured (the CONNECT record has the
 * start).
 */
static __always_inline __u64 identity_if_entered(const struct sock *sk, __s32 error) {
    const struct tcp_sock *tp = (const struct tcp_sock *)sk;

    if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP) return 0;
    if (error != EADDRNOTAVAIL_ && BPF_CORE_READ(tp, write_seq) == 0) return 0;
    return has_cookie ? BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) : (__u64)sk;
}

SEC("tracepoint/syscalls/sys_exit_connect")
int on_connect_exit(struct trace_event_raw_sys_exit *context) {
    struct failed_call call = {.call = NETWATCH_CALL_CONNECT, .error = -context->ret};
    struct pt_regs *regs;

    if (!active || context->ret >= 0 || !has_user_registers()) return 0;
    regs = user_registers();
    call.sk = socket_of_descriptor(PT_REGS_PARM1_CORE_SYSCALL(regs));
    if (!call.sk || !is_inet(call.sk) || !is_stream_or_datagram(call.sk)) return 0;
    read_asked(&call.asked, (const void *)PT_REGS_PARM2_CORE_SYSCALL(regs), true);
    call.sock = identity_if_entered(call.sk, call.error);
    return tell(&call);
}

/* socket() and accept(): the system call itself, whose body may have been inlined into it. */

static __always_inline int socket_returned(long result) {
    struct failed_call call = {.call = NETWATCH_CALL_SOCKET, .error = -result};

    if (!active || result >= 0) return 0;
    return tell(&call);
}

static __always_inline int accept_returned(long result, bool descriptor_known, __u32 descriptor) {
    struct failed_call call = {.call = NETWATCH_CALL_ACCEPT, .error = -result};

    if (!active || result >= 0) return 0;
    if (descriptor_known) call.sk = socket_of_descriptor(descriptor);
    return tell(&call);
}

static __always_inline int accept_exit(long result) {
    if (result >= 0 || !has_user_registers()) return accept_returned(result, false, 0);
    return accept_returned(result, true, PT_REGS_PARM1_CORE_SYSCALL(user_registers()));
}

SEC("tracepoint/syscalls/sys_exit_socket")
int on_socket_exit(struct trace_event_raw_sys_exit *context) {
    return socket_returned(context->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept")
int on_accept_exit(struct trace_event_raw_sys_exit *context) {
    return accept_exit(context->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int on_accept4_exit(struct trace_event_raw_sys_exit *context) {
    return accept_exit(context->ret);
}

#if defined(__TARGET_ARCH_x86)
#define SYSCALL(name) "__x64_sys_" name
#else
#define SYSCALL(name) "__arm64_sys_" name
#endif

SEC("fexit/" SYSCALL("socket"))
int BPF_PROG(on_socket_return, const struct pt_regs *regs, long result) {
    return socket_returned(result);
}

SEC("fexit/" SYSCALL("accept"))
int BPF_PROG(on_accept_return, const struct pt_regs *regs, long result) {
    return accept_returned(result, true, PT_REGS_PARM1_CORE_SYSCALL(regs));
}

SEC("fexit/" SYSCALL("accept4"))
int BPF_PROG(on_accept4_return, const struct pt_regs *regs, long result) {
    return accept_returned(result, true, PT_REGS_PARM1_CORE_SYSCALL(regs));
}

char LICENSE[] SEC("license") __weak = "GPL";
