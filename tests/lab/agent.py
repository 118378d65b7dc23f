"""Drives the program under test: the agent and the commands that ask it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from lab import namespaces

REPOSITORY = Path(__file__).resolve().parents[2]


def find_binary() -> Path | None:
    """NETWATCH_BIN, or what the presets build."""
    if named := os.environ.get("NETWATCH_BIN"):
        return Path(named)
    for preset in ("dev", "release"):
        for place in ("netwatch", "userspace/netwatch", "userspace/cli/netwatch"):
            path = REPOSITORY / "build" / preset / place
            if os.access(path, os.X_OK):
                return path
    return None


@dataclass(frozen=True)
class Update:
    """One line of `incidents --follow`: when it came, in Unix seconds, and the incident."""

    at: float
    incident: dict


class Agent:
    """One agent on some namespaces, or on all there are. `start()` returns when it has said that it is ready."""

    def __init__(self, binary: Path, directory: Path, netns: Path | Sequence[Path], *options: str):
        self.binary, self.options = binary, options
        self.netns = [netns] if isinstance(netns, Path) else list(netns)
        self.state = directory / "state"
        self.socket = directory / "agent.sock"
        self.ready_file = directory / "ready"
        self.log_path = directory / "agent.log"
        self.follow_errors = directory / "follow.log"
        self.updates: list[Update] = []
        self.changed = threading.Condition()
        self.ready_at = 0.0
        self._agent: subprocess.Popen | None = None
        self._follow: subprocess.Popen | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        return self._agent.pid

    def start(self, follow: bool = True, deadline_s: float = 20.0) -> None:
        self.ready_file.unlink(missing_ok=True)
        argv = [
            str(self.binary), "agent", *(text for path in self.netns for text in ("--netns", str(path))),
            "--state-dir", str(self.state), "--ready-file", str(self.ready_file), "--socket", str(self.socket),
            *self.options,
        ]  # fmt: skip
        with self.log_path.open("w") as log:
            self._agent = namespaces.spawn(None, argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + deadline_s
        while not self.ready_file.exists():
            if self._agent.poll() is not None:
                raise RuntimeError(f"the agent ended with {self._agent.returncode}: {self._log_tail()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"the agent is not ready after {deadline_s} s: {self._log_tail()}")
            time.sleep(0.02)
        self.ready_at = time.time()
        if follow:
            self._start_follow()

    def _start_follow(self) -> None:
        argv = self._command("incidents", "--follow", "--json", "--all")
        with self.follow_errors.open("w") as errors:
            self._follow = namespaces.spawn(None, argv, stdout=subprocess.PIPE, stderr=errors, text=True)
        self._reader = threading.Thread(target=self._read_updates, daemon=True)
        self._reader.start()

    def _read_updates(self) -> None:
        for line in self._follow.stdout:
            update = Update(time.time(), json.loads(line))
            with self.changed:
                self.updates.append(update)
                self.changed.notify_all()

    def wait_until(self, condition, deadline_s: float) -> bool:
        """Waits until `condition(updates)` holds; asked again at each update, and now and then without one."""
        deadline = time.monotonic() + deadline_s
        with self.changed:
            while not condition(self.updates):
                left = deadline - time.monotonic()
                if left <= 0 or not self.alive():
                    return False
                self.changed.wait(min(left, 0.5))
        return True

    def alive(self) -> bool:
        return self._agent.poll() is None

    def incidents(self) -> list[dict]:
        return json.loads(self.ask("incidents", "--json", "--all"))

    def view(self) -> dict:
        return json.loads(self.ask("top", "--once", "--json"))

    def ask(self, *arguments: str, allowed: tuple[int, ...] = (0, 3)) -> str:
        """The standard output of a command that asks this agent."""
        done = subprocess.run(self._command(*arguments), capture_output=True, text=True, timeout=20)
        if done.returncode not in allowed:
            raise RuntimeError(
                f"netwatch {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()}"
            )
        return done.stdout

    def _command(self, *arguments: str) -> list[str]:
        return [str(self.binary), *arguments, "--socket", str(self.socket)]

    def stop(self) -> int:
        """Ends the agent with SIGTERM and returns its exit status."""
        if self._agent is None:
            return 0
        status = namespaces.stop(self._agent, grace_s=10.0)
        if self._follow:
            namespaces.stop(self._follow)
            self._reader.join(5)
        return status

    def left_open(self) -> list[dict]:
        """The incidents that were open when the agent ended, as it keeps them for the next one."""
        path = self.state / "incidents.json"
        return json.loads(path.read_text())["incidents"] if path.exists() else []

    def replay(self, recording: Path) -> list[dict]:
        argv = [str(self.binary), "replay", str(recording), "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        if done.returncode not in (0, 3):
            raise RuntimeError(f"netwatch replay: exit {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def dump(self, output: Path, *options: str) -> None:
        """All that was recorded, as one file."""
        argv = [str(self.binary), "dump", "--state-dir", str(self.state), "--since", "1d", "-o", str(output), *options]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"netwatch dump: exit {done.returncode}: {done.stderr.strip()}")

    def _log_tail(self) -> str:
        return self.log_path.read_text(errors="replace")[-2000:]
