#!/bin/sh
# Make the reference that tests/upstream/test_generic_*.py compare with: upstream's extension API server, of the newest release
# that Debian sid has as a library, told at run time to be 1.33.
#
#     tools/upstream-generic.sh     into $SAMPAN_UPSTREAM, or ~/.cache/sampan/upstream
#
# As root. It takes debootstrap, a sid in a directory of its own (3 GiB), and about a quarter of an hour. SAMPAN_UPSTREAM_SID
# names a sid to use and keep.
set -eu

cd "$(dirname "$0")/.."
target=${SAMPAN_UPSTREAM:-$HOME/.cache/sampan/upstream}
mirror=${SAMPAN_UPSTREAM_MIRROR:-}
sid=${SAMPAN_UPSTREAM_SID:-}

script=upstream
. tools/steps.sh

[ -x "$target/apiextensions-apiserver" ] && [ -x "$target/etcd" ] && say "$target has them" && exit 0
[ "$(id -u)" = 0 ] || fail "run this as root, for it makes a Debian sid to build in"
if [ -z "$mirror" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 '/debian/*$' || true)
fi
if [ -z "$sid" ]; then
    command -v debootstrap >/dev/null 2>&1 || fail "there is no debootstrap: apt-get install it"
    [ -n "$mirror" ] || fail "no Debian mirror stands in /etc/apt: name one in SAMPAN_UPSTREAM_MIRROR"
    sid=$(mktemp -d "${TMPDIR:-/var/tmp}/sampan-sid.XXXXXX")
    trap 'rm -rf "$sid"' EXIT
    say "making a sid in $sid"
    debootstrap --variant=minbase sid "$sid" "$mirror" >/dev/null || fail "debootstrap failed: check the network and the mirror"
fi
say "installing Go and the library"
chroot "$sid" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    golang-go golang-k8s-apiextensions-apiserver-dev >/dev/null || fail "the packages cannot be installed: check the network"
mkdir -p "$sid/root/generic" "$target"
cp tests/upstream/apiextensions.go "$sid/root/generic/main.go"
say "building the extension API server"
chroot "$sid" sh -c 'cd /root/generic && HOME=/root GO111MODULE=off GOPATH=/usr/share/gocode nice go build -o server main.go &&
    apt-get download -q etcd-server >/dev/null 2>&1 && dpkg -x etcd-server*.deb etcd' || fail "look for what Go says above"
cp "$sid/root/generic/server" "$target/apiextensions-apiserver"
cp "$sid/root/generic/etcd/usr/bin/etcd" "$target/etcd"
say "made $target"
