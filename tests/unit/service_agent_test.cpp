// SPDX-License-Identifier: Apache-2.0
// The whole agent but the sensor: a script in its place, a real socket, a real recording.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <thread>

#include "core/fd.h"
#include "present/json.h"
#include "recorder/recording_source.h"
#include "recorder/segments.h"
#include "service/agent.h"
#include "service/client.h"
#include "service/open_incidents.h"
#include "service/playback.h"
#include "support/scripted_capture.h"
#include "support/temporary_directory.h"

namespace netwatch::service {
namespace {

using namespace std::chrono_literals;
constexpr auto patience = 5s;

// One refused connection to 192.0.2.7:443, that long ago.
netwatch_connect refused(std::uint64_t ago_ms) {
    static std::atomic<std::uint16_t> next_port = 40'000;
    const core::BootNs now = boot_now();
    auto record = model::make_record<netwatch_connect>(now - ago_ms * core::ns_per_ms, 1);
    record.sock = next_port;
    record.start_ns = record.header.at_ns - core::ns_per_ms;
    const auto local = model::IpAddress::parse("192.0.2.1")->bytes();
    const auto remote = model::IpAddress::parse("192.0.2.7")->bytes();
    std::ranges::copy(local, record.tuple.local_ip);
    std::ranges::copy(remote, record.tuple.remote_ip);
    std::ranges::copy(remote, record.asked_ip);
    record.tuple.local_port = next_port++;
    record.tuple.remote_port = record.asked_port = 443;
    record.tuple.family = 4;
    record.tuple.protocol = 6;
    record.process = {.start_ns = 1, .cgroup_id = 1, .pid = 77, .uid = 0, .comm = "checkout"};
    record.outcome = NETWATCH_OUTCOME_FAILED;
    record.reset = 1;
    record.error = 111;
    record.rtt_us = NETWATCH_ABSENT_U32;
    return record;
}

class AgentTest : public ::testing::Test {
protected:
    // As the command does (cli/run.cpp): whoever has gone is told by write().
    static void SetUpTestSuite() { ::signal(SIGPIPE, SIG_IGN); }

    std::unique_ptr<Agent> start(AgentOptions options = {}) {
        if (!options.state_dir) options.state_dir = directory_ / "state";
        if (!options.socket) options.socket = socket_;
        script_ = std::make_shared<support::Script>();
        auto agent = Agent::start(std::move(options), [this](const CaptureOptions&) {
            return core::Result<std::unique_ptr<Capture>>(
                std::make_unique<support::ScriptedCapture>(script_));
        });
        EXPECT_TRUE(agent) << agent.error().message;
        if (!agent) return nullptr;
        EXPECT_TRUE((*agent)->wait_until_ready(patience));
        return std::move(*agent);
    }
    core::Error error_of(AgentOptions options) {
        if (!options.state_dir) options.state_dir = directory_ / "state";
        const auto agent = Agent::start(std::move(options), [](const CaptureOptions&) {
            ADD_FAILURE() << "capturing must not begin";
            return core::Result<std::unique_ptr<Capture>>(core::fail(""));
        });
        return agent ? core::Error{"it started"} : agent.error();
    }
    void refuse_a_few() {
        for (std::uint64_t n = 20; n > 0; --n) script_->give(refused(n * 250));
    }
    // True once the condition holds.
    static bool eventually(const std::function<bool()>& holds) {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::sleep_for(5ms);
        }
        return true;
    }
    std::vector<model::Incident> replay(const std::filesystem::path& path) {
        auto replay = Playback::open(path, {});
        EXPECT_TRUE(replay) << replay.error().message;
        EXPECT_TRUE(replay->run());
        return replay->incidents();
    }
    support::TemporaryDirectory directory_;
    std::filesystem::path socket_ = directory_ / "agent.sock";
    std::shared_ptr<support::Script> script_;
};

TEST_F(AgentTest, AnswersOverItsSocket) {
    const auto agent = start();
    ASSERT_TRUE(agent);
    const Client client(socket_);
    refuse_a_few();
    ASSERT_TRUE(eventually([&] { return !agent->pipeline().incidents().empty(); }));

    const auto view = client.view();
    ASSERT_TRUE(view) << view.error().message;
    EXPECT_EQ(view->agent_version, NETWATCH_VERSION);
    EXPECT_TRUE(view->observer.recording.value_or("").starts_with((directory_ / "state").string()));
    EXPECT_FALSE(view->observer.recording_error);
    const auto incidents = client.get("/v1/incidents?all=1");
    ASSERT_TRUE(incidents);
    ASSERT_EQ(incidents->size(), 1U);
    EXPECT_EQ((*incidents)[0]["type"], "port_blocked");
    const auto ladder = client.ladder(*model::Endpoint::parse("192.0.2.7:443"));
    ASSERT_TRUE(ladder) << ladder.error().message;
    EXPECT_EQ(ladder->steps[2].status, model::LadderStatus::failing);
    const auto check = client.get("/v1/check");
    ASSERT_TRUE(check);
    EXPECT_EQ((*check)["observer"]["hooks"][0]["signal"], "life cycle");
    EXPECT_EQ(client.get("/v1/ladder?target=nonsense").error().exit_code, core::ExitCode::usage);
    EXPECT_FALSE(client.get("/v2/view"));
}

TEST_F(AgentTest, AnswersWithThePartOfTheViewThatIsAskedFor) {
    const auto agent = start();
    ASSERT_TRUE(agent);
    const Client client(socket_);
    refuse_a_few();
    ASSERT_TRUE(eventually([&] { return !agent->pipeline().incidents().empty(); }));
    const auto whole = client.view({{}, 10, {}});
    ASSERT_TRUE(whole) << whole.error().message;
    ASSERT_EQ(whole->destinations.size(), 1U);
    EXPECT_EQ(whole->matching, 1U);
    EXPECT_FALSE(whole->destinations[0].series.empty());
    const auto part =
        client.view({{.filter = "no such & thing", .sort_by = "rtt_us", .reverse = true}, 10, whole->at});
    ASSERT_TRUE(part) << part.error().message;
    EXPECT_EQ(part->matching, 0U);
    ASSERT_EQ(part->destinations.size(), 1U) << "what has an incident is there in any case";
    EXPECT_TRUE(part->destinations[0].series.empty());
    EXPECT_EQ(client.get("/v1/view?rows=ten").error().exit_code, core::ExitCode::usage);
}

// A listener that never answers: what is being waited for ends when the waiting is called off.
TEST_F(AgentTest, WaitingForAnAnswerCanBeCalledOff) {
    const core::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::listen(listener.get(), 8), 0);
    const Client client(socket_);
    std::atomic<bool> ended = false;
    std::thread waiting([&] {
        EXPECT_FALSE(client.view());
        ended = true;
    });
    // reach() and the question itself each make a connection.
    for (int connection = 0; connection < 2; ++connection) {
        pollfd ready{listener.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&ready, 1, 5000), 1);
        const int accepted = ::accept(listener.get(), nullptr, nullptr);
        EXPECT_GE(accepted, 0);
    }
    EXPECT_FALSE(ended);
    client.cancel();
    EXPECT_TRUE(eventually([&] { return ended.load(); }));
    waiting.join();
    EXPECT_FALSE(client.view());
}

// The last line that a follower got and what the replay says at that line's CLOCK must be the same: the
// recording is fed until the incident is told of as often as it was live.
TEST_F(AgentTest, ReplayOfItsRecordingTellsTheSameChanges) {
    auto agent = start();
    ASSERT_TRUE(agent);
    const auto follower = agent->pipeline().broadcast().follow(true);
    refuse_a_few();
    std::vector<std::string> live;
    const auto take = [&] {
        while (auto line = follower->next(0ms)) live.push_back(*line);
    };
    ASSERT_TRUE(eventually([&] {
        take();
        return !live.empty();
    }));
    ASSERT_TRUE(agent->stop());
    agent.reset();
    take();

    auto source = recorder::RecordingSource::open(directory_ / "state");
    ASSERT_TRUE(source);
    diagnosis::Engine engine;
    std::vector<std::string> replayed;
    for (;;) {
        const auto bytes = source->next();
        ASSERT_TRUE(bytes);
        if (!*bytes) break;
        const auto record = model::decode(**bytes).value();
        engine.observe(record);
        if (model::header_of(record).kind != NETWATCH_RECORD_CLOCK) continue;
        for (const auto& change : engine.take_changes())
            replayed.push_back(present::to_text(present::to_json(change)));
    }
    EXPECT_EQ(live, replayed);
}

TEST_F(AgentTest, TellsFollowersAtOnce) {
    const auto agent = start();
    ASSERT_TRUE(agent);
    std::chrono::steady_clock::time_point arrived;
    std::string line;
    std::thread follower([&] {
        const auto done = Client(socket_).follow(true, [&](std::string_view text) {
            arrived = std::chrono::steady_clock::now();
            line = text;
            return false;
        });
        EXPECT_TRUE(done) << done.error().message;
    });
    std::this_thread::sleep_for(200ms);  // the follower is on its way: its coming is nothing that it tells
    const auto given = std::chrono::steady_clock::now();
    refuse_a_few();
    follower.join();
    EXPECT_NE(line.find("port_blocked"), std::string::npos);
    // 50 ms is the bar; a loaded machine under a sanitizer gets more.
    EXPECT_LT(arrived - given, 500ms);
}

TEST_F(AgentTest, LetsFollowersGoAtItsEnd) {
    auto agent = start();
    ASSERT_TRUE(agent);
    core::Result<void> done = core::fail("not yet");
    std::thread follower([&] { done = Client(socket_).follow(true, [](std::string_view) { return true; }); });
    std::this_thread::sleep_for(100ms);
    EXPECT_TRUE(agent->stop());
    follower.join();
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_FALSE(std::filesystem::exists(socket_));
    EXPECT_NE(Client(socket_).reach().error().message.find("no agent answers at"), std::string::npos);
}

TEST_F(AgentTest, GoesOnWithWhatWasOpen) {
    std::string id;
    {
        const auto agent = start();
        ASSERT_TRUE(agent);
        refuse_a_few();
        ASSERT_TRUE(eventually([&] {
            const auto incidents = agent->pipeline().incidents();
            return !incidents.empty() && outlives_agent(incidents.front());
        }));
        id = agent->pipeline().incidents().front().id;
    }
    auto agent = start();
    ASSERT_TRUE(agent);
    ASSERT_FALSE(agent->pipeline().incidents().empty());
    EXPECT_EQ(agent->pipeline().incidents().front().id, id);
    EXPECT_TRUE(agent->stop());
    agent.reset();
    const auto replayed = replay(directory_ / "state");
    ASSERT_FALSE(replayed.empty());
    EXPECT_EQ(replayed.front().id, id) << "a replay starts from the same state";
}

TEST_F(AgentTest, TheRecordingBeginsWithWhoAndEndsWithAClock) {
    auto agent = start();
    ASSERT_TRUE(agent);
    EXPECT_TRUE(agent->stop());
    auto source = recorder::RecordingSource::open(directory_ / "state");
    ASSERT_TRUE(source);
    std::vector<std::uint16_t> kinds;
    for (;;) {
        const auto bytes = source->next();
        ASSERT_TRUE(bytes);
        if (!*bytes) break;
        kinds.push_back(model::header_of(model::decode(**bytes).value()).kind);
    }
    ASSERT_GE(kinds.size(), 4U);
    EXPECT_EQ(kinds[0], NETWATCH_RECORD_HOST);
    EXPECT_EQ(kinds[1], NETWATCH_RECORD_HOOK);
    EXPECT_EQ(kinds.back(), NETWATCH_RECORD_CLOCK);
}

// The limit on file sizes stands for a disk that is full.
TEST_F(AgentTest, LivesOnWhileNothingCanBeWrittenAndRecordsAgain) {
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit none{0, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &none);
    auto agent = start();
    ASSERT_TRUE(agent);
    const auto error = [&] { return agent->pipeline().view()->observer.recording_error; };
    EXPECT_TRUE(eventually([&] { return error().has_value(); }));
    refuse_a_few();
    EXPECT_TRUE(eventually([&] { return !agent->pipeline().incidents().empty(); }));
    EXPECT_TRUE(recorder::segments_in(directory_ / "state").empty()) << "what could not be made is not left";
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, old_handler);
    EXPECT_TRUE(eventually([&] { return !error(); }));
    const auto id = agent->pipeline().incidents().front().id;
    EXPECT_TRUE(agent->stop());
    agent.reset();
    const auto replayed = replay(directory_ / "state");
    ASSERT_FALSE(replayed.empty()) << "what happened meanwhile was kept in memory";
    EXPECT_EQ(replayed.front().id, id);
}

TEST_F(AgentTest, CanGoWithoutARecording) {
    AgentOptions options;
    options.record.reset();
    const auto agent = start(options);
    ASSERT_TRUE(agent);
    EXPECT_TRUE(recorder::segments_in(directory_ / "state").empty());
    EXPECT_FALSE(agent->pipeline().view()->observer.recording);
}

TEST_F(AgentTest, ReadyFileIsThereWhileItIsReady) {
    AgentOptions options;
    options.ready_file = directory_ / "ready";
    {
        const auto agent = start(options);
        EXPECT_TRUE(std::filesystem::exists(directory_ / "ready"));
    }
    EXPECT_FALSE(std::filesystem::exists(directory_ / "ready"));
}

TEST_F(AgentTest, SocketIsForOwnerAndGroup) {
    AgentOptions options;
    options.socket = directory_ / "run/agent.sock";
    const auto agent = start(options);
    ASSERT_TRUE(agent);
    EXPECT_EQ(std::filesystem::status(directory_ / "run").permissions(), std::filesystem::perms(0750));
    EXPECT_EQ(std::filesystem::status(*options.socket).permissions(), std::filesystem::perms(0660));
}

TEST_F(AgentTest, RefusesATakenSocketAndATakenStateDirectory) {
    const auto agent = start();
    ASSERT_TRUE(agent);
    AgentOptions options;
    options.socket = socket_;
    options.state_dir = directory_ / "other";
    const auto taken = error_of(options);
    EXPECT_EQ(taken.exit_code, core::ExitCode::usage);
    EXPECT_NE(taken.message.find("already listens on " + socket_.string()), std::string::npos)
        << taken.message;
    options.socket = directory_ / "other.sock";
    options.state_dir = directory_ / "state";
    const auto held = error_of(options);
    EXPECT_EQ(held.exit_code, core::ExitCode::usage);
    EXPECT_NE(held.message.find("another agent"), std::string::npos) << held.message;
    EXPECT_TRUE(Client(socket_).view()) << "the first one is not disturbed";
}

TEST_F(AgentTest, ReplacesAStaleSocket) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(fd);
    const auto agent = start();
    EXPECT_TRUE(Client(socket_).view());
}

TEST_F(AgentTest, RefusesWhatIsNoSocketAndWhatIsTooLong) {
    AgentOptions options;
    options.socket = directory_.write("file", "mine");
    EXPECT_EQ(error_of(options).exit_code, core::ExitCode::usage);
    EXPECT_TRUE(std::filesystem::exists(directory_ / "file"));
    options.socket = directory_ / std::string(120, 'x');
    EXPECT_EQ(error_of(options).exit_code, core::ExitCode::usage);
}

TEST_F(AgentTest, RefusesANamespaceThatIsNone) {
    AgentOptions options;
    options.netns = {directory_ / "missing"};
    EXPECT_EQ(error_of(options).exit_code, core::ExitCode::usage);
    options.netns = {directory_.write("file", "")};
    EXPECT_EQ(error_of(options).exit_code, core::ExitCode::usage);
}

TEST_F(AgentTest, SaysWhyCapturingEnded) {
    auto agent = start();
    ASSERT_TRUE(agent);
    script_->fail("the kernel took it away");
    pollfd ended{agent->ended_fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&ended, 1, 5000), 1);
    const auto outcome = agent->stop();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().message, "the kernel took it away");
}

TEST_F(AgentTest, APrivateStateDirectoryIsGoneWithIt) {
    std::filesystem::path state;
    {
        script_ = std::make_shared<support::Script>();
        auto agent = Agent::start({}, [this](const CaptureOptions&) {
            return core::Result<std::unique_ptr<Capture>>(
                std::make_unique<support::ScriptedCapture>(script_));
        });
        ASSERT_TRUE(agent);
        state = (*agent)->state_dir();
        EXPECT_TRUE(eventually([&] { return !recorder::segments_in(state).empty(); }));
    }
    EXPECT_FALSE(std::filesystem::exists(state));
}

TEST(TellsFailure, IsAboutFailuresAlone) {
    auto connect = model::make_record<netwatch_connect>(1);
    connect.outcome = NETWATCH_OUTCOME_ESTABLISHED;
    EXPECT_FALSE(tells_failure(connect));
    connect.outcome = NETWATCH_OUTCOME_FAILED;
    EXPECT_TRUE(tells_failure(connect));
    EXPECT_TRUE(tells_failure(model::make_record<netwatch_call_failed>(1)));
    EXPECT_FALSE(tells_failure(model::make_record<netwatch_close>(1)));
    EXPECT_FALSE(tells_failure(model::make_record<netwatch_socket_sample>(1)));
}

TEST(Limits, OfAStrangersRecordingCanOnlyBeLowered) {
    const auto limits =
        from_named({{"destinations", 7}, {"sockets", 1ULL << 60}, {"incidents", 0}, {"x", 1}});
    EXPECT_EQ(limits.destinations, 7U);
    EXPECT_EQ(limits.sockets, diagnosis::Limits{}.sockets);
    EXPECT_EQ(limits.incidents, diagnosis::Limits{}.incidents);
}

}  // namespace
}  // namespace netwatch::service
