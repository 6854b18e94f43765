# shellcheck shell=bash
# Read by every script here, from the folder that stays the user's:
#
#   cd "$SLURM_SUBMIT_DIR"
#   code="${CODE_FOLDER:-$SLURM_SUBMIT_DIR}"
#   source "$code/cluster/slurm/environment.sh"
#   "${launch[@]}" "${container[@]}" python "$code/pretraining/main.py" …
#
# It sees to the Python that runs, to the code that it finds, to how srun places tasks, and to what all tasks of a job must
# agree on. What a user may set, in the shell that submits (sbatch hands the environment on):
#
#   VIRTUAL_ENV_FOLDER=.venv   the virtual environment; not asked for with CONTAINER
#   CODE_FOLDER                a folder with this project's packages, instead of the one that sbatch was called in
#   SRUN_OPTIONS               more options of srun, split at blanks, after ours, so that they win:
#                              '--mem-bind=local', '--network=…', of Pyxis '--container-image=… --container-mounts=…'
#   CONTAINER=image.sif        an image of Apptainer in which Python runs, with everything installed;
#   CONTAINER_OPTIONS=--nv     and options of `apptainer exec`, split at blanks: '--nv --bind /scratch'
#
# With Pyxis the batch script itself stays outside the image: the virtual environment is then needed as well, for it.

: "${code:=${CODE_FOLDER:-$PWD}}"

container=()
if [[ -n "${CONTAINER:-}" ]]; then
    if ! command -v apptainer >/dev/null; then
        echo "CONTAINER is $CONTAINER and there is no \`apptainer\` on $(hostname): load its module before sbatch, or unset CONTAINER" >&2
        exit 2
    fi
    read -ra container_options <<<"${CONTAINER_OPTIONS---nv}"
    container=(apptainer exec "${container_options[@]}" "$CONTAINER")
else
    : "${VIRTUAL_ENV_FOLDER:=$PWD/.venv}"
    if [[ ! -x "$VIRTUAL_ENV_FOLDER/bin/python" ]]; then
        echo "no virtual environment in $VIRTUAL_ENV_FOLDER: run \`make setup\` in the repository first, or name one by" \
            "VIRTUAL_ENV_FOLDER" >&2
        exit 2
    fi
    export PATH="$VIRTUAL_ENV_FOLDER/bin:$PATH"
fi

# The code of this job comes before what is installed, and before the folder that the job runs in: `python -m` would
# look there first.
export PYTHONPATH="$code${PYTHONPATH:+:$PYTHONPATH}" PYTHONSAFEPATH=1

# Rank, world size and rendezvous need nothing here: pretraining/run/ranks.py reads them from Slurm's variables. But
# `sbatch` in a shell that is itself a rank (of torchrun, of deepspeed) hands that rank's variables on, and they win.
if [[ -n "${RANK:-}${WORLD_SIZE:-}" ]]; then
    unset RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE LOCAL_SIZE MASTER_ADDR MASTER_PORT
fi
# `sbatch --export=…` would keep all that is exported here from the tasks.
export SLURM_EXPORT_ENV=ALL

# One thread pool per task, as wide as the cores that Slurm gave it. Since 22.05 srun takes --cpus-per-task from this
# variable and not from the job: without it, every task is bound to one core.
[[ -z "${SLURM_CPUS_PER_TASK:-}" ]] || export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_PER_GPU:-1}}"
export PYTHONUNBUFFERED=1

# A rank that died must not leave the others waiting in a collective for ever: NCCL aborts, the job ends, Slurm acts.
export TORCH_NCCL_ASYNC_ERROR_HANDLING="${TORCH_NCCL_ASYNC_ERROR_HANDLING:-1}"

# Tasks on cores of their own: docs/slurm.md says what was seen with this and without.
read -ra srun_options <<<"${SRUN_OPTIONS:-}"
launch=(srun --cpu-bind=cores "${srun_options[@]}")
