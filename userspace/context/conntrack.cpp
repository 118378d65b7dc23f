// SPDX-License-Identifier: Apache-2.0
#include "context/conntrack.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "model/record.h"

namespace netwatch::context {
namespace {

constexpr std::size_t mapped_head_bytes = 12;

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
    return NFCT_CB_CONTINUE;  // up to the acknowledgement: left unread it would pass for the next answer
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

Conntrack::Conntrack(std::vector<std::filesystem::path> netns_paths) : namespaces_(std::move(netns_paths)) {
    for (const std::uint32_t netns : namespaces_.by_path()) remember(netns, 0);
}

void Conntrack::remember(std::uint32_t netns, std::uint32_t pid) {
    const auto known = homes_.find(netns);
    if (known != homes_.end()) {
        if (known->second != 0) known->second = pid;  // the one before may be gone
    } else if (homes_.size() < homes_kept) {
        homes_.emplace(netns, pid);
    }
}

nfct_handle* Conntrack::handle_of(Handles& handles, std::uint32_t netns, std::uint32_t pid) const {
    const auto [found, is_new] = handles.try_emplace(netns);
    if (is_new) {
        namespaces_.within(netns, pid,
                           [&] { found->second.reset(has_table() ? nfct_open(CONNTRACK, 0) : nullptr); });
    }
    return found->second.get();
}

std::vector<Translated> Conntrack::translated(std::span<const Question> questions) {
    Handles handles;
    std::vector<Translated> found;
    for (const auto& question : questions) {
        remember(question.netns, question.pid);
        std::vector<std::pair<std::uint32_t, std::uint32_t>> places = {{question.netns, question.pid},
                                                                       {namespaces_.own(), 0}};
        std::ranges::copy_if(homes_, std::back_inserter(places), [&](const auto& home) {
            return home.first != question.netns && home.first != namespaces_.own();
        });
        for (const auto& [place, pid] : places) {
            nfct_handle* handle = handle_of(handles, place, pid);
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
