#!/bin/sh
# Creates the virtual environment .oncepay/environment, or updates it. Returns at once where it is current.
#
#   sh cli/environment.sh PYTHON run            packages for `make run`
#   sh cli/environment.sh PYTHON development    also those for checks, tests and code generation
#   sh cli/environment.sh PYTHON kubernetes     also those for `make kubernetes-check`
#
# Run it in the repository's root. It may be interrupted at any point and run again.
set -eu

python=$1
purpose=$2
environment=.oncepay/environment
stamp=$environment/$purpose.stamp
log=.oncepay/environment.log

message() { printf '%s\n' "$*" >&2; }
fail() {
    message "$@"
    exit 1
}

command -v "$python" >/dev/null ||
    fail "$python was not found. Oncepay needs Python 3.11 or newer:" \
        "on Debian and Ubuntu apt install make python3 python3-venv, on macOS brew install python."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" -V 2>&1) is too old: Oncepay needs Python 3.11 or newer." \
        "If a newer one is installed, name it: make PYTHON=python3.11 ..."

packages="protobuf chassis customer payment sandbox cli"
[ "$purpose" = run ] || packages="$packages verification"

# The environment's inputs. Another folder or another Python needs a new environment.
interpreter=$("$python" -c 'import sys; print(*sys.version_info[:2], sys.platform, sys.argv[1])' "$PWD")
inputs=$(
    echo "$interpreter"
    cat VERSION requirements/uv.txt "requirements/$purpose.txt"
    for package in $packages; do cat "$package/src/pyproject.toml"; done
)
inputs=$(echo "$inputs" | cksum)

[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$inputs" ] && [ -x "$environment/bin/python" ] &&
    exit 0

mkdir -p .oncepay 2>/dev/null && [ -w .oncepay ] ||
    fail "$PWD/.oncepay, the folder of the environment and the data, is not writable:" \
        "change the folder's owner, or work in a copy."

: >"$log"

if [ -f "$environment/interpreter" ] && [ "$(cat "$environment/interpreter")" != "$interpreter" ]; then
    rm -rf "$environment"
fi
if ! "$environment/bin/python" -c 'import pip' 2>/dev/null; then
    message "Creating the environment $environment, once. This takes half a minute."
    "$python" -m venv --clear "$environment" >>"$log" 2>&1 || {
        rm -rf "$environment"
        fail "$python could not create an environment (see $log)." \
            "On Debian and Ubuntu a package is usually missing:" \
            "apt install python3-venv"
    }
fi
echo "$interpreter" >"$environment/interpreter"

environment_python=$environment/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_RETRIES="${PIP_RETRIES:-2}"

# uv is fast, but does not read pip.conf: where a company's mirror is set there, pip installs instead.
fast_install() { "$environment_python" -m uv pip install --python "$environment_python" "$@" >>"$log" 2>&1; }
plain_install() { "$environment_python" -m pip install "$@" >>"$log" 2>&1; }
install() { fast_install "$@" || plain_install "$@"; }

message "Installing requirements/$purpose.txt, with hashes."
plain_install --require-hashes -r requirements/uv.txt ||
    message "uv is not available; pip installs instead, which takes longer."
install --require-hashes -r "requirements/$purpose.txt" || {
    grep ERROR "$log" | tail -n 2 >&2
    fail "The packages could not be downloaded (see $log). Check the network;" \
        "behind a mirror, set PIP_INDEX_URL. Then run the same command again: it continues."
}

editable=
for package in $packages; do editable="$editable --editable $package/src"; done
# shellcheck disable=SC2086  # the packages' names have no spaces
install --no-deps --no-build-isolation $editable || {
    tail -n 3 "$log" >&2
    fail "Oncepay's own packages could not be installed (see $log)."
}

echo "$inputs" >"$stamp"
