// SPDX-License-Identifier: Apache-2.0
// Agents that are killed at random moments: what they leave opens, and nothing older than a second is
// missing. NETWATCH_KILLS=1000 makes it a thousand; 50 otherwise.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "recorder/recording_source.h"
#include "recorder/segments.h"
#include "service/agent.h"
#include "service/host_facts.h"
#include "service/playback.h"
#include "support/scripted_capture.h"
#include "support/temporary_directory.h"

namespace netwatch::service {
namespace {

// And as long as its threads waited for a processor.
constexpr std::uint64_t lost_at_most_ns = core::ns_per_s;
constexpr int at_once = 10;

// What a child has done, told through memory that outlives it.
struct Told {
    std::atomic<bool> running;
    std::atomic<std::uint64_t> given;
    std::atomic<std::uint64_t> at_ns[1 << 16];
};

// An agent that is given a record every five milliseconds, and changes segments all the time.
[[noreturn]] void be_agent(const std::filesystem::path& state, Told& told) {
    AgentOptions options;
    options.state_dir = state;
    options.record = recorder::Retention{.segment_span = std::chrono::seconds(1)};
    auto script = std::make_shared<support::Script>();
    auto agent = Agent::start(std::move(options), [&](const CaptureOptions&) {
        return core::Result<std::unique_ptr<Capture>>(std::make_unique<support::ScriptedCapture>(script));
    });
    if (!agent) ::_exit(1);
    told.running = true;
    for (std::uint64_t n = 0; n < std::size(told.at_ns); ++n) {
        auto record = model::make_record<netwatch_attempt>(boot_now(), 1);
        record.sock = n + 1;
        script->give(record);
        told.at_ns[n] = record.header.at_ns;
        told.given = n + 1;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ::_exit(2);
}

// The newest record that can be read; 0: none.
std::uint64_t last_recorded(const std::filesystem::path& state) {
    auto source = recorder::RecordingSource::open(state);
    if (!source) return 0;
    EXPECT_TRUE(source->problems().empty()) << source->problems().front();
    std::uint64_t last = 0;
    do {
        for (;;) {
            const auto bytes = source->next();
            EXPECT_TRUE(bytes) << bytes.error().message;
            if (!bytes || !*bytes) break;
            const auto record = model::decode(**bytes);
            EXPECT_TRUE(record);
            const auto* attempt = record ? std::get_if<netwatch_attempt>(&*record) : nullptr;
            if (attempt == nullptr) continue;
            EXPECT_EQ(attempt->sock, last + 1) << "one is missing in between";
            last = attempt->sock;
        }
    } while (source->next_part().value_or(false));
    return last;
}

class Victim {
public:
    Victim()
        : told_(::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        pid_ = ::fork();
        if (pid_ == 0) be_agent(directory_ / "state", told());
    }
    ~Victim() { ::munmap(told_, sizeof(Told)); }
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;

    void kill_and_judge() {
        const std::uint64_t given = told().given;
        const std::uint64_t waited_ns = waited_for_a_processor();
        ::kill(pid_, SIGKILL);
        const std::uint64_t killed_at = boot_now();
        int status = 0;
        ::waitpid(pid_, &status, 0);
        ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << status;
        const std::uint64_t kept = last_recorded(directory_ / "state");
        std::uint64_t expected = 0;
        while (expected < given && told().at_ns[expected] + lost_at_most_ns + waited_ns < killed_at)
            ++expected;
        EXPECT_GE(kept, expected) << "of " << given << " given";
        EXPECT_TRUE(!told().running || kept == 0 || Playback::open(directory_ / "state", {}));
    }

private:
    // All its threads together, ever: on a quiet machine a few milliseconds.
    [[nodiscard]] std::uint64_t waited_for_a_processor() const {
        std::uint64_t waited = 0;
        std::error_code error;
        const std::filesystem::path tasks = "/proc/" + std::to_string(pid_) + "/task";
        for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
            std::uint64_t ran_ns = 0;
            std::uint64_t waited_ns = 0;
            if (std::ifstream(task.path() / "schedstat") >> ran_ns >> waited_ns) waited += waited_ns;
        }
        return waited;
    }
    [[nodiscard]] Told& told() const { return *static_cast<Told*>(told_); }

    support::TemporaryDirectory directory_;
    void* told_;
    pid_t pid_ = 0;
};

TEST(Kills, LoseLessThanASecondAndLeaveWhatOpens) {
    const char* asked = std::getenv("NETWATCH_KILLS");
    const int kills = asked == nullptr ? 50 : std::max(1, std::atoi(asked));
    std::mt19937 random(static_cast<unsigned>(kills));
    for (int done = 0; done < kills; done += at_once) {
        std::vector<std::unique_ptr<Victim>> victims;
        for (int n = 0; n < std::min(at_once, kills - done); ++n)
            victims.push_back(std::make_unique<Victim>());
        std::vector<int> moments_ms(victims.size());
        for (int& moment : moments_ms) moment = std::uniform_int_distribution(0, 3000)(random);
        std::ranges::sort(moments_ms);
        int now_ms = 0;
        for (std::size_t n = 0; n < victims.size(); ++n) {
            std::this_thread::sleep_for(std::chrono::milliseconds(moments_ms[n] - now_ms));
            now_ms = moments_ms[n];
            victims[n]->kill_and_judge();
        }
    }
}

}  // namespace
}  // namespace netwatch::service
