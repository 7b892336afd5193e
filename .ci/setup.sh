# shellcheck shell=sh disable=SC2034  # variables for those who source it
# Sourced by ./demo and ./check from the project's directory: what both need before they can run.

# The Debian packages are installed. Without a missing one this needs neither network nor root.
install_packages() {
    command -v dpkg-query >/dev/null || return 0 # not Debian: whoever runs this has seen to it
    missing=
    for package in "$@"; do
        case $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) in
            installed) ;;
            *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "$0: to be installed first, as root: apt-get install$missing" >&2
        exit 1
    fi
    echo "installing$missing"
    # shellcheck disable=SC2086  # several words are meant
    (install_missing $missing) || exit 1
}

# Runs in a shell of its own, as it has something to remove in the end.
install_missing() {
    log=$(mktemp)
    remove=$log
    trap 'rm -f $remove' EXIT
    trap 'exit 1' INT TERM
    # Services stay off: the tests start daemons of their own.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        remove="$log /usr/sbin/policy-rc.d"
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    fi
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update && apt-get install --yes --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        exit 1
    fi
}

# `.venv` holds the project as it is now, with the extra named by $1 (or none), installed the ordinary way.
install_project() {
    sources=$(find pyproject.toml setup.cfg setup.py runtime spec bundles/ociimage frontend conformance -type f \
        ! -name '*.pyc' ! -path '*.egg-info/*' \
        -exec cksum {} + | LC_ALL=C sort | cksum)
    stamp=.venv/.installed${1:+-$1}
    [ "$(cat "$stamp" 2>/dev/null)" = "$sources" ] && return 0
    [ -x .venv/bin/pip ] || "$(python)" -m venv --clear .venv
    rm -rf build .venv/.installed*
    echo "installing the project into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action=ignore ".${1:+[$1]}"
    rm -rf build
    echo "$sources" >.venv/.installed
    echo "$sources" >"$stamp"
}

# Prints a Python of at least 3.11, the distribution's before any other.
python() {
    for candidate in /usr/bin/python3 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "$0: Python 3.11 or newer is needed" >&2
    exit 1
}

BUILD_PACKAGES="gcc libc6-dev libseccomp-dev pkg-config python3-dev python3-venv"
