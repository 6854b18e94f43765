# shellcheck shell=bash
# Read by the scripts here (`source`): how a job goes back into the queue, later each time, and not for ever.
#
#   requeue_job REASON FILE MARK [at-once]
#
# MARK is one line that says how far the work is: it is added to FILE, which is this job's own. A job that stands where it
# stood at the three requeues before is not requeued a fourth time: exit code 75. The first requeue at a mark starts
# again REQUEUE_SECONDS=60 later at the earliest, the second after five times that, the third after twenty-five times:
# a full disk or a bad node is there for longer than Slurm needs to start the job again. `at-once` is for what was nobody's
# fault, preemption and the end of the job's time. Slurm's own requeues (a node that failed, `scontrol requeue`) do not come by here.
# Where a node of the job does not answer, such a one is waited for (lost_nodes.sh).

source "${BASH_SOURCE[0]%/*}/lost_nodes.sh"

: "${REQUEUE_SECONDS:=60}"

# What a job says must not end it: its log may lie on the disk that is full.
say() {
    printf '%s\n' "$*" || true
}

# How many lines at the end of a file are this one.
_lines_at_end() {
    local count=0 line
    if [[ -r "$1" ]]; then
        while IFS= read -r line; do
            if [[ "$line" == "$2" ]]; then count=$((count + 1)); else count=0; fi
        done <"$1"
    fi
    echo "$count"
}

# The job starts so many seconds from now at the earliest. Only a job that waits can be given a time, so after the requeue;
# and for a moment after it Slurm may refuse ("not available right now").
_start_later() {
    local try said
    for try in {1..10}; do
        said=$(scontrol update JobId="$1" StartTime="now+${2}seconds" 2>&1) && return
        ((try == 10)) || sleep 1
    done
    say "$said; the job starts again as soon as it can: no time could be set for it" >&2
}

requeue_job() {
    local reason=$1 file=$2 mark=$3 delay=0 before
    before=$(_lines_at_end "$file" "$mark")
    trap '' TERM # which Slurm sends to a job that is requeued: this script has something left to do
    ((before >= 3)) || await_lost_nodes "$reason"
    if ((before < 3)) && ! { mkdir -p -- "$(dirname -- "$file")" && printf '%s\n' "$mark" >>"$file"; }; then
        # All starts count, then: a job must not come back for ever because its disk is full.
        before=${SLURM_RESTART_COUNT:-0}
        say "$file could not be written, as is said above: Slurm's own count of starts is taken" >&2
    fi
    if ((before >= 3)); then
        say "$reason; after three requeues the work still stands at '$mark', so something else is wrong: not requeued." \
            "Look above, mend it, and submit the same command again" >&2
        exit 75
    fi
    [[ "${4:-}" == at-once ]] || delay=$((REQUEUE_SECONDS * 5 ** before))
    if ((delay)); then
        say "$reason: back into the queue, for $delay seconds at least"
    else
        say "$reason: back into the queue"
    fi
    # A task of an array by its own name: one of them has the number that stands for all of them.
    local job="$SLURM_JOB_ID"
    [[ -z "${SLURM_ARRAY_TASK_ID:-}" ]] || job="${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    if ! scontrol requeue "$job"; then
        ! ended_by_slurm "$(_job_now)" || exit 0 # it was faster, and that was what it complained of
        say "the job could not be requeued, as is said above: mend it, and submit the same command again" >&2
        exit 75
    fi
    ((!delay)) || _start_later "$job" "$delay"
    exit 0
}
