# NVIDIA's encoder, decoder and scaler. An Orin Nano has no encoder: there the processor encodes.
PACKAGECONFIG[nvidia] = ",,,gstreamer1.0-plugins-nvvideo4linux2 gstreamer1.0-plugins-nvvidconv"
PACKAGECONFIG:append:tegra = " nvidia"

do_install:append:tegra() {
    for service in reeld.service reeld@.service; do
        install -D -m 0644 ${S}/systemd/drop-ins/jetson.conf \
            ${D}${systemd_system_unitdir}/$service.d/20-jetson.conf
    done
}
