# shellcheck shell=bash
# Where a mistake in C or Fortran is to be caught: the tests under AddressSanitizer and valgrind, and
# the measure of what they run. Each has a build of its own. Sourced by ./dev.

# The tests that say nothing under a checker of memory: they look at the files of the build, at pages
# and at other programs, or else have a marker.
readonly not_about_memory="--ignore=tests/project --ignore=tests/compare"

# marked MARKER FOLDER...: the files there that have the marker. Others are not even imported: of what
# they import much takes longer than the tests where every instruction is looked at.
marked() { grep -rl --include='test_*.py' "mark\.$1\b" "${@:2}" | sort; }

# build_instrumented NAME SETUP_OPTION...: the package and the programs of tests/native, into
# build/NAME, and installed with its symbols into build/NAME-site.
build_instrumented() {
    local name=$1 hash
    shift
    hash="$* $(hash_of meson.build meson.options minpack src tests/native)"
    if stamp_is "$name" "$hash" && [ -d "build/$name-site" ]; then return; fi
    rm -rf "${stamps:?}/$name" "build/$name" "build/$name-site"
    step "building the package for $name" meson_install "$name" "$@"
    echo "$hash" >"$stamps/$name"
}

meson_install() {
    local name=$1
    shift
    meson setup "build/$name" -Dwerror=true -Dnative-tests=true \
        --python.platlibdir="$PWD/build/$name-site" "$@" &&
        meson compile -C "build/$name" &&
        meson compile -C "build/$name" native-tests &&
        meson install -C "build/$name" --no-rebuild
}

build_plain_malloc() {
    local cc
    cc=$(first_command "${CC:-cc}" gcc)
    # shellcheck disable=SC2046,SC2086  # lists of options
    step "building the memory allocator for $1" $cc -std=c11 -Wall -Wextra -Werror -O1 -g -shared -fPIC \
        $(.venv/bin/python -c 'import numpy, sysconfig
print("-isystem", sysconfig.get_path("include"), "-isystem", numpy.get_include())') \
        -o "build/$1/plain_malloc.so" tools/plain_malloc.c
}

# Sets `runner`: pytest on that build, with `env` to put settings between. Its output is not captured
# below Python, so that what a fault prints is seen; what names the tests is not loaded.
with_build() {
    local name=$1
    rm -f "build/$name/last-test"
    runner=(env "PYTHONPATH=$PWD/build/$name-site:$PWD/tools"
        "PYMINPACK_NATIVE_BUILD=$PWD/build/$name/tests/native"
        "PYMINPACK_INSTRUMENTED_SITE=$PWD/build/$name-site"
        "PYMINPACK_PLAIN_MALLOC=$PWD/build/$name/plain_malloc.so"
        "PYMINPACK_LAST_TEST=$PWD/build/$name/last-test")
}

# finish NAME STATUS: 1 is pytest's report of failures; beyond it the process may have died without.
finish() {
    local last_test=build/$1/last-test
    if (($2 > 1)) && [ -f "$last_test" ]; then
        say "the last test that began was $(cat "$last_test")"
    fi
    return "$2"
}

# names_tests ARGUMENT...: whether they tell pytest where to look.
names_tests() {
    local argument
    for argument; do
        case $argument in tests/*) return ;; esac
    done
    return 1
}

# -O1 comes after meson.build's -O3, and so wins. -fcheck looks at the bounds that Fortran knows and
# the sanitizers cannot, such as those of pieces of one workspace.
build_sanitized() {
    local flags="-O1 -fno-sanitize-recover=all -fno-omit-frame-pointer"
    build_instrumented sanitize -Dbuildtype=plain -Ddebug=true \
        -Db_sanitize=address,undefined -Db_lundef=false "-Dc_args=$flags" \
        "-Dfortran_args=$flags -fcheck=bounds,do,mem" -Dc_link_args=-lgfortran
    build_plain_malloc sanitize
}

# sanitize [--quick] PYTEST_ARGUMENT...
sanitize() {
    local status=0 library preload="" which="not memory"
    local -a runner
    if [ "${1:-}" = --quick ]; then
        shift
        which="shim and not memory"
        # shellcheck disable=SC2046  # a list of files
        set -- $(marked shim tests) "$@"
    fi
    build_sanitized
    with_build sanitize
    # The runtime has to be the first library of the process; libstdc++ has to be there when it
    # looks for the exceptions of C++ that other modules throw.
    for library in libasan.so libstdc++.so; do
        preload+="$($(first_command "${CC:-cc}" gcc) -print-file-name=$library) "
    done
    # What leaks is for tests/hostile/test_leaks.py: CPython keeps much to the end. A failed allocation is a
    # MemoryError here as everywhere. abort, so that Python's faulthandler tells the line.
    # shellcheck disable=SC2086  # a list of options
    "${runner[@]}" \
        "LD_PRELOAD=$preload$PWD/build/sanitize/plain_malloc.so" \
        ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:abort_on_error=1:detect_stack_use_after_return=1 \
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:abort_on_error=1 \
        .venv/bin/python -m pytest -p pytest_fences --capture=sys $not_about_memory -m "$which" "$@" || status=$?
    finish sanitize "$status"
}

# The optimised code that users get, with its symbols.
build_for_valgrind() {
    build_instrumented valgrind -Dbuildtype=release -Ddebug=true
    build_plain_malloc valgrind
}

# memcheck [--all] PYTEST_ARGUMENT...
memcheck() {
    local status=0 log=build/valgrind/log marker=callbacks which="not memory"
    local -a runner
    if [ "${1:-}" = --all ]; then
        shift
        marker=shim
    fi
    if ! names_tests "$@"; then
        which="$marker and not memory and not process"
        # shellcheck disable=SC2046  # a list of files
        set -- $(marked $marker tests/contract tests/hostile tests/many) "$@"
    fi
    build_for_valgrind
    with_build valgrind
    rm -f "$log"
    # Importing hypothesis takes as long as the tests, and plugins would. valgrind computes long
    # double with 64 bits, which NumPy finds odd.
    # shellcheck disable=SC2086  # a list of options
    "${runner[@]}" "LD_PRELOAD=$PWD/build/valgrind/plain_malloc.so" \
        PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 \
        valgrind --quiet --error-exitcode=99 --exit-on-first-error=yes --leak-check=no --fair-sched=yes \
        --num-callers=40 --child-silent-after-fork=yes --suppressions=tools/valgrind.supp \
        --log-file="$log" \
        .venv/bin/python -m pytest -p pytest_fences -p no:cacheprovider \
        -W 'ignore:Signature b:UserWarning' $not_about_memory -m "$which" "$@" || status=$?
    [ ! -s "$log" ] || cat "$log" >&2
    finish valgrind "$status"
}

# Unoptimised, so that a line is a line.
build_for_coverage() {
    # Several threads count at once.
    build_instrumented coverage -Dbuildtype=debug -Db_coverage=true \
        -Dc_args=-fprofile-update=atomic "-Dfortran_args=-O0 -fprofile-update=atomic"
}

# Where memory fails, coverage.py would fail before the shim does: those tests are measured in C alone.
coverage() {
    local status=0 folder=build/coverage
    local -a runner
    build_for_coverage
    with_build coverage
    rm -rf "$folder/report"
    mkdir "$folder/report"
    find "$folder" -name '*.gcda' -exec rm {} +
    .venv/bin/coverage erase
    if ! names_tests "$@"; then
        "${runner[@]}" .venv/bin/python -m pytest -q tests/hostile/test_allocation_failure.py || status=$?
        set -- tests --ignore=tests/project -m "not process and not thorough" "$@"
    fi
    "${runner[@]}" .venv/bin/coverage run -m pytest "$@" || status=$?
    .venv/bin/coverage combine --quiet
    .venv/bin/coverage json --quiet -o "$folder/report/python.json"
    .venv/bin/coverage html --quiet -d "$folder/report/python"
    .venv/bin/gcovr --root . --filter src/ --filter minpack/ --json "$folder/report/native.json" \
        --html-details "$folder/report/native.html" "$folder"
    .venv/bin/python tools/coverage_tables.py "$folder" || status=$?
    return "$status"
}
