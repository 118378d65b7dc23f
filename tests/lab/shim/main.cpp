// SPDX-License-Identifier: Apache-2.0
// The lab's shim: a path with chosen faults, in userspace. See tests/lab/README.md.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <system_error>

#include "forwarder.h"

namespace netwatch::lab {
namespace {

constexpr std::uint64_t ns_per_s = 1'000'000'000;

struct Options {
    std::string device;
    std::vector<std::string> home;
    std::string events;
    Path path;
};

std::uint64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * ns_per_s + static_cast<std::uint64_t>(now.tv_nsec);
}

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

int open_tun(const std::string& name) {
    const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) fail("/dev/net/tun");
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(fd, TUNSETIFF, &request) != 0) fail(name);
    return fd;
}

// Wake-ups within microseconds on a busy machine. Without the right to it, the highest ordinary priority.
void be_punctual() {
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    const sched_param first{.sched_priority = 1};
    if (::sched_setscheduler(0, SCHED_FIFO, &first) != 0) ::setpriority(PRIO_PROCESS, 0, -20);
}

int ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    const int fd = ::signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0) fail("signalfd");
    return fd;
}

void say(const std::string& line) {
    std::puts(line.c_str());
    std::fflush(stdout);
}

// A line on standard input asks for the counts; its end is none of our business.
void answer(pollfd& input, const Forwarder& forwarder) {
    std::array<char, 256> bytes{};
    const auto length = ::read(input.fd, bytes.data(), bytes.size());
    if (length <= 0) input.fd = -1;
    for (ssize_t i = 0; i < length; ++i)
        if (bytes[static_cast<std::size_t>(i)] == '\n') say(forwarder.counts());
}

void run(const Options& options) {
    const int tun = open_tun(options.device);
    std::FILE* events = options.events.empty() ? nullptr : std::fopen(options.events.c_str(), "we");
    if (!options.events.empty() && events == nullptr) fail(options.events);
    if (events != nullptr) std::setvbuf(events, nullptr, _IOLBF, 0);  // whole lines for whoever reads along
    std::array<pollfd, 3> watched{
        {{ending_signals(), POLLIN, 0}, {tun, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
    be_punctual();
    Forwarder forwarder(tun, options.path, now_ns(), events);
    say("ready");
    for (;;) {
        const auto due = forwarder.next_due_ns();
        const auto now = now_ns();
        const auto left = due > now ? due - now : 0;
        const timespec wait{.tv_sec = static_cast<time_t>(left / ns_per_s),
                            .tv_nsec = static_cast<long>(left % ns_per_s)};
        const bool none = due == std::numeric_limits<std::uint64_t>::max();
        if (::ppoll(watched.data(), watched.size(), none ? nullptr : &wait, nullptr) < 0 && errno != EINTR)
            fail("ppoll");
        if (watched[1].revents != 0) forwarder.take(now_ns());
        forwarder.give(now_ns());
        if (watched[2].revents != 0) answer(watched[2], forwarder);
        if (watched[0].revents != 0) break;
    }
    forwarder.give(now_ns(), true);  // late, not lost
    say(forwarder.counts());
    if (events != nullptr) std::fclose(events);
}

void add_direction(CLI::App& app, const char* name, const char* text, Impairment& to) {
    auto* direction = app.add_subcommand(name, text);
    const auto share = CLI::Range(0.0, 1.0);
    direction->add_option("--delay-ms", to.delay_ms)->check(CLI::NonNegativeNumber);
    direction
        ->add_option("--jitter-ms", to.jitter_ms, "each packet's delay differs by up to that; none overtakes")
        ->check(CLI::NonNegativeNumber);
    direction->add_option("--ramp-s", to.ramp_s, "delay and jitter grow from nothing within that time")
        ->check(CLI::NonNegativeNumber);
    direction->add_option("--loss", to.loss, "share that disappears")->check(share);
    direction->add_option("--burst", to.burst, "mean length of a run of losses, in packets")
        ->check(CLI::Range(1.0, 1e6));
    direction->add_option("--reorder", to.reorder, "share that is overtaken")->check(share);
    direction->add_option("--reorder-ms", to.reorder_ms, "how long those are held up")
        ->check(CLI::NonNegativeNumber);
    direction->add_option("--duplicate", to.duplicate, "share that comes twice")->check(share);
    direction->add_option("--corrupt", to.corrupt, "share with a bit flipped behind the IP header")
        ->check(share);
    direction->add_option("--reset", to.reset, "share of TCP data segments answered with RST to both ends")
        ->check(share);
    direction->add_option("--with-text", to.with_text,
                          "loses and resets only segments whose data has this in it");
    direction->add_option("--reset-ttl", to.reset_ttl)->check(CLI::Range(1, 254));
    direction->add_option("--ttl", to.ttl, "sets it; else as if this hop were none")
        ->check(CLI::Range(1, 255));
}

}  // namespace
}  // namespace netwatch::lab

int main(int argc, char** argv) {
    using namespace netwatch::lab;
    CLI::App app(
        "Packets routed into a TUN device come back out of it: late, lost, twice, or not as they were.\n"
        "  netwatch_lab_shim shim0 --home 10.1.2.0/24 forth --delay-ms 40 back --delay-ms 40 --loss 0.05\n"
        "Prints \"ready\", the counts as JSON for each line on standard input, and once more at the end.");
    Options options;
    app.add_option("DEVICE", options.device, "made here, and gone with this process")->required();
    app.add_option("--home", options.home, "prefix; packets to it are on their way back")->required();
    app.add_option("--seed", options.path.seed);
    app.add_option("--events", options.events, "a file: one JSON line for each packet that fared ill");
    add_direction(app, "forth", "what happens on the way there", options.path.impairments[forth]);
    add_direction(app, "back", "what happens on the way back", options.path.impairments[back]);
    CLI11_PARSE(app, argc, argv);
    try {
        for (const auto& text : options.home) {
            const auto prefix = Prefix::parse(text);
            if (!prefix) throw std::invalid_argument(text + " is no prefix");
            options.path.home.push_back(*prefix);
        }
        run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "netwatch_lab_shim: %s\n", error.what());
        return 1;
    }
    return 0;
}
