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

requeue_job() {
    local reason=$1 file=$2 mark=$3 delay=0 before
    before=$(_lines_at_end "$file" "$mark")
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
    trap '' TERM # which Slurm sends to a job that is requeued: this script has something left to do
    if ! scontrol requeue "$job"; then
        say "the job could not be requeued, as is said above: mend it, and submit the same command again" >&2
        exit 75
    fi
    # Only a job that waits can be given a time, so after the requeue; Slurm lets it wait some seconds by itself.
    if ((delay)) && ! scontrol update JobId="$job" StartTime="now+${delay}seconds"; then
        say "the job starts again as soon as it can: no time could be set for it" >&2
    fi
    exit 0
}
