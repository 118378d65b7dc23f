"""The program as its user meets it: bad input, missing privileges, and what they are told and exit with."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from lab.agent import Agent
from support import contract

pytestmark = [pytest.mark.lab, pytest.mark.quick]

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def with_capabilities(*names: str) -> list[str]:
    capabilities = ",".join(f"+{name}" for name in names)
    return [*NOBODY, "--inh-caps", capabilities, "--ambient-caps", capabilities]


@pytest.fixture
def directory():
    """One that everybody may enter and write to; pytest's own is root's alone."""
    with tempfile.TemporaryDirectory(prefix="netwatch-") as path:
        os.chmod(path, 0o777)
        yield Path(path)


@pytest.fixture
def netwatch(binary, directory):
    """Runs netwatch with no agent near, after a prefix such as NOBODY."""
    program = shutil.copy(binary, directory)

    def run(*arguments: str, prefix: list[str] = []) -> subprocess.CompletedProcess:
        socket = [] if "--socket" in arguments else ["--socket", str(directory / "none.sock")]
        command = [*prefix, program, *socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=directory)

    return run


def expect(done: subprocess.CompletedProcess, code: int, *said: str) -> None:
    assert done.returncode == code, done
    for words in said:
        assert words in done.stderr, done.stderr


@pytest.mark.parametrize("command", (["agent"], ["check"], ["top"], []))
def test_without_a_capability_all_are_named(netwatch, command):
    expect(netwatch(*command, prefix=NOBODY), 4, "CAP_BPF and CAP_PERFMON missing", "sudo setcap cap_bpf")
    one = netwatch(*command, prefix=with_capabilities("bpf"))
    expect(one, 4, "netwatch: ", "CAP_PERFMON missing", "setcap")
    assert "CAP_BPF and" not in one.stderr


def test_check_names_what_the_other_capabilities_would_bring(netwatch):
    done = netwatch("check", prefix=with_capabilities("bpf", "perfmon"))
    expect(done, 0)
    words = " ".join(done.stdout.split())
    assert "NAT peers no hook fits · lost: where NAT sends a connection (CAP_NET_ADMIN is missing)" in words
    all_of_them = netwatch("check", prefix=with_capabilities("bpf", "perfmon", "net_admin", "sys_admin"))
    assert "✔ NAT peers" in all_of_them.stdout and "CAP_" not in all_of_them.stdout


def test_a_kernel_without_btf(netwatch):
    hidden = ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /sys/kernel/btf/vmlinux && exec "$@"', "-"]
    for command in ("agent", "check"):
        expect(netwatch(command, prefix=hidden), 4, "no BTF", "CONFIG_DEBUG_INFO_BTF")


def test_paths_that_this_user_may_not_use(netwatch, directory):
    (directory / "r.db").touch(0o600)
    expect(netwatch("replay", "r.db", prefix=NOBODY), 4, "cannot read r.db: Permission denied", "sudo")
    closed = directory / "closed"
    closed.mkdir(0o700)
    observer = with_capabilities("bpf", "perfmon")
    expect(
        netwatch("--state-dir", "closed/state", "agent", prefix=observer),
        4, "state directory closed/state: Permission denied", "sudo", "--state-dir",
    )  # fmt: skip
    expect(
        netwatch("--state-dir", "state", "--socket", "closed/s", "agent", prefix=observer),
        4, "closed/s: Permission denied", "--socket",
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["agent", "--netns", "/nope"], "cannot read the namespace /nope: No such file or directory"),
        (["agent", "--netns", "/etc/passwd"], "/etc/passwd is not a network namespace"),
        (["agent", "--ring-size", "5000"], "give --ring-size 8192"),
        (["agent", "--no-feature", "fexi"], "no such feature: fexi"),
        (["agent", "--state-dir", "/proc/nope"], "cannot make the state directory /proc/nope"),
        (["agent", "--config", "/nope"], "cannot read /nope"),
        (["agent", "--regions", "/nope"], "cannot read the regions in /nope: No such file or directory"),
        (["agent", "--regions", "/etc/hostname"], "/etc/hostname:1: "),
        (["agent", "--socket", "/" + "s" * 120], "is longer than"),
        (["agent", "--socket", "/etc/passwd"], "is no socket"),
        (["why", "10.0.0.1:99999"], "no number from 1 to 65535"),
    ],
)
def test_what_cannot_be_meant(netwatch, directory, arguments, said):
    arguments = arguments if "--state-dir" in arguments else ["--state-dir", str(directory / "s"), *arguments]
    done = netwatch(*arguments)
    expect(done, 2, said)
    assert done.stderr.count("\n") == 2, "what was wrong, and how to mend it"


def test_a_second_agent_is_refused(binary, netwatch, directory):
    agent = Agent(binary, directory, Path("/proc/self/ns/net"))
    try:
        agent.start()
        expect(netwatch("agent", "--state-dir", str(agent.state)), 2, f"(pid {agent.pid})", "--state-dir")
        expect(
            netwatch("agent", "--socket", str(agent.socket), "--state-dir", str(directory / "other")),
            2, f"(pid {agent.pid})", "--socket",
        )  # fmt: skip
        assert agent.view()["observer"]["last_walk_at"] is not None, "the first goes on"
    finally:
        agent.stop()


def test_a_reader_that_goes_away_is_no_failure(binary, netwatch, directory):
    agent = Agent(binary, directory, Path("/proc/self/ns/net"))
    try:
        agent.start()
        for command in (["top", "--once"], ["incidents", "--all"], ["check"], []):
            reader, writer = os.pipe()
            os.close(reader)
            done = subprocess.run(
                [str(binary), "--socket", str(agent.socket), *command], stdout=writer, stderr=subprocess.PIPE
            )
            os.close(writer)
            assert (done.returncode, done.stderr) == (0, b""), command
    finally:
        agent.stop()


def test_check_keeps_its_schema(binary, netwatch, directory):
    alone = json.loads(netwatch("check", "--json").stdout)
    assert contract.schema_violations(alone, "check") == []
    assert alone["agent"] is None and alone["connections_visible"]
    agent = Agent(binary, directory, Path("/proc/self/ns/net"))
    try:
        agent.start()
        beside = json.loads(agent.ask("check", "--json"))
    finally:
        agent.stop()
    assert contract.schema_violations(beside, "check") == []
    assert beside["agent"]["observer"]["accounts"]
    assert [h["signal"] for h in sorted(beside["hooks"], key=str)] == [
        h["signal"] for h in sorted(alone["hooks"], key=str)
    ]
