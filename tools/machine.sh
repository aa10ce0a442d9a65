# shellcheck shell=bash
# What ./dev needs from the machine: a Python, compilers, headers, and Argonne's library for the
# tests. Finds out what is missing and installs only that. Sourced by ./dev.
# Written for bash 3.2, which is what macOS has.

# The interpreter asked about its headers and modules: .venv's, or the one to make .venv with.
python=

say() { echo "pyminpack: $*" >&2; }

die() {
    say "$@"
    exit 1
}

# step SENTENCE COMMAND...: one line while all is well, the whole log when it is not.
step() {
    local sentence=$1 log status=0
    shift
    say "$sentence"
    log=$("$@" 2>&1 </dev/null) || status=$?
    if ((status)); then
        printf '%s\n' "$log" >&2
        say "failed with exit status $status: $*"
    fi
    return "$status"
}

# Prints the interpreter itself, when it is new enough. Neither a venv's link, which may go away with
# the venv, nor a pyenv shim, which costs a tenth of a second at each call.
base_python() {
    "$1" -c 'import sys
print(sys._base_executable) if sys.version_info >= (3, 11) else sys.exit(1)' 2>/dev/null
}

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        base_python "$PYTHON" || die "PYTHON=$PYTHON is not a Python 3.11 or newer."
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if base_python "$candidate"; then return; fi
    done
    die "no Python 3.11 or newer found among python3 and python3.11 to python3.14." \
        "Install one, or name one: PYTHON=/path/to/python3 ./dev ..."
}

# What a Linux distribution's packages of this Python begin with: python3 or, say, python3.12. A Python
# from elsewhere has no such packages; it comes whole or not at all.
python_package() {
    "$python" -c 'import os, sys
if sys.base_prefix != "/usr":
    sys.exit(1)
default = os.path.realpath("/usr/bin/python3") == os.path.realpath(sys._base_executable)
print("python3" if default else "python%d.%d" % sys.version_info[:2])'
}

# first_command COMMAND...: prints the first that exists. Each may carry arguments, as CC and FC may.
first_command() {
    local candidate
    for candidate; do
        if command -v "${candidate%% *}" >/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# compile_c ARGUMENT...: compiles a program from standard input.
compile_c() {
    local cc
    # Without its command line tools, macOS has a cc that opens a window and waits.
    if [ "$(uname)" = Darwin ] && ! xcode-select -p >/dev/null 2>&1; then return 1; fi
    cc=$(first_command "${CC:-cc}" gcc clang) || return 1
    # shellcheck disable=SC2086  # CC may be several words
    $cc -x c - "$@" >/dev/null 2>&1
}

# Linking wants an output file, and root must not offer /dev/null: some linkers replace it.
can_link() {
    local output status=0
    output=$(mktemp)
    echo 'int main(void) { return 0; }' | compile_c -o "$output" "$@" || status=1
    rm -f "$output"
    return "$status"
}

have() {
    case $1 in
        fortran) first_command "${FC:-gfortran}" >/dev/null ;;
        c) echo '#include <stdio.h>' | compile_c -E ;;
        headers) "$python" -c 'import os, sysconfig, sys
sys.exit(not os.path.exists(os.path.join(sysconfig.get_config_var("INCLUDEPY"), "Python.h")))' ;;
        venv) [ "$python" = .venv/bin/python ] || "$python" -c 'import ensurepip' 2>/dev/null ;;
        argonne) can_link -lminpack -l:libcminpack.so.1 ;;
        sanitizers) can_link -fsanitize=address,undefined && runtime_of_gcc ;;
        analyzer) echo 'int x;' | compile_c -fanalyzer -S -o /dev/null ;;
        cppcheck) command -v cppcheck >/dev/null ;;
        valgrind) command -v valgrind >/dev/null ;;
        mingw) command -v x86_64-w64-mingw32-gcc >/dev/null && command -v x86_64-w64-mingw32-gfortran >/dev/null ;;
        debootstrap) command -v debootstrap >/dev/null ;;
        chromium) find_chromium >/dev/null ;;
    esac
}

find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

# clang keeps the sanitizers' code elsewhere, and has another option to link it to a module.
runtime_of_gcc() { case $($(first_command "${CC:-cc}" gcc) -print-file-name=libasan.so) in /*) ;; *) return 1 ;; esac; }

in_words() {
    case $1 in
        fortran) echo "a Fortran compiler (for minpack/)" ;;
        c) echo "a C compiler with the C library's headers (for src/)" ;;
        headers) echo "the header Python.h of $python (for src/)" ;;
        venv) echo "the modules venv and ensurepip of $python (for .venv)" ;;
        argonne) echo "Argonne's MINPACK and its C port (which the tests compare with)" ;;
        sanitizers) echo "GCC's AddressSanitizer and UndefinedBehaviorSanitizer" ;;
        mingw) echo "mingw-w64's GCC and gfortran" ;;
        analyzer) echo "a C compiler that knows -fanalyzer" ;;
        cppcheck | valgrind | chromium | debootstrap) echo "$1" ;;
    esac
}

packages_for() {
    local prefix=
    case $1 in headers | venv) prefix=$(python_package) || return 1 ;; esac
    case $manager:$1 in
        apt-get:fortran) echo gfortran ;;
        apt-get:c) echo gcc libc6-dev ;;
        apt-get:headers) echo "$prefix-dev" ;;
        apt-get:venv) echo "$prefix-venv" ;;
        apt-get:argonne) echo minpack-dev libminpack1 libcminpack1 ;;
        # valgrind replaces functions of the loader, and finds them by libc6-dbg.
        apt-get:valgrind) echo valgrind libc6-dbg ;;
        dnf:sanitizers) echo libasan libubsan ;;
        apt-get:mingw) echo {gcc,gfortran}-mingw-w64-x86-64-win32 ;;
        apt-get:cppcheck | dnf:cppcheck | brew:cppcheck | dnf:valgrind) echo "$1" ;;
        apt-get:chromium | dnf:chromium | apt-get:debootstrap | dnf:debootstrap) echo "$1" ;;
        dnf:fortran) echo gcc-gfortran ;;
        dnf:c) echo gcc ;;
        dnf:headers) echo "$prefix-devel" ;;
        brew:fortran) echo gcc ;;
        *) return 1 ;;
    esac
}

how_to_get() {
    case $1 in
        c) if [ "$(uname)" = Darwin ]; then
            echo "type: xcode-select --install"
        else
            echo "install gcc or clang"
        fi ;;
        fortran) echo "install gfortran, a part of GCC" ;;
        sanitizers | analyzer) echo "install GCC 10 or newer, and name it when it is not cc: CC=gcc ./dev ..." ;;
        cppcheck | chromium | debootstrap) echo "install it" ;;
        valgrind) echo "it exists for Linux" ;;
        mingw) echo "it is taken from Debian or Ubuntu" ;;
        headers | venv) echo "reinstall that Python with them, or name another: PYTHON=/path/to/python3 ./dev ..." ;;
    esac
}

install_command() {
    local options="install -y --no-install-recommends -o DPkg::Lock::Timeout=300"
    case $manager in
        # A source that cannot be reached need not be the one that matters: install decides.
        apt-get) echo "apt-get update; apt-get $options $*" ;;
        dnf) echo "dnf install -y --setopt=install_weak_deps=False $*" ;;
        brew) echo "brew install $*" ;;
    esac
}

# install_packages WORDS PACKAGES: fails when it may not or cannot, having said what to type.
install_packages() {
    local words=$1 packages=$2 command
    # shellcheck disable=SC2086  # a list of packages
    command=$(install_command $packages)
    local -a shell=(env DEBIAN_FRONTEND=noninteractive sh -c)
    if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
        shell=(sudo "${shell[@]}")
        if ! command -v sudo >/dev/null; then
            say "missing: $words. As root, type:"
            echo "    $command" >&2
            return 1
        fi
    fi
    step "installing $packages with $manager, because this machine lacks $words" \
        "${shell[@]}" "$command" && return
    say "that did not work. By hand it would be:"
    echo "    $command" >&2
    return 1
}

# require NEED...: installs what the machine lacks of these, or stops.
require() {
    local manager need packages='' words='' more by_hand=0
    manager=$(first_command apt-get dnf brew) || manager=none
    local -a missing=()
    for need; do
        have "$need" || missing+=("$need")
    done
    ((${#missing[@]})) || return 0
    for need in "${missing[@]}"; do
        if more=$(packages_for "$need"); then
            packages+="${packages:+ }$more"
            words+="${words:+, }$(in_words "$need")"
        else
            say "missing: $(in_words "$need"); $(how_to_get "$need")."
            by_hand=1
        fi
    done
    ((by_hand == 0)) || exit 1
    install_packages "$words" "$packages" || exit 1
    for need in "${missing[@]}"; do
        have "$need" || die "installed $packages, and still miss $(in_words "$need")."
    done
}

# Whether Argonne's library is there, now or after an attempt to install it. The tests against it are
# worth a package, not a failure: other systems than Debian's family do not have that package.
offer_argonne() {
    local manager packages
    have argonne && return
    manager=$(first_command apt-get dnf brew) || manager=none
    if packages=$(packages_for argonne) && install_packages "$(in_words argonne)" "$packages"; then
        have argonne && return
    fi
    say "the tests against Argonne's library will be skipped: it is not installed."
    return 1
}
