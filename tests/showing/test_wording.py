"""What the user reads: every notice has words, and no name or path can disturb the terminal."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reloader.messages import events, notices
from reloader.messages.base import Message
from reloader.settings import Settings
from reloader.showing.console import Weight, printable
from reloader.showing.links import rendered
from reloader.showing.phrases import changed, exit_shown, path_linked, path_shown
from reloader.showing.wording import is_shown, word

SETTINGS = Settings(
    command=("worker",),
    name="qcluster",
    preset="django-q2",
    ready="running",
    stop_signal=signal.SIGINT,
    stop_timeout=60.0,
    killed="it is lost",
    apart="it is set so",
)
EDIT = (events.Change("tasks.py", events.Kind.CHANGED),)
CRASH = events.ExitStatus(code=1)

# Every notice, in every form that it comes in, and its words.
WORDS: list[tuple[notices.Notice, str]] = [
    (notices.Recognised(), "django-q2: SIGINT, at most 60 s, ready at 'running', no overlap: it is set so"),
    (notices.Caution("celery: beware", "do this"), "celery: beware\nhint: do this"),
    (notices.TaskKilled(), "if a task was in flight: django-q2: it is lost"),
    (events.TreeKnown(1, 1), "watching . (1 file in 1 folder)"),
    (events.TreeKnown(2345, 12), "watching . (2,345 files in 12 folders)"),
    (events.PathsIgnored(("a.log",), "*.log", "built-in", 3), "ignored: a.log (*.log, built-in)"),
    (events.PathsIgnored(("a.txt",), "it is no code", "", 0), "ignored: a.txt (it is no code)"),
    (
        events.PathsIgnored(("a", "b"), "/*", os.path.abspath(".gitignore"), 3),
        "ignored: a and b (/*, .gitignore:3)",
    ),
    (
        notices.AwaitingPrompt(60.0),
        "qcluster waits for input → it restarts after that\n"
        "hint: a change after 60 s restarts it all the same; "
        "--no-hold restarts at once, even if the code does not compile",
    ),
    (
        notices.PromptStays(60.0),
        "qcluster has waited for input for 60 s → save once more to restart it all the same",
    ),
    (
        notices.InterruptIgnored(4711),
        "Ctrl-C is ignored here, as in every program that a script starts with &\nhint: kill 4711 ends the run",
    ),
    (
        notices.InterruptPassed(),
        "Ctrl-C went to qcluster, which waits for input; press it twice within a second to quit",
    ),
    (
        notices.KeysAre(),
        "r  restart          k  kill now, during a drain\n"
        "p  pause, resume    s  status\n"
        "c  clear            q  quit\n"
        "h  this help        Enter  an empty line\n"
        "Ctrl-C drains and quits; at a prompt, press twice",
    ),
    (
        notices.Status("ready", 3, (notices.StatusOf("ready", 4711, 3, 61.0, events.WarmStart()),), False),
        "qcluster is ready, pid 4711, up for 1 min 1 s, warm, generation 3",
    ),
    (
        notices.Status(
            "ready",
            1,
            (notices.StatusOf("ready", 4711, 1, 61.0, events.ColdStart("no template yet")),),
            False,
        ),
        "qcluster is ready, pid 4711, up for 1 min 1 s, cold (no template yet), generation 1",
    ),
    (
        notices.Status(
            "starting",
            4,
            (notices.StatusOf("starting", 4712, 4, 1.0), notices.StatusOf("ready", 4711, 3, 61.0)),
            False,
        ),
        "qcluster is starting, pid 4712, up for 1.0 s, generation 4, "
        "qcluster.3 is ready, pid 4711, up for 1 min 1 s",
    ),
    (
        notices.Status("held", 4, (notices.StatusOf("ready", 4711, 3, 61.0),), False),
        "qcluster is held, generation 4, qcluster.3 is ready, pid 4711, up for 1 min 1 s",
    ),
    (
        notices.Status("exited", 3, (), True),
        "qcluster is exited, generation 3, watching is paused (p resumes it)",
    ),
    (
        notices.Status(
            "ready",
            3,
            (notices.StatusOf("ready", 4711, 3, 1.0),),
            False,
            (notices.Pending(notices.Wait.MEND, EDIT),),
        ),
        "qcluster is ready, pid 4711, up for 1.0 s, generation 3, "
        "tasks.py changed and held back: the code is broken",
    ),
    (
        notices.StartingBeside((events.Change(os.path.abspath("tasks.py"), events.Kind.CHANGED),), 2),
        "tasks.py changed → starting qcluster.2",
    ),
    (notices.StartingBeside((), 2), "restart asked → starting qcluster.2"),
    (
        notices.AwaitingRoom((1, 2), 2),
        "2 generations may drain at once → waiting for qcluster.1 or qcluster.2 to end\n"
        "hint: k kills the draining ones; --max-draining allows more",
    ),
    (
        events.MemoryShort(2, 123_456_789, 50_000_000),
        "50 MB are free, and qcluster uses 123 MB → the old one drains first",
    ),
    (
        events.TargetDoubtful(1, (events.ProcessInfo(7, "./a"), events.ProcessInfo(8, "./b"))),
        "cannot tell which process is the worker: the stop signal goes to ./a (pid 7), ./b (pid 8)\n"
        "hint: --stop-target leader signals only the first process, tree signals all",
    ),
    (
        events.TargetUnmoved(1, (events.ProcessInfo(7, "runner work"),)),
        "runner work (pid 7) got SIGINT a second ago, and no process below has ended: perhaps the signal is not passed on\n"
        "hint: --stop-target tree signals every process",
    ),
    (
        events.SignalRefused(1, (events.ProcessInfo(7, "python work.py"),)),
        "not allowed to signal processes of another user: python work.py (pid 7)\n"
        "hint: --sudo-kill lets sudo do it; by hand: sudo kill -SIGINT 7",
    ),
    (
        notices.AddressInUse(("5678",), 2),
        "qcluster.2 found port 5678 in use by the old one → the old one drains first from now on\n"
        "hint: --no-overlap makes that permanent",
    ),
    (
        notices.AddressInUse(("5678", "/run/a.sock"), 2),
        "qcluster.2 found 5678 or /run/a.sock in use by the old one → the old one drains first from now on\n"
        "hint: --no-overlap makes that permanent",
    ),
    (
        notices.NoLineCame(),
        "no line has matched 'running' so far → the old one drains first\n"
        "hint: --ready sets the pattern of its line",
    ),
    (notices.Started(4711, 0.1, 0.0, None, events.WarmStart(), 1), "qcluster.1 started (pid 4711)"),
    (
        notices.Started(4711, 0.1, 0.06, None, events.WarmStart(), 2),
        "qcluster.2 started in 0.10 s (detect 0.06, pid 4711, warm)",
    ),
    (notices.Ready(4711, 0.2, 0.06, 0.14, None, events.WarmStart(), 1), "ready in 0.20 s"),
    (
        notices.Ready(4711, 0.2, 0.06, 0.14, None, events.WarmStart(), 2),
        "qcluster.2 ready in 0.20 s (detect 0.06, start 0.14, warm)",
    ),
    (
        notices.NotReady(30.0, 2, 1),
        "qcluster.2 was not ready within 30 s → draining it; "
        "qcluster.1 goes on with the last good code\nhint: --start-timeout sets the limit",
    ),
    (
        notices.Draining(4711, (), signal.SIGINT, 10.0, False, 1, 2),
        "qcluster.2 is at work → draining qcluster.1 (pid 4711)",
    ),
    (
        notices.StillDraining(
            (notices.DrainOf(4711, 5.0, 5.0, 1), notices.DrainOf(4712, 2.0, None, 2)), True
        ),
        "still draining qcluster.1 after 5 s (SIGKILL in 5 s) and qcluster.2 after 2 s (no limit)",
    ),
    (notices.Drained(0.5, 1), "qcluster.1 ended after 0.50 s"),
    (notices.Killing(4711, None, generation=1), "killing qcluster.1"),
    (
        notices.EndedItself(events.ExitStatus(code=1), 0.3, True, None, False, 2, 1),
        "qcluster.2 crashed at its start (exit status 1) → qcluster.1 goes on with the last good code",
    ),
    (
        notices.EndedItself(events.ExitStatus(code=0), 3.0, False, None, False, 1, 2),
        "qcluster.1 ended by itself after 3.0 s (exit status 0) → qcluster.2 takes its place",
    ),
    (notices.CannotStart("cannot run x: no", "", None, 1), "cannot run x: no → qcluster.1 goes on"),
    (notices.Paused(), "watching is paused; p resumes it"),
    (notices.Unpaused(), "watching goes on"),
    (events.GuardLost(1), "the guard was killed; the next start makes another"),
    (notices.Started(4711, 0.1, 0.0, None), "qcluster started (pid 4711)"),
    (
        notices.Started(4711, 1.25, 0.06, 0.5),
        "qcluster started in 1.25 s (detect 0.06, drain 0.50, pid 4711)",
    ),
    (
        notices.Started(4711, 1.25, 0.06, 0.5, events.ColdStart("no template yet")),
        "qcluster started in 1.25 s (detect 0.06, drain 0.50, pid 4711, cold: no template yet)",
    ),
    (notices.Ready(4711, 1.25, 0.0, 1.25, None), "ready in 1.25 s"),
    (
        notices.Ready(None, 0.7, 0.06, 0.1, 0.5, events.WarmStart()),
        "ready in 0.70 s (detect 0.06, drain 0.50, start 0.10, warm)",
    ),
    (events.TemplateBuilt(1234, 2.54), "1,234 modules preloaded in 2.5 s; the next start is warm"),
    (events.TemplateFailed("gevent"), "starts stay cold: gevent"),
    (notices.WarmInVain("gevent patches it"), "gevent patches it → restarting qcluster, cold"),
    (
        events.ListeningFailed("/run/reloader: others can enter it"),
        "reloader status will not find this run: /run/reloader: others can enter it",
    ),
    (notices.Ready(None, 1.81, 0.06, 1.25, 0.5), "ready in 1.81 s (detect 0.06, drain 0.50, start 1.25)"),
    (
        notices.LaunchTakesLong(10.0),
        "qcluster could not be started for 10 s: the forkserver does not answer → starting another one",
    ),
    (notices.AssumedReady(30.0), "no line matched 'running' within 30 s; taken as ready"),
    (
        notices.Draining(4711, EDIT, signal.SIGINT, 10.0, False),
        "tasks.py changed → draining qcluster (pid 4711)",
    ),
    (notices.Draining(None, EDIT, signal.SIGINT, 10.0, False), "tasks.py changed → draining qcluster"),
    (notices.Draining(4711, (), signal.SIGINT, 10.0, False), "restart asked → draining qcluster (pid 4711)"),
    (
        notices.Draining(4711, (), signal.SIGINT, 10.0, True),
        "draining qcluster (pid 4711) for at most 10 s; Ctrl-C again kills it",
    ),
    (
        notices.Draining(4711, (), signal.SIGINT, None, True),
        "draining qcluster (pid 4711) for as long as it takes; Ctrl-C again kills it",
    ),
    (
        notices.StillDraining((notices.DrainOf(4711, 5.0, 5.0),), True),
        "still draining qcluster after 5 s (SIGKILL in 5 s)",
    ),
    (
        notices.StillDraining(
            (notices.DrainOf(4711, 60.0, None),),
            True,
            (notices.ProcessUse(4711, "python", 97.6), notices.ProcessUse(4712, "sh", 0.0)),
        ),
        "still draining qcluster after 60 s (no limit): CPU of python (pid 4711) 98 %, sh (pid 4712) 0 %",
    ),
    (notices.Drained(0.5), "qcluster ended after 0.50 s"),
    (notices.Killing(4711, None), "killing qcluster"),
    (
        notices.Killing(4711, None, (notices.ProcessUse(4711, "python", 97.6, 64.0),)),
        "killing qcluster; still there: python (pid 4711) for 1 min 4 s, CPU 98 %",
    ),
    (
        notices.Killing(
            4711,
            10.0,
            (notices.ProcessUse(4711, "python", 97.6, 64.0), notices.ProcessUse(4712, "sh", 0.0, 1.5)),
        ),
        "qcluster did not end within 10 s → SIGKILL to its whole process tree; still there: python (pid 4711) "
        "for 1 min 4 s, CPU 98 %, sh (pid 4712) for 1.5 s, CPU 0 %\n"
        "hint: --stop-timeout sets the limit; with none it waits for ever",
    ),
    (
        notices.Killing(4711, 10.0),
        "qcluster did not end within 10 s → SIGKILL to its whole process tree\n"
        "hint: --stop-timeout sets the limit; with none it waits for ever",
    ),
    (
        notices.Unkillable(5.0),
        "a process of qcluster has survived SIGKILL for 5 s\n"
        "hint: a process in state D in `ps -eo pid,stat,cmd` hangs in the kernel",
    ),
    (
        notices.EndedItself(CRASH, 0.2, True, None, False),
        "qcluster crashed at its start (exit status 1) → waiting for a change",
    ),
    (
        notices.EndedItself(events.ExitStatus(signal=signal.SIGSEGV), 90.0, False, 0.5, False),
        "qcluster crashed after 1 min 30 s (SIGSEGV) → starting again in 0.5 s, or on the next change",
    ),
    (
        notices.EndedItself(events.ExitStatus(code=0), 7260.0, False, None, True),
        "qcluster ended by itself after 2 h 1 min (exit status 0)",
    ),
    (
        notices.CannotStart("cannot run x: not found", "install it", None),
        "cannot run x: not found → waiting for a change\nhint: install it",
    ),
    (
        notices.CannotStart("cannot run x: not found", "", 2.0),
        "cannot run x: not found → starting again in 2 s, or on the next change",
    ),
    (notices.StartingAgain(EDIT), "tasks.py changed → starting qcluster"),
    (notices.StartingAgain(()), "starting qcluster"),
    (notices.ChangesMeanwhile(EDIT), "tasks.py changed as well; the restart under way includes it"),
    (
        notices.WasUnchanged((events.Unchanged("tasks.py", events.Sameness.BYTES),)),
        "tasks.py saved with the same content → no restart",
    ),
    (
        notices.WasUnchanged(
            (
                *(events.Unchanged(f"{n}.py", events.Sameness.SYNTAX) for n in "abc"),
                events.Unchanged("f", events.Sameness.BYTES),
            )
        ),
        "f saved with the same content, "
        "a.py, b.py and c.py saved with other comments or formatting only → no restart",
    ),
    (notices.WaitingForGit("rebase"), "waiting for rebase to end"),
    (notices.Checking(EDIT, "manage.py check"), "tasks.py changed → manage.py check"),
    (
        notices.Held(
            EDIT, None, ('  File "tasks.py", line 1', "    def (", "        ^", "SyntaxError: invalid syntax")
        ),
        "tasks.py changed, but tasks.py:1 cannot be compiled → qcluster goes on with the last good code\n"
        '  File "tasks.py", line 1\n    def (\n        ^\nSyntaxError: invalid syntax\n'
        "hint: a save that mends it restarts; --no-hold restarts regardless; "
        "to ignore it: --ignore /tasks.py",
    ),
    (
        notices.Held(EDIT, "manage.py check", ("oh", "(exit status 1)")),
        "tasks.py changed, but manage.py check failed → qcluster goes on with the last good code\n"
        "oh\n(exit status 1)\nhint: a save that mends it restarts; --no-hold restarts regardless",
    ),
    (
        notices.WaitingForFiles((os.path.abspath("a.py"),), events.Unfinished.EMPTY, 2.0),
        "a.py is empty → waiting for at most 2 s",
    ),
    (
        notices.WaitingForFiles((os.path.abspath("a.py"), "/x/b.py"), events.Unfinished.GROWS, 10.0),
        "a.py and /x/b.py are growing → waiting for at most 10 s",
    ),
    (
        notices.WaitingForFiles((os.path.abspath("shop/a.py"),), events.Unfinished.GONE, 2.0),
        "shop/a.py is gone with its folder → waiting for at most 2 s",
    ),
    (
        notices.BrokenUnread((os.path.abspath("tests/bad.py"),), "SyntaxError: no"),
        "tests/bad.py cannot be compiled (SyntaxError: no); qcluster does not import it → no restart",
    ),
    (
        notices.BrokenUnread((os.path.abspath("a.py"), "/x/b.py"), ""),
        "a.py and /x/b.py cannot be compiled; qcluster does not import them → no restart",
    ),
    (notices.Released(), "the broken change is gone; the files are again what qcluster runs"),
    (
        notices.SetAside("out.csv", 9, 60.0, 2.0),
        "out.csv caused 9 restarts within 1 min → waiting for 2 s without changes",
    ),
    (
        notices.SetAside(os.path.abspath("my data/out.csv"), 9, 60.0, 120.0),
        "my data/out.csv changes after every start → it restarts nothing for 2 min\n"
        "hint: if qcluster writes it: --ignore '/my data/out.csv'",
    ),
    (
        notices.SetAside(os.path.abspath("reports/*.html"), 3, 60.0, 60.0, by_worker=True),
        "qcluster writes reports/*.html after every start → it restarts nothing for 1 min\n"
        "hint: --ignore '/reports/*.html'",
    ),
    (
        events.PatternIdle("--ignore", "*.pyy"),
        "--ignore '*.pyy' matches nothing; reloader why PATH tells which rules apply to a path",
    ),
    (events.AlsoWatched(("a.py",), False), "watching a.py as well, since qcluster imports it"),
    (events.AlsoWatched(("a", "b"), True), "watching a and b as well, since Git has them in its index"),
    (events.ContentsKnown(2345, 1_250_000), "the content of 2,345 files is known (1.2 MB kept)"),
    (notices.NothingNew(), "checked the files: nothing new"),
    (notices.NothingChanged(), "checked the files: none that counts has changed"),
    (
        events.LeftoversFound(1, (events.ProcessInfo(1, "sh"), events.ProcessInfo(22, "sleep"))),
        "ending what qcluster left behind: sh (pid 1), sleep (pid 22)",
    ),
    (
        events.PathUnreadable("secret", "Permission denied"),
        "cannot watch secret: permission denied; changes in it go unnoticed\n"
        "hint: make it readable, or --ignore it",
    ),
    (
        events.CacheIgnored("/home/me/.cache/reloader/own-1.json", "it is a link"),
        "does not use /home/me/.cache/reloader/own-1.json: it is a link",
    ),
    (
        events.ImportedBeside(("/srv/lib", "/srv/my lib")),
        "qcluster imports from /srv/lib and /srv/my lib, which are not watched\n"
        "hint: --watch . --watch /srv/lib --watch '/srv/my lib'",
    ),
    (
        events.SettingsRefused("reloader.toml: unknown key 'nmae'", "did you mean name?"),
        "reloader.toml: unknown key 'nmae' → goes on with the settings as they were\nhint: did you mean name?",
    ),
    (events.SettingsRefused("it is wrong", ""), "it is wrong → goes on with the settings as they were"),
    (
        notices.BeginningAnew((events.Change("pyproject.toml", events.Kind.SETTINGS),)),
        "pyproject.toml changed the settings → begins anew with them",
    ),
    (
        events.RulesRefused("/srv/a b/.gitignore", "eve (uid 7)"),
        "does not follow /srv/a b/.gitignore: it belongs to eve (uid 7)\n"
        "hint: RELOADER_TRUST='/srv/a b' follows what lies there; RELOADER_TRUST='*' follows the files of all users",
    ),
    (
        events.WatchingFailed("limit reached", 1.0),
        "the system sends no file events: limit reached\nthe files are looked at every 1 s instead",
    ),
    (
        events.OutputFailed("standard error", "No space left on device"),
        "cannot write to standard error: no space left on device; qcluster goes on, "
        "and its output there is lost",
    ),
    (
        events.OutputRecovered("standard error", 1234),
        "standard error can be written to again; 1,234 bytes were lost",
    ),
    (
        events.SourceFailed("pump", "ValueError: x"),
        "a fault of reloader itself, in pump: ValueError: x\n"
        "hint: please report it; the worker is drained now",
    ),
]


def test_every_notice_has_an_example() -> None:
    assert {type(notice) for notice, _ in WORDS} == set(get_args(notices.Notice))


@pytest.mark.parametrize(
    ("overlap", "apart", "words"),
    [(True, "", "overlap"), (False, "", "no overlap"), (False, "two\nlines", r"no overlap: two\nlines")],
)
def test_the_first_line_tells_whether_generations_overlap(overlap: bool, apart: str, words: str) -> None:
    told, _ = word(notices.Recognised(), Settings(**{**vars(SETTINGS), "overlap": overlap, "apart": apart}))
    assert told.endswith(f", {words}")


@pytest.mark.parametrize(("notice", "words"), WORDS, ids=lambda value: type(value).__name__)
def test_a_notice_is_told_in_these_words(notice: notices.Notice, words: str) -> None:
    assert word(notice, SETTINGS)[0] == words


# --- names that would disturb a terminal ----------------------------------------------------------

NASTY = {
    "a newline": ("a\nb", "a\\nb"),
    "a return": ("a\rb", "a\\rb"),
    "an escape": ("a\x1b[2Jb", "a\\x1b[2Jb"),
    "a bell": ("a\x07b", "a\\x07b"),
    "a byte that is not UTF-8": (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
    "a mark that turns the direction": ("a\u202eb", "a\\u202eb"),
    "a character of eight bits that controls": ("a\x9bb", "a\\x9bb"),
}
_BY_NASTINESS = pytest.mark.parametrize(("raw", "escaped"), NASTY.values(), ids=NASTY)


@_BY_NASTINESS
def test_what_would_disturb_a_terminal_is_escaped(raw: str, escaped: str) -> None:
    assert printable(raw) == escaped
    assert path_shown(raw) == escaped
    assert path_shown(os.path.join("/nowhere/at/all", raw)) == f"/nowhere/at/all/{escaped}"
    assert rendered(changed([events.Change(raw, events.Kind.ADDED)])) == f"{escaped} added"


@pytest.mark.parametrize("text", ["tasks.py", "café", "日本", "a b", "→", "\\", ""])
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text


@settings(max_examples=200, deadline=None)
@given(text=st.text() | st.binary().map(os.fsdecode))
def test_any_text_is_made_printable(text: str) -> None:
    assert printable(text).isprintable()
    printable(text).encode()


def _with_text(value: Any, text: str) -> Iterator[Any]:
    """The value with one text in it, however deep, replaced; once for each."""
    if isinstance(value, str):
        yield text
    elif isinstance(value, tuple):
        for position, item in enumerate(value):
            for other in _with_text(item, text):
                yield (*value[:position], other, *value[position + 1 :])
    elif isinstance(value, Message | events.Change):
        for name in value.__match_args__:
            for other in _with_text(getattr(value, name), text):
                yield type(value)(**{**vars(value), name: other})


# Texts that we choose ourselves, or that the system has a fixed list of.
_OURS = {"pump", "Permission denied", "'none'"}
_TEXTS = [
    pytest.param(notice, position, id=f"{type(notice).__name__} {position}")
    for notice, _ in WORDS
    for position, marked in enumerate(_with_text(notice, "?"))
    if not any(text in str(notice) and text not in str(marked) for text in _OURS)
]


def test_notices_with_text_of_others_are_known() -> None:
    assert {type(param.values[0]) for param in _TEXTS} == {
        notices.AddressInUse,
        *(events.SignalRefused, events.TargetUnmoved, events.TargetDoubtful),
        *(
            notices.Draining,
            notices.StartingAgain,
            notices.ChangesMeanwhile,
            events.PathUnreadable,
            events.RulesRefused,
            events.SettingsRefused,
            events.CacheIgnored,
            events.LeftoversFound,
            notices.CannotStart,
        ),
        *(
            events.WatchingFailed,
            events.OutputFailed,
            events.OutputRecovered,
            events.SourceFailed,
            notices.WasUnchanged,
            notices.WaitingForGit,
            notices.Checking,
            notices.Held,
            notices.BrokenUnread,
            notices.BeginningAnew,
            notices.WaitingForFiles,
            notices.SetAside,
            events.PatternIdle,
            events.PathsIgnored,
            notices.StillDraining,
            notices.StartingBeside,
            notices.Killing,
            notices.Caution,
            notices.Status,
            notices.Started,
            events.ListeningFailed,
            events.TemplateFailed,
            notices.WarmInVain,
            events.AlsoWatched,
            events.ImportedBeside,
        ),
    }


@pytest.mark.parametrize(("notice", "position"), _TEXTS)
def test_no_text_of_others_reaches_the_terminal_unescaped(notice: notices.Notice, position: int) -> None:
    lines = word(list(_with_text(notice, "text"))[position], SETTINGS)[0].count("\n")
    for raw, escaped in NASTY.values():
        told = word(list(_with_text(notice, raw))[position], SETTINGS)[0]
        assert escaped in told
        assert told.count("\n") == lines
        assert all(line.isprintable() for line in told.split("\n"))


@_BY_NASTINESS
@pytest.mark.parametrize("notice", [notice for notice, _ in WORDS], ids=lambda value: type(value).__name__)
def test_neither_the_name_nor_a_watched_path_reaches_the_terminal_unescaped(
    notice: notices.Notice, raw: str, escaped: str
) -> None:
    nasty = Settings(**{**vars(SETTINGS), "name": raw, "watch": (raw, "src"), "ready": raw})
    told = word(notice, nasty)[0]
    plain = word(notice, SETTINGS)[0]
    assert told.count("\n") == plain.count("\n")
    assert all(line.isprintable() for line in told.split("\n"))
    if "qcluster" in plain:
        assert escaped in told


# --- paths and changes ----------------------------------------------------------------------------


def test_a_path_is_shown_as_the_user_would_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert path_shown(str(tmp_path / "a/b/c.py")) == "b/c.py"
    assert path_shown("c.py") == "c.py"
    assert path_shown(str(tmp_path / "a")) == "."
    assert path_shown(str(tmp_path / "d.py")) == str(tmp_path / "d.py")


@pytest.mark.parametrize("name", ["..a.py", "...", "..b/c.py"])
def test_a_name_that_begins_with_two_dots_leads_not_out_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_shown(str(tmp_path / name)) == name


def test_a_path_is_shown_even_when_the_current_folder_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert path_shown(str(tmp_path / "a\n.py")) == f"{tmp_path}/a\\n.py"
    assert rendered(path_linked("a.py", 3), links=True) == "a.py:3"


def test_that_nothing_counts_is_told_also_where_little_is_wanted() -> None:
    assert word(events.TreeKnown(0, 1), SETTINGS) == (
        "watching . (0 files in 1 folder), so that no save restarts qcluster yet\n"
        "hint: reloader doctor tells which rules leave files out; --include or --watch bring them in",
        Weight.STRONG,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("a", events.Kind.ADDED)], "a added"),
        ([("a", events.Kind.DELETED)], "a deleted"),
        ([("a", events.Kind.CHANGED), ("b", events.Kind.CHANGED)], "a and b changed"),
        ([("a", events.Kind.ADDED), ("b", events.Kind.DELETED)], "a and b changed"),
        ([("a", events.Kind.ADDED), ("b", events.Kind.ADDED), ("c", events.Kind.ADDED)], "a, b and c added"),
        ([(name, events.Kind.CHANGED) for name in "abcd"], "a, b, c and 1 more changed"),
        ([(str(number), events.Kind.DELETED) for number in range(1000)], "0, 1, 2 and 997 more deleted"),
        (
            [
                *(("shop/__init__.py", events.Kind.ADDED), ("shop/api.py", events.Kind.ADDED)),
                ("shop.py", events.Kind.DELETED),
            ],
            "shop.py → shop/",
        ),
        (
            [
                *(("shop.py", events.Kind.ADDED), ("shop/__init__.py", events.Kind.DELETED)),
                ("urls.py", events.Kind.CHANGED),
            ],
            "shop/ → shop.py, urls.py changed",
        ),
        (
            [("shop.py", events.Kind.ADDED), ("shop/api.py", events.Kind.DELETED)],
            "shop.py and shop/api.py changed",
        ),
    ],
)
def test_changes_are_named_in_a_few_words(changes: list[tuple[str, events.Kind]], words: str) -> None:
    assert rendered(changed([events.Change(path, kind) for path, kind in changes])) == words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (events.ExitStatus(code=0), "exit status 0"),
        (events.ExitStatus(code=3), "exit status 3"),
        (events.ExitStatus(signal=signal.SIGKILL), "SIGKILL"),
        (events.ExitStatus(signal=40), "signal 40"),
    ],
)
def test_an_end_is_told_by_its_status_or_its_signal(status: events.ExitStatus, words: str) -> None:
    assert exit_shown(status) == words


# --- what is told at all --------------------------------------------------------------------------


@pytest.mark.parametrize("weight", Weight)
def test_what_is_told_depends_on_its_weight_and_the_verbosity(weight: Weight) -> None:
    told = [verbosity for verbosity in (-1, 0, 1) if is_shown(weight, verbosity)]
    assert told == {Weight.DETAIL: [1], Weight.STRONG: [-1, 0, 1]}.get(weight, [0, 1])


@pytest.mark.parametrize(
    ("kind", "weight"),
    [
        *(
            (kind, Weight.STRONG)
            for kind in (
                notices.Draining,
                notices.Killing,
                notices.Unkillable,
                notices.EndedItself,
                notices.CannotStart,
                events.SourceFailed,
            )
        ),
        *(
            (kind, Weight.STRONG)
            for kind in (
                notices.StartingAgain,
                notices.StartingBeside,
                notices.NotReady,
                events.PathUnreadable,
                events.WatchingFailed,
            )
        ),
        *(
            (kind, Weight.PLAIN)
            for kind in (
                notices.Started,
                notices.Ready,
                notices.AssumedReady,
                notices.StillDraining,
                events.LeftoversFound,
            )
        ),
        *((kind, Weight.ROUTINE) for kind in (events.TreeKnown, notices.Drained, notices.ChangesMeanwhile)),
        *((kind, Weight.ROUTINE) for kind in (notices.WasUnchanged, notices.WaitingForGit, notices.Checking)),
        *((kind, Weight.STRONG) for kind in (notices.Held, notices.SetAside)),
        *(
            (kind, Weight.DETAIL)
            for kind in (events.ContentsKnown, notices.NothingNew, notices.NothingChanged)
        ),
    ],
)
def test_restarts_and_trouble_are_told_even_when_little_is_wanted(
    kind: type[notices.Notice], weight: Weight
) -> None:
    found = {word(notice, SETTINGS)[1] for notice, _ in WORDS if isinstance(notice, kind)}
    assert found == {weight}


def test_of_many_processes_that_are_killed_the_first_are_named_and_the_rest_counted() -> None:
    alive = tuple(notices.ProcessUse(pid, "python", 0.0, 12.0) for pid in range(1, 10))
    text, _ = word(notices.Killing(1, 10.0, alive), SETTINGS)
    assert "python (pid 6) for 12.0 s, CPU 0 %, 3 more\n" in text
    assert "(pid 7)" not in text


FROM_FILE = (
    ("ignore", "ignore in reloader.toml", "/srv"),
    ("ready", "ready in reloader.toml", "/srv"),
    ("max_draining", "RELOADER_MAX_DRAINING", ""),
)


def test_hints_name_the_place_where_the_user_has_set_the_option() -> None:
    settings = Settings(("w",), name="w", watch=("/srv/app",), ready="up", origins=FROM_FILE)
    aside = notices.SetAside("/srv/app/made.toml", 3, 60.0, 60.0, True)
    for notice, hint in (
        (aside, 'hint: add "/app/made.toml" to ignore in reloader.toml'),
        (notices.NoLineCame(), "hint: ready in reloader.toml sets the pattern of its line"),
        (notices.AwaitingRoom((1,), 1), "hint: k kills the draining ones; RELOADER_MAX_DRAINING allows more"),
    ):
        text, _ = word(notice, settings, False)
        assert text.splitlines()[-1] == hint
