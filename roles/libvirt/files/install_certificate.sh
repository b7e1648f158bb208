# shellcheck shell=sh
# Usage: sh -s -- CERTIFICATE CA
# Puts the pair that request_certificate.sh began in every place where libvirtd, its clients and QEMU look, each file in one step.
set -eu
pki=/etc/pki
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
printf '%s\n' "$1" | openssl x509 >"$new/certificate.pem"
printf '%s\n' "$2" | openssl x509 >"$new/ca.pem"
cp "$pki/libvirt/private/new.pem" "$new/key.pem"

[ "$(openssl x509 -in "$new/certificate.pem" -noout -pubkey)" = "$(openssl pkey -in "$new/key.pem" -pubout)" ] ||
    { echo 'the certificate was signed for another key than this host asked with; run onboarding again' >&2; exit 1; }
openssl verify -CAfile "$new/ca.pem" "$new/certificate.pem" >/dev/null

# The directory of private keys is root's alone; QEMU's own user has to read its copy.
qemu_group=$(getent group libvirt-qemu >/dev/null && echo libvirt-qemu || echo root)
install -d -m 0755 "$pki" "$pki/CA" "$pki/libvirt" "$pki/qemu"
install -d -m 0700 "$pki/libvirt/private"
place() { # SOURCE MODE GROUP TARGET...
    source=$1 mode=$2 group=$3
    shift 3
    for target in "$@"; do
        install -o root -g "$group" -m "$mode" "$new/$source" "$pki/$target.new"
        mv "$pki/$target.new" "$pki/$target"
    done
}
place ca.pem 0644 root CA/cacert.pem qemu/ca-cert.pem
place key.pem 0600 root libvirt/private/serverkey.pem libvirt/private/clientkey.pem
place key.pem 0640 "$qemu_group" qemu/server-key.pem qemu/client-key.pem
place certificate.pem 0644 root libvirt/servercert.pem libvirt/clientcert.pem qemu/server-cert.pem qemu/client-cert.pem
rm "$pki/libvirt/private/new.pem"
