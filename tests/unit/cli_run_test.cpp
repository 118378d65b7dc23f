// SPDX-License-Identifier: Apache-2.0
// Command lines as people type them: what is said, where, and the exit code.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <vector>

#include "cli/command.h"
#include "cli/config.h"
#include "cli/past.h"
#include "recorder/database.h"
#include "service/host_facts.h"
#include "support/segment.h"
#include "support/story.h"
#include "support/story_recording.h"
#include "support/temporary_directory.h"

namespace netwatch::cli {
namespace {

struct Outcome {
    int code;
    std::string out;
    std::string err;
};

Outcome netwatch(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "netwatch");
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = run(static_cast<int>(arguments.size()), arguments.data());
    return {code, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
}

void expect_usage(const std::vector<const char*>& arguments, std::string_view said) {
    const auto outcome = netwatch(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
}

TEST(CommandLine, RefusesWhatItDoesNotKnow) {
    expect_usage({"bogus"}, "unknown command \"bogus\"\n");
    expect_usage({"--bogus"}, "unknown option \"--bogus\"\n");
    expect_usage({"tpo"}, "unknown command \"tpo\"; did you mean \"top\"?");
    expect_usage({"incidents", "--jsn"}, "unknown option \"--jsn\"; did you mean \"--json\"?");
    expect_usage({"incidents", "--sokcet=/x"}, "did you mean \"--socket\"?");
    expect_usage({"why", "10.0.0.1", "more"}, "unknown argument \"more\"\n");
    expect_usage({"incidents", "--bogus"}, "netwatch incidents --help");
    expect_usage({"incidents", "--follow", "--check"}, "excludes");
    expect_usage({"top", "--json"}, "requires --once");
    expect_usage({"why"}, "TARGET is required");
    expect_usage({"replay"}, "FILE is required");
    expect_usage({"agent", "--ring-size", "-5"}, "--ring-size");
    expect_usage({"agent", "--record-max-mib", "many"}, "--record-max-mib");
    expect_usage({"why", "10.0.0.1:99999"}, "99999");
}

TEST(CommandLine, HelpAndVersionGoToStdout) {
    EXPECT_EQ(netwatch({"--version"}).out, "netwatch " NETWATCH_VERSION "\n");
    for (const char* command :
         {"agent", "top", "why", "incidents", "check", "dump", "replay", "report", "export"}) {
        const auto outcome = netwatch({command, "--help"});
        EXPECT_EQ(outcome.code, 0);
        EXPECT_NE(outcome.out.find("Examples:"), std::string::npos) << command;
        EXPECT_EQ(outcome.err, "");
    }
}

TEST(CommandLine, WithoutAnAgentSaysHowToStartOne) {
    const support::TemporaryDirectory directory;
    const std::string socket = directory / "none.sock";
    for (const auto& command : std::vector<std::vector<const char*>>{
             {"incidents"}, {"incidents", "--follow"}, {"why", "10.0.0.1"}}) {
        auto arguments = command;
        arguments.insert(arguments.end(), {"--socket", socket.c_str()});
        const auto outcome = netwatch(arguments);
        EXPECT_EQ(outcome.code, 1);
        EXPECT_NE(outcome.err.find("no agent answers at " + socket), std::string::npos) << outcome.err;
        EXPECT_NE(outcome.err.find("sudo netwatch agent"), std::string::npos);
    }
}

TEST(Config, TakesKeysOfTheProgramAndOfCommands) {
    const support::TemporaryDirectory directory;
    const std::string socket = directory / "from-file.sock";
    const std::string flat = directory.write("flat.toml", "socket = \"" + socket + "\"\nring-size = 4096\n");
    EXPECT_NE(netwatch({"incidents", "--config", flat.c_str()}).err.find(socket), std::string::npos);
    EXPECT_NE(netwatch({"incidents", "--socket", "/given", "--config", flat.c_str()}).err.find("/given"),
              std::string::npos)
        << "the command line goes before the file";
    const std::string section =
        directory.write("section.ini", "[incidents]\nfollow = true\n[agent]\nnetns = /x\n");
    EXPECT_EQ(netwatch({"incidents", "--socket", "/none", "--config", section.c_str()}).code, 1);
    expect_usage({"incidents", "--check", "--config", section.c_str()}, "excludes");
}

TEST(Config, NamesTheNearestKey) {
    const support::TemporaryDirectory directory;
    const auto expect = [&](const char* text, std::string_view said) {
        const std::string file = directory.write("c.toml", text);
        expect_usage({"incidents", "--config", file.c_str()}, said);
    };
    expect("sokcet = \"/x\"\n", "unknown key \"sokcet\"; did you mean \"socket\"?");
    expect("record_max_mib = 5\n", "did you mean \"record-max-mib\"?");
    expect("[agnet]\nnetns = \"/x\"\n", "did you mean \"agent\"?");
    expect("[agent]\nall = true\n", "unknown key \"all\"");
    expect("zzzzzzzzzzzzzz = 1\n", "unknown key \"zzzzzzzzzzzzzz\"\n");
    expect("config = \"/x\"\n", "unknown key \"config\"");
    expect("socket = \"/x\n", "the value of \"socket\" is not closed");
    expect("no-color = maybe\n", "--no-color = maybe");
    expect("sokcet = 1\n", (directory / "c.toml: unknown key").string());
    expect_usage({"incidents", "--config", "/missing"}, "cannot read /missing: No such file or directory");
    expect_usage({"incidents", "--config", directory.path().c_str()}, "is a directory");
}

TEST(Nearest, IsNoGuessAtAnyPrice) {
    EXPECT_EQ(nearest("sokcet", {"state-dir", "socket"}), "socket");
    EXPECT_EQ(nearest("qqqqqq", {"state-dir", "socket"}), "");
    EXPECT_EQ(nearest("x", {}), "");
}

// A recording of the story, with a CLOCK every 50 ms.
void record(const std::filesystem::path& path, const support::Story& story, double seconds) {
    support::Segment segment(path, {}, {.run = "story", .began_at = support::utc(0)});
    ASSERT_TRUE(segment);
    std::vector<std::byte> bytes;
    const auto append = [&](const auto& record) {
        const auto more = model::bytes_of(record);
        bytes.insert(bytes.end(), more.begin(), more.end());
    };
    const auto records = story.records();
    std::size_t next = 0;
    for (double at = 0; at < seconds; at += 0.05) {
        for (; next < records.size() && model::header_of(records[next]).at_ns < support::boot_ns(at);
             ++next) {
            std::visit(model::overloaded{[](std::monostate) {}, append}, records[next]);
        }
        auto clock = model::make_record<netwatch_clock>(support::boot_ns(at));
        clock.realtime_ns = support::utc(at).ns;
        append(clock);
    }
    recorder::Batch batch;
    batch.at = support::boot_ns(seconds);
    batch.utc = support::utc(seconds);
    batch.records = std::move(bytes);
    ASSERT_TRUE(segment.write(batch));
}

TEST(Replay, GivesTheIncidentsAndTheExitCode) {
    const support::TemporaryDirectory directory;
    support::Story failing;
    failing.healthy(0, 10, 0.25, "10.0.0.1:80").refused(10, 20, 0.25, "10.0.0.1:80");
    record(directory / "failing.db", failing, 20);
    support::Story healthy;
    healthy.healthy(0, 20, 0.25, "10.0.0.1:80");
    record(directory / "healthy.db", healthy, 20);

    const std::string failing_file = directory / "failing.db";
    const auto json = netwatch({"replay", failing_file.c_str(), "--json"});
    EXPECT_EQ(json.code, 3) << json.err;
    EXPECT_NE(json.out.find("\"port_blocked\""), std::string::npos);
    EXPECT_EQ(json.out, netwatch({"replay", failing_file.c_str(), "--json"}).out)
        << "the same file, the same bytes";
    EXPECT_NE(netwatch({"replay", failing_file.c_str()}).out.find("10.0.0.1:80"), std::string::npos);

    const std::string before = core::to_rfc3339(support::utc(9));
    const auto until = netwatch({"replay", failing_file.c_str(), "--json", "--until", before.c_str()});
    EXPECT_EQ(until.code, 0);
    EXPECT_EQ(until.out, "[]\n");
    expect_usage({"replay", failing_file.c_str(), "--until", "whenever"}, "write \"10m\" or");

    const std::string healthy_file = directory / "healthy.db";
    EXPECT_EQ(netwatch({"replay", healthy_file.c_str()}).code, 0);
}

TEST(Dump, IsMadeOfAnotherAndReplaysAlike) {
    const support::TemporaryDirectory directory;
    support::Story story;
    story.healthy(0, 10, 0.25, "10.0.0.1:80").refused(10, 20, 0.25, "10.0.0.1:80");
    const std::string whole = directory / "whole.db";
    record(whole, story, 20);
    const std::string part = directory / "part.db";
    const auto made = netwatch({"dump", "--file", whole.c_str(), "-o", part.c_str()});
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_NE(made.err.find("connections"), std::string::npos) << made.err;
    const auto replayed = netwatch({"replay", part.c_str(), "--json"});
    EXPECT_EQ(replayed.out, netwatch({"replay", whole.c_str(), "--json"}).out);

    const std::string redacted = directory / "redacted.db";
    ASSERT_EQ(netwatch({"dump", "--redact", "--file", whole.c_str(), "-o", redacted.c_str()}).code, 0);
    const auto hidden = netwatch({"replay", redacted.c_str(), "--json"});
    EXPECT_EQ(hidden.code, 3) << hidden.err;
    EXPECT_NE(hidden.out.find("\"port_blocked\""), std::string::npos);
    EXPECT_EQ(hidden.out.find("10.0.0.1"), std::string::npos);

    expect_usage({"dump", "--file", whole.c_str(), "--since", "whenever"}, "\"10 minutes ago\"");
    expect_usage({"dump", "--file", whole.c_str(), "--since", "5m", "--until", "10m"},
                 "is not after --since");
    expect_usage({"dump", "--file", "/etc/passwd"}, "is not a recording");
}

TEST(Top, ShowsARecordingAtATime) {
    const support::TemporaryDirectory directory;
    support::Story story;
    story.healthy(0, 10, 0.25, "10.0.0.1:80").refused(10, 20, 0.25, "10.0.0.1:80");
    const std::string file = directory / "r.db";
    record(file, story, 20);
    const auto at_end = netwatch({"top", "--file", file.c_str(), "--once"});
    EXPECT_EQ(at_end.code, 0) << at_end.err;
    EXPECT_NE(at_end.out.find("port_blocked"), std::string::npos) << at_end.out;
    const auto before = netwatch({"top", "--file", file.c_str(), "--once", "--at", "12 seconds ago"});
    EXPECT_EQ(before.out.find("port_blocked"), std::string::npos) << before.out;
    EXPECT_NE(before.out.find("10.0.0.1:80"), std::string::npos);
    expect_usage({"top", "--file", file.c_str(), "--once", "--at", "1d"}, "the recording reaches from");
    expect_usage({"top", "--file", "/etc/passwd", "--once"}, "is not a recording");
}

TEST(Replay, PrintsWhatCouldBeReadAndFails) {
    const support::TemporaryDirectory directory;
    support::Story story;
    story.refused(1, 20, 0.25, "10.0.0.1:80");
    const std::string file = directory / "r.db";
    record(file, story, 20);
    auto database = recorder::Database::open_for_writing(file);
    ASSERT_TRUE(database);
    ASSERT_TRUE(
        database->execute("INSERT INTO batches(segment, at_ns, utc_ns, records) VALUES(1, 2, 2, x'00')"));
    const auto outcome = netwatch({"replay", file.c_str(), "--json"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_NE(outcome.out.find("port_blocked"), std::string::npos);
    EXPECT_NE(outcome.err.find("is damaged after"), std::string::npos) << outcome.err;
    expect_usage({"replay", "/missing.db"}, "cannot read /missing.db: No such file or directory");
    expect_usage({"replay", "/etc/passwd"}, "is not a recording");
}

// A recording of a closed port, as `path`.
void record_refusals(const std::filesystem::path& path) {
    support::Story story(900);
    story.healthy(0, 20, 0.3, "10.0.0.1:80").refused(20, 40, 0.3, "10.0.0.1:80");
    support::write_recording(story, 40, path);
}

std::string content_of(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Report, IsWrittenWhole) {
    const support::TemporaryDirectory directory;
    record_refusals(directory / "r.db");
    const std::string recording = directory / "r.db";
    const std::string page = directory / "page.html";
    const auto outcome = netwatch({"report", recording.c_str(), "-o", page.c_str()});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    const std::string html = content_of(page);
    EXPECT_TRUE(html.starts_with("<!doctype html>"));
    EXPECT_TRUE(html.ends_with("</html>\n"));
    EXPECT_NE(html.find("port_blocked"), std::string::npos);
    EXPECT_EQ(netwatch({"report", recording.c_str(), "-o", "-"}).out, html);
}

TEST(Report, SaysWhatIsWrongWithWhatItIsGiven) {
    const support::TemporaryDirectory directory;
    record_refusals(directory / "r.db");
    const std::string recording = directory / "r.db";
    const std::string none = directory / "none.db";
    const std::string text = directory.write("text.db", "no recording");
    const std::string place = directory.path();
    expect_usage({"report", none.c_str()}, none);
    expect_usage({"report", text.c_str(), "-o", "-"}, text);
    expect_usage({"report", recording.c_str(), "--incident", "n1", "-o", "-"},
                 "none of the recording is \"n1\"");
    expect_usage({"report", recording.c_str(), "-o", place.c_str()}, "is a directory");
    expect_usage({"report", recording.c_str(), "--since", "soon", "-o", "-"}, "soon");
    expect_usage({"export", recording.c_str()}, "--format is required");
    expect_usage({"export", recording.c_str(), "--format", "xml"}, "xml");
    expect_usage({"export", text.c_str(), "--format", "jsonl"}, text);
}

TEST(Report, NothingIsLeftOfAPageThatFailed) {
    const support::TemporaryDirectory directory;
    const std::string text = directory.write("text.db", "no recording");
    const std::string page = directory / "page.html";
    EXPECT_EQ(netwatch({"report", text.c_str(), "-o", page.c_str()}).code, 2);
    EXPECT_FALSE(std::filesystem::exists(page));
    EXPECT_FALSE(std::filesystem::exists(page + ".new"));
}

// Its last batch is no frame.
std::string damaged_recording(const support::TemporaryDirectory& directory) {
    record_refusals(directory / "r.db");
    auto database = recorder::Database::open_for_writing(directory / "r.db");
    EXPECT_TRUE(
        database &&
        database->execute("UPDATE batches SET records = x'00' WHERE id = (SELECT max(id) FROM batches)"));
    return directory / "r.db";
}

TEST(Damaged, WhatCouldBeReadIsShownAndTheExitCodeTells) {
    const support::TemporaryDirectory directory;
    const std::string recording = damaged_recording(directory);
    for (const auto& command :
         std::vector<std::vector<const char*>>{{"report", recording.c_str(), "-o", "-"},
                                               {"export", recording.c_str(), "--format", "jsonl"},
                                               {"top", "--once", "--file", recording.c_str()},
                                               {"top", "--once", "--json", "--file", recording.c_str()}}) {
        const auto outcome = netwatch(command);
        EXPECT_EQ(outcome.code, 2);
        EXPECT_NE(outcome.out.find("port_blocked"), std::string::npos) << command[0];
        EXPECT_NE(outcome.err.find("damaged"), std::string::npos) << outcome.err;
    }
}

TEST(Damaged, ADumpHasWhatCouldBeRead) {
    const support::TemporaryDirectory directory;
    const std::string recording = damaged_recording(directory);
    const std::string dump = directory / "dump.db";
    const auto made = netwatch({"dump", "--file", recording.c_str(), "-o", dump.c_str()});
    EXPECT_EQ(made.code, 2);
    EXPECT_NE(made.err.find("incomplete: "), std::string::npos) << made.err;
    EXPECT_NE(netwatch({"replay", dump.c_str()}).out.find("port_blocked"), std::string::npos);
}

TEST(Damaged, WhoStepsToItIsTold) {
    const support::TemporaryDirectory directory;
    const auto history = recall(damaged_recording(directory), {std::numeric_limits<std::int64_t>::max()}, {});
    ASSERT_TRUE(history) << history.error().message;
    EXPECT_TRUE(history->view(history->last()).observer.recording_error);
    EXPECT_FALSE(history->view(history->moment(history->last(), -1)).observer.recording_error);
}

TEST(Output, AReaderThatHasGoneIsSuccess) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ::close(ends[0]);
    const int stdout_copy = ::dup(STDOUT_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    const std::vector<const char*> arguments{"netwatch", "--help"};
    const int code = run(2, arguments.data());
    ::dup2(stdout_copy, STDOUT_FILENO);
    ::close(stdout_copy);
    ::close(ends[1]);
    EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace netwatch::cli
