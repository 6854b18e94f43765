"""Running the stages: the `beam` command, Slurm scripts, the preflight, the demo.

`beam.py` is the command, `engines` what it knows of Beam's engines, `slurm/` the scripts of a cluster; `preflight.py`
looks at a job's nodes before it starts, by the `checks`; `run_folder.py` tells scripts where a run writes and what it
reads; `submit.py` submits the whole road as a `chain` of jobs; `snapshot.py` copies the code for a job;
`restart.sh` starts pretraining again where no scheduler does. Imports no other stage when it is imported.
"""
