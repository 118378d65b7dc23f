/* SPDX-License-Identifier: GPL-2.0 */
/* Who is running: only meaningful in process context. */
#pragma once

#include "common.h"

static __always_inline void fill_comm(struct netwatch_process *process, struct task_struct *leader) {
    bpf_core_read(process->comm, sizeof(process->comm), &leader->comm);
    process->comm[sizeof(process->comm) - 1] = 0;
}

static __always_inline void fill_leader(struct netwatch_process *process, struct task_struct *leader) {
    process->start_ns = BPF_CORE_READ(leader, start_boottime);
    fill_comm(process, leader);
}

/* Plain loads instead of helpers where the task comes as a BTF pointer (5.11, 3ca1032ab7ab "bpf: Implement
 * get_current_task_btf and RET_PTR_TO_BTF_ID"). */
static __always_inline void fill_current_process(struct netwatch_process *process) {
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
        const struct task_struct *task = bpf_get_current_task_btf(), *leader = task->group_leader;
        const __u64 *comm = (const void *)leader->comm;
        __u64 *to = (void *)process->comm;

        process->start_ns = leader->start_boottime;
        process->cgroup_id = task->cgroups->dfl_cgrp->kn->id;
        process->pid = task->tgid;
        process->uid = task->cred->uid.val;
        to[0] = comm[0];
        to[1] = comm[1]; /* ends with NUL, always */
    } else {
        struct task_struct *task = (struct task_struct *)bpf_get_current_task();

        fill_leader(process, BPF_CORE_READ(task, group_leader));
        process->pid = bpf_get_current_pid_tgid() >> 32;
        process->uid = (__u32)bpf_get_current_uid_gid();
        process->cgroup_id = bpf_get_current_cgroup_id();
    }
}

/* Probe reads only: for programs that have no helper which tells, and for a task that is not running. */
static __always_inline void fill_task(struct netwatch_process *process, struct task_struct *task) {
    fill_leader(process, BPF_CORE_READ(task, group_leader));
    process->pid = BPF_CORE_READ(task, tgid);
    process->uid = BPF_CORE_READ(task, cred, uid.val);
    process->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

static __always_inline __u32 current_netns(void) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();

    return BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
}
