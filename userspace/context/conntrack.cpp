// SPDX-License-Identifier: Apache-2.0
#include "context/conntrack.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "core/fd.h"
#include "model/record.h"

namespace netwatch::context {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t mapped_head_bytes = 12;

std::uint32_t inode_of(int fd) {
    struct stat status{};
    return ::fstat(fd, &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

core::Fd open_namespace(const fs::path& path) { return core::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

bool is_module(std::string_view name) {
    std::ifstream modules("/proc/modules");
    for (std::string line; std::getline(modules, line);) {
        if (line.starts_with(std::string(name) + " ")) return true;
    }
    return false;
}

// A table that holds something, in the namespace of the calling thread. To ask is not to load modules: where
// conntrack is a module and its netlink part is not there, nobody else asks either.
bool has_table() {
    std::uint64_t entries = 0;
    std::ifstream("/proc/sys/net/netfilter/nf_conntrack_count") >> entries;
    return entries > 0 && (!is_module("nf_conntrack") || is_module("nf_conntrack_netlink"));
}

struct Destroy {
    void operator()(nf_conntrack* entry) const { nfct_destroy(entry); }
};
using Entry = std::unique_ptr<nf_conntrack, Destroy>;

// What is asked for: the connection's direction as the socket sent it.
Entry query_of(const netwatch_tuple& tuple) {
    Entry entry(nfct_new());
    if (!entry) return entry;
    nf_conntrack* ct = entry.get();
    if (tuple.family == 4) {
        nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
        nfct_set_attr(ct, ATTR_IPV4_SRC, tuple.local_ip + mapped_head_bytes);
        nfct_set_attr(ct, ATTR_IPV4_DST, tuple.remote_ip + mapped_head_bytes);
    } else {
        nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET6);
        nfct_set_attr(ct, ATTR_IPV6_SRC, tuple.local_ip);
        nfct_set_attr(ct, ATTR_IPV6_DST, tuple.remote_ip);
    }
    nfct_set_attr_u8(ct, ATTR_L4PROTO, tuple.protocol);
    nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons(tuple.local_port));
    nfct_set_attr_u16(ct, ATTR_PORT_DST, htons(tuple.remote_port));
    return entry;
}

// Who answers: the source of the reply direction.
std::optional<model::Endpoint> replier(const nf_conntrack* ct) {
    std::array<std::uint8_t, 16> ip{};
    const bool v4 = nfct_get_attr_u8(ct, ATTR_REPL_L3PROTO) == AF_INET;
    const void* source = nfct_get_attr(ct, v4 ? ATTR_REPL_IPV4_SRC : ATTR_REPL_IPV6_SRC);
    if (source == nullptr) return std::nullopt;
    if (v4) {
        ip[10] = ip[11] = 0xff;
        std::memcpy(ip.data() + mapped_head_bytes, source, 4);
    } else {
        std::memcpy(ip.data(), source, ip.size());
    }
    const auto protocol = static_cast<model::Protocol>(nfct_get_attr_u8(ct, ATTR_L4PROTO));
    return model::Endpoint{model::IpAddress(ip), ntohs(nfct_get_attr_u16(ct, ATTR_REPL_PORT_SRC)), protocol};
}

int keep_replier(nf_conntrack_msg_type /*type*/, nf_conntrack* ct, void* result) {
    *static_cast<std::optional<model::Endpoint>*>(result) = replier(ct);
    return NFCT_CB_STOP;
}

std::optional<model::Endpoint> ask(nfct_handle* handle, const netwatch_tuple& tuple) {
    std::optional<model::Endpoint> peer;
    const Entry query = query_of(tuple);
    if (!query || nfct_callback_register(handle, NFCT_T_ALL, keep_replier, &peer) != 0) return std::nullopt;
    // Not found is an error like any other: the connection is not tracked here.
    (void)nfct_query(handle, NFCT_Q_GET, query.get());
    nfct_callback_unregister(handle);
    return peer;
}

}  // namespace

void Conntrack::Close::operator()(nfct_handle* handle) const { nfct_close(handle); }

Conntrack::Conntrack(std::vector<fs::path> netns_paths) : netns_paths_(std::move(netns_paths)) {
    const core::Fd own = open_namespace("/proc/thread-self/ns/net");
    if (own) own_netns_ = inode_of(own.get());
}

Conntrack::Handle Conntrack::open_in(std::uint32_t netns, std::uint32_t pid) const {
    const core::Fd own = open_namespace("/proc/thread-self/ns/net");
    std::vector<fs::path> paths = netns_paths_;
    if (pid != 0) paths.emplace_back(fmt::format("/proc/{}/ns/net", pid));
    if (netns == own_netns_) paths.emplace_back("/proc/thread-self/ns/net");
    for (const auto& path : paths) {
        const core::Fd there = open_namespace(path);
        if (!there || inode_of(there.get()) != netns) continue;
        if (netns != own_netns_ && ::setns(there.get(), CLONE_NEWNET) != 0) continue;
        Handle handle(has_table() ? nfct_open(CONNTRACK, 0) : nullptr);
        if (netns != own_netns_ && ::setns(own.get(), CLONE_NEWNET) != 0) return nullptr;
        return handle;
    }
    return nullptr;
}

nfct_handle* Conntrack::handle_of(Handles& handles, std::uint32_t netns, std::uint32_t pid) const {
    auto found = handles.find(netns);
    if (found == handles.end()) found = handles.emplace(netns, open_in(netns, pid)).first;
    return found->second.get();
}

std::vector<Translated> Conntrack::translated(std::span<const Question> questions) {
    Handles handles;
    std::vector<Translated> found;
    for (const auto& question : questions) {
        for (const std::uint32_t place : {question.netns, own_netns_}) {
            nfct_handle* handle = handle_of(handles, place, place == question.netns ? question.pid : 0);
            const auto peer = handle == nullptr ? std::nullopt : ask(handle, question.tuple);
            const auto seen = model::remote_endpoint(question.tuple);
            if (!peer || (peer->ip == seen.ip && peer->port == seen.port)) continue;
            found.push_back({question.tuple, question.netns, *peer});
            break;
        }
    }
    return found;
}

}  // namespace netwatch::context
