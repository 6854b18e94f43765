#!/usr/bin/env bash
# Starts pretraining again on this machine until the run is over: for machines that no scheduler looks after.
#
#   cluster/restart.sh torchrun --nnodes 2 --node-rank 0 --nproc-per-node 8 --master-addr n1 --master-port 29500 \
#       pretraining/main.py --config pretraining/recipes/bert-large-phase1.toml --output.folder=runs/phase1
#
# Typed on every machine, with its own --node-rank. Launchers lose exit codes (torchrun makes 1 of 75), so it goes by the
# run's state.json, which all machines see:
#
#   finished, stopped      it ends with 0
#   failed                 something must be mended first: it ends with 2
#   interrupted, running   it starts the command again, which goes on (`running`: nobody lived to write something else)
#
# After three starts in a row at the same checkpoint there is no fourth: exit code 75, or 2 where the command found a
# mistake before it wrote anything. RESTART_SECONDS=5 lie between two starts, more after each that got no further.
#
# SIGTERM and Ctrl-C are handed on, and nothing is started again here. To end a run for good, send them on every machine.

set -euo pipefail

arguments=("$@")
while (($#)) && [[ "$1" != pretraining/main.py && "$1" != */pretraining/main.py ]]; do shift; done
if ((!$#)); then
    echo "usage: cluster/restart.sh LAUNCHER … pretraining/main.py --config RECIPE …: the command names no" \
        "pretraining/main.py" >&2
    exit 2
fi
shift
listed=$(python -m cluster.run_folder "$@") || exit $?
state=${listed%%$'\n'*}/state.json

# How state.json lies there: its text, file number and time.
stamp() {
    { cat "$state" && stat -c '%i %y' "$state"; } 2>/dev/null || true
}

# One value out of state.json, `null` where there is none: `written status`, `written saved_step`.
written() {
    local value
    value=$(sed -n "s/^ *\"$1\": \"\{0,1\}\([a-z0-9]*\).*/\1/p" "$state" 2>/dev/null || true)
    echo "${value:-null}"
}

told='' launcher=''
hand_on() {
    told=$1
    [[ -z "$launcher" ]] || kill "-$1" "$launcher" 2>/dev/null || true
}
trap 'hand_on TERM' TERM
trap 'hand_on INT' INT

fruitless=0
while :; do
    before=$(stamp) saved=$(written saved_step)
    # A process group of its own: Ctrl-C comes here first, and once.
    set -m
    "${arguments[@]}" &
    launcher=$!
    set +m
    code=0
    wait "$launcher" || code=$?
    while kill -0 "$launcher" 2>/dev/null; do # a signal ends `wait` alone
        code=0
        wait "$launcher" || code=$?
    done
    if [[ -n "$told" ]]; then
        echo "SIG$told: the run is not started again on this machine" >&2
        exit 75
    fi
    now=running
    [[ "$(stamp)" == "$before" ]] || now=$(written status)
    case "$now" in
        finished | stopped) exit 0 ;;
        failed) exit 2 ;;
    esac
    if [[ "$(stamp)" == "$before" ]] && ((code == 2)); then
        exit 2 # a mistake in the command, which was said above
    fi
    if [[ "$(written saved_step)" == "$saved" ]]; then
        fruitless=$((fruitless + 1))
    else
        fruitless=0
    fi
    if ((fruitless >= 3)); then
        echo "three starts in a row got the run no further than saved step $saved; look above and at $state, mend" \
            "it, and type the same command again" >&2
        exit 75
    fi
    echo "interrupted (exit code $code): started again in $((${RESTART_SECONDS:-5} * (1 + fruitless))) seconds" >&2
    sleep "$((${RESTART_SECONDS:-5} * (1 + fruitless)))" &
    wait $! || true
    if [[ -n "$told" ]]; then exit 75; fi
done
