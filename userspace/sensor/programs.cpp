// SPDX-License-Identifier: Apache-2.0
#include "sensor/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <spdlog/spdlog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "core/fd.h"
#include "sensor/interesting_drops.h"
#include "sensor/skeleton.h"
#include "sensor/tracefs.h"

namespace netwatch::sensor {
namespace {

constexpr std::string_view syscall_section = "tracepoint/";
constexpr std::string_view iterator_section = "iter/";
constexpr std::string_view cgroup_section = "cgroup_skb/";

// libbpf tells which program was refused only in its log.
std::string& last_complaint() {
    thread_local std::string text;
    return text;
}

int log_to_debug(libbpf_print_level level, const char* format, va_list arguments) {
    char line[1024];
    vsnprintf(line, sizeof line, format, arguments);
    const std::string_view text =
        std::string_view(line).substr(0, std::string_view(line).find_last_not_of('\n') + 1);
    if (level == LIBBPF_WARN && text.find("prog '") != std::string_view::npos) last_complaint() = text;
    spdlog::debug("{}", text);
    return 0;
}

std::vector<bpf_program*> all_programs(const netwatch_bpf& skeleton) {
    std::vector<bpf_program*> programs;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton.obj) programs.push_back(program);
    return programs;
}

std::set<std::string> wanted_programs(const Plan& plan) {
    std::set<std::string> wanted;
    for (const auto& hook : plan.hooks) wanted.insert(hook.programs.begin(), hook.programs.end());
    return wanted;
}

void configure(netwatch_bpf& skeleton, const Plan& plan, const KernelFacts& facts,
               const ProgramOptions& options) {
    skeleton.rodata->observe_all_netns = options.netns.empty();
    skeleton.rodata->has_storage = plan.storage;
    skeleton.rodata->has_cookie = plan.cookie;
    skeleton.rodata->has_holes = wanted_programs(plan).contains("on_segment");
    skeleton.rodata->watches_dns = plan.watches.dns && wanted_programs(plan).contains("on_egress");
    skeleton.rodata->watches_tls = plan.watches.tls && wanted_programs(plan).contains("on_egress");
    skeleton.rodata->wakeup_bytes = options.ring_bytes / 4;
    for (const auto& [number, name] : facts.drop_reasons)
        if (number < std::size(skeleton.rodata->interesting_drops))
            skeleton.rodata->interesting_drops[number] = is_interesting_drop(name);
    bpf_map__set_max_entries(skeleton.maps.records, options.ring_bytes);
    if (plan.storage) bpf_map__set_max_entries(skeleton.maps.sockets_by_address, 1);
}

core::Result<void> check(const ProgramOptions& options, const netwatch_bpf& skeleton) {
    const auto page = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
    if (!std::has_single_bit(options.ring_bytes) || options.ring_bytes < page)
        return core::usage_error(
            fmt::format("ring size {} is not a power of two of at least {}", options.ring_bytes, page),
            fmt::format("give --ring-size {}", std::max(std::bit_ceil(options.ring_bytes), page)));
    if (const auto room = bpf_map__max_entries(skeleton.maps.observed_netns); options.netns.size() > room)
        return core::usage_error(fmt::format("at most {} network namespaces can be named", room));
    return {};
}

core::Result<void> observe(const netwatch_bpf& skeleton, const std::vector<std::uint32_t>& netns) {
    const int map = bpf_map__fd(skeleton.maps.observed_netns);
    const std::uint8_t yes = 1;
    for (const std::uint32_t inode : netns)
        if (bpf_map_update_elem(map, &inode, &yes, BPF_ANY) != 0)
            return core::fail(fmt::format("observing network namespace {}: {}", inode, std::strerror(errno)));
    return {};
}

// "prog 'NAME': …" names the program at fault.
std::string program_in(const std::string& complaint) {
    constexpr std::string_view mark = "prog '";
    const auto begin = complaint.find(mark);
    if (begin == std::string::npos) return {};
    const auto end = complaint.find('\'', begin + mark.size());
    return end == std::string::npos ? std::string{}
                                    : complaint.substr(begin + mark.size(), end - begin - mark.size());
}

// The link owns the perf event. The program runs on every CPU, whichever one the event is opened on.
core::Result<bpf_link*> attach_tracepoint(bpf_program* program, const std::string& name) {
    const auto id = tracepoint_id(name);
    if (!id) return std::unexpected(id.error());
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_TRACEPOINT;
    attributes.size = sizeof attributes;
    attributes.config = *id;
    const int event =
        static_cast<int>(::syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
    if (event < 0) return core::fail("perf event of " + name + ": " + std::strerror(errno));
    bpf_link* link = bpf_program__attach_perf_event(program, event);
    if (link) return link;
    const int error = errno;
    ::close(event);
    return core::fail(std::strerror(error));
}

core::Result<bpf_link*> attach_iterator(bpf_program* program, const netwatch_bpf& skeleton) {
    bpf_iter_link_info info{};
    info.map.map_fd = static_cast<__u32>(bpf_map__fd(skeleton.maps.sockets));
    LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof info);
    const bool over_map = program == skeleton.progs.walk_states;
    bpf_link* link = bpf_program__attach_iter(program, over_map ? &options : nullptr);
    if (!link) return core::fail(std::strerror(errno));
    return link;
}

// Beside whatever else is attached there.
core::Result<bpf_link*> attach_cgroup(bpf_program* program, const std::string& directory) {
    const core::Fd cgroup(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup) return core::fail(directory + ": " + std::strerror(errno));
    bpf_link* link = bpf_program__attach_cgroup(program, cgroup.get());
    if (!link) return core::fail(std::strerror(errno));
    return link;
}

core::Result<bpf_link*> attach_to_hook(bpf_program* program, const netwatch_bpf& skeleton,
                                       const KernelFacts& facts) {
    const std::string_view section = bpf_program__section_name(program);
    if (section.starts_with(syscall_section))
        return attach_tracepoint(program, std::string(section.substr(syscall_section.size())));
    if (section.starts_with(iterator_section)) return attach_iterator(program, skeleton);
    if (section.starts_with(cgroup_section)) return attach_cgroup(program, facts.cgroup2_mount);
    bpf_link* link = bpf_program__attach(program);
    if (!link) return core::fail(std::strerror(errno));
    return link;
}

core::Error nothing_watchable(const Plan& plan) {
    for (const auto& hook : plan.hooks)
        if (hook.vital && hook.state == NETWATCH_HOOK_MISSING)
            return {"connections cannot be watched: " + hook.reason,
                    "netwatch check tells what this kernel allows", core::ExitCode::privilege_missing};
    return {};
}

bool is_blind(const Plan& plan) {
    return std::ranges::any_of(plan.hooks, [](const PlannedHook& hook) {
        return hook.vital && hook.state == NETWATCH_HOOK_MISSING;
    });
}

}  // namespace

core::Result<std::unique_ptr<Programs>> Programs::attach(const KernelFacts& facts,
                                                         const ProgramOptions& options) {
    libbpf_set_print(log_to_debug);
    std::unique_ptr<Programs> programs(new Programs);
    RefusedPrograms refused;
    while (true) {
        programs->plan_ = make_plan(facts, refused, options.watches);
        if (is_blind(programs->plan_)) return std::unexpected(nothing_watchable(programs->plan_));
        Refusal refusal;
        auto attached = programs->attempt(facts, options, refusal);
        if (attached) return programs;
        programs->release();
        if (refusal.program.empty() || refused.contains(refusal.program))
            return std::unexpected(attached.error());
        spdlog::debug("going on without {}: {}", refusal.program, refusal.reason);
        refused.emplace(refusal.program, refusal.reason);
    }
}

core::Result<void> Programs::attempt(const KernelFacts& facts, const ProgramOptions& options,
                                     Refusal& refusal) {
    skeleton_ = netwatch_bpf__open();
    if (!skeleton_) return core::fail(std::string("opening the programs: ") + std::strerror(errno));
    if (auto possible = check(options, *skeleton_); !possible) return possible;
    configure(*skeleton_, plan_, facts, options);
    const auto wanted = wanted_programs(plan_);
    for (bpf_program* program : all_programs(*skeleton_))
        bpf_program__set_autoload(program, wanted.contains(bpf_program__name(program)));

    last_complaint().clear();
    if (const int error = netwatch_bpf__load(skeleton_); error != 0) {
        refusal = {program_in(last_complaint()),
                   fmt::format("the kernel refuses it: {}", std::strerror(-error))};
        return core::fail(
            fmt::format("loading the programs: {} ({})", std::strerror(-error), last_complaint()));
    }
    if (auto observed = observe(*skeleton_, options.netns); !observed) return observed;
    for (bpf_program* program : all_programs(*skeleton_)) {
        const std::string name = bpf_program__name(program);
        if (!wanted.contains(name)) continue;
        const auto link = attach_to_hook(program, *skeleton_, facts);
        if (!link) {
            refusal = {name, "it cannot be attached: " + link.error().message};
            return std::unexpected(link.error().within("attaching " + name));
        }
        links_.push_back({name, *link});
    }
    return {};
}

bpf_link* Programs::link(const std::string& program) const {
    const auto found = std::ranges::find(links_, program, &Link::program);
    return found == links_.end() ? nullptr : found->link;
}

void Programs::activate() { skeleton_->bss->active = 1; }

core::Result<void> Programs::switch_program(const std::string& program, bool on) {
    const auto found = std::ranges::find(links_, program, &Link::program);
    if (found == links_.end() || on == (found->link != nullptr)) return {};
    if (on) {
        found->link = bpf_program__attach(bpf_object__find_program_by_name(skeleton_->obj, program.c_str()));
        if (!found->link) return core::fail(fmt::format("attaching {}: {}", program, std::strerror(errno)));
        return {};
    }
    bpf_link__destroy(std::exchange(found->link, nullptr));
    return {};
}

void Programs::release() {
    for (const auto& link : links_) bpf_link__destroy(link.link);
    links_.clear();
    netwatch_bpf__destroy(skeleton_);
    skeleton_ = nullptr;
}

Programs::~Programs() { release(); }

}  // namespace netwatch::sensor
