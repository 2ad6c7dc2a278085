# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts here share about apt; sourced, not run. The mirror is the one this machine uses for itself:
# no host name is written down anywhere.

readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# die MESSAGE: one line on stderr, naming the script, and out.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# need_debian: this must be a Debian with apt and its keyring.
need_debian() {
	command -v apt-get >/dev/null || die "apt-get not found: this script is for Debian; install the packages by hand"
	[ -r "$KEYRING" ] || die "$KEYRING not found: install debian-archive-keyring"
}

# need_root WHAT...: somebody here may install that. Asked before anything is done in silence.
need_root() {
	need_debian
	[ "$(id -u)" != 0 ] || return 0
	command -v sudo >/dev/null || die "not installed: $*; you are not root, and there is no sudo: have root install them"
	sudo -v || die "not installed: $*; sudo does not let you install them: have root do it"
}

# codename: this release's name, such as bookworm.
codename() {
	(. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:?}")
}

# mirror SUITE: the URI this Debian's apt takes a suite such as bookworm-security from; nothing when it has none.
# Asked so that it works before the first apt-get update too, when indextargets is silent.
mirror() {
	(. /etc/os-release && [ "$ID" = debian ]) || return 0
	{ apt-get update --print-uris 2>/dev/null || true; } | sed -n "s|^'\(.*\)dists/$1/InRelease'.*|\1|p" | sed -n 1p
}

# as_root COMMAND...: run it as root, through sudo when need be. need_root comes first.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# installed PACKAGE...: all of them are installed.
installed() {
	local package
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || return 1
	done
}

# add_suite SUITE: apt as this script uses it knows one suite more, through a configuration of its own: the machine's
# sources stay as they are. There may be one such suite.
apt_options=()
add_suite() {
	local uri list
	uri=$(mirror "$(codename)")
	[ -n "$uri" ] || die "apt has no source for $(codename): add one to /etc/apt/sources.list.d"
	apt_dir=$(mktemp -d) || die "no temporary directory"
	trap 'as_root rm -rf "$apt_dir"' EXIT
	mkdir -p "$apt_dir/sources.list.d" "$apt_dir/lists/partial"
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		case $list in *.list | *.sources) [ ! -r "$list" ] || cp "$list" "$apt_dir/sources.list.d/" ;; esac
	done
	printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" "$uri" "$1" >"$apt_dir/sources.list.d/dtrec-$1.list"
	chmod -R a+rX "$apt_dir"
	apt_options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt_dir/sources.list.d"
		-o "Dir::State::lists=$apt_dir/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
	quietly as_root apt-get -q "${apt_options[@]}" update ||
		die "apt-get update failed: is the mirror reachable, and does it have $1?"
}

# install_packages PACKAGE...
install_packages() {
	printf '%s: installing %s\n' "${0##*/}" "$*" >&2
	quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "${apt_options[@]}" -y install --no-install-recommends \
		"$@" ||
		die "apt-get install failed: see above"
}

# install_recent MAJOR.MINOR PACKAGE...: of the first of them that version or a later one, from this release's
# backports where the release itself has only an older one.
install_recent() {
	local minimum=$1 candidate
	shift
	need_root "$1 ($minimum or later, from $(codename)-backports if need be)" "${@:2}"
	add_suite "$(codename)-backports"
	candidate=$(apt-cache "${apt_options[@]}" policy "$1" | sed -n 's/^ *Candidate: *//p')
	if [ -z "$candidate" ] || dpkg --compare-versions "${candidate#*:}" lt "$minimum"; then
		apt_options+=(-t "$(codename)-backports")
	fi
	install_packages "$@"
}

# quietly COMMAND...: its output is shown only when it fails.
quietly() {
	local log
	log=$(mktemp) || die "no temporary file"
	if "$@" >"$log" 2>&1; then
		rm -f "$log"
	else
		cat "$log" >&2
		rm -f "$log"
		return 1
	fi
}
