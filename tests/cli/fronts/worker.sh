#!/bin/sh
# A worker as `worker.py` is one, of a shell: the task in flight is a process of its own.
notes=../notes
version=$(sed -n 's/VERSION = //p' task.py)
hold=$(cat ../hold)
stopping=
note() { echo "$version worker $*" >>$notes; }
for name in HUP INT QUIT TERM; do
    trap "note signal SIG$name; stopping=yes" $name
done
# Who stands between the guard and us, and how often each has gone to sleep.
of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" 2>/dev/null; }
pid=$PPID
fronts=
while [ "${pid:-0}" -gt 1 ]; do
    name=$(of "$pid" Name)
    case $name in reloader*) break ;; esac
    note behind "$pid" "$name"
    fronts="$fronts $pid"
    pid=$(of "$pid" PPid)
done
echo "ready $version"
note begun
while [ -z "$stopping" ]; do
    sleep 0.2 &
    idle=$!
    wait "$idle"
    kill "$idle" 2>/dev/null
done
sleep "$hold" &
task=$!
while wait "$task"; status=$?; [ "$status" -gt 128 ] && kill -0 "$task" 2>/dev/null; do :; done
for pid in $fronts; do
    note front "$pid" "$(of "$pid" Name)" "$(of "$pid" voluntary_ctxt_switches)"
done
echo "last words of $version"
if [ "$status" -eq 0 ]; then note ended; else note cut; fi
