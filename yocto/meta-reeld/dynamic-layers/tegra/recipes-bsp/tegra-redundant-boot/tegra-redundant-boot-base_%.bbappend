FILESEXTRAPATHS:prepend := "${THISDIR}/files:"

SRC_URI += "file://after-health.conf"

# NVIDIA's service calls each start a good one; here that waits until the box has recorded.
do_install:append() {
    install -D -m 0644 ${UNPACKDIR}/after-health.conf \
        ${D}${systemd_system_unitdir}/nv_update_verifier.service.d/reeld.conf
}

FILES:${PN} += "${systemd_system_unitdir}/nv_update_verifier.service.d"
