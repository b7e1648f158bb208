# shellcheck shell=sh
# Prints "kvm" or "tcg". A machine may have a /dev/kvm that opens and runs no guest, so the processor is asked as well.
if [ -c /dev/kvm ] && (: <>/dev/kvm) 2>/dev/null && { [ "$(uname -m)" != x86_64 ] || grep -qwE 'vmx|svm' /proc/cpuinfo; }; then
    echo kvm
else
    echo tcg
fi
