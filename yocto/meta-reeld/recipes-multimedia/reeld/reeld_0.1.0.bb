SUMMARY = "Recorder of LiveKit rooms for small boxes"
DESCRIPTION = "Records each participant's camera, microphone and screen to MPEG-TS that survives \
crashes and power cuts, within a budget of memory, with the encoder that the board has."
HOMEPAGE = "https://github.com/reeld/reeld"
SECTION = "multimedia"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = " \
    file://LICENSE-MIT;md5=73c33c71edf139f9579982494ca435b2 \
    file://LICENSE-APACHE;md5=22a53954e4e0ec258dfce4391e905dac \
"

DEPENDS = "gstreamer1.0 gstreamer1.0-plugins-base"

require ${BPN}-crates.inc

SRC_URI += "file://preinit"

inherit cargo cargo-update-recipe-crates pkgconfig systemd useradd externalsrc

# The program, its units and its catalogue are those of the tree that this layer lies in.
EXTERNALSRC = "${REELD_SOURCE}"
EXTERNALSRC_SYMLINKS = ""

# OpenEmbedded's triples are its own, and aws-lc's bindings are known by Rust's.
export AWS_LC_SYS_EFFECTIVE_TARGET = "${TARGET_ARCH}-unknown-linux-gnu"

# Each brings the plug-in that has the element; which element comes from where: yocto/elements.tsv.
PACKAGECONFIG ??= "v4l2 vpx voaacenc"
PACKAGECONFIG[aom] = ",,,gstreamer1.0-plugins-bad-aom"
PACKAGECONFIG[fdkaac] = ",,,gstreamer1.0-plugins-bad-fdkaac"
PACKAGECONFIG[libav] = ",,,gstreamer1.0-libav"
PACKAGECONFIG[openh264] = ",,,gstreamer1.0-plugins-bad-openh264"
PACKAGECONFIG[v4l2] = ",,,gstreamer1.0-plugins-good-video4linux2"
PACKAGECONFIG[v4l2codecs] = ",,,gstreamer1.0-plugins-bad-v4l2codecs"
PACKAGECONFIG[va] = ",,,gstreamer1.0-plugins-bad-va"
PACKAGECONFIG[voaacenc] = ",,,gstreamer1.0-plugins-bad-voaacenc"
PACKAGECONFIG[vpx] = ",,,gstreamer1.0-plugins-good-vpx"
PACKAGECONFIG[x264] = ",,,gstreamer1.0-plugins-ugly-x264"

# Boards differ in what their codecs need.
PACKAGE_ARCH = "${MACHINE_ARCH}"

PACKAGES =+ "${PN}-box"

USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system --force video; --system --force render"
USERADD_PARAM:${PN} = "--system --user-group --no-create-home --home-dir ${localstatedir}/lib/reeld \
    --shell ${base_sbindir}/nologin --comment 'Recorder of LiveKit rooms' reeld"

SYSTEMD_PACKAGES = "${PN} ${PN}-box"
SYSTEMD_SERVICE:${PN} = "reeld.service reeld@.service"
SYSTEMD_SERVICE:${PN}-box = "reeld-settings.service reeld-rooms.service"

do_install() {
    install -D -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/reeld ${D}${bindir}/reeld

    install -d ${D}${systemd_system_unitdir}
    install -m 0644 ${S}/systemd/reeld.service ${S}/systemd/reeld@.service ${S}/systemd/reeld.slice \
        ${D}${systemd_system_unitdir}
    for service in reeld.service reeld@.service; do
        install -D -m 0644 ${S}/systemd/drop-ins/restart-steps.conf \
            ${D}${systemd_system_unitdir}/$service.d/10-restart-steps.conf
    done
    install -D -m 0644 ${S}/systemd/reeld.tmpfiles ${D}${nonarch_libdir}/tmpfiles.d/reeld.conf
    install -D -m 0644 ${S}/systemd/reeld.catalog ${D}${nonarch_libdir}/systemd/catalog/reeld.catalog

    install -D -m 0640 ${S}/packaging/reeld.toml ${D}${sysconfdir}/reeld/reeld.toml
    chown root:reeld ${D}${sysconfdir}/reeld/reeld.toml
    install -d -m 0750 -g reeld ${D}${sysconfdir}/reeld/rooms
    install -d -m 0700 ${D}${sysconfdir}/reeld/credentials

    install_box
}

# What turns a machine into a box: settings from a partition that any computer can write, and the
# rest of the card for recordings. The image of scripts/image has the same.
install_box() {
    from=${S}/packaging/image
    install -D -m 0755 ${UNPACKDIR}/preinit ${D}${nonarch_libdir}/reeld/preinit
    install -m 0755 $from/files/usr/lib/reeld/settings $from/files/usr/lib/reeld/rooms \
        ${D}${nonarch_libdir}/reeld
    install -m 0644 $from/disk ${D}${nonarch_libdir}/reeld/disk
    echo "data_name=${REELD_DATA_PARTITION}" >${D}${nonarch_libdir}/reeld/layout
    install -m 0644 $from/files/usr/lib/systemd/system/*.service ${D}${systemd_system_unitdir}
    install -D -m 0644 $from/files/usr/lib/systemd/journald.conf.d/reeld.conf \
        ${D}${nonarch_libdir}/systemd/journald.conf.d/reeld.conf
    install -D -m 0644 $from/files/usr/lib/systemd/resolved.conf.d/reeld.conf \
        ${D}${nonarch_libdir}/systemd/resolved.conf.d/reeld.conf
    install -D -m 0644 $from/files/usr/lib/systemd/network/99-reeld.network \
        ${D}${nonarch_libdir}/systemd/network/99-reeld.network
    install -D -m 0644 ${S}/systemd/watchdog.conf ${D}${nonarch_libdir}/systemd/system.conf.d/reeld.conf
    install -D -m 0644 ${S}/packaging/reeld.toml ${D}${datadir}/reeld/reeld.toml

    grep -v '^HostKey ' $from/files/etc/ssh/sshd_config.d/reeld.conf >${B}/sshd.conf
    install -D -m 0644 ${B}/sshd.conf ${D}${sysconfdir}/ssh/sshd_config.d/reeld.conf
    sed -n '/^\[Unit\]/,/^$/p' $from/files/etc/systemd/system/ssh.service.d/reeld.conf >${B}/sshd-socket.conf
    install -D -m 0644 ${B}/sshd-socket.conf ${D}${systemd_system_unitdir}/sshd.socket.d/reeld.conf

    install -d ${D}/config ${D}/data
}

# The name of the partition that takes recordings; a Jetson's layout has one of its own.
REELD_DATA_PARTITION ?= "reeld-data"

FILES:${PN} += " \
    ${nonarch_libdir}/tmpfiles.d/reeld.conf \
    ${nonarch_libdir}/systemd/catalog/reeld.catalog \
    ${systemd_system_unitdir}/reeld.slice \
    ${systemd_system_unitdir}/reeld.service.d \
    ${systemd_system_unitdir}/reeld@.service.d \
"
FILES:${PN}-box += " \
    /config \
    /data \
    ${nonarch_libdir}/reeld \
    ${nonarch_libdir}/systemd/journald.conf.d \
    ${nonarch_libdir}/systemd/network \
    ${nonarch_libdir}/systemd/resolved.conf.d \
    ${nonarch_libdir}/systemd/system.conf.d \
    ${datadir}/reeld/reeld.toml \
    ${sysconfdir}/ssh/sshd_config.d \
    ${systemd_system_unitdir}/reeld-rooms.service \
    ${systemd_system_unitdir}/reeld-settings.service \
    ${systemd_system_unitdir}/sshd.socket.d \
"
CONFFILES:${PN} = "${sysconfdir}/reeld/reeld.toml"

# What every graph is made of. Plug-ins are opened by name, so no linker finds them.
RDEPENDS:${PN} = " \
    ca-certificates \
    gstreamer1.0 \
    gstreamer1.0-plugins-bad-mpegtsmux \
    gstreamer1.0-plugins-bad-opusparse \
    gstreamer1.0-plugins-bad-videoparsersbad \
    gstreamer1.0-plugins-base-app \
    gstreamer1.0-plugins-base-audioconvert \
    gstreamer1.0-plugins-base-audiorate \
    gstreamer1.0-plugins-base-opus \
    gstreamer1.0-plugins-base-videoconvertscale \
    gstreamer1.0-plugins-good-audioparsers \
"
# The partitions of the card, made and checked before systemd runs.
RDEPENDS:${PN}-box = " \
    ${PN} \
    e2fsprogs-e2fsck \
    e2fsprogs-mke2fs \
    util-linux-blkid \
    util-linux-partx \
    util-linux-sfdisk \
"
