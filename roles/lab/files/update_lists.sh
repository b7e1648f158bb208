#!/bin/sh
# Fetch the package lists of the machine's own sources into the place that APT_CONFIG names.
set -eu
exec apt-get --quiet=2 update
