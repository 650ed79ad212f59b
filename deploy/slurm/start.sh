#!/usr/bin/env bash
# Starts a Slurm controller with no nodes, to try Muster with and for its tests: munged and slurmctld, of Debian's
# packages munge, slurmctld and slurm-client. It listens on this machine alone, and needs two seconds.
#
#   deploy/slurm/start.sh DIR               starts it, or starts it again; DIR holds everything of it
#   deploy/slurm/start.sh DIR --lose-state  starts it without its nodes and jobs
#   deploy/slurm/start.sh DIR --stop        stops both, and leaves DIR
#
# Runs as root, as whom slurmctld then runs too. There is no slurmd: the controller places jobs on the nodes, where
# they stay in the state CONFIGURING for ten minutes.
set -euo pipefail

usage() {
  echo "usage: $0 DIR [--lose-state | --stop]" >&2
  exit 2
}

(($# == 1 || $# == 2)) && [[ $1 != -* ]] || usage
case "${2-}" in "" | --lose-state | --stop) ;; *) usage ;; esac
((EUID == 0)) || { echo "$0 must run as root" >&2; exit 2; }
for program in munged slurmctld scontrol; do
  PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
    { echo "there is no $program: apt-get install munge slurmctld slurm-client" >&2; exit 2; }
done
PATH=$PATH:/usr/sbin

mkdir -p "$1"
dir=$(cd "$1" && pwd)
export SLURM_CONF=$dir/slurm.conf

runs() { # NAME: whether the process of DIR/NAME.pid is there and of that name; of a zombie there is no program
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) && [[ $(readlink "/proc/$pid/exe") == */"$1"* ]]
}

stop() {
  runs "$1" || return 0
  kill "$(cat "$dir/$1.pid")"
  for _ in {1..100}; do runs "$1" || return 0; sleep 0.1; done
}

if [[ ${2-} == --stop ]]; then
  stop slurmctld
  stop munged
  exit
fi

# A name of the directory that others may pass through: the clients of munged do.
chmod 711 "$dir"
mkdir -p "$dir/state"

if [[ ! -e $dir/munge.key ]]; then
  (umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
fi
if ! runs munged; then
  munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
    --log-file="$dir/munged.log" --seed-file="$dir/munged.seed" --num-threads=2
fi

if [[ ! -e $SLURM_CONF ]]; then
  is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
  port=0
  until ((port > 0)) && is_free "$port" && is_free $((port + 1)); do port=$((20000 + RANDOM % 10000)); done
  host=$(hostname -s)
  cat >"$SLURM_CONF" <<CONF
ClusterName=muster
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
StateSaveLocation=$dir/state
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/slurmctld.log

# What Muster needs: nodes that come and go, and that can be seen while no job runs on them.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MaxNodeCount=10000
TreeWidth=65533
PrivateData=cloud
GresTypes=gpu
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP

# Jobs are placed without any slurmd.
ResumeProgram=/bin/true
SuspendProgram=/bin/true
SuspendTime=600
ResumeTimeout=600
SwitchType=switch/none
TaskPlugin=task/none
ProctrackType=proctrack/pgid
MpiDefault=none
ReturnToService=2
MailProg=/bin/true
CONF
fi

if ! runs slurmctld; then
  [[ ${2-} == --lose-state ]] && fresh=-c || fresh=
  # The output would hold up whoever waits for the end of ours.
  slurmctld $fresh -f "$SLURM_CONF" >>"$dir/slurmctld.out" 2>&1 </dev/null
fi
for _ in {1..100}; do
  if scontrol ping 2>/dev/null | grep -q " is UP"; then
    echo "export SLURM_CONF=$SLURM_CONF"
    exit
  fi
  sleep 0.1
done
echo "slurmctld does not answer; $dir/slurmctld.log ends with:" >&2
tail -n 5 "$dir/slurmctld.log" >&2 || true
exit 1
