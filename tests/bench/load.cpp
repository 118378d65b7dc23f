// SPDX-License-Identifier: Apache-2.0
// Loads for the end-to-end figures: both ends of connections over loopback, or a cheap system call, as fast
// as they go. Prints one JSON object.
//
//     load connections SECONDS [RATE]   short connections with one request, RATE a second (0: as many as
//     there can be) load refused SECONDS [RATE]       connects to a port that nobody listens on load requests
//     SECONDS             requests on one kept connection load stream SECONDS               bytes through one
//     connection load calls SECONDS                getppid()
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include "core/fd.h"

namespace {

using netwatch::core::Fd;
using Clock = std::chrono::steady_clock;

constexpr std::uint16_t port = 7700;
constexpr std::size_t message_bytes = 64;

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(1);
}

// So many addresses that no pair of ports is used again while it waits: 127.1.0.0/16.
sockaddr_in address(std::uint32_t number, std::uint16_t at_port = port) {
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(at_port), .sin_addr = {}, .sin_zero = {}};
    to.sin_addr.s_addr = htonl(0x7f010001U + number % 250);
    return to;
}

const sockaddr* generic(const sockaddr_in& at) {
    return static_cast<const sockaddr*>(static_cast<const void*>(&at));
}

Fd listen_anywhere() {
    Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    auto any = address(0);
    any.sin_addr.s_addr = htonl(INADDR_ANY);
    if (::bind(listener.get(), generic(any), sizeof any) != 0 || ::listen(listener.get(), 4096) != 0)
        give_up("listen");
    return listener;
}

Fd connect_to(std::uint32_t number) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    const auto to = address(number);
    if (::connect(socket.get(), generic(to), sizeof to) != 0) give_up("connect");
    return socket;
}

void be_refused(std::uint64_t number) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto to = address(static_cast<std::uint32_t>(number), port + 1);
    if (::connect(socket.get(), generic(to), sizeof to) == 0) give_up("connect to a closed port");
}

// Answers messages on one connection after the other; the client closes first.
void serve(int listener) {
    std::array<char, 1 << 16> buffer{};
    while (true) {
        const Fd peer(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (!peer) return;
        const int yes = 1;
        ::setsockopt(peer.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        while (true) {
            const ssize_t length = ::recv(peer.get(), buffer.data(), buffer.size(), 0);
            if (length <= 0) break;
            if (static_cast<std::size_t>(length) == message_bytes &&
                ::send(peer.get(), buffer.data(), message_bytes, MSG_NOSIGNAL) < 0)
                break;
        }
    }
}

void exchange(int socket) {
    std::array<char, message_bytes> message{};
    if (::send(socket, message.data(), message.size(), MSG_NOSIGNAL) < 0) give_up("send");
    if (::recv(socket, message.data(), message.size(), MSG_WAITALL) <= 0) give_up("recv");
}

struct Result {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    double seconds = 0;
    std::vector<float> each_us;
};

double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// One after the other for that long, each timed.
Result repeat(double seconds, double rate, const std::function<void(std::uint64_t)>& once) {
    Result result;
    result.each_us.reserve(1 << 20);
    const auto at_once =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rate / 1000));  // a sleep each would be late
    const auto begin = Clock::now();
    for (; since(begin) < seconds; ++result.count) {
        if (rate > 0 && result.count % at_once == 0)
            std::this_thread::sleep_until(
                begin + std::chrono::duration<double>(static_cast<double>(result.count) / rate));
        const auto start = Clock::now();
        once(result.count);
        result.each_us.push_back(static_cast<float>(since(start) * 1e6));
    }
    result.seconds = since(begin);
    return result;
}

Result stream(double seconds) {
    Result result;
    const Fd socket = connect_to(0);
    const std::vector<char> block(1 << 16);
    const auto begin = Clock::now();
    while (since(begin) < seconds) {
        const ssize_t sent = ::send(socket.get(), block.data(), block.size(), MSG_NOSIGNAL);
        if (sent < 0) give_up("send");
        result.bytes += static_cast<std::uint64_t>(sent);
    }
    result.seconds = since(begin);
    return result;
}

Result calls(double seconds) {
    Result result;
    const auto begin = Clock::now();
    while (since(begin) < seconds)
        for (int i = 0; i < 10'000; ++i, ++result.count) ::syscall(SYS_getppid);
    result.seconds = since(begin);
    return result;
}

double quantile(std::vector<float>& values, double share) {
    if (values.empty()) return 0;
    const auto at =
        values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
}

void print(Result result) {
    std::printf(R"({"count": %llu, "bytes": %llu, "seconds": %.6f, "p50_us": %.2f, "p99_us": %.2f})"
                "\n",
                static_cast<unsigned long long>(result.count), static_cast<unsigned long long>(result.bytes),
                result.seconds, quantile(result.each_us, 0.5), quantile(result.each_us, 0.99));
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) {
        std::fputs("load connections|requests|stream|calls SECONDS [RATE]\n", stderr);
        return 2;
    }
    const std::string_view what = arguments[1];
    const double seconds = std::atof(arguments[2]);
    const double rate = count > 3 ? std::atof(arguments[3]) : 0;
    const Fd listener = listen_anywhere();
    std::thread server(serve, listener.get());
    if (what == "connections") {
        print(repeat(seconds, rate,
                     [](std::uint64_t i) { exchange(connect_to(static_cast<std::uint32_t>(i)).get()); }));
    } else if (what == "refused") {
        print(repeat(seconds, rate, be_refused));
    } else if (what == "requests") {
        const Fd socket = connect_to(0);
        print(repeat(seconds, rate, [&](std::uint64_t) { exchange(socket.get()); }));
    } else if (what == "stream") {
        print(stream(seconds));
    } else if (what == "calls") {
        print(calls(seconds));
    }
    ::shutdown(listener.get(), SHUT_RDWR);
    server.join();
    return 0;
}
