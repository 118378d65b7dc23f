// SPDX-License-Identifier: Apache-2.0
// Where NAT sends a connection, as conntrack of its network namespace knows it. Reads only, asks the kernel
// of this host only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "context/namespaces.h"
#include "model/address.h"
#include "netwatch/abi/record.h"

struct nfct_handle;

namespace netwatch::context {

struct Translated {
    netwatch_tuple tuple{};  // as the socket has it
    std::uint32_t netns = 0;
    model::Endpoint real;
};

// One thread at a time; that thread enters other namespaces for the time of a call and comes back.
class Conntrack {
public:
    struct Question {
        netwatch_tuple tuple{};  // of an active connection
        std::uint32_t netns = 0;
        std::uint32_t pid = 0;  // of its process; 0: not known
    };

    // `netns_paths`: namespaces that can be reached by path; others are reached through a process that lives
    // there.
    explicit Conntrack(std::vector<std::filesystem::path> netns_paths = {});

    // Those whose packets really go elsewhere. Asks the socket's namespace, then the agent's own, then the
    // others that are known by path or by a process of an earlier question: a pod's packets are rewritten on
    // its node.
    [[nodiscard]] std::vector<Translated> translated(std::span<const Question> questions);

private:
    struct Close {
        void operator()(nfct_handle* handle) const;
    };
    using Handle = std::unique_ptr<nfct_handle, Close>;
    using Handles = std::map<std::uint32_t, Handle>; /* by namespace; null: no table there */
    [[nodiscard]] nfct_handle* handle_of(Handles& handles, std::uint32_t netns, std::uint32_t pid) const;
    void remember(std::uint32_t netns, std::uint32_t pid);

    static constexpr std::size_t homes_kept = 32;
    Namespaces namespaces_;
    std::map<std::uint32_t, std::uint32_t> homes_; /* a process in each namespace known; 0: by path */
};

}  // namespace netwatch::context
