// SPDX-License-Identifier: Apache-2.0
// The programs in the kernel: loaded as the plan says, attached, and gone when this object is. A program that
// the kernel refuses is left out and the plan made anew, until what remains loads and attaches.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "sensor/facts.h"
#include "sensor/plan.h"

struct netwatch_bpf;
struct bpf_link;

namespace netwatch::sensor {

struct ProgramOptions {
    std::vector<std::uint32_t> netns;    // inodes of the observed network namespaces; empty: all
    std::uint32_t ring_bytes = 4 << 20;  // a power of two, at least a page
    Watches watches = {};
};

class Programs {
public:
    // Errors: even the life cycle cannot be watched (exit code 4), or the options are impossible (2).
    [[nodiscard]] static core::Result<std::unique_ptr<Programs>> attach(const KernelFacts& facts,
                                                                        const ProgramOptions& options);
    ~Programs();
    Programs(const Programs&) = delete;
    Programs& operator=(const Programs&) = delete;

    [[nodiscard]] const Plan& plan() const { return plan_; }
    [[nodiscard]] netwatch_bpf& skeleton() const { return *skeleton_; }
    // The link of a program; null if it is not in the plan or is switched off.
    [[nodiscard]] bpf_link* link(const std::string& program) const;
    // From here on records are made.
    void activate();
    // A tracing program of the plan, while nothing needs it: detached it costs nothing. No-op without it.
    [[nodiscard]] core::Result<void> switch_program(const std::string& program, bool on);

private:
    struct Link {
        std::string program;
        bpf_link* link;  // null: switched off
    };
    Programs() = default;
    // Name and reason of the program that was refused; empty name: the failure is nobody's in particular.
    struct Refusal {
        std::string program;
        std::string reason;
    };
    [[nodiscard]] core::Result<void> attempt(const KernelFacts& facts, const ProgramOptions& options,
                                             Refusal& refusal);
    void release();

    Plan plan_;
    netwatch_bpf* skeleton_ = nullptr;
    std::vector<Link> links_;
};

}  // namespace netwatch::sensor
