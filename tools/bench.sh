# shellcheck shell=bash
# The environments of ./dev bench and ./dev compare, each with pyminpack built for it, in build/bench. Sourced by ./dev.

# The last SciPy with the Fortran MINPACK, and the interpreters it has wheels for.
readonly last_fortran_scipy=1.14.1 pythons_of_fortran_scipy="3.11 3.12 3.13"

# pythons: all CPython 3.11 and newer of this machine, one of each minor version, as `3.12 PATH`; the one
# of .venv is the first of its version.
pythons() {
    local candidate path seen=" " minor
    for candidate in .venv/bin/python python3 python3.{14,13,12,11} \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
        path=$(base_python "$candidate") || continue
        "$path" -c 'import venv' 2>/dev/null || continue
        minor=$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        case $seen in *" $minor "*) continue ;; esac
        seen+="$minor "
        echo "$minor $path"
    done
}

# Prints the newest of those.
newest_python() { pythons | sort -t. -k2,2n | tail -n1 | cut -d' ' -f2-; }

# Prints the first of those that SciPy's Fortran runs on.
python_for_fortran_scipy() {
    local minor path
    while read -r minor path; do
        case " $pythons_of_fortran_scipy " in *" $minor "*)
            echo "$path"
            return
            ;;
        esac
    done < <(pythons)
    return 1
}

# bench_environment NAME PYTHON REQUIREMENT...: build/bench/NAME, a virtual environment with pyminpack
# and what it is compared with.
bench_environment() {
    local folder=build/bench/$1 python=$2 hash
    shift 2
    hash="$python $* $(dependency_groups) $(hash_of meson.build meson.options pyproject.toml minpack src)"
    if [ -f "$folder/made-from" ] && [ "$(cat "$folder/made-from")" = "$hash" ]; then return; fi
    rm -rf "$folder"
    step "making $folder with $python" "$python" -m venv --without-pip "$folder" &&
        step "installing pyminpack and what it is compared with into $folder" \
            pip --python "$folder/bin/python" install . --group bench "$@" \
            --only-binary numpy,scipy,matplotlib,odrpack &&
        echo "$hash" >"$folder/made-from"
}

# Each prints the interpreter of an environment that it sets up; fails when it cannot, having said so.
fortran_scipy() {
    local python
    if ! python=$(python_for_fortran_scipy); then
        say "SciPy $last_fortran_scipy is skipped: no Python among $pythons_of_fortran_scipy."
        return 1
    fi
    if ! bench_environment fortran-scipy "$python" "scipy==$last_fortran_scipy"; then
        say "SciPy $last_fortran_scipy is skipped: it could not be installed."
        return 1
    fi
    echo "$PWD/build/bench/fortran-scipy/bin/python"
}

newest_scipy() {
    local python
    python=$(newest_python)
    if ! bench_environment newest-scipy "$python"; then
        say "the newest SciPy is skipped: it could not be installed for $python."
        return 1
    fi
    echo "$PWD/build/bench/newest-scipy/bin/python"
}

# bench_environments: sets `interpreters`, the options that name those that could be set up.
bench_environments() {
    local python environment
    interpreters=()
    for environment in fortran_scipy newest_scipy; do
        if python=$($environment); then interpreters+=(--with "$python"); fi
    done
    ((${#interpreters[@]})) || die "nothing to compare with could be installed."
}

# compare [--fortran] [--write-docs] ARGUMENT...: pyminpack.compare with the newest SciPy, or with the
# last that has the Fortran MINPACK.
compare() {
    local python environment=newest_scipy write=no
    local -a options=(--output build/compare)
    while true; do
        case ${1:-} in
            --fortran) environment=fortran_scipy ;;
            --write-docs) write=yes ;;
            *) break ;;
        esac
        shift
    done
    python=$($environment) || die "nothing to compare with could be installed."
    if [ "$write" = no ]; then
        "$python" -m pyminpack.compare "${options[@]}" "$@"
    else
        # What is published is what was written: the folder comes last, and so wins.
        "$python" -m pyminpack.compare "$@" "${options[@]}" &&
            "$python" tools/compare_docs.py build/compare
    fi
}
