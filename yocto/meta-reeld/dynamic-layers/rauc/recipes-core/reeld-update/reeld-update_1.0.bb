SUMMARY = "Updates that are kept when the box records with them"
DESCRIPTION = "What RAUC asks of the board's boot loader, and the check of health behind boot-complete.target."
HOMEPAGE = "https://github.com/reeld/reeld"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

SRC_URI = " \
    file://healthy \
    file://reeld-healthy.service \
    file://slots \
    file://slots-board \
"
SRC_URI:append:tegra = " file://mark-good.conf"
S = "${UNPACKDIR}"

inherit systemd

PACKAGE_ARCH = "${MACHINE_ARCH}"
COMPATIBLE_MACHINE = "^(rpi|tegra)$"

SYSTEMD_SERVICE:${PN} = "reeld-healthy.service"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    install -d ${D}${nonarch_libdir}/reeld
    install -m 0755 ${S}/slots ${S}/healthy ${D}${nonarch_libdir}/reeld
    install -m 0644 ${S}/slots-board ${D}${nonarch_libdir}/reeld
    install -D -m 0644 ${S}/reeld-healthy.service ${D}${systemd_system_unitdir}/reeld-healthy.service
}

do_install:append:tegra() {
    install -D -m 0644 ${S}/mark-good.conf ${D}${systemd_system_unitdir}/rauc-mark-good.service.d/reeld.conf
}

FILES:${PN} += " \
    ${nonarch_libdir}/reeld \
    ${systemd_system_unitdir}/rauc-mark-good.service.d \
    ${systemd_system_unitdir}/reeld-healthy.service \
"

RDEPENDS:${PN} = "rauc rauc-mark-good rauc-service reeld"
RDEPENDS:${PN}:append:tegra = " tegra-redundant-boot"
