SUMMARY = "What lies in a card's partition for settings before anybody has touched it"
DESCRIPTION = "What the partition is for, every key of the configuration, and a room to begin with."
HOMEPAGE = "https://github.com/reeld/reeld"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = " \
    file://LICENSE-MIT;md5=73c33c71edf139f9579982494ca435b2 \
    file://LICENSE-APACHE;md5=22a53954e4e0ec258dfce4391e905dac \
"

SRC_URI = "file://lobby.toml.example"

inherit deploy externalsrc nopackages

EXTERNALSRC = "${REELD_SOURCE}"
EXTERNALSRC_SYMLINKS = ""

INHIBIT_DEFAULT_DEPS = "1"
do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"

do_deploy() {
    install -d ${DEPLOYDIR}/reeld-settings
    install -m 0644 ${S}/packaging/image/config/README.txt ${DEPLOYDIR}/reeld-settings/README.txt
    install -m 0644 ${S}/reeld.toml ${DEPLOYDIR}/reeld-settings/every-key.toml
    install -m 0644 ${UNPACKDIR}/lobby.toml.example ${DEPLOYDIR}/reeld-settings/lobby.toml.example
}

addtask deploy after do_compile before do_build
