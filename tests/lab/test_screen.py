"""The live view, on a real terminal: a fault shows with destination and name, goes when it heals, and is found again
by stepping back; the terminal is given back however the view ends; an agent that stops or goes is no end."""

import contextlib
import os
import re
import secrets
import signal
import subprocess
import time

import pytest

from lab import faults_services
from lab.agent import Agent
from lab.rig import Rig
from lab.software import Nginx, endpoint, start_client

pytestmark = [pytest.mark.lab, pytest.mark.quick]

PORT = 8087


class Terminal:
    """A tmux session of 80 by 24 on a server of its own."""

    def __init__(self, directory, command: str):
        self.socket = str(directory / f"tmux-{secrets.token_hex(3)}")
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def click(self, x: int, y: int) -> None:
        """Presses and lets go of the left button on that cell, as xterm reports it (SGR)."""
        for end in "Mm":
            self._tmux("send-keys", "-l", f"\x1b[<0;{x + 1};{y + 1}{end}")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def value(self, name: str) -> str:
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def wait_for(self, condition, deadline_s: float, what: str) -> str:
        deadline = time.monotonic() + deadline_s
        while not condition(screen := self.screen()):
            assert time.monotonic() < deadline, f"{what}: not within {deadline_s} s; the screen:\n{screen}"
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        self._tmux("kill-server", check=False)

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        argv = ["tmux", "-S", self.socket, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=check).stdout


SHELL = "env PS1='prompt> ' sh"


def expect_given_back(terminal: Terminal, number: int) -> None:
    """The shell's screen is there, with a cursor, an echo and no mouse reports."""
    terminal.wait_for(lambda screen: screen.rstrip().endswith("prompt>"), 10, "the shell again")
    for name, wanted in (("alternate_on", "0"), ("cursor_flag", "1"), ("mouse_any_flag", "0")):
        assert terminal.value(name) == wanted, name
    terminal.keys(f"echo still-$(({number} + 2))", "Enter")
    terminal.wait_for(
        lambda screen: f"echo still-$(({number} + 2))" in screen and f"\nstill-{number + 2}" in screen, 5,
        "what is typed and its answer",
    )  # fmt: skip


@contextlib.contextmanager
def watched(binary, tmp_path, seed: int):
    """A rig with a client of one nginx, its agent, and `netwatch top` on it that has seen the destination."""
    with Rig(seed=seed) as rig:
        nginx = Nginx(rig, "srv1", [PORT])
        address = rig.addresses.of("srv1", 4)
        start_client(rig, "connects", [endpoint(address, PORT)], rate=6.1)
        agent = Agent(binary, tmp_path, rig.netns_path("cli"))
        terminal = Terminal(tmp_path, SHELL)
        try:
            agent.start(follow=False)
            terminal.wait_for(lambda screen: "prompt>" in screen, 5, "the shell")
            terminal.keys(f"{binary} top --socket {agent.socket}", "Enter")
            terminal.wait_for(lambda screen: f"{address}:{PORT}" in screen, 20, "the destination")
            yield nginx, address, agent, terminal
        finally:
            terminal.close()
            agent.stop()


def fills(screen: str, height: int) -> bool:
    """The whole frame is drawn: its last line is on the terminal's last."""
    lines = screen.splitlines()
    return len(lines) == height and "q:quit" in lines[-1]


def row_of(address: str, screen: str) -> int | None:
    """Which line of the screen is the destination's in the table, below the incidents that name it."""
    rows = (y for y, line in enumerate(screen.splitlines()) if re.match(rf". {re.escape(address)}:{PORT} ", line))
    return next(rows, None)


def pid_of_top(terminal: Terminal) -> int:
    shell = terminal.value("pane_pid")
    return int(subprocess.run(["pgrep", "-P", shell, "netwatch"], capture_output=True, text=True).stdout)


def test_a_fault_comes_and_goes(binary, tmp_path):
    with watched(binary, tmp_path, seed=31) as (nginx, address, _, terminal):
        assert terminal.value("alternate_on") == "1"
        fault = faults_services.port_closed(nginx, address, PORT)
        terminal.wait_for(lambda screen: "port_blocked" in screen, 15, "the verdict")
        fault.heal()
        screen = terminal.wait_for(
            lambda screen: fills(screen, 24) and row_of(address, screen) and "✖" not in screen and "▲" not in screen,
            25, "the verdict's end",
        )  # fmt: skip
        assert all(len(line) <= 80 for line in screen.splitlines())
        deadline = time.monotonic() + 30
        while "✖ port_blocked" not in (screen := terminal.screen()):
            assert time.monotonic() < deadline, f"the past does not show the fault:\n{screen}"
            terminal.keys("Left")
            time.sleep(0.1)
        terminal.wait_for(lambda screen: re.search(r"paused, [\d.]+ s ago", screen), 5, "how long ago that is")
        terminal.keys("g", "Enter")
        terminal.wait_for(lambda screen: "The last 2 minutes" in screen, 5, "its destination")
        terminal.keys("Enter")
        terminal.wait_for(lambda screen: "closed_port" in screen and "paused" in screen, 5, "its incident")
        terminal.keys("End")
        terminal.wait_for(lambda screen: "▶ live" in screen and "healed" in screen, 5, "the present")
        terminal.keys("q")
        expect_given_back(terminal, 40)


def test_the_terminal_is_given_back(binary, tmp_path):
    with watched(binary, tmp_path, seed=32) as (_, address, agent, terminal):
        # In one line: else a prompt would wait below the view for the terminal to be given back, and pass for a new one.
        again = f"clear; {binary} top --socket {agent.socket}"
        for number, end in enumerate((signal.SIGTERM, signal.SIGINT, signal.SIGSEGV, signal.SIGABRT)):
            os.kill(pid_of_top(terminal), end)
            expect_given_back(terminal, 50 + 10 * number)
            terminal.keys(again, "Enter")
            terminal.wait_for(lambda screen: f"{address}:{PORT}" in screen, 10, "the view again")
        terminal.keys("C-z")
        expect_given_back(terminal, 30)
        terminal.keys("fg", "Enter")
        terminal.wait_for(lambda screen: "▶ live" in screen and f"{address}:{PORT}" in screen, 10, "its return")
        for width, height in ((200, 60), (40, 8), (100, 30)):
            terminal.resize(width, height)
            terminal.wait_for(lambda screen: fills(screen, height) or width == 40, 5, "the new size")
        screen = terminal.wait_for(lambda screen: fills(screen, height) and row_of(address, screen), 5, "its row")
        row = row_of(address, screen)
        terminal.click(5, row)
        terminal.click(5, row)
        terminal.wait_for(lambda screen: "Traffic" in screen, 5, "the details that a second click opens")
        terminal.keys("q")
        expect_given_back(terminal, 20)


def test_an_agent_that_stops_or_goes_is_no_end(binary, tmp_path):
    with watched(binary, tmp_path, seed=33) as (_, address, agent, terminal):
        os.kill(agent.pid, signal.SIGSTOP)
        try:
            terminal.wait_for(lambda screen: "no news for" in screen, 10, "that nothing comes")
            terminal.keys("?")
            terminal.wait_for(lambda screen: "Keys" in screen, 3, "the help, although the agent is stopped")
            terminal.keys("?")
        finally:
            os.kill(agent.pid, signal.SIGCONT)
        terminal.wait_for(lambda screen: "▶ live" in screen, 10, "the agent's news")
        agent.stop()
        terminal.wait_for(lambda screen: "no agent answers" in screen, 10, "that it is gone")
        agent.start(follow=False)
        terminal.wait_for(lambda screen: "▶ live" in screen and "no agent" not in screen, 10, "the new agent")
        terminal.wait_for(lambda screen: f"{address}:{PORT}" in screen, 20, "the destination")
        terminal.keys("q")
        expect_given_back(terminal, 40)


def clock_of(screen: str) -> str:
    return re.search(r"(\d\d:\d\d:\d\d) UTC", screen).group(1)


def test_what_was_recorded_is_walked_through(binary, tmp_path):
    """By the time at which it was, of the running agent and of a dump that has gone elsewhere; second by second."""
    with watched(binary, tmp_path, seed=34) as (nginx, address, agent, terminal):
        time.sleep(6)
        healthy = time.time() - 1
        fault = faults_services.port_closed(nginx, address, PORT)
        terminal.wait_for(lambda screen: "✖ port_blocked" in screen, 15, "the verdict")
        failing = time.time()
        time.sleep(2)
        fault.heal()
        terminal.wait_for(lambda screen: "✖" not in screen and "▲" not in screen, 25, "the verdict's end")
        # Space stops the picture; the arrows step by seconds.
        terminal.keys("Space")
        paused = terminal.wait_for(lambda screen: "⏸ paused" in screen, 3, "the pause")
        time.sleep(2.5)
        assert clock_of(terminal.screen()) == clock_of(paused)
        terminal.keys("Left", "Left", "Right")
        earlier = terminal.wait_for(lambda screen: clock_of(screen) != clock_of(paused), 3, "a second before")
        assert clock_of(earlier) < clock_of(paused)
        terminal.keys("Space")
        terminal.wait_for(lambda screen: "▶ live" in screen and clock_of(screen) > clock_of(paused), 5, "the present")
        terminal.keys("q")
        expect_given_back(terminal, 50)

        ago = f"{round(time.time() - failing)} seconds ago"
        terminal.keys("-l", f"clear; {binary} top --state-dir {agent.state} --at '{ago}'")
        terminal.keys("Enter")
        screen = terminal.wait_for(lambda screen: "⏸ recorded" in screen and "✖ port_blocked" in screen, 15, "the fault, as it was")
        assert abs(seconds_of_day(clock_of(screen)) - failing % 86400) <= 2
        terminal.keys("q")
        expect_given_back(terminal, 60)

        dump = tmp_path / "outage.db"
        agent.dump(dump)
        agent.stop()
        terminal.keys("-l", f"clear; {binary} top --file {dump}")
        terminal.keys("Enter")
        terminal.wait_for(lambda screen: "⏸ recorded" in screen and row_of(address, screen), 15, "the dump's last moment")
        assert "✖ port_blocked" not in terminal.screen()
        deadline = time.monotonic() + 30
        while "✖ port_blocked" not in terminal.screen():
            assert time.monotonic() < deadline, f"stepping back does not show the fault:\n{terminal.screen()}"
            terminal.keys("Left")
            time.sleep(0.1)
        at = time.strftime("%H:%M:%S", time.gmtime(healthy))
        terminal.keys("t")
        terminal.keys("-l", at)
        terminal.keys("Enter")
        # The last moment that was kept before it.
        shown = terminal.wait_for(
            lambda screen: -1 <= seconds_of_day(clock_of(screen)) - int(healthy) % 86400 <= 0
            and "port_blocked" not in screen, 5, "the time before it",
        )  # fmt: skip
        terminal.keys("Left")
        terminal.wait_for(lambda screen: clock_of(screen) < clock_of(shown), 3, "the second before that")
        terminal.keys("q")
        expect_given_back(terminal, 70)


def seconds_of_day(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return 3600 * hours + 60 * minutes + seconds
