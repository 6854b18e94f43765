# shellcheck shell=bash
# Read by every script here (`source`): the virtual environment, and what all ranks of a job must agree on.
# Override any of it from the submitting shell: sbatch passes the environment on.

: "${VIRTUAL_ENV_FOLDER:=$PWD/.venv}"
if [[ ! -x "$VIRTUAL_ENV_FOLDER/bin/python" ]]; then
    echo "no virtual environment in $VIRTUAL_ENV_FOLDER: run \`make setup\` in the repository first" >&2
    exit 2
fi
export PATH="$VIRTUAL_ENV_FOLDER/bin:$PATH"

# Rank, world size and rendezvous need nothing here: pretraining/run/ranks.py reads them from Slurm's variables. But
# `sbatch` in a shell that is itself a rank (of torchrun, of deepspeed) hands that rank's variables on, and they win.
if [[ -n "${RANK:-}${WORLD_SIZE:-}" ]]; then
    unset RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE LOCAL_SIZE MASTER_ADDR MASTER_PORT
fi

# One thread pool per task, as wide as the cores that Slurm gave it.
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
export PYTHONUNBUFFERED=1

# A rank that died must not leave the others waiting in a collective for ever: NCCL aborts, the job ends, Slurm acts.
export TORCH_NCCL_ASYNC_ERROR_HANDLING="${TORCH_NCCL_ASYNC_ERROR_HANDLING:-1}"
