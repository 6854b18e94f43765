#!/bin/bash
# The first process of a machine of namespaces: killing it with -9 cuts the machine's power.
#   machine.sh NAME HOSTS [DAEMON …]
# NAME is its host name, HOSTS the file with the addresses of all, DAEMON what it runs as long as it is on.
name=$1 hosts=$2
shift 2
hostname "$name"
mount --bind "$hosts" /etc/hosts
mount -t tmpfs -o size=2g tmpfs /dev/shm
ulimit -c 0
(($# == 0)) || "$@" &
# Orphans of the machine are its children: they are buried here.
while :; do
    wait
    sleep 1
done
