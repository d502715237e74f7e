#!/bin/sh
# The Debian packages that the tests use: NaCl's own tools, nft, socat and the like; with the argument
# bench, those of the benchmarks' peers, with firmware, what starts an image. Installs the absent ones when it may; says what will be
# skipped when it may not. Never fails.

users=tests
wanted='nacl-tools nftables socat iproute2 curl openssh-client openssh-server tcpdump libsodium23 mandoc man-db zsh fish mosquitto mosquitto-clients'
if [ "$1" = bench ]; then
	users=contestants
	wanted='wireguard-go wireguard-tools iperf3 ngtcp2-client ngtcp2-server stunnel4 openssl iproute2'
fi
if [ "$1" = firmware ]; then
	wanted='qemu-system-arm mtools e2fsprogs nacl-tools iproute2'
fi

command -v dpkg-query >/dev/null 2>&1 || {
	echo "packages: no dpkg here; $users that need one of these will be skipped: $wanted"
	exit 0
}
absent=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)
	[ "$state" = 'ii ' ] || absent="$absent $package"
done
[ -n "$absent" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "packages: $users will be skipped without$absent; cure: sudo apt-get install$absent"
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
echo "packages: installing$absent"
log=$(mktemp)
if ! { apt-get update && apt-get install -y --no-install-recommends $absent; } >"$log" 2>&1; then
	tail -n 5 "$log"
	echo "packages: could not install$absent; $users that need them will be skipped"
fi
rm -f "$log"
exit 0
