"""The flight recorder of a real agent: dumps that it makes by itself; a disk that is full, read-only or gone, of which it
says so everywhere while it lives on, and after which it records again."""

import contextlib
import json
import os
import re
import shlex
import sqlite3
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from lab import faults_services, judge
from lab.agent import Agent
from lab.rig import Rig
from lab.software import Nginx, endpoint, start_client, wait_for

pytestmark = pytest.mark.lab

PORTS = [8087, 8088, 8089]
TMPFS_MIB = 12


class Host:
    """A rig with a client of one nginx on three ports, and an agent on the client."""

    def __init__(self, rig: Rig, agent: Agent):
        self.rig, self.agent = rig, agent
        self.nginx = Nginx(rig, "srv1", PORTS)
        self.address = rig.addresses.of("srv1", 4)
        start_client(rig, "connects", [endpoint(self.address, port) for port in PORTS], rate=19.1)

    def close(self, port: int):
        return faults_services.one_port_closed(self.nginx, self.address, port)

    def alarms(self) -> list[dict]:
        return [one for one in self.agent.incidents() if judge.is_alarm(one) and one["state"] != "resolved"]

    def wait_for_alarm(self) -> dict:
        wait_for(lambda: self.alarms(), 15, "an alarm")
        return self.alarms()[0]

    def wait_for_no_alarm(self) -> None:
        wait_for(lambda: not self.alarms(), 20, "the end of the alarm")


@contextlib.contextmanager
def observed(binary: Path, directory: Path, seed: int, *options: str, start: bool = True):
    with Rig(seed=seed) as rig:
        agent = Agent(binary, directory, rig.netns_path("cli"), *options)
        host = Host(rig, agent)
        try:
            if start:
                agent.start(follow=False)
            yield host
        finally:
            agent.stop()


def run(*argv: object, allowed: tuple[int, ...] = (0, 3)) -> subprocess.CompletedProcess:
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=60)
    assert done.returncode in allowed, f"{argv}: {done.returncode}: {done.stderr}"
    return done


def query(recording: Path, sql: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(f"file:{recording}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def dumps(agent: Agent) -> list[Path]:
    return sorted((agent.state / "dumps").glob("incident-*.db"))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.quick
def test_an_incident_has_its_dump(binary, tmp_path):
    """There at once, again with the time after it, whole and readable without the agent; of several the newest are kept."""
    options = ("--dump-before", "4s", "--dump-after", "3s", "--dump-keep", "2")
    with observed(binary, tmp_path, 41, *options) as host:
        time.sleep(6)
        known: list[str] = []
        for port in PORTS:
            fault = host.close(port)
            incident = host.wait_for_alarm()
            known.append(incident["id"])
            wait_for(lambda: any(path.stem.endswith(known[-1]) for path in dumps(host.agent)), 4, "its dump, at once")
            fault.heal()
            host.wait_for_no_alarm()
        path = dumps(host.agent)[-1]
        that = f"FROM incidents WHERE id = '{known[-1]}'"
        after = "SELECT 1 FROM batches, incident WHERE incident.id = '{}' AND batches.utc_ns >= opened_ns + 2500000000"
        wait_for(lambda: query(path, after.format(known[-1])), 10, "the time after it")
        assert [path.stem.rsplit("-", 1)[1] for path in dumps(host.agent)] == known[-2:]
        assert not list((host.agent.state / "dumps").glob("*.new"))
        meta = dict(query(path, "SELECT key, value FROM meta"))
        [told] = query(path, f"SELECT id, type, destination, first_affected_at, opened_at {that}")
        assert told[:3] == (known[-1], "port_blocked", f"{host.address}:{PORTS[-1]}/tcp")
        assert (meta["kind"], meta["trigger"]) == ("dump", known[-1])
        assert seconds(meta["since"]) == pytest.approx(seconds(told[3]) - 4, abs=0.002)
        assert seconds(meta["until"]) == pytest.approx(seconds(told[4]) + 3, abs=1)
        first, last = query(path, "SELECT min(utc_ns), max(utc_ns) FROM batches")[0]
        assert first / 1e9 <= seconds(meta["since"]) + 1 and last / 1e9 >= seconds(told[4]) + 2
        refused = "SELECT count(*) FROM connections WHERE outcome = 'refused' AND remote_port = ?".replace("?", str(PORTS[-1]))
        assert query(path, refused)[0][0] >= 3
        status = path.stat()
        assert status.st_mode & 0o007 == 0, "nobody else reads it"
        replayed = {one["id"]: one for one in json.loads(run(binary, "replay", path, "--json").stdout)}
        assert replayed[known[-1]]["type"] == "port_blocked"


class Disk:
    """The agent's state directory as a file system of its own, in a mount namespace that ends with the agent."""

    def __init__(self, binary: Path, directory: Path, options: str):
        self.state = directory / "state"
        self.state.mkdir()
        self.binary = directory / "netwatch-on-a-small-disk"
        mount = f"mount -t tmpfs -o {options} tmpfs {shlex.quote(str(self.state))}"
        self.binary.write_text(
            f'#!/bin/sh\n[ "$1" = agent ] || exec {binary} "$@"\n'
            f"exec unshare --mount --propagation private sh -c '{mount} && exec \"$0\" \"$@\"' {binary} \"$@\"\n"
        )
        self.binary.chmod(0o755)
        self.agent: Agent | None = None

    @property
    def inside(self) -> Path:
        """The state directory as the agent sees it."""
        return Path(f"/proc/{self.agent.pid}/root{self.state}")

    def mount(self, *options: str) -> None:
        run("nsenter", "-t", self.agent.pid, "-m", "mount", *options)

    def fill(self) -> None:
        """Every byte of it; again, should the agent have made room."""
        with (self.inside / "ballast").open("ab", buffering=0) as ballast:
            for size in (1 << 16, 1 << 12):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(size)):
                        pass

    def make_room(self) -> None:
        (self.inside / "ballast").unlink()


def everywhere(agent: Agent, reason: str) -> dict[str, bool]:
    """Who says that nothing is recorded, and why."""

    error = agent.view()["observer"]["recording_error"]

    def says(*command: str) -> str:
        done = run(*agent._command(*command), allowed=(0, 3, 4))
        return done.stdout + done.stderr

    return {
        "check": bool(re.search(f"nothing is recorded: .*{reason}", says("check"))),
        "top": "▲ not recorded" in says("top", "--once"),
        "netwatch": bool(re.search(f"not recorded: .*{reason}", " ".join(says().split()))),
        "incidents": bool(re.search(f"nothing is recorded: .*{reason}", says("incidents"))),
        "view": bool(error and re.search(reason, error)),
    }


def wait_until_all(agent: Agent, wanted: bool, reason: str) -> None:
    deadline = time.monotonic() + 12
    while set(said := everywhere(agent, reason)) and set(said.values()) != {wanted}:
        assert time.monotonic() < deadline, f"says that nothing is recorded: {said}; wanted: {wanted}"
        time.sleep(0.2)


@pytest.mark.quick
def test_a_full_disk_is_said_and_survived(binary, tmp_path):
    disk = Disk(binary, tmp_path, f"size={TMPFS_MIB}m")
    with observed(disk.binary, tmp_path, 42, "--dump-keep", "0") as host:
        agent = disk.agent = host.agent
        wait_for(lambda: agent.view()["observer"]["recording_error"] is None, 5, "that it records")
        time.sleep(2)
        disk.fill()
        wait_until_all(agent, True, "full")
        fault = host.close(PORTS[0])
        incident = host.wait_for_alarm()
        assert incident["type"] == "port_blocked", "the diagnosis goes on"
        before = set(disk.inside.glob("segment-*.db"))
        assert before, "what was recorded before is still there"
        fault.heal()
        host.wait_for_no_alarm()
        disk.make_room()
        wait_until_all(agent, False, "full")
        assert "recording again" in agent.log_path.read_text()
        time.sleep(1)
        copy = tmp_path / "copy"
        subprocess.run(["cp", "-r", str(disk.inside), str(copy)], check=True)
        replayed = {one["id"]: one for one in agent.replay(copy)}
        assert incident["id"] in replayed, "what happened meanwhile was kept in memory and written"
        gaps = [gap for path in copy.glob("segment-*.db") for gap in query(path, "SELECT * FROM gaps")]
        assert gaps == [], "nothing was left out"
        assert agent.stop() == 0


@pytest.mark.quick
def test_a_read_only_disk_is_said_and_survived(binary, tmp_path):
    disk = Disk(binary, tmp_path, f"ro,size={TMPFS_MIB}m")
    with observed(disk.binary, tmp_path, 43) as host:
        agent = disk.agent = host.agent
        wait_until_all(agent, True, "[Rr]ead-only")
        fault = host.close(PORTS[0])
        incident = host.wait_for_alarm()
        assert not list(disk.inside.iterdir())
        disk.mount("-o", "remount,rw", str(disk.state))
        wait_until_all(agent, False, "[Rr]ead-only")
        fault.heal()
        host.wait_for_no_alarm()
        copy = tmp_path / "copy"
        subprocess.run(["cp", "-r", str(disk.inside), str(copy)], check=True)
        assert incident["id"] in {one["id"] for one in agent.replay(copy)}
        assert agent.stop() == 0


def test_a_disk_that_turns_read_only_is_said_and_survived(binary, tmp_path):
    """As ext4 does it when it finds itself damaged; then another disk is put in its place."""
    if not Path("/dev/loop-control").exists():
        pytest.skip("no loop devices here")
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(32 << 20)
    run("mkfs.ext4", "-q", "-O", "^has_journal", image)
    disk = Disk(binary, tmp_path, f"size={TMPFS_MIB}m")
    text = disk.binary.read_text()
    disk.binary.write_text(re.sub(r"mount -t tmpfs -o \S+ tmpfs", f"mount -o loop,errors=remount-ro {image}", text))
    with observed(disk.binary, tmp_path, 44, "--dump-keep", "0") as host:
        agent = disk.agent = host.agent
        wait_for(lambda: agent.view()["observer"]["recording_error"] is None, 5, "that it records")
        time.sleep(2)
        disk.mount("-o", "remount,abort", str(disk.state))
        wait_until_all(agent, True, "")
        fault = host.close(PORTS[0])
        incident = host.wait_for_alarm()
        run("nsenter", "-t", agent.pid, "-m", "umount", "--lazy", disk.state)
        disk.mount("-t", "tmpfs", "-o", f"size={TMPFS_MIB}m", "tmpfs", str(disk.state))
        wait_until_all(agent, False, "")
        fault.heal()
        host.wait_for_no_alarm()
        copy = tmp_path / "copy"
        subprocess.run(["cp", "-r", str(disk.inside), str(copy)], check=True)
        # What was before it went with the first disk, so that its id may be another one.
        named = {(one["type"], one["destination"]["port"]) for one in agent.replay(copy)}
        assert ("port_blocked", PORTS[0]) in named
        assert os.path.exists(f"/proc/{agent.pid}")
        assert agent.stop() == 0
