#!/bin/bash
# The whole DAG inside one Slurm job
# From the repository's root on a shared disk, after `make setup`:
#   sbatch deploy/slurm.sh
# Each node needs the CPUs of a worker (cluster.cpus_per_worker); for a GPU each, take one # away before --gres.
#SBATCH --job-name=dsn-pose
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
##SBATCH --gres=gpu:1
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
set -euo pipefail

export PATH="$PWD/.venv/bin:$PATH"
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 DVC_NO_ANALYTICS=1 MLFLOW_DISABLE_TELEMETRY=true OMP_NUM_THREADS=1
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN
export GLOO_SOCKET_IFNAME=${GLOO_SOCKET_IFNAME:-$(ip -o route show default | awk '{print $5; exit}')}

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
port=$((20000 + SLURM_JOB_ID % 20000)) # jobs that share a node must not share a port
export RAY_ADDRESS="${nodes[0]}:$port"

on() { # on NODE COMMAND...: beside what runs there already
    srun --nodes=1 --ntasks=1 --overlap --nodelist="$1" "${@:2}"
}

on "${nodes[0]}" ray start --head --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats --block &
until on "${nodes[0]}" ray health-check --address="$RAY_ADDRESS"; do sleep 2; done
for node in "${nodes[@]:1}"; do
    on "$node" ray start --address="$RAY_ADDRESS" --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats --block &
done

# Two minutes before the time is up Slurm signals this shell, and no other process. A shell that waits for a command in
# the foreground would die of it; this one hands it on, and srun does so to all that it started: training keeps its step,
# while DVC, which would die of it, is told to ignore it. It is `exec` that makes srun, not a shell, this shell's child.
(exec srun --nodes=1 --ntasks=1 --overlap --nodelist="${nodes[0]}" bash -c 'trap "" TERM; exec dvc repro') &
driver=$!
trap 'kill -TERM "$driver"' TERM
status=0
wait "$driver" || status=$?
while kill -0 "$driver" 2>/dev/null; do # a signal ends `wait`, not the driver
    status=0
    wait "$driver" || status=$?
done
exit "$status"
