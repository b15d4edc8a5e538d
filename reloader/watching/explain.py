"""Why a path counts or not, found out as the walk would, folder by folder."""

from __future__ import annotations

import os
from collections import Counter
from typing import NamedTuple

from reloader.common.run_folder import absolute, relative
from reloader.messages import events
from reloader.settings import Settings, Trigger
from reloader.watching import gitignore_files
from reloader.watching.folder import VENV_MARK
from reloader.watching.gitignore_patterns import Rule
from reloader.watching.imported import Imported
from reloader.watching.rules import Verdict, View
from reloader.watching.tree import Tree


class Reason(NamedTuple):
    """Whether a path counts, why, and by which rule if one decided."""

    counts: bool
    why: str
    rule: Rule | None


def explain(settings: Settings, path: str, imports: Imported | None = None) -> Reason:
    """Look at one path; nothing has to be there, and nothing else is walked.

    What the worker has imported counts, where it is known; with `--trigger loaded` no other code does.
    """
    is_folder = path.endswith(os.sep) or os.path.isdir(path)
    path = absolute(path)
    tree = Tree(settings, lambda _path, _reason: None)
    reason = _by_rules(tree, path, is_folder)
    if not reason.counts:
        tree.count_scripts()
        if _is_single(tree, path):
            return Reason(True, "the worker is started from it", None)
    if not reason.counts and not settings.learns and path in tree.count_tracked():
        return Reason(True, "Git has it in its index", None)
    if imports is None:
        return reason
    if not reason.counts:
        tree.count_imported(imports.files)
        reason = _by_import(tree, path, is_folder) or reason
    is_asked = settings.trigger is Trigger.LOADED
    if is_asked and reason.counts and not imports.concerns(events.Change(path, events.Kind.CHANGED)):
        return Reason(False, "the worker has not imported it when it last ran (--trigger loaded)", None)
    return reason


def _by_import(tree: Tree, path: str, is_folder: bool) -> Reason | None:
    """Why a path counts that a rule leaves out: the worker has imported it, or the package around it."""
    if _is_single(tree, path):
        return Reason(True, "the worker has imported it", None)
    for package in sorted(tree.packages):
        if path == package or path.startswith(package + os.sep):
            reason = _below(tree, package, path, is_folder)
            if reason.counts:
                why = f"the worker has imported {relative(package)}{os.sep}, in which it lies"
                return Reason(True, "the worker has imported it" if path == package else why, None)
    return None


def _is_single(tree: Tree, path: str) -> bool:
    return os.path.basename(path) in tree.single.get(os.path.dirname(path), ())


def _by_rules(tree: Tree, path: str, is_folder: bool) -> Reason:
    if _is_single(tree, path):
        return Reason(True, "it is watched by its own name", None)
    roots = [root for root in tree.roots if path == root or path.startswith(root.rstrip(os.sep) + os.sep)]
    if not roots:
        return Reason(False, "it lies in no watched folder", None)
    reasons = [_below(tree, root, path, is_folder) for root in roots]
    return next((reason for reason in reasons if reason.counts), reasons[-1])


def _below(tree: Tree, root: str, path: str, is_folder: bool) -> Reason:
    if path == root:
        return Reason(True, "it is a watched folder", None)
    view = tree.view_of_root(root)
    here = root
    parts = os.path.relpath(path, root).split(os.sep)
    while True:
        listed = tree.lister.list(here, view, None)
        if listed is not None:
            view = listed.view
        elif os.path.lexists(os.path.join(here, VENV_MARK)):
            return Reason(False, f"{relative(here)} is a virtual environment ({VENV_MARK})", None)
        elif gitignore_files.is_top(here):
            return Reason(False, f"{relative(here)} is another work tree of Git; --watch names it", None)
        name = parts.pop(0)
        below = os.path.join(here, name)
        if not parts:
            return reason_in(view, below, name, is_folder)
        verdict, rule = view.why_folder(below, name)
        if verdict is Verdict.SKIP:
            return Reason(False, f"{relative(below)}/ is ignored", rule)
        view = view.inside(verdict)
        here = below


def reason_in(view: View, path: str, name: str, is_folder: bool) -> Reason:
    """Why the entry `name` of the folder that the view is of counts or not."""
    if is_folder:
        verdict, rule = view.why_folder(path, name)
        entered = verdict is not Verdict.SKIP
        return Reason(entered, "it is entered" if entered else "it is ignored", rule)
    verdict, rule = view.why_file(path, name)
    if verdict is Verdict.KEEP:
        return Reason(True, "by a rule" if rule is not None else "nothing ignores it", rule)
    if rule is not None:
        return Reason(False, "it is ignored", rule)
    if view.passing:
        return Reason(False, "its folder is ignored, and no --include names it", None)
    return Reason(False, "it is neither code nor configuration of a Python program", None)


def pruned(tree: Tree) -> Counter[tuple[str, str, int]]:
    """How many folders of a surveyed tree were not entered, by the text, source and line of the rule.

    Virtual environments and work trees inside another have no rule: their text tells what they are.
    """
    found: Counter[tuple[str, str, int]] = Counter()
    for folder, name, is_folder in tree.entries():
        below = os.path.join(folder, name)
        if not is_folder or below in tree.folders:
            continue
        verdict, rule = tree.folders[folder].view.why_folder(below, name)
        if verdict is Verdict.SKIP:
            found[(rule.text, rule.source, rule.line) if rule is not None else ("", "", 0)] += 1
        elif os.path.lexists(os.path.join(below, VENV_MARK)):
            found[VENV_MARK, "", 0] += 1
        elif gitignore_files.is_top(below):
            found["other work trees of Git", "", 0] += 1
    return found
