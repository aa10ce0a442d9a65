# shellcheck shell=bash
# The environment .venv and the package in it. Each finished piece of work leaves a stamp that says
# what it was made from, so that the next run has nothing to do. Sourced by ./dev.

readonly stamps=.venv/stamps

# hash_of PATH...: of the names and contents of files and of everything below folders.
hash_of() {
    .venv/bin/python - "$@" <<'EOF_PYTHON'
import hashlib
import pathlib
import sys

digest = hashlib.sha256()
for top in map(pathlib.Path, sys.argv[1:]):
    for path in sorted([top, *top.rglob("*")]):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
print(digest.hexdigest())
EOF_PYTHON
}

stamp_is() { [ -f "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$2" ]; }

identity() { "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null; }

# Whether .venv can be used as it is: new enough, with pip, in the folder it was made in (its scripts
# name that folder), and of the Python asked for.
venv_is_sound() {
    .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 1
    [ ! -f "$stamps/folder" ] || stamp_is folder "$PWD" || return 1
    [ -z "${PYTHON:-}" ] || [ "$(identity .venv/bin/python)" = "$(identity "$PYTHON")" ]
}

make_venv() {
    if [ "$python" != .venv/bin/python ]; then
        rm -rf .venv
        step "making .venv with $python" "$python" -m venv .venv
    fi
    mkdir -p "$stamps"
    # Not written again, because another ./dev may be reading it.
    stamp_is folder "$PWD" || echo "$PWD" >"$stamps/folder"
}

pip() { PIP_ROOT_USER_ACTION=ignore .venv/bin/python -m pip "$@" -q --disable-pip-version-check; }

dependency_groups() {
    .venv/bin/python -c 'import tomllib
print(tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"])'
}

# install_groups GROUP...: dependency groups of pyproject.toml.
install_groups() {
    local wanted group
    local -a options=()
    wanted=$(dependency_groups)
    for group; do
        stamp_is "group-$group" "$wanted" && continue
        options+=(--group "$group")
        # Another meson or NumPy does not continue what the last one configured.
        if [ "$group" = build ]; then
            find build -mindepth 1 -maxdepth 1 ! -name elsewhere -exec rm -rf {} + 2>/dev/null || true
        fi
    done
    ((${#options[@]})) || return 0
    step "installing the Python packages for: $*" install_with_new_pip "${options[@]}"
    for group; do
        echo "$wanted" >"$stamps/group-$group"
    done
}

# pip knows groups since 25.1. It would compile the modules one by one, where compileall uses all
# processors. Some are templates that cannot be compiled; pip passes over them, too.
install_with_new_pip() {
    pip install 'pip>=25.1' && pip install --no-compile "$@" &&
        { .venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null || true; }
}

# set_up NEEDS GROUPS: everything up to and including the packages in .venv.
set_up() {
    local needs=$1 groups=$2
    python=.venv/bin/python
    venv_is_sound || python=$(find_python)
    # shellcheck disable=SC2086  # lists of words
    {
        require venv $needs
        make_venv
        install_groups $groups
    }
    # meson-python looks for meson and ninja there.
    PATH=$PWD/.venv/bin:$PATH
}

# The package, with the programs of tests/native beside it: from one build folder, so that Fortran and C
# are compiled once. pip installs it when there is something new in what describes it; after that a change
# in a file takes the time of that file.
build_vendored() {
    local folder=build/vendored oracle=without hash
    # Meson does not look again for what it once did not find.
    if have argonne; then oracle=with; fi
    stamp_is oracle "$oracle" || rm -rf "$folder"
    # shellcheck disable=SC2046  # a list of files
    hash=$(hash_of pyproject.toml meson.options $(find meson.build minpack src tests/native -name meson.build))
    if stamp_is vendored "$hash" && [ -f "$folder/build.ninja" ]; then
        step "compiling and installing what has changed" .venv/bin/python tools/refresh.py "$folder"
        return
    fi
    rm -f "$stamps/vendored"
    step "building the package" \
        pip install . --no-build-isolation --no-deps --force-reinstall \
        "-Cbuild-dir=$folder" -Csetup-args=-Dwerror=true -Csetup-args=-Dnative-tests=true
    echo "$oracle" >"$stamps/oracle"
    echo "$hash" >"$stamps/vendored"
}
