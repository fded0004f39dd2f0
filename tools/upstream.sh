#!/bin/sh
# Make the reference that tests/upstream compares with: the binaries of Kubernetes 1.20, the newest whose whole source Debian has.
#
#     tools/upstream.sh     into $SAMPAN_UPSTREAM, or ~/.cache/sampan/upstream
#
# It takes Debian's source package of kubernetes and Debian's Go, and about ten minutes and 6 GiB of disk on two cores. What is
# made already is not made again. It says what it does and stops with one sentence at the first thing it cannot do.
set -eu

target=${SAMPAN_UPSTREAM:-$HOME/.cache/sampan/upstream}
binaries="kube-apiserver kube-controller-manager kube-scheduler kubelet"
release=${SAMPAN_UPSTREAM_RELEASE:-bookworm}
mirror=${SAMPAN_UPSTREAM_MIRROR:-}

# shellcheck disable=SC2034
script=upstream
log=$target.log
# shellcheck source=tools/steps.sh
. "$(dirname "$0")/steps.sh"

missing() {
    for name in $binaries; do
        [ -x "$target/$name" ] || echo "$name"
    done
}

if [ -z "$(missing)" ]; then
    say "$target has them all"
    exit 0
fi

command -v apt-get >/dev/null 2>&1 || fail "there is no apt-get to fetch the source package with"
mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT

packages=""
for name in golang-go dpkg-dev make rsync etcd-server; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || packages="$packages $name"
done
if [ -n "$packages" ]; then
    [ "$(id -u)" = 0 ] || fail "these packages are missing:$packages — run this as root, or apt-get install them"
    # shellcheck disable=SC2086
    step "installing$packages" "check the sources in /etc/apt and the network" \
        env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
fi

# The machine's own lists may lack source packages, so apt is given some of its own: of the mirror that it has anyway.
if [ -z "$mirror" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 '/debian/*$' || true)
fi
[ -n "$mirror" ] || fail "no Debian mirror stands in /etc/apt: name one in SAMPAN_UPSTREAM_MIRROR"
mkdir -p "$work/lists/partial" "$work/parts" "$work/source"
cat >"$work/sources.list" <<END
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main
END
own="-o Dir::Etc::sourcelist=$work/sources.list -o Dir::Etc::sourceparts=$work/parts -o Dir::State::lists=$work/lists"
# shellcheck disable=SC2086
step "reading the list of source packages of $release" "check the network, and that the mirror has $release" apt-get $own update -q
# shellcheck disable=SC2086
step "fetching the source of kubernetes" "check the network" \
    sh -c "cd '$work/source' && apt-get $own source -q --only-source -o APT::Sandbox::User=root kubernetes"
source=$(find "$work/source" -mindepth 1 -maxdepth 1 -type d | head -n 1)

wanted=""
for name in $(missing); do
    wanted="$wanted cmd/$name"
done
# As debian/rules of the package has it.
mkdir -p "$source/.go/src/k8s.io"
ln -s ../../.. "$source/.go/src/k8s.io/kubernetes"
step "building$wanted" "look for what Go says above" \
    env HOME="$work" GOPATH="$source/.go" CGO_ENABLED=0 nice make -C "$source" "WHAT=$wanted"
mkdir -p "$target"
for name in $(missing); do
    built=$(find "$source/_output" -type f -name "$name" -perm -u+x | head -n 1)
    [ -n "$built" ] || fail "the build left no $name"
    cp "$built" "$target/$name"
done
rm -f "$log"
say "made $target"
