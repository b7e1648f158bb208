# shellcheck shell=sh
# Usage: sh -s -- MODE NAME ADDRESS SECONDS CA
# Prints why the host needs a certificate and, unless MODE is "check", the request to have signed; nothing while what it has
# is good for SECONDS more, names NAME and ADDRESS, and was signed by CA (PEM).
set -eu
mode=$1 name=$2 address=$3 seconds=$4 ca=$5
pki=/etc/pki
certificate=$pki/libvirt/servercert.pem
key=$pki/libvirt/private/serverkey.pem
case $address in
    *:*) kind=IP ;;
    *[!0-9.]*) kind=DNS ;;
    *) kind=IP ;;
esac

names() { # DNS|IP VALUE
    check=-checkhost
    [ "$1" = DNS ] || check=-checkip
    ! openssl x509 -in "$certificate" -noout "$check" "$2" | grep -q NOT
}

lacking() {
    for file in CA/cacert.pem libvirt/servercert.pem libvirt/clientcert.pem libvirt/private/serverkey.pem \
        libvirt/private/clientkey.pem qemu/ca-cert.pem qemu/server-cert.pem qemu/server-key.pem qemu/client-cert.pem \
        qemu/client-key.pem; do
        [ -s "$pki/$file" ] || { echo "$pki/$file is missing"; return; }
    done
    for pair in libvirt/clientcert.pem:libvirt/servercert.pem qemu/server-cert.pem:libvirt/servercert.pem \
        qemu/client-cert.pem:libvirt/servercert.pem libvirt/private/clientkey.pem:libvirt/private/serverkey.pem \
        qemu/server-key.pem:libvirt/private/serverkey.pem qemu/client-key.pem:libvirt/private/serverkey.pem \
        qemu/ca-cert.pem:CA/cacert.pem; do
        cmp -s "$pki/${pair%:*}" "$pki/${pair#*:}" || { echo "$pki/${pair%:*} is not $pki/${pair#*:}"; return; }
    done
    openssl x509 -in "$certificate" -noout -checkend "$seconds" >/dev/null || { echo "$certificate runs out"; return; }
    openssl verify -CAfile "$pki/CA/cacert.pem" "$certificate" >/dev/null 2>&1 ||
        { echo "$certificate is not signed by $pki/CA/cacert.pem"; return; }
    [ "$(openssl x509 -in "$certificate" -noout -pubkey)" = "$(openssl pkey -in "$key" -pubout)" ] ||
        { echo "$certificate does not belong to $key"; return; }
    names DNS "$name" || { echo "$certificate does not name $name"; return; }
    names "$kind" "$address" || { echo "$certificate does not name $address"; return; }
    [ "$(printf '%s\n' "$ca" | openssl x509)" = "$(openssl x509 -in "$pki/CA/cacert.pem")" ] ||
        { echo "$pki/CA/cacert.pem is not the authority's"; return; }
}

reason=$(lacking)
[ -n "$reason" ] || exit 0
echo "$reason"
[ "$mode" != check ] || exit 0
# The new key waits under another name until its certificate is here: a run that stops halfway leaves the old pair in use.
umask 077
mkdir -p "$pki/libvirt/private"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/libvirt/private/new.pem" \
    -subj "/CN=$name" -addext "subjectAltName=DNS:$name,$kind:$address" \
    -addext "extendedKeyUsage=serverAuth,clientAuth" 2>/dev/null
