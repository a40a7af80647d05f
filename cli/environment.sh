#!/bin/sh
# Makes the environment in .oncepay/environment, or brings it up to date; in an instant where it is.
#
#   sh cli/environment.sh PYTHON run            what `make run` needs
#   sh cli/environment.sh PYTHON development    that, and what checks, tests and generates
#
# Run it from the repository's folder. It may be interrupted at any point and run again.
set -eu

python=$1
purpose=$2
environment=.oncepay/environment
stamp=$environment/$purpose.stamp
log=.oncepay/environment.log

say() { printf '%s\n' "$*" >&2; }
refuse() {
    say "$@"
    exit 1
}

command -v "$python" >/dev/null ||
    refuse "There is no $python here. Oncepay needs Python 3.11 or newer:" \
        "on Debian and Ubuntu apt install make python3 python3-venv, on macOS brew install python."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    refuse "$("$python" -V 2>&1) is too old: Oncepay needs Python 3.11 or newer." \
        "If there is a newer one here, name it: make PYTHON=python3.11 ..."

rooms="protobuf chassis customer payment sandbox cli"
[ "$purpose" = run ] || rooms="$rooms verification"

# What the environment is made from. A folder that moved or another Python needs a new one.
home=$("$python" -c 'import sys; print(*sys.version_info[:2], sys.platform, sys.argv[1])' "$PWD")
made_from=$(
    echo "$home"
    cat requirements/uv.txt "requirements/$purpose.txt"
    for room in $rooms; do cat "$room/src/pyproject.toml"; done
)
made_from=$(echo "$made_from" | cksum)

[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$made_from" ] && [ -x "$environment/bin/python" ] &&
    exit 0

mkdir -p .oncepay 2>/dev/null && [ -w .oncepay ] ||
    refuse "The environment and the data belong in $PWD/.oncepay," \
        "which cannot be written: take the folder over, or work in a copy of your own."

: >"$log"

if [ -f "$environment/home" ] && [ "$(cat "$environment/home")" != "$home" ]; then
    rm -rf "$environment"
fi
if ! "$environment/bin/python" -c 'import pip' 2>/dev/null; then
    say "Making an environment in $environment, once. This takes half a minute."
    "$python" -m venv --clear "$environment" >>"$log" 2>&1 || {
        rm -rf "$environment"
        refuse "$python could not make an environment ($log says why)." \
            "On Debian and Ubuntu this is usually a package that is not there:" \
            "apt install python3-venv"
    }
fi
echo "$home" >"$environment/home"

inside=$environment/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_RETRIES="${PIP_RETRIES:-2}"

# uv is fast, but reads no pip.conf: where a company's mirror is set there, pip does the work.
fast_install() { "$inside" -m uv pip install --python "$inside" "$@" >>"$log" 2>&1; }
plain_install() { "$inside" -m pip install "$@" >>"$log" 2>&1; }
install() { fast_install "$@" || plain_install "$@"; }

say "Installing what requirements/$purpose.txt names, each with its hash."
plain_install --require-hashes -r requirements/uv.txt ||
    say "uv cannot be had; pip does its work, which takes longer."
install --require-hashes -r "requirements/$purpose.txt" || {
    grep ERROR "$log" | tail -n 2 >&2
    refuse "The packages could not be fetched ($log says more). Is there a network?" \
        "Behind a mirror, set PIP_INDEX_URL. Then run the same again: it goes on where it stopped."
}

editable=
for room in $rooms; do editable="$editable --editable $room/src"; done
# shellcheck disable=SC2086  # the names of our rooms have no spaces
install --no-deps --no-build-isolation $editable || {
    tail -n 3 "$log" >&2
    refuse "Oncepay's own packages could not be installed ($log says more)."
}

echo "$made_from" >"$stamp"
