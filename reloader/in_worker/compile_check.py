"""Whether Python files can be compiled. Runs in the worker's interpreter, or is called in ours.

Standard library only, for Python 3.8 and newer; imports nothing of reloader, since it is run by path.
Standard input has, for each file, the name to show and the path, each ended by NUL; the answer is JSON.
"""

import json
import os
import stat
import sys
import traceback
import warnings


def faults(files):
    # type: (list[tuple[str, str]]) -> dict[str, str]
    """Of these files (name to show, path) the paths of those that cannot be compiled, with Python's error."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, path in files:
            try:
                # Something else may have come in its place; opening a FIFO must not block.
                with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
                    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                        continue
                    source = file.read()
            except OSError:
                continue  # gone again, or unreadable, which the worker's start will show
            try:
                compile(source, name, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                found[path] = "".join(traceback.format_exception_only(type(error), error)).rstrip()
            except (RecursionError, MemoryError, OverflowError):
                pass  # too large to tell
    return found


def main():
    # type: () -> None
    """Check the files that standard input names."""
    words = [os.fsdecode(word) for word in sys.stdin.buffer.read().split(b"\0")[:-1]]
    found = faults([(words[i], words[i + 1]) for i in range(0, len(words), 2)])
    sys.stdout.write(json.dumps({"version": list(sys.version_info[:2]), "faults": found}))


if __name__ == "__main__":
    main()
