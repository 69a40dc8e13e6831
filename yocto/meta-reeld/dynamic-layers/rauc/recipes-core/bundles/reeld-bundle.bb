SUMMARY = "An update for boxes that record"
DESCRIPTION = "reeld-image, signed, for the slot that is not running. It is kept when the box has recorded with \
it for a minute."
HOMEPAGE = "https://github.com/reeld/reeld"
LICENSE = "MIT"

inherit bundle

# RAUC_KEY_FILE and RAUC_CERT_FILE name what signs it: docs/yocto.md, "Updates".
RAUC_BUNDLE_FORMAT = "verity"
RAUC_BUNDLE_COMPATIBLE = "reeld-${MACHINE}"
RAUC_BUNDLE_VERSION = "${DISTRO_VERSION}"
RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "reeld-image"
RAUC_SLOT_rootfs[fstype] = "${REELD_UPDATE_FSTYPE}"
RAUC_SLOT_rootfs[imagetype] = "${REELD_UPDATE_TYPE}"

# A Jetson's root is ext4 for NVIDIA's tools; a Raspberry Pi's is a squashfs, written as it is.
REELD_UPDATE_FSTYPE ?= "ext4"
REELD_UPDATE_TYPE ?= "ext4"
REELD_UPDATE_FSTYPE:rpi = "squashfs-zst"
REELD_UPDATE_TYPE:rpi = "raw"

# The kernel of a Raspberry Pi lies beside what its firmware reads, not in the root.
RAUC_BUNDLE_SLOTS:append:rpi = " boot"
RAUC_SLOT_boot = "reeld-boot-archive"
RAUC_SLOT_boot[type] = "boot"
RAUC_SLOT_boot[file] = "reeld-boot-${MACHINE}.tar.gz"
