// SPDX-License-Identifier: Apache-2.0
// TLS handshakes that fail, what looks like it, and how far a failure reaches.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "support/tls_story.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;
using model::Severity;
using support::By;
using support::Flow;
using support::Story;
using support::TlsStory;
using support::Watch;
using support::Who;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto shop = "10.0.0.1:443";
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t now_s = support::story_utc_ns / 1'000'000'000;
constexpr std::uint16_t tls13 = 0x0304;

using Handshake = std::function<void(double)>;

void each(double from, double to, double every, const Handshake& handshake) {
    for (double at = from; at < to; at += every) handshake(at);
}

// It works, fails from second 20 to 30 in one way, and works again.
model::Incident failing(TlsStory& tls, Story& story, const Handshake& fails) {
    each(0, 20, 0.5, [&](double at) { tls.succeeds(at); });
    each(20, 30, 0.5, fails);
    each(30, 50, 0.5, [&](double at) { tls.succeeds(at); });
    Watch watch(story);
    watch.until(20);
    EXPECT_THAT(watch.incidents(), IsEmpty());
    watch.until(28);
    auto alarm = watch.alarm();
    EXPECT_GE(alarm.first_affected_at, support::utc(20));
    EXPECT_LE(alarm.first_affected_at, support::utc(20.1));
    watch.until(50);
    EXPECT_THAT(watch.alarms(), IsEmpty());
    EXPECT_EQ(watch.told().size(), 1U);
    return alarm;
}

model::Incident refused(By who, std::uint8_t alert, std::uint8_t flags = 0) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    return failing(tls, story, [&](double at) {
        tls.flags(flags);
        tls.refuses(at, who, alert);
        tls.flags(0);
    });
}

TEST(DiagnosisTls, AlertsNameTheCause) {
    const struct {
        By who;
        std::uint8_t alert;
        std::string cause;
        std::uint8_t flags = 0;
    } cases[] = {{By::client, 45, "certificate_expired"},
                 {By::client, 48, "unknown_ca"},
                 {By::client, 44, "bad_certificate"},
                 {By::client, 70, "protocol_version"},
                 {By::server, 70, "protocol_version"},
                 {By::server, 40, "no_shared_cipher"},
                 {By::server, 71, "no_shared_cipher"},
                 {By::server, 40, "client_certificate_required", NETWATCH_TLS_EMPTY_CERTIFICATE},
                 {By::server, 116, "client_certificate_required"},
                 {By::server, 112, "unrecognized_name"},
                 {By::server, 120, "no_alpn"},
                 {By::server, 80, "other_alert"}};
    for (const auto& one : cases) {
        const auto alarm = refused(one.who, one.alert, one.flags);
        EXPECT_EQ(alarm.type, FailureType::tls_handshake_failure) << int{one.alert};
        EXPECT_EQ(alarm.cause, one.cause) << int{one.alert};
        EXPECT_EQ(alarm.severity, Severity::critical);
        EXPECT_EQ(alarm.destination->sni, "shop.example");
        EXPECT_EQ(alarm.scope.kind, ScopeKind::destination);
        EXPECT_THAT(alarm.evidence.front().text,
                    HasSubstr(one.who == By::client ? "the client" : "the server"));
    }
}

TEST(DiagnosisTls, WhatTheCertificateShowsExplainsItsRefusal) {
    const struct {
        std::int64_t from;
        std::int64_t to;
        std::uint8_t flags;
        std::string cause;
    } cases[] = {
        {now_s - 90 * day_s, now_s - day_s, NETWATCH_TLS_NAME_MATCHES, "certificate_expired"},
        {now_s + day_s, now_s + 90 * day_s, NETWATCH_TLS_NAME_MATCHES, "certificate_not_yet_valid"},
        {now_s - day_s, now_s + 90 * day_s, NETWATCH_TLS_NAME_DIFFERS, "name_mismatch"},
        {now_s - day_s, now_s + 90 * day_s, NETWATCH_TLS_NAME_MATCHES | NETWATCH_TLS_SELF_SIGNED,
         "unknown_ca"},
    };
    for (const auto& one : cases) {
        Story story;
        TlsStory tls(story, shop, "shop.example");
        tls.shows(19.9, one.from, one.to, one.flags);
        tls.shows(29.9, now_s - day_s, now_s + 90 * day_s, NETWATCH_TLS_NAME_MATCHES);
        const auto alarm = failing(tls, story, [&](double at) { tls.refuses(at, By::client, 42); });
        EXPECT_EQ(alarm.cause, one.cause);
        EXPECT_THAT(alarm.evidence[1].text, HasSubstr("CN=shop.example"));
    }
}

// A server whose certificate holds from a day ago to `days` from now; handshakes succeed until second
// `until` and are refused with `alert` from second 21 on; the clock is set at second 20. What is said of it.
model::Change after_a_step(double step_s, std::int64_t days, std::uint8_t alert, double until = 20,
                           std::int64_t shown_later_s = 0) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    tls.shows(0.05, now_s - day_s, now_s + days * day_s, NETWATCH_TLS_NAME_MATCHES);
    each(0.1, until, 0.5, [&](double at) { tls.succeeds(at); });
    if (shown_later_s != 0) tls.shows(20.9, now_s - 90 * day_s, shown_later_s, NETWATCH_TLS_NAME_MATCHES);
    each(std::max(until, 21.0), 40, 0.5, [&](double at) { tls.refuses(at, By::client, alert); });
    Watch watch(story);
    watch.until(20);
    watch.step_clock(step_s);
    watch.until(34);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.cause, step_s > 0 ? "certificate_expired" : "certificate_not_yet_valid");
    for (const model::Change& change : alarm.changes) {
        if (change.what.starts_with("the clock was set")) return change;
    }
    ADD_FAILURE() << "the step is not told";
    return {};
}

TEST(DiagnosisTls, AStepOfTheClockIsWhyCertificatesNoLongerHold) {
    const auto forward = after_a_step(60.0 * day_s, 30, 45);
    EXPECT_EQ(forward.bearing, model::Bearing::cause);
    EXPECT_THAT(forward.what, HasSubstr("forward"));
    EXPECT_EQ(after_a_step(-60.0 * day_s, 30, 42).bearing, model::Bearing::cause);
}

TEST(DiagnosisTls, AStepOfTheClockIsNotWhyWhereCertificatesHoldOnBothSidesOfIt) {
    const auto renewed_badly = after_a_step(3'600, 30, 45, 20, now_s - day_s);
    EXPECT_EQ(renewed_badly.bearing, model::Bearing::touches) << "a certificate that had run out anyway";
    EXPECT_EQ(after_a_step(60.0 * day_s, 30, 45, 24).bearing, model::Bearing::touches)
        << "handshakes went on to succeed after the step";
}

TEST(DiagnosisTls, HiddenRefusalIsASet) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    tls.version(tls13);
    const auto alarm = failing(tls, story, [&](double at) { tls.refuses_hidden(at, By::client); });
    EXPECT_EQ(alarm.cause, "encrypted_alert");
    std::vector<std::string> causes;
    for (const auto& candidate : alarm.candidates) causes.push_back(candidate.cause.value_or(""));
    EXPECT_THAT(causes, testing::Contains("certificate_expired"));
}

TEST(DiagnosisTls, HiddenRefusalOfAnEmptyCertificate) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    tls.version(tls13);
    const auto alarm = failing(tls, story, [&](double at) {
        tls.flags(NETWATCH_TLS_EMPTY_CERTIFICATE);
        tls.refuses_hidden(at, By::server);
        tls.flags(0);
    });
    EXPECT_EQ(alarm.cause, "client_certificate_required");
}

TEST(DiagnosisTls, PlainText) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    EXPECT_EQ(failing(tls, story, [&](double at) { tls.is_answered_in_plain_text(at, 400); }).cause,
              "plaintext_on_tls");
    Story other;
    TlsStory client(other, shop, "");
    EXPECT_EQ(failing(client, other, [&](double at) { client.speaks_plain_text(at); }).cause,
              "plaintext_on_tls");
}

TEST(DiagnosisTls, ResetsAndSilence) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    const auto reset = failing(tls, story, [&](double at) { tls.is_reset(at); });
    EXPECT_EQ(reset.type, FailureType::tls_handshake_failure);
    EXPECT_EQ(reset.cause, "reset");
    Story closing;
    TlsStory closed(closing, shop, "shop.example");
    EXPECT_EQ(failing(closed, closing, [&](double at) { closed.is_closed(at); }).cause, "closed");
    Story mute;
    TlsStory silent(mute, shop, "shop.example");
    const auto silence = failing(silent, mute, [&](double at) { silent.is_silent(at, 1.5); });
    EXPECT_EQ(silence.cause, "silent");
    EXPECT_EQ(silence.candidates.at(1).type, FailureType::slow_service);
}

TEST(DiagnosisTls, AnUnacknowledgedHelloIsTheTransports) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    each(0, 20, 0.5, [&](double at) { tls.succeeds(at); });
    each(20, 30, 0.5, [&](double at) { tls.is_silent(at, 1.5, false); });
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), testing::Not(testing::Contains(FailureType::tls_handshake_failure)));
}

// One name is filtered on the way, by silence or by RST; the others of the address work.
TEST(DiagnosisTls, OneNameAlone) {
    for (const bool resets : {true, false}) {
        Story story;
        TlsStory good(story, shop, "news.example");
        TlsStory bad(story, shop, "shop.example");
        each(0, 50, 0.5, [&](double at) { good.succeeds(at + 0.2); });
        const auto alarm = failing(bad, story, [&](double at) {
            if (resets)
                bad.is_reset(at);
            else
                bad.is_silent(at, 1.5, false);
        });
        EXPECT_EQ(alarm.cause, resets ? "reset" : "silent");
        EXPECT_EQ(alarm.scope.kind, ScopeKind::name);
        EXPECT_EQ(alarm.scope.value, "shop.example");
        EXPECT_THAT(alarm.scope.members, ElementsAre("10.0.0.1:443/tcp"));
    }
}

// Of what a filter swallows, each timeout sends it again: 0.2, 0.6, 1.4 s after the first.
void passes_after(TlsStory& tls, double begun, double end) {
    double late_s = 0;
    std::uint32_t lost = 0;
    for (double timeout_s = 0.2; begun + late_s < end; timeout_s *= 2, ++lost) late_s += timeout_s;
    tls.succeeds_late(begun, late_s, lost);
}

TEST(DiagnosisTls, WhatWasSwallowedAndPassesAtLastIsNoLoss) {
    Story story;
    TlsStory good(story, shop, "news.example");
    TlsStory bad(story, shop, "shop.example");
    each(0, 50, 0.5, [&](double at) { good.succeeds(at + 0.2); });
    each(0, 20, 0.5, [&](double at) { bad.succeeds(at); });
    each(20, 28, 0.5, [&](double at) { bad.is_silent(at, 1.5, false); });
    each(28, 30, 0.1, [&](double at) { passes_after(bad, at, 30); });
    each(30, 50, 0.5, [&](double at) { bad.succeeds(at); });
    Watch watch(story);
    watch.until(27);
    EXPECT_EQ(watch.alarm().cause, "silent");
    watch.until(50);
    EXPECT_THAT(watch.ever_alarmed(), ElementsAre(FailureType::tls_handshake_failure));
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

// Its neighbours: handshakes that lose packets by chance, and a few of them for good.
TEST(DiagnosisTls, HandshakesThatLosePacketsTellOfLoss) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    each(0, 20, 0.1, [&](double at) { tls.succeeds(at); });
    for (int i = 0; i < 100; ++i) {
        const double at = 20 + i * 0.1;
        if (i % 20 == 7)
            tls.is_silent(at, 1.5, false);
        else if (i % 4 == 0)
            tls.succeeds_late(at, 0.25, 1);
        else
            tls.succeeds(at);
    }
    Watch watch(story);
    watch.until(30);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
}

TEST(DiagnosisTls, AConnectionWhoseNameIsInDoubtTellsOfItsPath) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    tls.shows(0.5, now_s - day_s, now_s + 90 * day_s, NETWATCH_TLS_NAME_DIFFERS);
    Flow kept = tls.opens(1);
    for (int second = 2; second < 20; ++second) {
        kept.sends(40, second > 8 ? 2 : 0);
        kept.since(0.5, 0.4);
        story.look(second, kept).walk_ends(second + 0.01);
    }
    Watch watch(story);
    watch.until(20);
    EXPECT_EQ(watch.alarm().type, FailureType::packet_loss);
}

TEST(DiagnosisTls, AllNamesOfAServer) {
    Story story;
    TlsStory one(story, shop, "news.example");
    TlsStory two(story, shop, "shop.example");
    each(0, 20, 0.5, [&](double at) { one.succeeds(at + 0.2); });
    each(20, 30, 0.5, [&](double at) { one.refuses(at + 0.2, By::server, 40); });
    each(30, 50, 0.5, [&](double at) { one.succeeds(at + 0.2); });
    const auto alarm = failing(two, story, [&](double at) { two.refuses(at, By::server, 40); });
    EXPECT_EQ(alarm.scope.kind, ScopeKind::destination);
    EXPECT_EQ(alarm.destination->sni, std::nullopt);
}

TEST(DiagnosisTls, OneNameAtSeveralAddresses) {
    Story story;
    TlsStory one(story, "10.0.0.1:443", "shop.example");
    TlsStory two(story, "10.0.0.2:443", "shop.example");
    each(0, 20, 0.5, [&](double at) { two.succeeds(at + 0.2); });
    each(20, 30, 0.5, [&](double at) { two.refuses(at + 0.2, By::client, 45); });
    each(30, 50, 0.5, [&](double at) { two.succeeds(at + 0.2); });
    const auto alarm = failing(one, story, [&](double at) { one.refuses(at, By::client, 45); });
    EXPECT_EQ(alarm.scope.kind, ScopeKind::name);
    EXPECT_THAT(alarm.scope.members, ElementsAre("10.0.0.1:443/tcp", "10.0.0.2:443/tcp"));
}

TEST(DiagnosisTls, OneTrustFailureEverywhere) {
    Story story;
    std::vector<TlsStory> servers;
    for (const char* name : {"a", "b", "c", "d"}) {
        servers.emplace_back(story, fmt::format("10.0.{}.1:443", name[0] - 'a'),
                             fmt::format("{}.example", name));
    }
    for (std::size_t i = 0; i < servers.size(); ++i) {
        const double later = 0.1 * static_cast<double>(i);
        each(0, 20, 0.5, [&](double at) { servers[i].succeeds(at + later); });
        each(20, 30, 0.5, [&](double at) { servers[i].refuses(at + later, By::client, 48); });
        each(30, 50, 0.5, [&](double at) { servers[i].succeeds(at + later); });
    }
    Watch watch(story);
    watch.until(28);
    const auto alarm = watch.alarm();
    EXPECT_EQ(alarm.scope.kind, ScopeKind::trust);
    EXPECT_EQ(alarm.scope.members.size(), 4U);
    EXPECT_EQ(alarm.cause, "unknown_ca");
    watch.until(50);
    EXPECT_THAT(watch.alarms(), IsEmpty());
}

TEST(DiagnosisTls, OneProgramsStore) {
    Story story;
    TlsStory good(story, shop, "shop.example", {100, "curl"});
    TlsStory bad(story, shop, "shop.example", {200, "java"});
    each(0, 50, 0.5, [&](double at) { good.succeeds(at + 0.2); });
    const auto alarm = failing(bad, story, [&](double at) { bad.refuses(at, By::client, 48); });
    EXPECT_EQ(alarm.scope.kind, ScopeKind::trust);
    EXPECT_EQ(alarm.scope.value, "java");
    EXPECT_EQ(alarm.severity, Severity::warning);
    EXPECT_EQ(alarm.source.comm, "java");
}

TEST(DiagnosisTls, OneOfSeveralBackends) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    int count = 0;
    const auto alarm = failing(tls, story, [&](double at) {
        for (const double later : {0.0, 0.1, 0.2, 0.3}) {
            if (count++ % 3 == 0)
                tls.refuses(at + later, By::client, 45);
            else
                tls.succeeds(at + later);
        }
    });
    EXPECT_EQ(alarm.type, FailureType::load_balancer);
    EXPECT_EQ(alarm.cause, "backend_tls");
}

// --- nothing is wrong ---

void expect_calm(const std::function<void(TlsStory&, double)>& what) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    each(0, 20, 0.5, [&](double at) { tls.succeeds(at); });
    each(20, 30, 0.5, [&](double at) { what(tls, at); });
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisTls, ClientsThatLeaveEarly) {
    expect_calm([](TlsStory& tls, double at) { tls.leaves_at_once(at); });
    expect_calm([](TlsStory& tls, double at) { tls.leaves_after_hello(at); });
    expect_calm([](TlsStory& tls, double at) { tls.is_silent(at, 0.4); });  // in a hurry
}

TEST(DiagnosisTls, ARestartIsShort) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    each(0, 20, 0.2, [&](double at) { tls.succeeds(at); });
    each(20, 21, 0.2, [&](double at) { tls.is_reset(at); });
    each(21, 30, 0.2, [&](double at) { tls.succeeds(at); });
    Watch watch(story);
    watch.until(30);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisTls, AScannerTriesWhatAServerTakes) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    TlsStory scan(story, shop, "shop.example", {300, "testssl"});
    each(0, 40, 0.5, [&](double at) { tls.succeeds(at); });
    each(20, 24, 0.3, [&](double at) {
        scan.refuses(at, By::server, 70);
        scan.refuses(at + 0.1, By::server, 40);
        scan.is_closed(at + 0.2);
    });
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisTls, AServerSeesStrangersFailAndClientsWork) {
    Story story;
    TlsStory client(story, "192.0.2.10:443", "shop.example");
    TlsStory stranger(story, "192.0.2.10:443", "shop.example");
    client.from_client("10.9.0.1:40000");
    stranger.from_client("10.9.0.66:40000");
    each(0, 40, 0.5, [&](double at) { client.succeeds(at); });
    each(20, 30, 0.3, [&](double at) { stranger.refuses(at, By::client, 48); });
    Watch watch(story);
    watch.until(40);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

TEST(DiagnosisTls, AServerWhoseClientsAllRefuse) {
    Story story;
    TlsStory client(story, "192.0.2.10:443", "shop.example");
    client.from_client("10.9.0.1:40000");
    const auto alarm = failing(client, story, [&](double at) { client.refuses(at, By::client, 45); });
    EXPECT_EQ(alarm.perspective, model::Perspective::server);
    EXPECT_EQ(alarm.cause, "certificate_expired");
}

TEST(DiagnosisTls, ACertificateNearItsEndIsInfo) {
    Story story;
    TlsStory tls(story, shop, "shop.example");
    tls.shows(1, now_s - 88 * day_s, now_s + 2 * day_s, NETWATCH_TLS_NAME_MATCHES);
    each(2, 10, 0.5, [&](double at) { tls.succeeds(at); });
    tls.shows(11, now_s, now_s + 90 * day_s, NETWATCH_TLS_NAME_MATCHES);
    each(12, 30, 0.5, [&](double at) { tls.succeeds(at); });
    Watch watch(story);
    watch.until(10);
    ASSERT_EQ(watch.incidents().size(), 1U);
    EXPECT_EQ(watch.incidents().front().cause, "certificate_expiring");
    EXPECT_EQ(watch.incidents().front().severity, Severity::info);
    watch.until(30);
    EXPECT_EQ(watch.incidents().front().state, model::IncidentState::resolved);
    EXPECT_THAT(watch.ever_alarmed(), IsEmpty());
}

// A name that a stranger chose stays out of the commands.
TEST(DiagnosisTls, HostileNamesInNoCommand) {
    Story story;
    TlsStory tls(story, shop, "$(reboot)");
    const auto alarm = failing(tls, story, [&](double at) { tls.refuses(at, By::client, 45); });
    for (const auto& advice : alarm.advice)
        EXPECT_THAT(advice.command.value_or(""), testing::Not(HasSubstr("reboot")));
}

}  // namespace
}  // namespace netwatch::diagnosis
