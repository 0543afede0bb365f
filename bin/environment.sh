# Sourced by bin/run, bin/test and .ci/run: makes .venv once, from Python alone, and again when requirements.txt changes.
# Afterwards $root is the checkout, which is the current directory, and $python its interpreter.

set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)
cd "$root"
venv=$root/.venv
python=$venv/bin/python
export PYTHONUNBUFFERED=1  # what is printed first is read first, through a pipe too

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 && is_recent "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    found=$(python3 --version 2>/dev/null || echo 'no python3')
    fail "Python 3.11 or newer is needed; here is $found.
On Debian 12, Ubuntu 24.04 or newer: apt-get install python3 python3-venv. Another interpreter: PYTHON=/path/to/python $0"
}

make_venv() {
    base=$(find_python)
    version=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$base" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python $version lacks its venv module: apt-get install python$version-venv (or python3-venv), then run this again."
    say "Making $venv with Python $version …"
    "$base" -m venv --clear "$venv"
}

# mysqlclient has no wheel for Linux: it needs a compiler, the client's headers and Python's.
can_build_mysql() {
    echo 'int main(void) { return 0; }' | ${CC:-cc} -x c - -o /dev/null 2>/dev/null &&
        { pkg-config --exists mysqlclient || pkg-config --exists mariadb || pkg-config --exists libmariadb; } 2>/dev/null &&
        "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}

install_mysql() {
    line=$(grep '^mysqlclient' requirements.txt)
    if "$python" -c 'import MySQLdb' 2>/dev/null; then
        return
    elif can_build_mysql && pip_install "$line"; then
        say "MySQL and MariaDB are supported ($line was compiled)."
    else
        say "MySQL and MariaDB are left out: $line has to be compiled, and this machine cannot. SQLite needs nothing more. To add it:"
        say "  apt-get install gcc pkg-config libmariadb-dev python3-dev && $venv/bin/pip install $line"
    fi
}

pip_install() { "$python" -m pip install --quiet --disable-pip-version-check --no-input "$@"; }

install_packages() {
    wanted=$(cat requirements.txt bin/environment.sh | sha256sum)
    if [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    say "Installing the packages of requirements.txt (once; some minutes on a slow line) …"
    grep -v '^mysqlclient' requirements.txt >"$venv/requirements.txt"
    pip_install -r "$venv/requirements.txt" || fail "The packages could not be installed; what pip said is above. Run this again when it is mended."
    install_mysql
    printf '%s\n' "$wanted" >"$venv/installed"
}

is_recent "$python" && "$python" -m pip --version >/dev/null 2>&1 || make_venv
install_packages
