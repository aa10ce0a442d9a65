#!/usr/bin/env bash
# tools/analyze.sh gcc|cppcheck [FOLDER]: looks for faults in the C sources of src, or of FOLDER,
# without running them. Fails when it finds one, and prints it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Two passes: to merge states that look alike loses leaks, and not to merge them gives up at the larger
# functions.
with_gcc() {
    local source pass status=0
    local -a includes
    # shellcheck disable=SC2207  # a list of words
    includes=($("${PYTHON:-.venv/bin/python}" -c 'import numpy, sysconfig
print("-isystem", sysconfig.get_path("include"), "-isystem", numpy.get_include())'))
    while read -r source; do
        for pass in -fanalyzer-state-merge -fno-analyzer-state-merge; do
            "${CC:-cc}" -std=c11 -O2 -Wall -Wextra -Werror -fanalyzer "$pass" -include tools/analyze.h \
                --param analyzer-max-enodes-per-program-point=32 \
                --param analyzer-bb-explosion-factor=80 \
                -I src/core -I minpack -DON_ARGONNE=0 "${includes[@]}" -c "$source" -o /dev/null </dev/null || status=1
        done
    done < <(find "$1" -name '*.c')
    return "$status"
}

# A finding that is none is marked in the source, with the reason: /* cppcheck-suppress name */
with_cppcheck() {
    cppcheck --quiet --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
        --library=python,gnu,posix --std=c11 "$1"
}

"with_$1" "${2:-src}"
