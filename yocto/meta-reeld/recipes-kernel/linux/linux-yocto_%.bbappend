FILESEXTRAPATHS:prepend := "${REELD_LAYER}/files/kernel:"

SRC_URI:append:qemuarm64 = " file://reeld.cfg file://reeld-qemu.cfg"
