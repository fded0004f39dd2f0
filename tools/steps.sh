# How the scripts beside this one say what they do; to be sourced. `$script` is who speaks, `$log` where a step's output goes.
# shellcheck shell=sh disable=SC2154

say() {
    echo "$script: $1"
}

fail() {
    echo "$script: $1" >&2
    exit 1
}

# step "what it does" "what to do when it fails" command…
step() {
    what=$1 remedy=$2
    shift 2
    began=$(date +%s)
    printf '%s: %s … ' "$script" "$what"
    if "$@" >"$log" 2>&1; then
        echo "$(($(date +%s) - began)) s"
    else
        echo "failed"
        tail -n 15 "$log" | sed 's/^/    /' >&2
        fail "$what failed: $remedy (the whole output is in $log)"
    fi
}
