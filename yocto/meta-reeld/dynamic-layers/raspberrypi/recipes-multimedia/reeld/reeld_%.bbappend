# A Raspberry Pi 4 encodes and scales by its VideoCore, behind V4L2; a Raspberry Pi 5 has no encoder.
PACKAGECONFIG:append:rpi = " v4l2"

do_install:append:rpi() {
    for service in reeld.service reeld@.service; do
        install -D -m 0644 ${S}/systemd/drop-ins/raspberry-pi.conf \
            ${D}${systemd_system_unitdir}/$service.d/20-raspberry-pi.conf
    done
}
