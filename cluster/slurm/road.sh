#!/usr/bin/env bash
# The whole road as a chain of dependent jobs: shards, phase 1 at 128, phase 2 at 512, fine-tuning.
#
#   cluster/slurm/road.sh --wikipedia 'dumps/*.bz2' --books 'books/**/*.txt' --vocab vocab.txt --output runs/bert-large \
#       --glue glue_data
#
# Prints each job's number. A job whose predecessor fails is cancelled, not left waiting. Resources stand in the
# sbatch files; more for one job: PRETRAIN_OPTIONS='--nodes=16' cluster/slurm/road.sh …
set -euo pipefail

usage() {
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

wikipedia='' books='' vocab='' output='' glue=''
while (($#)); do
    (($# >= 2)) || usage
    case $1 in
        --wikipedia) wikipedia=$2 ;;
        --books) books=$2 ;;
        --vocab) vocab=$2 ;;
        --output) output=$2 ;;
        --glue) glue=$2 ;;
        *) echo "road.sh: unknown option $1" >&2; usage ;;
    esac
    shift 2
done
[[ $vocab && $output && ($wikipedia || $books) ]] || usage

# Options of sbatch, split at blanks on purpose.
read -ra preprocess_options <<<"${PREPROCESS_OPTIONS:-}"
read -ra pretrain_options <<<"${PRETRAIN_OPTIONS:-}"
read -ra finetune_options <<<"${FINETUNE_OPTIONS:-}"

submit() { sbatch --parsable --kill-on-invalid-dep=yes "$@"; }
recipes=pretraining/recipes

sources=()
[[ $wikipedia ]] && sources+=(--wikipedia "$wikipedia")
[[ $books ]] && sources+=(--books "$books")
job=$(submit "${preprocess_options[@]}" cluster/slurm/preprocess.sbatch "${sources[@]}" \
    --vocab "$vocab" --output "$output/shards" --sequence-lengths 128,512 --duplicate-factor 5)
echo "shards $job"
job=$(submit --dependency=afterok:"$job" "${pretrain_options[@]}" cluster/slurm/pretrain.sbatch \
    --config $recipes/bert-large-phase1.toml --data.shards="$output/shards" --output.folder="$output/phase1")
echo "phase1 $job"
job=$(submit --dependency=afterok:"$job" "${pretrain_options[@]}" cluster/slurm/pretrain.sbatch \
    --config $recipes/bert-large-phase2.toml --data.shards="$output/shards" --output.folder="$output/phase2" \
    --init.from="$output/phase1/export")
echo "phase2 $job"
[[ $glue ]] || exit 0
job=$(submit --dependency=afterok:"$job" --gpus=8 --mem=0 "${finetune_options[@]}" cluster/slurm/finetune.sbatch \
    --models "$output/phase2/export" --data "$glue" --output "$output/finetuning")
echo "finetuning $job"
