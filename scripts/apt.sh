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

# codename: this release's name, such as bookworm.
codename() {
	(. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:?}")
}

# mirror SUITE: the URI this Debian's apt takes a suite such as bookworm-security from; nothing when it has none.
# Asked so that it works before the first apt-get update too, when indextargets is silent.
mirror() {
	(. /etc/os-release && [ "$ID" = debian ]) || return 0
	apt-get update --print-uris 2>/dev/null | sed -n "s|^'\(.*\)dists/$1/InRelease'.*|\1|p" | sed -n 1p
}

# as_root COMMAND...: run it as root, through sudo when need be.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root: run it as root, or install sudo"
	fi
}

# installed PACKAGE...: all of them are installed.
installed() {
	local package
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || return 1
	done
}

# quietly COMMAND...: its output is shown only when it fails.
quietly() {
	local log
	log=$(mktemp)
	if "$@" >"$log" 2>&1; then
		rm -f "$log"
	else
		cat "$log" >&2
		rm -f "$log"
		return 1
	fi
}
