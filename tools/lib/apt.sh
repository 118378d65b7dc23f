# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced. A private apt configuration: look into another suite or architecture of the machine's own Debian
# mirror without touching the machine's sources, lists or caches.

# apt_mirror: prints the URI of the source that this Debian release itself comes from.
apt_mirror() {
    local codename
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$codename" '
            !found && $2 == release && $3 == "main" { print $1; found = 1 }
            END { exit !found }' ||
        { echo "no apt source for $codename main: cannot reach other suites" >&2; return 1; }
}

# apt_private DIR TYPE SUITE ARCH: makes the configuration in DIR, fetches the lists of SUITE (TYPE is deb or
# deb-src) for ARCH, and prints the path to use as APT_CONFIG.
apt_private() {
    local dir=$1 type=$2 suite=$3 architecture=$4 uri
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    uri=$(apt_mirror) || return 1
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    cat >"$dir/private.sources" <<-SOURCES
	Types: $type
	URIs: $uri
	Suites: $suite
	Components: main
	Signed-By: $keyring
	SOURCES
    cat >"$dir/apt.conf" <<-CONF
	Dir::State "$dir/state";
	Dir::State::status "/dev/null";
	Dir::Cache "$dir/cache";
	Dir::Etc::sourcelist "$dir/private.sources";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	APT::Sandbox::User "root";
	APT::Architecture "$architecture";
	APT::Architectures { "$architecture"; };
	CONF
    APT_CONFIG="$dir/apt.conf" apt-get -qq update >&2 || return 1
    echo "$dir/apt.conf"
}
