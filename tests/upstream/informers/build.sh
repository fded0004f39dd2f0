#!/bin/sh
# Build the informers for tests/upstream into $SAMPAN_UPSTREAM, or ~/.cache/sampan/upstream. Needs Go 1.26 and client-go 0.36:
# Debian's golang-go and golang-k8s-client-go-dev, unstable's at present (a chroot of it will do: the program is static).
set -eu

target=${SAMPAN_UPSTREAM:-$HOME/.cache/sampan/upstream}
gopath=${GOPATH:-/usr/share/gocode}
cd "$(dirname "$0")"
if [ ! -d "$gopath/src/k8s.io/client-go" ]; then
    echo "informers: no client-go in $gopath: apt-get install golang-go golang-k8s-client-go-dev" >&2
    exit 1
fi
mkdir -p "$target"
GO111MODULE=off GOPATH=$gopath CGO_ENABLED=0 go build -o "$target/informers" .
echo "informers: $target/informers"
