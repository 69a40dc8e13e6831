SUMMARY = "Records LiveKit rooms whenever it has power"
DESCRIPTION = "A read-only root, a partition for recordings with the rest of the card, settings from a \
partition that any computer can write, the hardware's watchdog on, and where the board has two slots \
for it, updates that are taken back when they do not record."
LICENSE = "MIT"

inherit core-image

IMAGE_FEATURES = "read-only-rootfs"
IMAGE_INSTALL = "packagegroup-core-boot packagegroup-reeld"
# Bigger than the root may become: a slot's size never changes on a box that is out there.
IMAGE_ROOTFS_EXTRA_SPACE = "0"

# Settings that the image itself brings, for a box without a partition for them: the files that
# docs/operations.md lists, in a folder.
REELD_SETTINGS ?= ""

add_settings() {
    install -d ${IMAGE_ROOTFS}${datadir}/reeld/settings
    if [ -n "${REELD_SETTINGS}" ]; then
        cp -R --no-preserve=ownership "${REELD_SETTINGS}/." ${IMAGE_ROOTFS}${datadir}/reeld/settings
    fi
}

# It goes on as systemd. Not by the kernel's init=: an initramfs need not heed it.
start_with_preinit() {
    ln -sfn ${nonarch_libdir}/reeld/preinit ${IMAGE_ROOTFS}${base_sbindir}/init
}

ROOTFS_POSTPROCESS_COMMAND += "add_settings start_with_preinit"
