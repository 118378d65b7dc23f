// SPDX-License-Identifier: Apache-2.0
// Questions to the running kernel's BTF.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/result.h"

struct btf;

namespace netwatch::sensor {

class KernelBtf {
public:
    // Errors: the kernel was built without BTF (exit code 4, with the kernel option).
    [[nodiscard]] static core::Result<KernelBtf> load();

    // Type id of the function; 0: there is none.
    [[nodiscard]] std::uint32_t function_id(const std::string& name) const;
    // Its first argument points to a struct that is described: a program at it may read that struct. In some
    // kernels a function sees only a declaration of it.
    [[nodiscard]] bool takes_struct(const std::string& function) const;
    // Type id that a tp_btf program on this tracepoint attaches to; 0: there is none.
    [[nodiscard]] std::uint32_t tracepoint_type_id(const std::string& name) const;
    // Number of arguments that a tp_btf program on it sees; negative: there is no such tracepoint.
    [[nodiscard]] int tracepoint_arguments(const std::string& name) const;
    // Name → value of an enum; empty if there is none.
    [[nodiscard]] std::map<std::string, std::uint32_t> enum_values(const std::string& name) const;

private:
    struct Free {
        void operator()(btf* types) const;
    };
    explicit KernelBtf(btf* types) : types_(types) {}
    std::unique_ptr<btf, Free> types_;
};

}  // namespace netwatch::sensor
