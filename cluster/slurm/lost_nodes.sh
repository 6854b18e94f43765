# shellcheck shell=bash
# Read by requeue.sh (`source`): before a job goes back into the queue, Slurm must know which of its nodes are lost.
#
#   await_lost_nodes REASON   returns when every node of the job answers or is down for Slurm, or when that takes too long;
#                             ends the script where Slurm has requeued the job meanwhile
#
# A job with a node that does not answer stays COMPLETING until Slurm takes the node for down (SlurmdTimeout, 300 seconds by
# default), so an early requeue gains no time. And it does harm where a job has GPUs: Slurm 22.05 then starts it with none on
# its books, refuses its steps (`Invalid generic resource (gres) specification`), and counts the GPUs of its nodes as taken
# when it is gone. Where the job waits, Slurm requeues it itself, and all is well (docs/slurm.md).

: "${NODE_LOOK_SECONDS:=2}"

# The job's nodes whose slurmd takes no connection and that are not yet down for Slurm: a line each. Nothing where the
# slurmd of this node takes none either: then the port is closed to jobs, and says nothing of a node.
_silent_nodes() {
    local port line silent
    port=$(_in_configuration SlurmdPort)
    silent=$(
        while IFS= read -r line; do
            [[ $line =~ ^NodeName=([^ ]+) ]] || continue
            local name=${BASH_REMATCH[1]} address='' own_port=$port
            [[ ! $line =~ \ State=DOWN ]] || continue
            [[ ! $line =~ \ NodeAddr=([^ ]+) ]] || address=${BASH_REMATCH[1]}
            [[ ! $line =~ \ Port=([0-9]+) ]] || own_port=${BASH_REMATCH[1]}
            { timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "${address:-$name}" "$own_port" 2>/dev/null || echo "$name"; } &
        done < <(scontrol -o show node "$SLURM_JOB_NODELIST" 2>/dev/null)
        wait
    ) && silent=$(sort <<<"$silent")
    grep -qxF -- "${SLURMD_NODENAME:-}" <<<"$silent" || printf '%s' "${silent:+$silent$'\n'}"
}

# The number behind a key of Slurm's configuration, 0 where there is none: `_in_configuration SlurmdTimeout`.
_in_configuration() {
    local number
    number=$(scontrol show config 2>/dev/null | sed -n "s/^$1 *= *\([0-9][0-9]*\).*/\1/p")
    echo "${number:-0}"
}

# The second, by SECONDS, until which there is something to wait for: Slurm asks its nodes three times in a SlurmdTimeout.
# The job must be back in the queue before its time is over. `_end_of_wait JOB`, with what Slurm says of the job.
_end_of_wait() {
    local timeout left
    timeout=$(_in_configuration SlurmdTimeout)
    ((timeout)) || { echo "$SECONDS" && return; } # such nodes never count as down
    timeout=$((timeout * 4 / 3 + 60))
    if [[ $1 =~ \ EndTime=([0-9T:-]+) ]]; then
        left=$(($(date -d "${BASH_REMATCH[1]}" +%s) - $(date +%s) - 30))
        ((left >= timeout)) || timeout=$left
    fi
    echo $((SECONDS + timeout))
}

# What Slurm says of this job, in one line; nothing where it does not answer.
_job_now() {
    scontrol -o show job "$SLURM_JOB_ID" 2>/dev/null || true
}

# Whether Slurm has ended this start, by what it says of the job: it has requeued the job itself, or its user has cancelled it.
ended_by_slurm() {
    [[ $1 =~ \ JobState=([A-Z]+) && ${BASH_REMATCH[1]} != RUNNING ]]
}

await_lost_nodes() {
    local silent=() job over=''
    ((${SLURM_JOB_NUM_NODES:-1} > 1)) || return 0
    while mapfile -t silent < <(_silent_nodes) && [[ -n $over || -n ${silent[*]} ]]; do
        job=$(_job_now) # after the nodes: a node that is down by now has ended the job by now
        if ended_by_slurm "$job"; then
            say "Slurm has ended this start itself"
            exit 0
        fi
        [[ -n ${silent[*]} ]] || return 0
        if [[ -z $over ]]; then
            over=$(_end_of_wait "$job")
            say "$1; ${silent[*]}: no answer. This waits until Slurm takes such a node for down and requeues the job," \
                "$((over > SECONDS ? over - SECONDS : 0)) seconds at most"
        fi
        if ((SECONDS >= over)); then
            say "${silent[*]}: still no answer, and Slurm has not requeued the job" >&2
            return 0
        fi
        sleep "$NODE_LOOK_SECONDS"
    done
}
