SUMMARY = "A box that records LiveKit rooms"
DESCRIPTION = "The recorder, and what turns a machine into a box of it. For an image of your own."

inherit packagegroup

PACKAGE_ARCH = "${MACHINE_ARCH}"

RDEPENDS:${PN} = " \
    kernel-modules \
    openssh-sftp-server \
    openssh-sshd \
    reeld \
    reeld-box \
    tzdata \
"
RDEPENDS:${PN}:append = " ${@bb.utils.contains('REELD_UPDATE', 'rauc', 'reeld-update', '', d)}"
