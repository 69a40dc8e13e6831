FILESEXTRAPATHS:prepend := "${REELD_LAYER}/files/kernel:"

SRC_URI += "file://reeld.cfg file://reeld-tegra.cfg"
