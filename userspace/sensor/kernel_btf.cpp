// SPDX-License-Identifier: Apache-2.0
#include "sensor/kernel_btf.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace netwatch::sensor {

void KernelBtf::Free::operator()(btf* types) const { btf__free(types); }

core::Result<KernelBtf> KernelBtf::load() {
    btf* types = btf__load_vmlinux_btf();
    if (!types)
        return core::fail(
            std::string("this kernel offers no BTF, the types that the programs are fitted to: ") +
                std::strerror(errno),
            "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (then /sys/kernel/btf/vmlinux exists)",
            core::ExitCode::privilege_missing);
    return KernelBtf(types);
}

std::uint32_t KernelBtf::function_id(const std::string& name) const {
    return static_cast<std::uint32_t>(
        std::max(btf__find_by_name_kind(types_.get(), name.c_str(), BTF_KIND_FUNC), 0));
}

bool KernelBtf::takes_struct(const std::string& function) const {
    const std::uint32_t id = function_id(function);
    if (id == 0) return false;
    const btf_type* prototype = btf__type_by_id(types_.get(), btf__type_by_id(types_.get(), id)->type);
    if (!prototype || !btf_is_func_proto(prototype) || btf_vlen(prototype) == 0) return false;
    const btf_type* type = btf__type_by_id(types_.get(), btf_params(prototype)->type);
    if (!type || !btf_is_ptr(type)) return false;
    do type = btf__type_by_id(types_.get(), type->type);
    while (type && btf_is_mod(type));
    return type && btf_is_struct(type);
}

std::uint32_t KernelBtf::tracepoint_type_id(const std::string& name) const {
    const int id = btf__find_by_name_kind(types_.get(), ("btf_trace_" + name).c_str(), BTF_KIND_TYPEDEF);
    return static_cast<std::uint32_t>(std::max(id, 0));
}

int KernelBtf::tracepoint_arguments(const std::string& name) const {
    const std::uint32_t id = tracepoint_type_id(name);
    if (id == 0) return -1;
    // typedef → pointer → prototype, whose first argument belongs to the tracing machinery
    const btf_type* pointer = btf__type_by_id(types_.get(), btf__type_by_id(types_.get(), id)->type);
    if (!pointer || !btf_is_ptr(pointer)) return -1;
    const btf_type* prototype = btf__type_by_id(types_.get(), pointer->type);
    return prototype && btf_is_func_proto(prototype) ? btf_vlen(prototype) - 1 : -1;
}

std::map<std::string, std::uint32_t> KernelBtf::enum_values(const std::string& name) const {
    std::map<std::string, std::uint32_t> values;
    const int id = btf__find_by_name_kind(types_.get(), name.c_str(), BTF_KIND_ENUM);
    if (id <= 0) return values;
    const btf_type* type = btf__type_by_id(types_.get(), static_cast<std::uint32_t>(id));
    const struct btf_enum* member = btf_enum(type);
    for (int i = 0; i < btf_vlen(type); ++i, ++member)
        values.emplace(btf__name_by_offset(types_.get(), member->name_off),
                       static_cast<std::uint32_t>(member->val));
    return values;
}

}  // namespace netwatch::sensor
