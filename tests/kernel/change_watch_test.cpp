// SPDX-License-Identifier: Apache-2.0
// The watch of changes against the running kernel, in namespaces of the test's own. Needs root: skipped
// without.
#include "service/change_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <thread>

#include "private_netns.h"
#include "service/host_facts.h"

namespace netwatch::service {
namespace {

using namespace std::chrono_literals;

// A process in a network namespace of its own, with the loopback device up or down as it is told.
class Inhabitant {
public:
    Inhabitant() {
        EXPECT_EQ(::pipe2(orders_.data(), O_CLOEXEC), 0);
        EXPECT_EQ(::pipe2(replies_.data(), O_CLOEXEC), 0);
        pid_ = ::fork();
        if (pid_ == 0) live();
        char reply = 0;
        entered_ = ::read(replies_[0], &reply, 1) == 1 && reply == 'y';
    }
    Inhabitant(const Inhabitant&) = delete;
    Inhabitant& operator=(const Inhabitant&) = delete;
    ~Inhabitant() {
        die();
        for (const int fd : {orders_[0], orders_[1], replies_[0], replies_[1]}) ::close(fd);
    }
    [[nodiscard]] bool entered() const { return entered_; }
    [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
    [[nodiscard]] std::filesystem::path path() const { return "/proc/" + std::to_string(pid_) + "/ns/net"; }
    [[nodiscard]] std::uint32_t netns() const { return netns_inode(path()).value_or(0); }
    void set_loopback(bool up) { EXPECT_EQ(::write(orders_[1], up ? "u" : "d", 1), 1); }
    void die() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    [[noreturn]] void live() {
        const bool entered = testing::enter_private_netns() != 0;
        (void)!::write(replies_[1], entered ? "y" : "n", 1);
        const core::Fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        for (char order = 0; ::read(orders_[0], &order, 1) == 1;) {
            ifreq request{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
            request.ifr_flags = order == 'u' ? IFF_UP : 0;
            (void)::ioctl(control.get(), SIOCSIFFLAGS, &request);
        }
        ::_exit(0);
    }
    std::array<int, 2> orders_{};
    std::array<int, 2> replies_{};
    pid_t pid_ = 0;
    bool entered_ = false;
};

class ChangeWatchTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!inhabitant_.entered()) GTEST_SKIP() << "a network namespace of one's own needs CAP_SYS_ADMIN";
    }
    // The first change that fits, within five seconds.
    std::optional<netwatch_change> await(ChangeWatch& watch,
                                         const std::function<bool(const netwatch_change&)>& fits) {
        const auto until = std::chrono::steady_clock::now() + 5s;
        while (std::chrono::steady_clock::now() < until) {
            const auto bytes = watch.exchange();
            std::span<const std::byte> left = bytes;
            while (const std::size_t size = model::claimed_size(left)) {
                const auto record = model::decode(left.first(size));
                left = left.subspan(size);
                const auto* change = record ? std::get_if<netwatch_change>(&*record) : nullptr;
                if (change != nullptr && change->header.netns == netns_ && fits(*change)) return *change;
            }
            std::this_thread::sleep_for(5ms);
        }
        return std::nullopt;
    }
    std::optional<netwatch_change> await_link(ChangeWatch& watch, netwatch_change_action action,
                                              std::uint8_t state) {
        return await(watch, [&](const netwatch_change& change) {
            return change.subject == NETWATCH_CHANGE_LINK && change.action == action &&
                   change.link_state == state;
        });
    }
    Inhabitant inhabitant_;
    std::uint32_t netns_ = inhabitant_.netns();
    static constexpr std::uint8_t works = NETWATCH_LINK_UP | NETWATCH_LINK_CARRIER;
};

TEST_F(ChangeWatchTest, ANamespaceWithAPathIsFoundAsItIsAndHeard) {
    ChangeWatch watch({inhabitant_.path()});
    const auto found = await_link(watch, NETWATCH_CHANGE_FOUND, works);
    ASSERT_TRUE(found);
    EXPECT_STREQ(found->interface, "lo");
    inhabitant_.set_loopback(false);
    const auto down = await_link(watch, NETWATCH_CHANGE_CHANGED, 0);
    ASSERT_TRUE(down);
    EXPECT_EQ(down->old_link_state, works);
    inhabitant_.set_loopback(true);
    EXPECT_TRUE(await_link(watch, NETWATCH_CHANGE_CHANGED, works));
}

TEST_F(ChangeWatchTest, OneThatRecordsComeFromIsHeardUntilItsLastProcessEnds) {
    ChangeWatch watch({});
    auto record = model::make_record<netwatch_connect>(boot_now(), netns_);
    record.process.pid = inhabitant_.pid();
    model::set_text(record.process.comm, "curl");
    watch.note(record);
    ASSERT_TRUE(await_link(watch, NETWATCH_CHANGE_FOUND, works));
    inhabitant_.die();
    const auto ended = await(watch, [](const netwatch_change& change) {
        return change.subject == NETWATCH_CHANGE_NAMESPACE && change.action == NETWATCH_CHANGE_REMOVED;
    });
    ASSERT_TRUE(ended);
    EXPECT_STREQ(ended->comm, "curl");
}

}  // namespace
}  // namespace netwatch::service
