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

/* Two reads less where the task comes as a BTF pointer (5.11, 3ca1032ab7ab "bpf: Implement
 * get_current_task_btf and RET_PTR_TO_BTF_ID"). */
static __always_inline void fill_current_leader(struct netwatch_process *process) {
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
        struct task_struct *leader = bpf_get_current_task_btf()->group_leader;

        process->start_ns = leader->start_boottime;
        fill_comm(process, leader);
    } else {
        struct task_struct *task = (struct task_struct *)bpf_get_current_task();

        fill_leader(process, BPF_CORE_READ(task, group_leader));
    }
}

static __always_inline void fill_current_process(struct netwatch_process *process) {
    fill_current_leader(process);
    process->pid = bpf_get_current_pid_tgid() >> 32;
    process->uid = (__u32)bpf_get_current_uid_gid();
    process->cgroup_id = bpf_get_current_cgroup_id();
}

static __always_inline __u32 current_netns(void) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();

    return BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
}
