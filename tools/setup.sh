#!/bin/sh
# Make this clone runnable: the system packages that are missing, .venv with the pinned dependencies, `sampan` on the PATH.
#
#     tools/setup.sh up     what a cluster needs
#     tools/setup.sh test   that, and what the tests need
#     tools/setup.sh bench  that, and what the measurements need
#     tools/setup.sh dev    what the checks need, without system packages
#
# It says what it does and how long it took, does nothing twice, and stops with one sentence at the first thing it cannot do.
set -eu

purpose=${1:-up}
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
log=.venv-setup.log
script=setup
. tools/steps.sh

may_install() { [ "$(id -u)" = 0 ] && [ "$purpose" != dev ]; }

# The distribution's comes first: it is built with profile-guided optimization, without which Python is a quarter slower.
find_python() {
    for candidate in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
            { may_install || "$candidate" -c 'import ensurepip, venv' 2>/dev/null; }; then
            echo "$candidate"
            return
        fi
    done
}

# The file behind a name, a shim or an environment.
interpreter() {
    "$1" -c 'import os, sys; print(os.path.realpath(sys._base_executable))' 2>/dev/null
}

# A package is missing when the thing we use it for is: another package may well provide it.
missing_packages() {
    have() { command -v "$1" >/dev/null 2>&1; }
    have ip || echo iproute2
    have nft || echo nftables
    have nsenter || echo util-linux
    have containerd && have ctr || echo containerd
    have runc || echo runc
    have conntrack || echo conntrack
    have iptables || echo iptables
    [ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ] || echo containernetworking-plugins
    dpkg-query -W -f '${Status}' busybox-static 2>/dev/null | grep -q 'ok installed' || echo busybox-static
    [ -x /usr/bin/catatonit ] || echo catatonit
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    have kubectl || echo kubernetes-client
    have curl || echo curl
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$venv_package"
    if [ "$purpose" = bench ]; then
        have wrk || echo wrk
    fi
    if [ "$purpose" = test ]; then
        [ -x /usr/bin/etcd ] || echo etcd-server
    fi
}

install_packages() {
    packages=$(missing_packages | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    [ "$(id -u)" = 0 ] || fail "these packages are missing: ${packages}— run this as root, or apt-get install them"
    command -v apt-get >/dev/null 2>&1 || fail "these are missing and there is no apt-get to install them with: $packages"
    export DEBIAN_FRONTEND=noninteractive
    step "updating the package lists" "check the sources in /etc/apt and the network" apt-get update -q
    # shellcheck disable=SC2086
    step "installing $packages" "check the sources in /etc/apt and the network, or install them by hand" \
        apt-get install -q -y --no-install-recommends $packages
    case " $packages" in
        *" containerd "*) stop_new_daemon containerd.service ;;
    esac
    case " $packages " in
        *" etcd-server "*) stop_new_daemon etcd.service ;;
    esac
}

# The package starts a daemon for the whole machine, which nobody asked for: each node of a cluster runs its own.
stop_new_daemon() {
    if [ -d /run/systemd/system ] && systemctl is-enabled --quiet "$1"; then
        step "switching off the $1 that came with it" "run systemctl disable --now $1" systemctl disable --now "$1"
    fi
}

# Nothing below here runs when the stamp says that it ran with this very input.
make_venv() {
    extras=$1
    wanted=$({ cat pyproject.toml constraints.txt; "$python" -V; pwd; } | sha256sum | cut -d' ' -f1)
    if [ "$(cat .venv/.sampan-dev 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    if [ -z "$extras" ] && [ "$(cat .venv/.sampan-run 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    if [ ! -w . ] || { [ -e .venv ] && [ ! -w .venv ]; }; then
        fail "$PWD/.venv is not yours to write: run this as its owner or as root"
    fi
    # Of an interpreter that is gone, or another one, nothing can be kept.
    if [ "$(interpreter .venv/bin/python)" != "$(interpreter "$python")" ]; then
        step "making .venv with $("$python" -V)" "apt-get install $venv_package and run this again" "$python" -m venv --clear .venv
    fi
    step "installing the Python packages of constraints.txt" "check the network and pip's index settings" \
        .venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e ".$extras"
    echo "$wanted" >".venv/.sampan-$([ -n "$extras" ] && echo dev || echo run)"
    if [ "$(id -u)" = 0 ]; then
        # After sudo, what is in somebody's clone is theirs.
        chown -Rh "$(stat -c %u:%g .)" .venv ./*.egg-info
    fi
}

link_command() {
    target=$PWD/.venv/bin/sampan
    if [ "$(readlink /usr/local/bin/sampan 2>/dev/null)" != "$target" ]; then
        if [ -w /usr/local/bin ]; then
            ln -sfn "$target" /usr/local/bin/sampan
            say "linked $target into /usr/local/bin"
        else
            say "call it as $target: /usr/local/bin is not writable"
        fi
    fi
}

rm -f "$log" 2>/dev/null || true # of root, after a sudo that failed
python=$(find_python)
if [ -z "$python" ]; then
    fail "Python 3.11 or newer is needed: apt-get install python3.11 python3.11-venv, or newer"
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $(command -v "$python") in
    */python3) venv_package=python3-venv ;;
    *) venv_package=python$version-venv ;;
esac

case $purpose in
    up)
        [ "$(id -u)" = 0 ] || fail "a cluster needs root for namespaces, mounts and cgroups: run sudo make up"
        install_packages
        make_venv ""
        link_command
        ;;
    test | bench)
        install_packages
        make_venv "[test,dev]"
        ;;
    dev)
        make_venv "[test,dev]"
        ;;
    *) fail "unknown purpose $purpose: use up, test, bench or dev" ;;
esac
rm -f "$log"
