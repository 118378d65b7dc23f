// SPDX-License-Identifier: GPL-2.0
// No program: one variable that puts the types of all records into the object's BTF, where a test holds them
// against what userspace compiled. A compiler leaves out types that only local variables have.
#include "lib/common.h"

union netwatch_record {
#define NETWATCH_KIND(number, upper, lower, maker, text) struct netwatch_##lower lower;
    NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
};

const union netwatch_record *record_types;

char LICENSE[] SEC("license") __weak = "GPL";
