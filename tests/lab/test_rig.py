"""Does each injector do what it says? connect() on the client must fail as the kernel is known to make it fail.

These run without netwatch: they test the lab, so that a wrong verdict cannot be the lab's fault.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import faults_filters, faults_paths, faults_routes, faults_services, namespaces
from lab.impair import Impaired, distance
from lab.rig import Rig, SERVERS
from lab.software import Iperf3Server, Nginx, Service, endpoint, probe, start_client

pytestmark = pytest.mark.lab

PORT, OTHER_PORT, SLOW_PORT = 8087, 9091, 7013
AT_ONCE_MS = 300
FAMILIES = pytest.mark.parametrize("family", (4, 6))


@pytest.fixture(scope="module")
def rig():
    with Rig(seed=11) as rig:
        yield rig


@pytest.fixture(scope="module")
def nginx(rig):
    return Nginx(rig, "srv1", [PORT, OTHER_PORT])


@pytest.fixture(scope="module")
def service(rig):
    return Service(rig, "srv2", [SLOW_PORT])


@pytest.fixture
def inject():
    """Heals whatever a test has broken, and in the order reverse to the breaking."""
    injected = []

    def note(fault):
        injected.append(fault)
        return fault

    yield note
    for fault in reversed(injected):
        fault.heal()


def at(rig, family, server="srv1", network="a", port=PORT):
    return endpoint(rig.addresses.of(server, family, network), port)


def expect(rig, to, result, at_least_ms=0, at_most_ms=AT_ONCE_MS, timeout_s=6.0):
    seen = probe(rig, to, timeout_s)
    assert seen["result"] == result, seen
    assert at_least_ms <= seen["ms"] <= at_most_ms, seen


@FAMILIES
def test_healthy(rig, nginx, family):
    for network in ("a", "b"):
        expect(rig, at(rig, family, network=network), "ok")
    expect(rig, at(rig, family, port=1), "ECONNREFUSED")


@FAMILIES
def test_port_closed(rig, nginx, family, inject):
    inject(faults_services.port_closed(nginx, rig.addresses.of("srv1", family), PORT))
    expect(rig, at(rig, family), "ECONNREFUSED")


@FAMILIES
def test_one_port_closed(rig, nginx, family, inject):
    inject(faults_services.one_port_closed(nginx, rig.addresses.of("srv1", family), PORT))
    expect(rig, at(rig, family), "ECONNREFUSED")
    expect(rig, at(rig, family, port=OTHER_PORT), "ok")


@FAMILIES
@pytest.mark.parametrize("stateful", (False, True))
def test_firewall_drop(rig, nginx, family, stateful, inject):
    fault = inject(faults_filters.firewall_drop(rig, family, "r2", rig.addresses.of("srv1", family), PORT, stateful))
    expect(rig, at(rig, family), "timeout", 1400, 1900, timeout_s=1.5)
    expect(rig, at(rig, family, port=OTHER_PORT), "ok")
    assert fault.truth()["dropped"] == 2  # the SYN and its retransmission after a second


REJECT_ERRNOS = {
    4: {
        "port_unreachable": "ECONNREFUSED",
        "admin_prohibited": "EHOSTUNREACH",
        "host_prohibited": "EHOSTUNREACH",
        "net_prohibited": "ENETUNREACH",
        "host_unreachable": "EHOSTUNREACH",
        "net_unreachable": "ENETUNREACH",
        "protocol_unreachable": "ENOPROTOOPT",
        "reset": "ECONNREFUSED",
    },
    6: {
        "port_unreachable": "ECONNREFUSED",
        "admin_prohibited": "EACCES",
        "policy_fail": "EACCES",
        "reject_route": "EACCES",
        "host_unreachable": "EHOSTUNREACH",
        "net_unreachable": "ENETUNREACH",
        "reset": "ECONNREFUSED",
    },
}


@pytest.mark.parametrize("family, how", [(f, how) for f, ways in faults_filters.REJECTS.items() for how in ways])
def test_rejected(rig, nginx, family, how, inject):
    fault = inject(faults_filters.rejected(rig, family, rig.addresses.of("srv1", family), PORT, how))
    at_once = family == 4 or how == "reset"
    expect(rig, at(rig, family), REJECT_ERRNOS[family][how], at_most_ms=AT_ONCE_MS if at_once else 1300)
    expect(rig, at(rig, family, port=OTHER_PORT), "ok")
    if how != "reset":
        assert fault.label.offender in rig.ip("r2", "addr", "show", "down0")


@FAMILIES
def test_local_output_drop(rig, nginx, family, inject):
    fault = inject(faults_filters.local_output_drop(rig, family, rig.addresses.of("srv1", family), PORT))
    expect(rig, at(rig, family), "timeout", 1400, 1900, timeout_s=1.5)
    assert fault.truth()["dropped"] >= 2


@FAMILIES
def test_host_down_routed(rig, nginx, family, inject):
    inject(faults_routes.host_down_routed(rig, family, "srv1"))
    expect(rig, at(rig, family), "EHOSTUNREACH", 2900, 4300)


def test_host_comes_back(rig, nginx):
    for family in (4, 6):
        faults_routes.host_down_routed(rig, family, "srv1").heal()
        expect(rig, at(rig, family), "ok", at_most_ms=4500)


@FAMILIES
def test_host_down_on_link(rig, family, inject):
    inject(faults_routes.host_down_on_link(rig, family))
    rig.ip("cli", "neigh", "flush", "dev", "eth0")
    expect(rig, endpoint(rig.addresses.of("near", family), PORT), "EHOSTUNREACH", 2900, 4300)


@FAMILIES
def test_net_unreachable(rig, nginx, family, inject):
    inject(faults_routes.net_unreachable(rig, family, []))
    expect(rig, at(rig, family, network="b"), "ENETUNREACH", at_most_ms=AT_ONCE_MS if family == 4 else 1300)
    expect(rig, at(rig, family, network="a"), "ok")


@FAMILIES
def test_prefix_blackholed(rig, nginx, family, inject):
    inject(faults_routes.prefix_blackholed(rig, family, []))
    for server in SERVERS:
        expect(rig, at(rig, family, server, "b"), "timeout", 400, 900, timeout_s=0.5)
    expect(rig, at(rig, family, network="a"), "ok")


@FAMILIES
@pytest.mark.parametrize(
    "cause, expected",
    [
        ("no_route", "ENETUNREACH"),
        ("local_blackhole", "EINVAL"),
        ("local_unreachable", "EHOSTUNREACH"),
        ("local_prohibit", "EACCES"),
    ],
)
def test_no_route_here(rig, nginx, family, cause, expected, inject):
    inject(faults_routes.no_route_here(rig, family, [], cause))
    expect(rig, at(rig, family, network="b"), expected, at_most_ms=20)
    expect(rig, at(rig, family, network="a"), "ok")
    assert (
        len(rig.ip("cli", f"-{family}", "route", "show", rig.addresses.b.aggregate(family)).splitlines()) <= 1
    )


@pytest.mark.parametrize("cause", ("forward", "reverse"))
def test_loss_is_as_large_as_it_says(rig, nginx, cause, inject):
    fault = inject(faults_paths.loss(rig, 4, rig.addresses.of("srv1", 4), PORT, 50, cause))
    url = f"http://{at(rig, 4)}/blob"
    rig.run("cli", ["curl", "-s", "-o", "/dev/null", "--max-time", "20", url])
    truth = fault.truth()
    # With 700 or more packets, 5 % with five standard errors of slack.
    assert truth["seen"] > (700 if cause == "reverse" else 100), truth
    share = truth["dropped"] / truth["seen"]
    assert abs(share - 0.05) < 5 * (0.05 * 0.95 / truth["seen"]) ** 0.5, truth


# --- the shim: each knob against what ping and the kernels' own counters see -----------------------------------


@pytest.fixture
def impair(rig, tmp_path):
    """Puts the shim before srv1 and takes it away after the test; `events` is what befell each packet."""
    made = []

    def put(family, forth=None, back=None, seed=7):
        events = tmp_path / f"events-{len(made)}"
        ip = rig.addresses.of("srv1", family)
        made.append(Impaired(rig, "r2", [family], forth or {}, back or {}, ip, seed, events))
        return made[-1], events

    yield put
    for path in made:
        if path.process.poll() is None:
            path.remove()


def ping(rig, family, count=100, interval_s=0.005, server="srv1"):
    """Round trips in milliseconds, (sequence, time to live, milliseconds), as they came; answers twice come twice."""
    ip = rig.addresses.of(server, family)
    argv = ["ping", f"-{family}", "-c", str(count), "-i", str(interval_s), "-W", "1", ip]
    out = rig.run("cli", argv, check=False)
    rows = re.findall(r"icmp_seq=(\d+) (?:ttl|hlim)=(\d+) time=([\d.]+) ms", out)
    return [(int(sequence), int(ttl), float(ms)) for sequence, ttl, ms in rows]


def what_befell(events, what):
    return [row for row in map(json.loads, events.read_text().splitlines()) if row["what"] == what]


def median(values):
    return sorted(values)[len(values) // 2]


@FAMILIES
def test_shim_is_not_seen(rig, family, impair):
    before = ping(rig, family)
    path, _ = impair(family)
    through = ping(rig, family)
    assert {ttl for _, ttl, _ in through} == {ttl for _, ttl, _ in before} == {62}
    assert len(through) == 100 and path.counts()["forth"]["seen"] == 100
    assert median([ms for *_, ms in through]) - median([ms for *_, ms in before]) < 0.3


@FAMILIES
def test_shim_delays_exactly(rig, family, impair):
    impair(family, {"delay_ms": 7.3}, {"delay_ms": 33.4})
    times = [ms for *_, ms in ping(rig, family)]
    assert len(times) == 100
    assert 40.7 <= min(times) and median(times) < 41.3, times


def test_shim_jitters_in_order(rig, impair):
    impair(4, {"delay_ms": 20, "jitter_ms": 10})
    rows = ping(rig, 4, 400, 0.02)
    assert [sequence for sequence, *_ in rows] == list(range(1, 401))
    times = [ms for *_, ms in rows]
    assert 10 <= min(times) < 12 and 28 < max(times) < 31.5, (min(times), max(times))
    assert 18.5 < sum(times) / len(times) < 22  # those held in order wait a little longer


def test_shim_delay_grows(rig, impair):
    impair(4, {"delay_ms": 80, "ramp_s": 2})
    times = [ms for *_, ms in ping(rig, 4, 50, 0.05)]
    assert times[0] < 15 and 30 < times[20] < 60 and 80 <= times[49] < 82, times


@FAMILIES
def test_shim_loses(rig, family, impair):
    path, events = impair(family, {"loss": 0.05}, {"loss": 0.02})
    answered = len(ping(rig, family, 1500, 0.002))
    counts = path.counts()
    assert 1500 - answered == counts["forth"]["lost"] + counts["back"]["lost"]
    assert len(what_befell(events, "lost")) == 1500 - answered
    for direction, share in (("forth", 0.05), ("back", 0.02)):
        seen = counts[direction]["seen"]
        assert abs(counts[direction]["lost"] / seen - share) < 4 * (share * (1 - share) / seen) ** 0.5, counts


def test_shim_loses_in_bursts(rig, impair):
    path, _ = impair(4, {"loss": 0.1, "burst": 5})
    came = {sequence for sequence, *_ in ping(rig, 4, 3000, 0.002)}
    lost = [sequence for sequence in range(1, 3001) if sequence not in came]
    assert len(lost) == path.counts()["forth"]["lost"]
    runs = sum(sequence - 1 in came or sequence == 1 for sequence in lost)
    assert 3.5 < len(lost) / runs < 6.5, (len(lost), runs)  # 60 runs of 5, four standard errors
    assert 0.06 < len(lost) / 3000 < 0.14


def test_shim_is_decided_by_its_seed(rig, impair):
    def lost_with(seed):
        path, _ = impair(4, {"loss": 0.1, "corrupt": 0.1, "duplicate": 0.1}, seed=seed)
        came = [sequence for sequence, *_ in ping(rig, 4, 300, 0.002)]
        path.remove()
        return came

    assert lost_with(3) == lost_with(3) != lost_with(4)


def test_shim_reorders(rig, impair):
    path, _ = impair(4, {"reorder": 0.1, "reorder_ms": 27})
    rows = ping(rig, 4, 300, 0.011)  # below 10 ms ping waits for each answer
    late = [sequence for sequence, _, ms in rows if ms > 27]
    assert len(rows) == 300 and len(late) == path.counts()["forth"]["reordered"] > 15
    order = [sequence for sequence, *_ in rows]
    assert order != sorted(order)


def test_shim_duplicates(rig, impair):
    path, _ = impair(4, {"duplicate": 0.1})
    rows = ping(rig, 4, 500, 0.002)
    assert len(rows) - 500 == path.counts()["forth"]["duplicated"] > 30


@FAMILIES
def test_shim_corrupts_what_a_checksum_notices(rig, nginx, family, impair):
    before = _checksum_errors(rig)
    path, _ = impair(family, {"corrupt": 0.05})
    url = f"http://{at(rig, family)}/blob"
    rig.run("cli", ["curl", "-s", "-g", "-o", "/dev/null", "--max-time", "20", url])
    corrupted = path.counts()["forth"]["corrupted"]
    assert _checksum_errors(rig) - before == corrupted > 5


def _checksum_errors(rig):
    out = rig.run("srv1", ["nstat", "-az", "TcpInCsumErrors"])
    return int(out.split("TcpInCsumErrors")[1].split()[0])


@FAMILIES
def test_shim_rewrites_ttl(rig, family, impair):
    impair(family, back={"ttl": 33})
    assert {ttl for _, ttl, _ in ping(rig, family, 10)} == {31}  # two routers behind it


@FAMILIES
def test_shim_injects_resets(rig, nginx, family, impair):
    path, _ = impair(family, {"reset": 1})
    received = _resets(rig, "srv1")
    done = subprocess.run(
        ["ip", "netns", "exec", rig.namespace("cli"), "curl", "-s", "-g", "--max-time", "3", f"http://{at(rig, family)}/"],
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 56, done  # curl: the peer reset the connection
    assert path.counts()["forth"]["reset"] == 1
    assert _resets(rig, "srv1") == received + 1


def _resets(rig, host):
    out = rig.run(host, ["nstat", "-az", "TcpEstabResets"])
    return int(out.split("TcpEstabResets")[1].split()[0])


def test_shim_keeps_up(rig, nginx, impair):
    """A bulk transfer through 10 ms: nothing is refused, everything is on time, and the processor is not its."""
    path, _ = impair(4, {"delay_ms": 5}, {"delay_ms": 5})
    rig.run("cli", ["curl", "-s", "-o", "/dev/null", "--max-time", "20", f"http://{at(rig, 4)}/blob"])
    counts = path.counts()
    packets = counts["forth"]["seen"] + counts["back"]["seen"]
    assert packets > 900 and counts["forth"]["refused"] == counts["back"]["refused"] == 0, counts
    assert counts["late_us"]["mean"] < 300, counts
    user, system = Path(f"/proc/{path.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()[11:13]
    assert (int(user) + int(system)) * 10_000 / packets < 50, (user, system, packets)  # microseconds each


@FAMILIES
def test_distance(rig, nginx, family):
    path = distance(rig, 10)
    try:
        for network in ("a", "b"):
            assert 10 <= min(probe(rig, at(rig, family, network=network))["ms"] for _ in range(5)) < 12
        assert 10 <= median([ms for *_, ms in ping(rig, family, 20, server="srv2")]) < 10.6
    finally:
        path.remove()
    assert min(probe(rig, at(rig, family))["ms"] for _ in range(5)) < 8


@FAMILIES
def test_service_slow(rig, service, family, inject):
    to = at(rig, family, "srv2", port=SLOW_PORT)
    inject(faults_services.service_slow(service, rig.addresses.of("srv2", family), SLOW_PORT, 0.7))
    expect(rig, to, "ok")
    begun = time.monotonic()
    rig.run("cli", ["curl", "-s", "-g", "-o", "/dev/null", f"http://{to}/"])
    assert 0.7 <= time.monotonic() - begun < 1.5


@FAMILIES
def test_iperf3(rig, family):
    Iperf3Server(rig, "srv3", 5200 + family)
    ip = rig.addresses.of("srv3", family)
    out = rig.run("cli", ["iperf3", "-c", ip, "-p", str(5200 + family), "-n", "3M"])
    assert "receiver" in out


def test_clients_log_what_they_saw(rig, nginx):
    targets = [at(rig, 4), at(rig, 6), at(rig, 4, port=OTHER_PORT)]
    client = start_client(rig, "burst", targets, count=17)
    client.wait(10)
    outcomes = client.outcomes()
    assert [o["result"] for o in outcomes] == ["ok"] * 34
    assert {o["to"] for o in outcomes} == set(targets)
    client.stop()


def test_nothing_is_left_after_a_kill(tmp_path):
    """A run ended by SIGTERM takes its rig down; one ended by SIGKILL leaves it to the sweep."""
    code = (
        "import sys, time; from lab.rig import Rig\n"
        "with Rig(5) as rig:\n"
        "    rig.spawn('srv1', ['sleep', '1000']); print(rig.prefix, flush=True); time.sleep(1000)\n"
    )
    for kill in (subprocess.Popen.terminate, subprocess.Popen.kill):
        runner = subprocess.Popen(
            [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True
        )
        prefix = runner.stdout.readline().strip()
        names = [name for name in namespaces.existing() if name.startswith(prefix)]
        assert len(names) == 7
        kill(runner)
        runner.wait(20)
        swept = namespaces.sweep()
        assert swept == ([] if kill is subprocess.Popen.terminate else names)
        assert not [name for name in namespaces.existing() if name.startswith(prefix)]
