# shellcheck shell=bash
# What Windows compiles, on Linux: all Fortran and C, by mingw-w64, with the sources and the options
# that Meson takes there. Nothing of it is run. Sourced by ./dev.

readonly mingw=build/mingw mingw_target=x86_64-w64-mingw32

# CPython's headers for Windows are in its sources alone, and those in Debian's and Ubuntu's source
# packages; apt needs not be set up for these. NumPy's are in its wheel.
get_windows_headers() {
    local folder=$PWD/$mingw/download list package
    stamp_is mingw headers && [ -d "$mingw/python" ] && return
    rm -rf "$mingw"
    mkdir -p "$folder/sources" "$folder/lists/partial" "$folder/cache/archives/partial" "$mingw/python"
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources}; do
        [ ! -f "$list" ] || sed -E 's/^(Types: *)deb\>.*/\1deb-src/; s/^deb /deb-src /' "$list" \
            >"$folder/sources/${list##*/}"
    done
    local -a options=(-o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$folder/sources"
        -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User=root)
    package=$(apt-cache depends python3 | sed -n 's/^ *Depends: *\(python3\.[0-9]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] || return 1
    # A source that cannot be reached need not be the one that matters.
    apt-get update "${options[@]}" || true
    (cd "$folder" && apt-get source --download-only --tar-only "${options[@]}" "$package") || return 1
    tar xf "$folder/$package"_*.orig.tar.* -C "$mingw/python" --strip-components=1 --wildcards \
        '*/Include' '*/PC/pyconfig.h*' || return 1
    # pyconfig.h.in since 3.13: what is set there differs with free threading alone.
    cp "$mingw"/python/PC/pyconfig.h* "$mingw/python/Include/pyconfig.h"
    pip download --no-deps --only-binary=:all: --platform win_amd64 --python-version "${package#python}" \
        -d "$folder" numpy || return 1
    .venv/bin/python -m zipfile -e "$folder"/numpy-*.whl "$mingw" || return 1
    rm -rf "$folder"
    describe_windows "${package#python}" || return 1
    echo headers >"${stamps:?}/mingw"
}

# describe_windows VERSION: a Python for Meson, and a library to link with, which has each name that
# the headers say; and the compilers. The C library of today's Windows is the UCRT.
describe_windows() {
    local dll=python${1/./}.dll folder=$PWD/$mingw
    {
        echo "LIBRARY $dll"
        echo EXPORTS
        grep -rohE '\b_?Py[A-Z_][A-Za-z_0-9]+' "$folder/python/Include" | sort -u
    } >"$folder/python.def"
    "$mingw_target-dlltool" -d "$folder/python.def" -l "$folder/python/$dll.a" || return 1
    cat >"$folder/python.json" <<EOF_JSON
{"schema_version": "1.0", "base_prefix": "$folder/python", "platform": "win-amd64",
 "language": {"version": "$1"}, "implementation": {"name": "cpython"},
 "abi": {"flags": [], "extension_suffix": ".pyd", "stable_abi_suffix": ".pyd"},
 "libpython": {"dynamic": "$dll.a", "link_extensions": true}, "c_api": {"headers": "Include"}}
EOF_JSON
    cat >"$folder/cross.ini" <<EOF_INI
[binaries]
c = '$mingw_target-gcc'
fortran = '$mingw_target-gfortran'
ar = '$mingw_target-ar'
strip = '$mingw_target-strip'
[built-in options]
c_args = ['-D_UCRT', '-DMS_WIN64']
c_link_args = ['-lucrt']
[properties]
numpy-include-dir = '$folder/numpy/_core/include'
[host_machine]
system = 'windows'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
EOF_INI
}

compile_for_windows() {
    local folder=$mingw/build
    step "getting the headers of CPython and NumPy for Windows" get_windows_headers || return 1
    [ -f "$folder/build.ninja" ] ||
        step "configuring for Windows" meson setup "$folder" --cross-file "$mingw/cross.ini" \
            "-Dpython.build_config=$PWD/$mingw/python.json" -Dwerror=true || return 1
    step "compiling for Windows" meson compile -C "$folder" || return 1
    .venv/bin/python - "$folder/compile_commands.json" <<'EOF_PYTHON'
import json
import pathlib
import sys

commands = json.loads(pathlib.Path(sys.argv[1]).read_text())
files = {command["file"] for command in commands}
print(len(files), "files of Fortran and C compile for Windows, with no warning, and link.")
EOF_PYTHON
}
