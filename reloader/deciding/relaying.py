"""Events that decide nothing and are only told."""

from __future__ import annotations

from reloader.events import (
    CacheIgnored,
    ContentsKnown,
    Event,
    LeftoversFound,
    ListeningFailed,
    OutputFailed,
    OutputRecovered,
    PathsIgnored,
    PathUnreadable,
    PatternIdle,
    RulesRefused,
    SignalRefused,
    TargetDoubtful,
    TargetUnmoved,
    TreeKnown,
    WatchedBeside,
    WatchingFailed,
)
from reloader.notices import (
    AnotherUsers,
    CacheNotUsed,
    CannotListen,
    CannotRead,
    EndingLeftovers,
    Ignoring,
    MatchesNothing,
    Notice,
    NotPassedOn,
    OutputIsBack,
    OutputIsLost,
    Remembered,
    RulesNotFollowed,
    Watching,
    WatchingBeside,
    WatchingByComparing,
    WhichIsTheWorker,
)


def relayed(event: Event) -> Notice | None:
    """What is told of the event; None when nothing is."""
    match event:
        case CacheIgnored(path, reason):
            return CacheNotUsed(path, reason)
        case RulesRefused(path, owner):
            return RulesNotFollowed(path, owner)
        case PathUnreadable(path, reason):
            return CannotRead(path, reason)
        case TreeKnown(files, folders):
            return Watching(folders, files)
        case WatchingFailed(reason, interval):
            return WatchingByComparing(reason, interval)
        case LeftoversFound(_, processes):
            return EndingLeftovers(processes)
        case TargetDoubtful(_, processes):
            return WhichIsTheWorker(processes)
        case TargetUnmoved(_, processes):
            return NotPassedOn(processes)
        case SignalRefused(_, processes):
            return AnotherUsers(processes)
        case WatchedBeside(paths):
            return WatchingBeside(paths)
        case ListeningFailed(reason):
            return CannotListen(reason)
        case PatternIdle(option, pattern):
            return MatchesNothing(option, pattern)
        case PathsIgnored(paths, why, source, line):
            return Ignoring(paths, why, source, line)
        case OutputFailed(stream, reason):
            return OutputIsLost(stream, reason)
        case OutputRecovered(stream, lost):
            return OutputIsBack(stream, lost)
        case ContentsKnown(files, kept):
            return Remembered(files, kept)
    return None
