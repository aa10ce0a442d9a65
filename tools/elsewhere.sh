# shellcheck shell=bash
# The tests on the systems that users have: in Debian as debootstrap makes it, and with other Pythons of
# this machine. Each system has a folder in build/elsewhere, made once. Sourced by ./dev.

# Debian 12, 13 and 14, with the Pythons 3.11, 3.13 and 3.14; and a Python that none of them has.
readonly all_systems="bookworm trixie forky python3.12"

# elsewhere [SYSTEM...] [PYTEST_ARGUMENT...]
elsewhere() {
    local name status=0
    local -a systems=() verdicts=()
    while [[ ${1:-} =~ ^([a-z]+|python3\.[0-9]+)$ ]]; do
        systems+=("$(system_of "$1")")
        shift
    done
    # shellcheck disable=SC2206  # a list of words
    ((${#systems[@]})) || systems=($all_systems)
    case "${systems[*]/python*/}" in
        *[a-z]*)
            [ "$(id -u)" = 0 ] || die "only root can make a Debian and change into it."
            require debootstrap
            ;;
    esac
    for name in "${systems[@]}"; do
        say "testing on $name; the log is build/elsewhere/$name/log"
        if test_on "$name" "$@"; then
            verdicts+=("$name: $(closing_line "$name")")
        else
            verdicts+=("$name FAILED: $(closing_line "$name")")
            grep -E '^(FAILED|ERROR) ' "build/elsewhere/$name/log" >&2 || true
            status=1
        fi
    done
    printf '%s\n' "${verdicts[@]}"
    return "$status"
}

# Prints the system to take: a Python that this machine lacks is that of a Debian.
system_of() {
    case $(python_named "$1" >/dev/null || echo "$1") in
        python3.11) echo bookworm ;;
        python3.13) echo trixie ;;
        python3.14) echo forky ;;
        *) echo "$1" ;;
    esac
}

# Prints the path of, say, python3.12, by pythons of tools/bench.sh.
python_named() { pythons | sed -n "s/^${1#python} //p" | grep .; }

closing_line() { tail -n 1 "build/elsewhere/$1/log" | tr -d '='; }

# test_on SYSTEM PYTEST_ARGUMENT...: fails when the tests do, and when the system cannot be made.
test_on() {
    local folder=build/elsewhere/$1 name=$1 python
    shift
    mkdir -p "$folder"
    case $name in
        python*)
            if ! python=$(python_named "$name"); then
                echo "this machine has no $name" >"$folder/log"
                return 1
            fi
            clone_head "$folder/pyminpack" &&
                PYTHON=$python "$folder/pyminpack/dev" test "$@" >"$folder/log" 2>&1 </dev/null
            ;;
        *)
            make_debian "$name" "$folder/root" >"$folder/log" 2>&1 &&
                clone_head "$folder/root/pyminpack" &&
                in_debian "$folder/root" ./dev test "$@" >"$folder/log" 2>&1 </dev/null
            ;;
    esac
}

# clone_head FOLDER: what is committed, and what ./dev made there of the last clone.
clone_head() {
    if [ ! -d "$1/.git" ]; then git init -q "$1"; fi
    git -C "$1" fetch -q "$PWD" HEAD &&
        git -C "$1" checkout -qf --detach FETCH_HEAD &&
        git -C "$1" clean -qfdx -e /.venv -e /build
}

# make_debian SUITE ROOT: nothing but what a bare Debian has, Python, git and certificates.
make_debian() {
    local suite=$1 root=$2 script=
    if [ -f "$root/made" ]; then return; fi
    rm -rf "$root"
    # Every Debian of today is made like sid; an old debootstrap does not know the names of new ones.
    [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=sid
    debootstrap --variant=minbase --include=python3,git,ca-certificates \
        "$suite" "$root" "$(mirror)" ${script:+"$script"} &&
        copy_settings "$root" &&
        touch "$root/made"
}

# Prints where this machine has its own Debian from.
mirror() {
    local place
    # shellcheck disable=SC2016  # apt's own variable
    place=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' 2>/dev/null |
        head -n 1)
    echo "${place:-http://deb.debian.org/debian}"
}

# copy_settings ROOT: how apt, pip and TLS reach the world here. Where a package comes from is the
# business of the machine, and which packages there are that of the Debian.
copy_settings() {
    local path
    for path in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt \
        /etc/apt/apt.conf /etc/apt/apt.conf.d /etc/apt/auth.conf.d \
        /etc/pip.conf /etc/xdg/pip /root/.config/pip /root/.pip; do
        if [ -e "$path" ]; then
            mkdir -p "$1${path%/*}"
            cp -RLT "$path" "$1$path"
        fi
    done
}

# in_debian ROOT COMMAND...: with processes and mounts of its own, so that all of them end with it.
in_debian() {
    local root=$1 variable
    local -a settings=()
    shift
    while read -r variable; do
        settings+=("$variable=${!variable}")
    done < <(compgen -e | grep -E '^(PIP_.*|.*_(proxy|PROXY)|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE)$')
    unshare --mount --pid --fork --kill-child --root="$root" --mount-proc --wd=/pyminpack \
        env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "${settings[@]}" "$@"
}
