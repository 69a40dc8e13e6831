FILESEXTRAPATHS:prepend := "${THISDIR}/rauc-conf:"

PACKAGE_ARCH = "${MACHINE_ARCH}"

# A bundle goes onto the boards that it was made for.
do_install:append() {
    sed -i 's/@COMPATIBLE@/reeld-${MACHINE}/' ${D}${nonarch_libdir}/rauc/system.conf
    sed -i 's/@KEYRING@/${RAUC_KEYRING_FILE}/' ${D}${nonarch_libdir}/rauc/system.conf
}
