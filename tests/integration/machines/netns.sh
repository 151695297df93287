#!/usr/bin/env bash
# Several "machines" on one, each with its own network, processes and /tmp/ray: namespaces on a bridge that is itself in one.
#   netns.sh up N PREFIX               makes PREFIX0..PREFIX(N-1), 10.77.0.10 upwards
#   netns.sh node I PREFIX DIR CMD...  runs CMD as the first process of machine I; all but DIR/I is shared
#   netns.sh cut|heal I PREFIX         pulls a machine's cable, and puts it back
#   netns.sh down N PREFIX
set -euo pipefail
verb=$1; shift
case $verb in
up) n=$1 p=$2
  ip netns add "${p}sw"; ip -n "${p}sw" link add br0 type bridge; ip -n "${p}sw" link set br0 up; ip -n "${p}sw" link set lo up
  for ((i=0;i<n;i++)); do
    ip netns add "$p$i"
    ip -n "$p$i" link add eth0 type veth peer name "port$i" netns "${p}sw"
    ip -n "${p}sw" link set "port$i" master br0; ip -n "${p}sw" link set "port$i" up
    ip -n "$p$i" addr add "10.77.0.$((10+i))/24" dev eth0; ip -n "$p$i" link set eth0 up; ip -n "$p$i" link set lo up
    ip -n "$p$i" route add default dev eth0  # Ray looks for its interface by "connecting" to a public address
  done;;
node) i=$1 p=$2 d=$3; shift 3; mkdir -p "$d/$i/ray"
  exec ip netns exec "$p$i" unshare --mount --propagation private --pid --fork --kill-child --mount-proc --uts bash -c '
    i=$0 d=$1; shift; hostname "node$i"; mkdir -p /tmp/ray
    mount --bind "$d/$i/ray" /tmp/ray; mount -t tmpfs -o size=2g tmpfs /dev/shm
    exec "$@"' "$i" "$d" "$@";;
cut) ip -n "${2}sw" link set "port$1" down;;
heal) ip -n "${2}sw" link set "port$1" up;;
down) for ((i=0;i<$1;i++)); do ip netns del "$2$i" || true; done; ip netns del "${2}sw";;
esac
