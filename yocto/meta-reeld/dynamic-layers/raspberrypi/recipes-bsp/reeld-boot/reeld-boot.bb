SUMMARY = "How a Raspberry Pi's firmware chooses between two slots"
DESCRIPTION = "autoboot.txt names the partition that is started, and the one that is tried once; each slot has \
a command line of its own. The boot files of a slot also come as an archive, for updates."
HOMEPAGE = "https://github.com/reeld/reeld"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

COMPATIBLE_MACHINE = "^rpi$"

SRC_URI = "file://autoboot.txt"
S = "${UNPACKDIR}"

inherit deploy nopackages

INHIBIT_DEFAULT_DEPS = "1"
PACKAGE_ARCH = "${MACHINE_ARCH}"
do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"

# The console, then what memory.md and the watchdog need; squashfs is found by its partition's name.
REELD_CMDLINE ?= "console=serial0,115200 console=tty1 rootwait ro rootfstype=squashfs net.ifnames=0 panic=10 \
    psi=1 cgroup_enable=memory"

do_deploy() {
    install -d ${DEPLOYDIR}/reeld-boot
    install -m 0644 ${S}/autoboot.txt ${DEPLOYDIR}/reeld-boot/autoboot.txt
    for slot in a b; do
        name=$(echo $slot | tr ab AB)
        echo "${@' '.join(d.getVar('REELD_CMDLINE').split())} root=PARTLABEL=reeld-root-$slot rauc.slot=$name" \
            >${DEPLOYDIR}/reeld-boot/cmdline-$slot.txt
    done
}
addtask deploy after do_compile before do_build
