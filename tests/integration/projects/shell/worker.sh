#!/bin/sh
VERSION=1
stop=
trap 'stop=1' TERM
note() {
    echo "$1 $2 $VERSION $$" >>"$NOTES"
}
while [ -z "$stop" ]; do
    for path in "$INBOX"/*; do
        case "$path" in
        *[!0-9]) continue ;;
        esac
        mv "$path" "$path.taken" || continue
        number=${path##*/}
        note "$number" began
        sleep "$(cat "$path.taken")"
        note "$number" ended
        [ -z "$stop" ] || exit 0
    done
    sleep 0.05
done
