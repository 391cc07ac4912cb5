#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What is installed, by Meson and by packages, and how it leaves again. `make test-package` makes the packages and
# tries them; here is what can be seen without.

load helper

build() {
    dirname "$QCOW2FRAG"
}

# installed: what is installed below $PWD/dest, one file a line, without the folder.
installed() {
    needs meson
    [ -e "$(build)/build.ninja" ] || skip "not in a build folder"
    DESTDIR=$PWD/dest meson install -C "$(build)" --no-rebuild --quiet >log 2>&1 || told "not installed:" log
    find dest -type f | sed 's/^dest//' | sort
}

@test "the version is the same everywhere" {
    version=$(sed -n "s/^  version: '\(.*\)',\$/\1/p" "$SOURCE/meson.build")
    [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
    [ "$(qcow2frag --version)" = "qcow2frag $version" ]
    grep -m 1 '^qcow2frag' "$SOURCE/NEWS" | grep -qE "^qcow2frag ${version//./\\.} \([0-9]{4}-[0-9]{2}-[0-9]{2}\)$"
    head -n 1 "$SOURCE/debian/changelog" | grep -qF "qcow2frag ($version) "
    grep -qE "^Version: +${version//./\\.}$" "$SOURCE/contrib/rpm/qcow2frag.spec"
    grep -A 1 '^%changelog' "$SOURCE/contrib/rpm/qcow2frag.spec" | grep -qE -- "- ${version//./\\.}-1$"
}

@test "packages are built with options that there are" {
    grep -ohE -- '-D[a-z_]+=' "$SOURCE/debian/rules" "$SOURCE/contrib/rpm/qcow2frag.spec" | sort -u >used
    [ -s used ]
    while read -r option; do
        grep -q "^option('$(sed 's/^-D//; s/=$//' <<<"$option")'" "$SOURCE/meson_options.txt"
    done <used
}

@test "the packages of Debian and RPM need at build time what is asked to be installed" {
    sed -nE 's/^build +(need|want) +pc:[a-z]+ +([a-z0-9-]+)$/\2/p' "$SOURCE/tools/need-packages" | sort >asked
    sed -n '/^Build-Depends:/,/^[A-Z]/p' "$SOURCE/debian/control" | grep -oE '[a-z0-9]+-dev\b' |
        grep -vE 'cmocka|systemd' | sort >deb
    [ -s asked ]
    diff asked deb
    sed -nE 's/^build +(need|want) +pc:([a-z]+) .*/\2/p' "$SOURCE/tools/need-packages" | sort >asked
    sed -nE 's/^BuildRequires: +pkgconfig\(([a-z]+)\).*/\1/p' "$SOURCE/contrib/rpm/qcow2frag.spec" |
        grep -v cmocka | sort >rpm
    diff asked rpm
}

@test "the RPM lists what is installed, and nothing else; and it can be removed without a trace" {
    needs python3 jq
    installed >found
    prefix=$(meson introspect --buildoptions "$(build)" | jq -r '.[] | select(.name == "prefix").value')
    sed -n '/^%files/,/^%changelog/p' "$SOURCE/contrib/rpm/qcow2frag.spec" |
        sed -nE 's/^(%doc |%config\(noreplace\) )?(%\{_.*)/\2/p' |
        sed "s|%{_unitdir}|%{_prefix}/lib/systemd/system|; s|%{_sysconfdir}/sysconfig|%{_prefix}/etc/default|
            s|%{_datadir}|%{_prefix}/share|; s|%{_mandir}|%{_prefix}/share/man|; s|%{_bindir}|%{_prefix}/bin|; s|\*\$||" |
        sed "s|%{_prefix}|$prefix|" | sort >listed
    grep -q bin/qcow2frag listed
    diff found listed
    DESTDIR=$PWD/dest "$SOURCE/tools/uninstall" "$(build)"
    [ -z "$(find dest -type f)" ]
    ! find dest -type d | grep -E 'qcow2frag|systemd|man1|fish|zsh|bash-completion|default' || told "this is not to be"
}

@test "settings that somebody has changed outlive installing and removing" {
    script=$SOURCE/contrib/systemd/install-settings
    sample=$SOURCE/contrib/systemd/qcow2frag.settings
    export DESTDIR=$PWD/dest
    "$script" "$sample" /etc/default/qcow2frag
    cmp "$sample" dest/etc/default/qcow2frag
    echo 'COLLECT_IMAGES=/srv' >>dest/etc/default/qcow2frag
    cp dest/etc/default/qcow2frag mine
    "$script" "$sample" /etc/default/qcow2frag
    "$script" --remove "$sample" /etc/default/qcow2frag
    cmp dest/etc/default/qcow2frag mine
    cp "$sample" dest/etc/default/qcow2frag
    "$script" --remove "$sample" /etc/default/qcow2frag
    [ ! -e dest/etc/default ]
}
