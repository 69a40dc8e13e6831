SUMMARY = "The boot files of a Raspberry Pi's slot, as an archive for updates"
DESCRIPTION = "The same files as in the image's first slot; RAUC unpacks them into the slot that is not running."
HOMEPAGE = "https://github.com/reeld/reeld"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

COMPATIBLE_MACHINE = "^rpi$"

inherit deploy nopackages

INHIBIT_DEFAULT_DEPS = "1"
PACKAGE_ARCH = "${MACHINE_ARCH}"
do_configure[noexec] = "1"
do_compile[noexec] = "1"
do_install[noexec] = "1"

python do_deploy() {
    import tarfile
    from oe.bootfiles import get_boot_files

    deployed = d.getVar("DEPLOY_DIR_IMAGE")
    files = get_boot_files(deployed, d.getVar("IMAGE_BOOT_FILES"))
    if not files:
        bb.fatal("IMAGE_BOOT_FILES names no file: a slot without boot files does not start")
    out = os.path.join(d.getVar("DEPLOYDIR"), "reeld-boot-%s.tar.gz" % d.getVar("MACHINE"))
    with tarfile.open(out, "w:gz") as archive:
        for source, target in sorted(files):
            archive.add(os.path.join(deployed, source), arcname=target, recursive=False)
}
do_deploy[depends] += " \
    reeld-boot:do_deploy \
    rpi-bootfiles:do_deploy \
    rpi-cmdline:do_deploy \
    rpi-config:do_deploy \
    virtual/kernel:do_deploy \
"
addtask deploy after do_compile before do_build
