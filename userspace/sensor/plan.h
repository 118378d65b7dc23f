// SPDX-License-Identifier: Apache-2.0
// Facts about the kernel → the hook for each signal: the best there is, else one fallback, else what is lost.
// Pure; any thread.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "netwatch/abi/record.h"
#include "sensor/facts.h"

namespace netwatch::sensor {

struct PlannedHook {
    std::string signal;
    std::string hook;  // as a person reads it: "fexit inet_stream_connect"
    netwatch_hook_state state = NETWATCH_HOOK_MISSING;
    std::string lost;                   // what is not seen; empty for the best hook
    std::string reason;                 // why the better hooks are not used
    std::vector<std::string> programs;  // to be loaded and attached; some signals need none
    bool vital = false;                 // without it connections cannot be seen at all
};

// What the user asked for.
struct Watches {
    bool dns = true;  // questions to resolvers and their answers
    bool tls = true;  // the beginnings of TLS connections
};

struct Plan {
    std::vector<PlannedHook> hooks;
    bool storage = false;
    bool cookie = false;
    Watches watches = {};
};

// Programs that this kernel turned out to refuse, with its reason: the plan goes round them.
using RefusedPrograms = std::map<std::string, std::string>;

[[nodiscard]] Plan make_plan(const KernelFacts& facts, const RefusedPrograms& refused,
                             const Watches& watches = {});

// Names for `--no-feature`, which forces a fallback so that it can be tested.
[[nodiscard]] std::span<const std::string_view> feature_names();

// The facts as if the kernel lacked these features. Errors: a name that is not a feature (exit code 2).
[[nodiscard]] core::Result<KernelFacts> without_features(KernelFacts facts,
                                                         const std::vector<std::string>& features);

}  // namespace netwatch::sensor
