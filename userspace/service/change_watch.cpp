// SPDX-License-Identifier: Apache-2.0
#include "service/change_watch.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <charconv>
#include <fstream>
#include <utility>

#include "service/host_facts.h"
#include "service/netlink_changes.h"

namespace netwatch::service {
namespace fs = std::filesystem;
using context::namespace_inode;
namespace {

constexpr std::size_t most_places = 64;
constexpr std::size_t most_told_bytes = 4U << 20;  // a capture thread that stands still for long
constexpr std::size_t most_routes_found = 1'024;
constexpr int receive_bytes = 1 << 20;
constexpr core::BootNs look_after_every_ns = core::ns_per_s;

constexpr unsigned mask_of(int group) { return 1U << (group - 1); }
constexpr unsigned routing_groups = mask_of(RTNLGRP_LINK) | mask_of(RTNLGRP_IPV4_IFADDR) |
                                    mask_of(RTNLGRP_IPV6_IFADDR) | mask_of(RTNLGRP_IPV4_ROUTE) |
                                    mask_of(RTNLGRP_IPV6_ROUTE) | mask_of(RTNLGRP_IPV4_RULE) |
                                    mask_of(RTNLGRP_IPV6_RULE);

struct Close {
    void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using Socket = std::unique_ptr<mnl_socket, Close>;

Socket listen(int bus, unsigned groups) {
    Socket socket(mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return nullptr;
    // Beyond the system's limit where that is allowed; the usual size else.
    (void)::setsockopt(mnl_socket_get_fd(socket.get()), SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes,
                       sizeof(receive_bytes));
    return mnl_socket_bind(socket.get(), groups, MNL_SOCKET_AUTOPID) == 0 ? std::move(socket) : nullptr;
}

// Of a ruleset only the message of its generation, which comes in a datagram of its own: loading ten thousand
// rules is told by ten thousand others.
void pass_generations_only(mnl_socket* socket) {
    constexpr std::uint16_t type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN;
    std::array<sock_filter, 4> program{{
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(type), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    }};
    const sock_fprog filter{program.size(), program.data()};
    (void)::setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

bool has_line(const char* file, std::string_view with) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        if (line.find(with) != std::string::npos) return true;
    }
    return false;
}

// To listen to what is not there would load its module.
bool has_nftables() {
    static const bool built_in = has_line("/proc/kallsyms", " nf_tables_newtable");
    return built_in || has_line("/proc/modules", "nf_tables ");
}

fs::path path_of(std::uint32_t pid) { return fmt::format("/proc/{}/ns/net", pid); }

std::string comm_of(std::uint32_t pid) {
    std::string comm;
    std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)), comm);
    return comm;
}

std::optional<std::uint32_t> process_in(std::uint32_t netns) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename();
        std::uint32_t pid = 0;
        const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
        const bool number = bad == std::errc{} && end == name.data() + name.size();
        if (number && namespace_inode(path_of(pid)) == netns) return pid;
    }
    return std::nullopt;
}

}  // namespace

// Sockets first hear, then ask what is there: nothing falls between.
class ChangeWatch::Place {
public:
    Place(std::uint32_t netns, fs::path path) : netns_(netns), path_(std::move(path)), decoder_(netns) {}

    // In the namespace itself.
    bool open_sockets() {
        routing_ = listen(NETLINK_ROUTE, routing_groups);
        listen_to_rulesets();
        return routing_ != nullptr && ask_next();
    }
    void listen_to_rulesets() {
        if (!has_nftables()) return;
        asked_for_rulesets_ = true;
        netfilter_ = listen(NETLINK_NETFILTER, mask_of(NFNLGRP_NFTABLES));
        if (netfilter_) pass_generations_only(netfilter_.get());
    }
    // False: that process is not, or no longer, in the namespace.
    bool follow(std::uint32_t pid, std::string comm) {
        process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        path_ = path_of(pid);
        pid_ = pid;
        comm_ = std::move(comm);
        return process_ && namespace_inode(path_of(pid)) == netns_;
    }

    void hear(core::BootNs at, std::vector<netwatch_change>& changes) {
        if (routing_) drain(*routing_, at, changes);
        if (netfilter_) drain(*netfilter_, at, changes);
    }

    [[nodiscard]] netwatch_change event(netwatch_change_subject subject, netwatch_change_action action,
                                        core::BootNs at) const {
        auto change = model::make_record<netwatch_change>(at, netns_);
        change.subject = static_cast<__u8>(subject);
        change.action = static_cast<__u8>(action);
        if (subject != NETWATCH_CHANGE_NAMESPACE) return change;
        change.pid = pid_;
        model::set_text(change.comm, comm_);
        return change;
    }
    void add_fds(std::vector<pollfd>& fds) const {
        if (routing_) fds.push_back({mnl_socket_get_fd(routing_.get()), POLLIN, 0});
        if (netfilter_) fds.push_back({mnl_socket_get_fd(netfilter_.get()), POLLIN, 0});
        if (process_) fds.push_back({process_.get(), POLLIN, 0});
    }
    // The process that it was found through has ended.
    [[nodiscard]] bool is_left() const {
        pollfd fd{process_.get(), POLLIN, 0};
        return process_ && ::poll(&fd, 1, 0) > 0;
    }
    [[nodiscard]] bool has_process() const { return static_cast<bool>(process_); }
    [[nodiscard]] bool is_gone() const { return namespace_inode(path_) != netns_; }
    [[nodiscard]] bool asked_for_rulesets() const { return asked_for_rulesets_; }
    [[nodiscard]] std::uint32_t netns() const { return netns_; }
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    // What is there: links before what refers to them; one dump at a time.
    bool ask_next() {
        static constexpr std::array<std::uint16_t, 3> dumps{RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE};
        if (asked_ >= dumps.size()) return true;
        alignas(nlmsghdr) std::array<char, sizeof(nlmsghdr) + sizeof(rtmsg)> buffer{};
        nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
        request->nlmsg_type = dumps[asked_++];
        request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        mnl_nlmsg_put_extra_header(request, sizeof(rtmsg));
        return mnl_socket_sendto(routing_.get(), request, request->nlmsg_len) >= 0;
    }

    void drain(mnl_socket& socket, core::BootNs at, std::vector<netwatch_change>& changes) {
        std::array<std::byte, 32'768> buffer{};  // as large as the kernel makes a dump's datagrams
        for (;;) {
            const ssize_t bytes = ::recv(mnl_socket_get_fd(&socket), buffer.data(), buffer.size(), 0);
            if (bytes < 0 && errno == ENOBUFS) {
                changes.push_back(event(NETWATCH_CHANGE_MISSED, NETWATCH_CHANGE_CHANGED, at));
                if (&socket != routing_.get()) continue;
                asked_ = 0;
                (void)ask_next();
                continue;
            }
            if (bytes <= 0) return;
            const std::size_t before = changes.size();
            const auto datagram = std::span(buffer).first(static_cast<std::size_t>(bytes));
            if (decoder_.take(datagram, at, changes)) (void)ask_next();
            leave_out_surplus(changes, before);
        }
    }

    // A full routing table is nobody's reading.
    void leave_out_surplus(std::vector<netwatch_change>& changes, std::size_t from) {
        const auto surplus = [this](const netwatch_change& change) {
            const bool route =
                change.subject == NETWATCH_CHANGE_ROUTE && change.action == NETWATCH_CHANGE_FOUND;
            return route && ++routes_found_ > most_routes_found;
        };
        changes.erase(
            std::remove_if(changes.begin() + static_cast<std::ptrdiff_t>(from), changes.end(), surplus),
            changes.end());
    }

    std::uint32_t netns_;
    fs::path path_;
    NetlinkChanges decoder_;
    Socket routing_;
    Socket netfilter_;
    bool asked_for_rulesets_ = false;
    core::Fd process_;
    std::uint32_t pid_ = 0;
    std::string comm_;
    std::size_t asked_ = 0;
    std::size_t routes_found_ = 0;
};

ChangeWatch::ChangeWatch(std::vector<fs::path> netns_paths)
    : netns_paths_(std::move(netns_paths)),
      started_at_(boot_now()),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { run(); }) {}

ChangeWatch::~ChangeWatch() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof(one));
    thread_.join();
}

void ChangeWatch::note(model::RecordRef record) {
    if (!netns_paths_.empty()) return;
    record.visit([this](const auto& r) {
        if constexpr (requires { r.process.pid; }) {
            const std::uint32_t netns = r.header.netns;
            if (netns == 0 || r.process.pid == 0 || known_.contains(netns)) return;
            if (noted_.size() >= most_places) return;
            noted_.try_emplace(netns, r.process.pid, r.process.start_ns, model::text_of(r.process.comm));
        }
    });
}

std::vector<std::byte> ChangeWatch::exchange() {
    const std::lock_guard lock(mutex_);
    if (!noted_.empty() && asked_.empty()) {
        asked_ = std::exchange(noted_, {});
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof(one));
    }
    known_ = listened_to_;
    if (std::exchange(overflowed_, false)) {
        auto missed = model::make_record<netwatch_change>(boot_now());
        missed.subject = NETWATCH_CHANGE_MISSED;
        missed.action = NETWATCH_CHANGE_CHANGED;
        const auto bytes = model::bytes_of(missed);
        told_.insert(told_.end(), bytes.begin(), bytes.end());
    }
    return std::exchange(told_, {});
}

void ChangeWatch::run() {
    open_named();
    do {
        const core::BootNs at = boot_now();
        for (auto& [netns, place] : places_) place->hear(at, changes_);
        open_noted();
        std::vector<std::uint32_t> gone;
        const bool due = at >= looked_after_at_ + look_after_every_ns;
        if (due) looked_after_at_ = at;
        for (auto& [netns, place] : places_) {
            if (!look_after(*place, at, due)) gone.push_back(netns);
        }
        for (const std::uint32_t netns : gone) places_.erase(netns);
        deliver();
    } while (wait());
}

bool ChangeWatch::wait() {
    std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}};
    for (const auto& [netns, place] : places_) place->add_fds(fds);
    (void)::poll(fds.data(), fds.size(), static_cast<int>(look_after_every_ns / core::ns_per_ms));
    std::uint64_t ignored = 0;
    (void)!::read(wake_.get(), &ignored, sizeof(ignored));
    const std::lock_guard lock(mutex_);
    return !stopping_;
}

void ChangeWatch::open_named() {
    if (netns_paths_.empty()) {
        const fs::path own = "/proc/self/ns/net";
        open(namespace_inode(own), own, nullptr);
    }
    for (const auto& path : netns_paths_) open(namespace_inode(path), path, nullptr);
}

void ChangeWatch::open_noted() {
    std::map<std::uint32_t, Inhabitant> asked;
    {
        const std::lock_guard lock(mutex_);
        asked = std::exchange(asked_, {});
    }
    for (const auto& [netns, inhabitant] : asked) {
        if (places_.size() >= most_places) break;
        open(netns, path_of(inhabitant.pid), &inhabitant);
    }
}

void ChangeWatch::open(std::uint32_t netns, const fs::path& path, const Inhabitant* inhabitant) {
    if (netns == 0 || places_.contains(netns)) return;
    auto place = std::make_unique<Place>(netns, path);
    if (inhabitant != nullptr && !place->follow(inhabitant->pid, inhabitant->comm)) return;
    bool opened = false;
    namespaces_.within(netns, path, [&] { opened = place->open_sockets(); });
    if (!opened) {
        spdlog::warn("changes in network namespace {} are not watched: its netlink sockets cannot be had",
                     netns);
        return;
    }
    if (inhabitant != nullptr && inhabitant->started > started_at_) {
        changes_.push_back(place->event(NETWATCH_CHANGE_NAMESPACE, NETWATCH_CHANGE_ADDED, boot_now()));
    }
    places_.emplace(netns, std::move(place));
}

// False: the namespace has come to its end, or nobody is left in it for whom to keep it.
bool ChangeWatch::look_after(Place& place, core::BootNs at, bool due) {
    if (due && !place.asked_for_rulesets() && has_nftables())
        namespaces_.within(place.netns(), place.path(), [&] { place.listen_to_rulesets(); });
    const bool left = place.has_process() ? place.is_left() : due && place.is_gone();
    if (!left) return true;
    if (place.has_process()) {
        const auto other = process_in(place.netns());
        if (other && place.follow(*other, comm_of(*other))) return true;
    }
    changes_.push_back(place.event(NETWATCH_CHANGE_NAMESPACE, NETWATCH_CHANGE_REMOVED, at));
    return false;
}

void ChangeWatch::deliver() {
    const std::lock_guard lock(mutex_);
    listened_to_.clear();
    for (const auto& [netns, place] : places_) listened_to_.insert(netns);
    for (const auto& change : std::exchange(changes_, {})) {
        overflowed_ = overflowed_ || told_.size() >= most_told_bytes;
        if (overflowed_) return;
        const auto bytes = model::bytes_of(change);
        told_.insert(told_.end(), bytes.begin(), bytes.end());
    }
}

}  // namespace netwatch::service
