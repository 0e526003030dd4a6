"""Agents: they ask a sweep what to do, and do it.

An agent survives the sweep's server being away: its trials go on, and it asks again. It gives up when its first trials
fail one after the other, since then the program is wrong and not the parameters.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from types import FrameType
from typing import Any, Callable, Collection, Dict, List, Optional, Set

from .._terminal import termerror, termlog, termwarn
from .._wake import Wake
from ..errors import CommError, Error
from ._home import EXIT, RESUME, RUN, STOP, Command, SweepHome
from ._trials import Trials, trial_environment, write_parameters

BEAT_SECONDS = 5.0
# How often an agent looks whether its trials have ended, in between.
_LOOK_SECONDS = 0.25
_FLAPPING_SECONDS, _FLAPPING_FAILURES = 60.0, 3
_INITIAL_FAILURES_MAX = 5
# How long the next trial waits for a sign of life of the last one that is on its way.
_LAST_BEAT_SECONDS = 1.0
# How long a server that is away is put up with while no trial goes on.
_AWAY_SECONDS = 600.0


class Failures:
    """Whether the trials of an agent fail in a way that makes trying on pointless."""

    def __init__(self, consecutive_max: Optional[int] = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._begun = clock, clock()
        self._failed = self._succeeded = self._in_a_row = 0
        self._flapping = os.environ.get("WANDB_AGENT_DISABLE_FLAPPING", "").lower() not in ("1", "true", "yes")
        self._initial_max = int(os.environ.get("WANDB_AGENT_MAX_INITIAL_FAILURES") or _INITIAL_FAILURES_MAX)
        self._consecutive_max = consecutive_max

    def note(self, failed: bool) -> None:
        self._failed += failed
        self._succeeded += not failed
        self._in_a_row = self._in_a_row + 1 if failed else 0

    @property
    def verdict(self) -> str:
        """Why to give up, in words for people; empty for going on."""
        if self._consecutive_max and self._in_a_row >= self._consecutive_max:
            return f"{self._in_a_row} trials in a row have failed (--max-consecutive-failed-runs)"
        if not self._flapping:
            return ""
        if self._failed >= _FLAPPING_FAILURES and self._clock() - self._begun < _FLAPPING_SECONDS:
            return (
                f"{self._failed} trials have failed in the first {_FLAPPING_SECONDS:.0f} seconds; "
                "WANDB_AGENT_DISABLE_FLAPPING=true goes on all the same"
            )
        if not self._succeeded and self._failed >= self._initial_max:
            return f"the first {self._failed} trials have failed; WANDB_AGENT_MAX_INITIAL_FAILURES allows more"
        return ""


class _Talk:
    """An agent's heartbeats. What the sweep can't be told now is told the next time."""

    def __init__(self, home: SweepHome) -> None:
        self._home, self._agent = home, home.register()
        self._away_since: Optional[float] = None
        self._begun: Set[str] = set()
        self._failed: Set[str] = set()  # of those

    @property
    def held(self) -> Collection[int]:
        """What trials are to inherit."""
        return self._home.held_by(self._agent)

    def note_failed(self, run: str) -> None:
        """Nothing of this trial is on its way to the sweep that would make waiting for it worth while."""
        self._failed.add(run)

    def beat(self, alive: Any) -> List[Command]:
        """Raises CommError where the sweep has been out of reach for too long, or is gone."""
        try:
            commands = self._home.beat(self._agent, alive)
        except CommError as error:
            now = time.monotonic()
            if self._away_since is None:
                self._away_since = now
                termwarn(f"the sweep is out of reach ({error}); trials go on, and it is asked again")
            if not alive and now - self._away_since > _AWAY_SECONDS:
                raise
            return []
        self._away_since = None
        # A sweep that hasn't heard yet that a trial was begun, or even ended, hands it out again.
        known = {command.run_id for command in commands if command.kind == RUN} & self._begun
        self._begun |= {command.run_id for command in commands if command.kind == RUN}
        if known & self._failed:
            self._failed -= known
            return self.beat(alive)
        return [command for command in commands if command.run_id not in known]


# --- trials as processes ----------------------------------------------------------------------------------------------


class ProcessAgent:
    """Runs a sweep's command, one trial at a time, until the sweep is over or `count` trials have run."""

    def __init__(
        self,
        home: SweepHome,
        count: Optional[int] = None,
        forward_signals: bool = False,
        term_timeout: Optional[float] = None,
        consecutive_failures_max: Optional[int] = None,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        """forward_signals: pass on what this process gets, instead of leaving it to the terminal. term_timeout: seconds
        that trials have to end after SIGTERM. Raises wandb.Error where there is no such sweep."""
        config = home.config
        delay = float(os.environ.get("WANDB_AGENT_KILL_DELAY") or 30.0) if term_timeout is None else term_timeout
        self._home, self._count, self._forward = home, count, forward_signals
        self._trials = Trials(home, config.get("command"), config.get("program"), forward_signals, delay)
        self._failures = Failures(consecutive_failures_max)
        self._talk = _Talk(home)
        self._beat_seconds = beat_seconds
        self._wake = Wake()
        self._begun = 0
        self._stopped: Set[str] = set()
        self._signals: List[int] = []  # that came, the oldest first
        self._leaving = False
        self._due = 0.0  # when the sweep is asked next

    def run(self) -> int:
        """Work until there is nothing left to do; returns the process's exit code."""
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            return self._loop()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _loop(self) -> int:
        while True:
            for run, code in self._trials.ended().items():
                self._note_end(run, code)
                self._due = 0.0  # the next one, then
            if self._leaving and not self._trials.alive:
                return 0 if not self._signals else 128 + self._signals[0]
            verdict = self._failures.verdict
            if verdict and not self._trials.alive:
                termerror(f"the agent gives up: {verdict}")
                return 1
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + self._beat_seconds
                self._obey(self._talk.beat(self._trials.alive))
            self._wake.wait(_LOOK_SECONDS)

    def _note_end(self, run: str, code: int) -> None:
        asked = run in self._stopped or bool(self._signals)
        self._failures.note(code != 0 and not asked)
        if code != 0:
            self._talk.note_failed(run)
        how = "has ended" if code == 0 else f"ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        termlog(f"trial {run} {how}")
        if self._count is not None and self._begun >= self._count:
            self._leaving = True

    def _obey(self, commands: List[Command]) -> None:
        for command in commands:
            if command.kind == EXIT:
                termlog(f"the sweep {self._home.id} has nothing left to try")
                self._leaving = True
            elif command.kind == STOP:
                termlog(f"trial {command.run_id} is stopped")
                self._stopped.add(command.run_id)
                self._trials.stop(command.run_id)
            elif command.kind in (RUN, RESUME) and not self._leaving and not self._trials.alive:
                self._begin(command)

    def _begin(self, command: Command) -> None:
        values = ", ".join(f"{name}={entry['value']}" for name, entry in command.arguments.items())
        termlog(f"trial {command.run_id}{' goes on' if command.kind == RESUME else ''}: {values}")
        self._begun += 1
        try:
            words = self._trials.begin(command, self._talk.held)
        except OSError as error:
            termerror(f"the trial can't be started: {error}")
            self._note_end(command.run_id, 1)
            return
        termlog(" ".join(words))
        self._due = 0.0  # say at once that it was begun

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        self._signals.append(number)
        self._leaving = True
        if self._forward:
            self._trials.signal_all(number)
        elif number == signal.SIGTERM or len(self._signals) > 1:
            for run in self._trials.alive:
                self._trials.stop(run)
        if len(self._signals) > 2:
            self._trials.signal_all(signal.SIGKILL)
        self._wake.set()


# --- trials as calls --------------------------------------------------------------------------------------------------


class FunctionAgent:
    """Calls a function for each trial, in the thread that runs the agent."""

    def __init__(
        self, home: SweepHome, function: Callable[[], Any], count: Optional[int], beat_seconds: float = BEAT_SECONDS
    ) -> None:
        self._home, self._function, self._count = home, function, count
        self._beat_seconds = beat_seconds
        self._talk = _Talk(home)
        self._stopped = False

    def run(self) -> None:
        """Work until there is nothing left to do. KeyboardInterrupt by the user ends the trial and the agent."""
        failures, begun = Failures(), 0
        pause = threading.Event()  # which nobody sets
        while self._count is None or begun < self._count:
            commands = self._talk.beat(())
            if any(command.kind == EXIT for command in commands):
                return
            command = next((command for command in commands if command.kind in (RUN, RESUME)), None)
            if command is None:
                pause.wait(self._beat_seconds)
                continue
            begun += 1
            well = self._try(command)
            failures.note(not well)
            if not well:
                self._talk.note_failed(command.run_id)
            if failures.verdict:
                raise Error(f"the agent gives up: {failures.verdict}")

    def _try(self, command: Command) -> bool:
        """Whether the trial went well."""
        from ..sdk.wandb_init import finish

        self._stopped = False
        ended = threading.Event()
        beats = threading.Thread(
            target=self._keep_beating, args=(command.run_id, ended), daemon=True, name="wandb-agent"
        )
        wanted = trial_environment(self._home, command, write_parameters(self._home, command))
        before: Dict[str, Optional[str]] = {name: os.environ.get(name) for name in (*wanted, "WANDB_RESUME")}
        os.environ.update(wanted)
        beats.start()
        code = 1
        try:
            self._function()
            code = 0
        except KeyboardInterrupt:
            code = 255
            if not self._stopped:
                raise
            termlog(f"trial {command.run_id} was stopped")
        except Exception:
            termerror(f"trial {command.run_id} failed:\n{traceback.format_exc()}")
        finally:
            ended.set()
            finish(code)
            # A beat that is under way would tell the sweep of this trial when the next one has begun.
            beats.join(_LAST_BEAT_SECONDS)
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        return code == 0 or self._stopped

    def _keep_beating(self, run: str, ended: threading.Event) -> None:
        wait = 0.0  # say at once that it was begun
        while not ended.wait(wait):
            wait = self._beat_seconds
            try:
                commands = self._talk.beat((run,))
            except Error:
                continue  # said already; the trial goes on
            if any(command.kind == STOP and command.run_id == run for command in commands) and not self._stopped:
                self._stopped = True
                signal.raise_signal(signal.SIGINT)
