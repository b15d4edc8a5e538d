"""The words of every event and notice that the user reads during a run."""

from __future__ import annotations

import os
from collections.abc import Iterable

from reloader.common import trust
from reloader.common.lazy_pattern import lazy_pattern
from reloader.common.run_folder import absolute, relative
from reloader.errors import ReloaderError
from reloader.messages import events, notices
from reloader.settings import ALIVE_IS_READY, Settings, StopTarget, signal_name
from reloader.showing.console import Weight, printable
from reloader.showing.links import rendered
from reloader.showing.phrases import (
    changed,
    counted,
    exit_shown,
    lowered,
    path_linked,
    paths_shown,
    processes_shown,
    span,
    unchanged,
)
from reloader.showing.report import status_line

# How many of the processes that are killed are named; the rest are counted.
NAMED = 6
# How to raise a limit of inotify, by a part of the error that watching fails with.
_REMEDIES = {
    "watch limit": "sudo sysctl fs.inotify.max_user_watches=524288; reloader doctor counts what is needed",
    "too many open files": "sudo sysctl fs.inotify.max_user_instances=1024",
}


# The line of a compiler's message that names the file and the line.
_PLACE = lazy_pattern(r'\s*File "(.+)", line (\d+)$')
# Narrow enough for any terminal.
_KEYS = """\
r  restart          k  kill now, during a drain
p  pause, resume    s  status
c  clear            q  quit
h  this help        Enter  an empty line
Ctrl-C drains and quits; at a prompt, press twice"""


def word(notice: notices.Notice, settings: Settings, links: bool = False) -> tuple[str, Weight]:
    """The text, which may have several lines, and its importance. With `links`, paths are hyperlinks."""
    text, weight = _Words(settings).of(notice)
    return rendered(text, links), weight


def is_shown(weight: Weight, verbosity: int) -> bool:
    """Whether a line of this weight is shown at this verbosity."""
    if weight is Weight.DETAIL:
        return verbosity > 0
    return verbosity >= 0 or weight is Weight.STRONG


class _Words:
    def __init__(self, settings: Settings) -> None:
        self.name = printable(settings.name)
        self.settings = settings

    def of(self, notice: notices.Notice) -> tuple[str, Weight]:
        match notice:
            case notices.Recognised():
                return self._recognised(), Weight.DETAIL
            case notices.Caution(what, remedy):
                return f"{printable(what)}\nhint: {printable(remedy)}", Weight.PLAIN
            case events.TreeKnown(files, folders):
                where = ", ".join(path_linked(path) for path in self.settings.watch)
                sizes = f"{counted(files, 'file')} in {counted(folders, 'folder')}"
                if files:
                    return f"watching {where} ({sizes})", Weight.ROUTINE
                text = f"watching {where} ({sizes}), so that no save restarts {self.name} yet"
                hint = "reloader doctor tells which rules leave files out; --include or --watch bring them in"
                return f"{text}\nhint: {hint}", Weight.STRONG
            case notices.Started(pid, _, _, None, _, None | 1):
                return f"{self.called(notice.generation)} started (pid {pid})", Weight.PLAIN
            case notices.Started(pid, total, detect, drain, kind, number):
                took = f"detect {detect:.2f}{_drain(drain)}, pid {pid}{_start_kind(kind)}"
                return f"{self.called(number)} started in {total:.2f} s ({took})", Weight.PLAIN
            case notices.Ready(_, total, _, _, None, _, None | 1):
                return f"ready in {total:.2f} s", Weight.PLAIN
            case notices.Ready(_, total, detect, start, drain, kind, number):
                took = f"detect {detect:.2f}{_drain(drain)}, start {start:.2f}{_start_kind(kind)}"
                who = "" if number is None else f"{self.called(number)} "
                return f"{who}ready in {total:.2f} s ({took})", Weight.PLAIN
            case events.TemplateBuilt(modules, seconds):
                count = counted(modules, "module")
                return f"{count} preloaded in {seconds:.1f} s; the next start is warm", Weight.DETAIL
            case events.TemplateFailed(why):
                return f"starts stay cold: {printable(why)}", Weight.DETAIL
            case notices.WarmInVain(why):
                return f"{printable(why)} → restarting {self.name}, cold", Weight.STRONG
            case notices.LaunchTakesLong(seconds):
                text = f"{self.name} could not be started for {seconds:g} s: the forkserver does not answer"
                return f"{text} → starting another one", Weight.STRONG
            case notices.AssumedReady(timeout):
                text = f"no line matched {self.settings.ready!r} within {timeout:g} s; taken as ready"
                return text, Weight.PLAIN
            case notices.NotReady(timeout, number, other):
                text = f"{self.called(number)} was not ready within {timeout:g} s → draining it"
                text = f"{text}; {self.called(other)} goes on with the last good code"
                return f"{text}\nhint: {self._option('start_timeout')} sets the limit", Weight.STRONG
            case notices.Draining():
                return self._draining(notice), Weight.STRONG
            case notices.StillDraining(drains, _, alive):
                text = f"still draining {' and '.join(self._drain(one) for one in drains)}"
                busy = [f"{printable(one.name)} (pid {one.pid}) {one.cpu:.0f} %" for one in alive]
                return ": CPU of ".join([text, *([", ".join(busy)] if busy else [])]), Weight.PLAIN
            case notices.Drained(elapsed, number):
                return f"{self.called(number)} ended after {elapsed:.2f} s", Weight.ROUTINE
            case notices.Killing():
                return self._killing(notice), Weight.STRONG
            case notices.TaskKilled():
                known = printable(f"{self.settings.preset}: {self.settings.killed}")
                return f"if a task was in flight: {known}", Weight.PLAIN
            case notices.Unkillable(seconds, number, _):
                name = self.called(number)
                text = f"a process of {name} has survived SIGKILL for {seconds:.0f} s"
                hint = "a process in state D in `ps -eo pid,stat,cmd` hangs in the kernel"
                if notice.refused:
                    text = f"{name} runs as another user and is still there after {seconds:.0f} s"
                    hint = "--sudo-kill lets sudo end it"
                return f"{text}\nhint: {hint}", Weight.STRONG
            case notices.EndedItself():
                return self._ended(notice), Weight.STRONG
            case notices.CannotStart():
                return self._cannot_start(notice), Weight.STRONG
            case notices.StartingAgain(changes):
                return f"{changed(changes)} → starting {self.name}" if changes else f"starting {self.name}", (
                    Weight.STRONG
                )
            case notices.StartingBeside(changes, number):
                why = changed(changes) if changes else "restart asked"
                return f"{why} → starting {self.called(number)}", Weight.STRONG
            case events.MemoryShort(_, needed, free):
                sizes = f"{free / 1e6:.0f} MB are free, and {self.name} uses {needed / 1e6:.0f} MB"
                return f"{sizes} → the old one drains first", Weight.PLAIN
            case notices.NoLineCame():
                text = f"no line has matched {self.settings.ready!r} so far → the old one drains first"
                return f"{text}\nhint: {self._option('ready')} sets the pattern of its line", Weight.PLAIN
            case notices.AddressInUse(addresses, number):
                ports = all(one.isdecimal() for one in addresses)
                named = ("port " if ports else "") + " or ".join(map(printable, addresses))
                text = f"{self.called(number)} found {named} in use by the old one"
                return (
                    f"{text} → the old one drains first from now on\nhint: --no-overlap makes that permanent",
                    Weight.STRONG,
                )
            case notices.AwaitingRoom(numbers, most):
                awaited = " or ".join(self.called(number) for number in numbers)
                text = f"{counted(most, 'generation')} may drain at once → waiting for {awaited} to end"
                option = self._option("max_draining")
                return f"{text}\nhint: k kills the draining ones; {option} allows more", Weight.PLAIN
            case notices.ChangesMeanwhile(changes):
                return f"{changed(changes)} as well; the restart under way includes it", Weight.ROUTINE
            case notices.WasUnchanged(files):
                return unchanged(files), Weight.ROUTINE
            case notices.WaitingForGit(operation):
                return f"waiting for {printable(operation)} to end", Weight.ROUTINE
            case notices.WaitingForFiles(paths, how, limit):
                what = {
                    events.Unfinished.GROWS: "growing",
                    events.Unfinished.EMPTY: "empty",
                    events.Unfinished.OPEN: "being written",
                    events.Unfinished.GONE: "gone with its folder",
                }.get(how, "perhaps half written")
                be = "is" if len(paths) == 1 else "are"
                return f"{paths_shown(paths)} {be} {what} → waiting for at most {limit:g} s", Weight.ROUTINE
            case notices.Checking(changes, command):
                return f"{changed(changes)} → {printable(command)}", Weight.ROUTINE
            case notices.Held():
                return self._held(notice), Weight.STRONG
            case notices.BrokenUnread(paths, error):
                why = f" ({printable(error)})" if error else ""
                these = "it" if len(paths) == 1 else "them"
                what = f"{paths_shown(paths)} cannot be compiled{why}"
                return f"{what}; {self.name} does not import {these} → no restart", Weight.PLAIN
            case notices.Released():
                return f"the broken change is gone; the files are again what {self.name} runs", Weight.PLAIN
            case notices.SetAside():
                return self._set_aside(notice), Weight.STRONG
            case events.PathsIgnored(paths, why, source, line):
                where = path_linked(source, line) if os.path.isabs(source) else printable(source)
                reason = ", ".join(filter(None, (printable(why), where)))
                return f"ignored: {paths_shown(paths)} ({reason})", Weight.DETAIL
            case events.PatternIdle(option, pattern):
                text = f"{printable(option)} {_quoted(printable(pattern))} matches nothing"
                return f"{text}; reloader why PATH tells which rules apply to a path", Weight.PLAIN
            case events.AlsoWatched(paths, is_tracked):
                these = "it" if len(paths) == 1 else "them"
                why = f"Git has {these} in its index" if is_tracked else f"{self.name} imports {these}"
                return f"watching {paths_shown(paths)} as well, since {why}", Weight.DETAIL
            case events.ImportedBeside(folders):
                return self._imported_beside(folders), Weight.PLAIN
            case events.ContentsKnown(files, kept):
                return (
                    f"the content of {counted(files, 'file')} is known ({kept / 1e6:.1f} MB kept)",
                    Weight.DETAIL,
                )
            case notices.NothingNew():
                return "checked the files: nothing new", Weight.DETAIL
            case notices.NothingChanged():
                return "checked the files: none that counts has changed", Weight.DETAIL
            case events.LeftoversFound(_, processes):
                return f"ending what {self.name} left behind: {processes_shown(processes)}", Weight.PLAIN
            case events.TargetDoubtful(_, processes):
                return (
                    f"cannot tell which process is the worker: the stop signal goes to "
                    f"{processes_shown(processes)}\n"
                    "hint: --stop-target leader signals only the first process, tree signals all"
                ), Weight.STRONG
            case events.TargetUnmoved(_, processes):
                stop = signal_name(self.settings.stop_signal)
                return (
                    f"{processes_shown(processes)} got {stop} a second ago, and no process below has ended: "
                    "perhaps the signal is not passed on\nhint: --stop-target tree signals every process"
                ), Weight.STRONG
            case events.SignalRefused(_, processes):
                pids = " ".join(str(process.pid) for process in processes)
                by_hand = f"sudo kill -{signal_name(self.settings.stop_signal)} {pids}"
                return (
                    f"not allowed to signal processes of another user: {processes_shown(processes)}\n"
                    f"hint: --sudo-kill lets sudo do it; by hand: {by_hand}"
                ), Weight.STRONG
            case events.CacheIgnored(path, reason):
                return f"does not use {path_linked(path)}: {printable(lowered(reason))}", Weight.ROUTINE
            case events.RulesRefused(path, owner):
                text = f"does not follow {path_linked(path)}: it belongs to {printable(owner)}"
                return f"{text}\nhint: {printable(trust.remedy(path))}", Weight.STRONG
            case events.SettingsRefused(what, remedy):
                text = f"{printable(what)} → goes on with the settings as they were"
                return f"{text}\nhint: {printable(remedy)}" if remedy else text, Weight.STRONG
            case notices.BeginningAnew(changes):
                return f"{changed(changes)} → begins anew with them", Weight.PLAIN
            case events.PathUnreadable(path, reason):
                text = f"cannot watch {path_linked(path)}: {lowered(reason)}; changes in it go unnoticed"
                return f"{text}\nhint: make it readable, or --ignore it", Weight.STRONG
            case notices.AwaitingPrompt(limit):
                return (
                    f"{self.name} waits for input → it restarts after that\n"
                    f"hint: a change after {limit:.0f} s restarts it all the same; "
                    "--no-hold restarts at once, even if the code does not compile"
                ), Weight.STRONG
            case notices.PromptStays(limit):
                return (
                    f"{self.name} has waited for input for {limit:.0f} s → "
                    "save once more to restart it all the same"
                ), Weight.STRONG
            case notices.InterruptIgnored(pid):
                return (
                    "Ctrl-C is ignored here, as in every program that a script starts with &\n"
                    f"hint: kill {pid} ends the run"
                ), Weight.PLAIN
            case notices.InterruptPassed():
                text = f"Ctrl-C went to {self.name}, which waits for input"
                return f"{text}; press it twice within a second to quit", Weight.PLAIN
            case notices.KeysAre():
                return _KEYS, Weight.PLAIN
            case notices.Status():
                return status_line(notice, self.name), Weight.PLAIN
            case events.ListeningFailed(reason):
                return f"reloader status will not find this run: {printable(reason)}", Weight.DETAIL
            case notices.Paused():
                return "watching is paused; p resumes it", Weight.PLAIN
            case notices.Unpaused():
                return "watching goes on", Weight.PLAIN
            case events.GuardLost(_):
                return "the guard was killed; the next start makes another", Weight.STRONG
            case events.WatchingFailed(reason, interval):
                text = f"the system sends no file events: {printable(lowered(reason))}"
                hint = next(
                    (f"\nhint: {remedy}" for sign, remedy in _REMEDIES.items() if sign in lowered(reason)), ""
                )
                return f"{text}\nthe files are looked at every {interval:g} s instead{hint}", Weight.STRONG
            case events.OutputFailed(stream, reason):
                text = f"cannot write to {printable(stream)}: {printable(lowered(reason))}"
                return f"{text}; {self.name} goes on, and its output there is lost", Weight.STRONG
            case events.OutputRecovered(stream, lost):
                text = f"{printable(stream)} can be written to again"
                return f"{text}; {counted(lost, 'byte')} were lost", Weight.STRONG
            case events.SourceFailed(source, error):
                text = f"a fault of reloader itself, in {source}: {printable(error)}"
                return f"{text}\nhint: please report it; the worker is drained now", Weight.STRONG

    def called(self, generation: int | None) -> str:
        """The worker's name, with the number of the generation if there can be several."""
        return self.name if generation is None else f"{self.name}.{generation}"

    def _drain(self, drain: notices.DrainOf) -> str:
        limit = "no limit" if drain.left is None else f"SIGKILL in {drain.left:.0f} s"
        return f"{self.called(drain.generation)} after {drain.elapsed:.0f} s ({limit})"

    def _recognised(self) -> str:
        settings = self.settings
        whom = {StopTarget.LEADER: " to the first process", StopTarget.TREE: " to every process"}
        stop = f"{signal_name(settings.stop_signal)}{whom.get(settings.stop_target, '')}"
        limit = "no limit" if settings.stop_timeout is None else f"at most {settings.stop_timeout:g} s"
        ready = f"at '{settings.ready}'" if settings.ready else f"when alive for {ALIVE_IS_READY:g} s"
        no_overlap = f"no overlap: {settings.apart}" if settings.apart else "no overlap"
        overlap = "overlap" if settings.overlap else no_overlap
        return printable(f"{settings.preset or 'no known worker'}: {stop}, {limit}, ready {ready}, {overlap}")

    def _killing(self, notice: notices.Killing) -> str:
        there = [
            f"{printable(one.name)} (pid {one.pid}) for {span(one.age)}, CPU {one.cpu:.0f} %"
            for one in notice.alive[:NAMED]
        ]
        if len(notice.alive) > NAMED:
            there.append(f"{len(notice.alive) - NAMED} more")
        still = f"; still there: {', '.join(there)}" if there else ""
        name = self.called(notice.generation)
        if notice.timeout is None:
            return f"killing {name}{still}"
        text = f"{name} did not end within {notice.timeout:g} s → SIGKILL to its whole process tree{still}"
        return f"{text}\nhint: {self._option('stop_timeout')} sets the limit; with none it waits for ever"

    def _draining(self, notice: notices.Draining) -> str:
        name = self.called(notice.generation) + (f" (pid {notice.pid})" if notice.pid is not None else "")
        if notice.successor is not None:
            return f"{self.called(notice.successor)} is at work → draining {name}"
        if not notice.quitting:
            why = changed(notice.changes) if notice.changes else "restart asked"
            return f"{why} → draining {name}"
        limit = "for as long as it takes" if notice.timeout is None else f"for at most {notice.timeout:g} s"
        return f"draining {name} {limit}; Ctrl-C again kills it"

    def _imported_beside(self, folders: tuple[str, ...]) -> str:
        be, these = ("is", "it") if len(folders) == 1 else ("are", "them")
        text = f"{self.name} imports from {paths_shown(folders)}, which {be} not watched"
        source, file = self.settings.origin("watch")
        shown = [printable(min(relative(path), path, key=len)) for path in folders]
        if file:
            return f"{text}\nhint: add {these} to {printable(source)}"
        options = " ".join(
            f"--watch {_quoted(path)}" for path in (*map(printable, self.settings.watch), *shown)
        )
        return f"{text}\nhint: {options}"

    def _held(self, notice: notices.Held) -> str:
        if notice.missing is not None:
            why = f"there is no {printable(notice.missing)} → {self.name} goes on with the code that it has"
            return f"{changed(notice.changes)}, but {why}\nhint: it restarts once that is there again"
        why = "cannot be compiled" if notice.command is None else f"{printable(notice.command)} failed"
        where = _PLACE.match(notice.report[0]) if notice.report and notice.command is None else None
        if where is not None:
            why = f"{path_linked(where[1], int(where[2]))} {why}"
        lines = [printable(line) for line in notice.report]
        head = f"{changed(notice.changes)}, but {why} → {self.name} goes on with the last good code"
        hint = "hint: a save that mends it restarts; --no-hold restarts regardless"
        if where is not None:
            hint += f"; to ignore it: {self._ignoring(where[1])}"
        return "\n".join([head, *lines, hint])

    def _set_aside(self, notice: notices.SetAside) -> str:
        shown = path_linked(notice.path)
        if notice.by_worker:
            text = f"{self.name} writes {shown} after every start"
            text = f"{text} → it restarts nothing for {span(notice.seconds)}"
            return f"{text}\nhint: {self._ignoring(notice.path)}"
        if notice.seconds < 60:
            text = f"{shown} caused {notice.restarts} restarts within {span(notice.within)}"
            return f"{text} → waiting for {notice.seconds:g} s without changes"
        text = f"{shown} changes after every start → it restarts nothing for {span(notice.seconds)}"
        return f"{text}\nhint: if {self.name} writes it: {self._ignoring(notice.path)}"

    def _option(self, name: str) -> str:
        """An option by the place where the user has set it."""
        return printable(self.settings.origin(name)[0])

    def _ignoring(self, path: str) -> str:
        """What to write for a pattern that matches only this path, as far as it can be shown."""
        source, folder = self.settings.origin("ignore")
        if source.startswith("--"):
            return f"--ignore {_quoted(self._pattern(path, self.settings.watch))}"
        pattern = self._pattern(path, (folder,) if folder else self.settings.watch)
        return f'add "{pattern}" to {printable(source)}'

    def _pattern(self, path: str, folders: Iterable[str]) -> str:
        """The path in one of these folders, from there on, or its name alone."""
        try:
            path = absolute(path)
            for root in map(absolute, folders):
                if path.startswith(root.rstrip("/") + "/"):
                    return "/" + printable(os.path.relpath(path, root))
        except ReloaderError:
            pass  # the current folder is gone
        return printable(os.path.basename(path))

    def _ended(self, notice: notices.EndedItself) -> str:
        failed = notice.status != events.ExitStatus(code=0)
        how = exit_shown(notice.status)
        when = "at its start" if notice.crashed_at_start else f"after {span(notice.after)}"
        text = f"{self.called(notice.generation)} {'crashed' if failed else 'ended by itself'} {when} ({how})"
        if notice.other is None:
            return text + _then(notice.retry_in, notice.quitting)
        if notice.other < (notice.generation or 0):
            return f"{text} → {self.called(notice.other)} goes on with the last good code"
        return f"{text} → {self.called(notice.other)} takes its place"

    def _cannot_start(self, notice: notices.CannotStart) -> str:
        goes_on = f" → {self.called(notice.other)} goes on"
        then = _then(notice.retry_in, False) if notice.other is None else goes_on
        text = printable(notice.reason) + then
        return f"{text}\nhint: {printable(notice.remedy)}" if notice.remedy else text


def _drain(took: float | None) -> str:
    """How long the drain took, as a part of a list."""
    return "" if took is None else f", drain {took:.2f}"


def _start_kind(kind: events.StartKind | None) -> str:
    """Whether the start was warm, as the end of a list."""
    match kind:
        case events.WarmStart():
            return ", warm"
        case events.ColdStart(why):
            return f", cold: {printable(why)}"
    return ""


def _then(retry_in: float | None, quitting: bool) -> str:
    if quitting:
        return ""
    if retry_in is not None:
        return f" → starting again in {retry_in:g} s, or on the next change"
    return " → waiting for a change"


def _quoted(word: str) -> str:
    """The word as a shell takes it."""
    import shlex  # here, since the first worker's start need not wait for it

    return shlex.quote(word)
