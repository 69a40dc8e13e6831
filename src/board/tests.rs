//! Boards as they describe themselves: names from the device trees in Linux and from what people
//! have found on theirs; each says which.

use std::fs;
use std::path::Path;

use super::*;

/// A board's files. Strings of the device tree end with a NUL, as they do on the board.
struct Fixture {
    model: &'static str,
    compatible: &'static [&'static str],
    /// `sys_vendor` and `product_name`.
    dmi: Option<(&'static str, &'static str)>,
    cpu: &'static str,
    /// Nodes below `/dev`, with the name that V4L2 ones have.
    nodes: &'static [(&'static str, &'static str)],
    family: Family,
    expected: Expectation,
}

const ARM: &str = "processor\t: 0\nBogoMIPS\t: 62.50\nCPU implementer\t: 0x41\n";

/// What every fixture differs from.
const BARE: Fixture = Fixture {
    model: "",
    compatible: &[],
    dmi: None,
    cpu: ARM,
    nodes: &[],
    family: Family::Unknown,
    expected: Expectation::Unknown,
};

/// The nodes of a Raspberry Pi 3 and 4 under Raspberry Pi OS, by `wpctl status` in bug reports
/// and by `bcm2835-v4l2-codec.c` in raspberrypi/linux; a 4 has rpivid as well.
const RASPBERRY_NODES: &[(&str, &str)] = &[
    ("video10", "bcm2835-codec-decode"),
    ("video11", "bcm2835-codec-encode"),
    ("video12", "bcm2835-codec-isp"),
    ("video18", "bcm2835-codec-image_fx"),
    ("video31", "bcm2835-codec-encode_image"),
];

const V4L2: Expectation = Expectation::Element("v4l2h264enc");
const NVENC: Expectation = Expectation::Element("nvv4l2h264enc");

/// Raspberry Pis: the firmware puts the revision into `model`; `compatible` is Linux's
/// (`bcm2837-rpi-3-b-plus.dts`, `bcm2711-rpi-4-b.dts`, `bcm2712-rpi-5-b-ovl-rp1.dts`,
/// `bcm2837-rpi-zero-2-w.dts`).
const RASPBERRIES: [Fixture; 4] = [
    Fixture {
        model: "Raspberry Pi 3 Model B Plus Rev 1.3",
        compatible: &["raspberrypi,3-model-b-plus", "brcm,bcm2837"],
        nodes: RASPBERRY_NODES,
        family: Family::RaspberryPi,
        expected: V4L2,
        ..BARE
    },
    Fixture {
        model: "Raspberry Pi 4 Model B Rev 1.4",
        compatible: &["raspberrypi,4-model-b", "brcm,bcm2711"],
        nodes: RASPBERRY_NODES,
        family: Family::RaspberryPi,
        expected: V4L2,
        ..BARE
    },
    Fixture {
        model: "Raspberry Pi 5 Model B Rev 1.0",
        compatible: &["raspberrypi,5-model-b", "brcm,bcm2712"],
        nodes: &[("video19", "rpi-hevc-dec"), ("video20", "pispbe-input")],
        family: Family::RaspberryPi5,
        expected: Expectation::Software,
        ..BARE
    },
    Fixture {
        model: "Raspberry Pi Zero 2 W Rev 1.0",
        compatible: &["raspberrypi,model-zero-2-w", "brcm,bcm2837"],
        nodes: RASPBERRY_NODES,
        family: Family::RaspberryPi,
        expected: V4L2,
        ..BARE
    },
];

/// Jetsons: `arch/arm64/boot/dts/nvidia` in Linux, and `cat /proc/device-tree/{model,compatible}`
/// of developer kits under Jetson Linux R36 ("-super", "Engineering Reference").
const JETSONS: [Fixture; 7] = [
    // tegra234-p3768-0000+p3767-0005.dts. Its encoder's node may be there all the same.
    Fixture {
        model: "NVIDIA Jetson Orin Nano Developer Kit",
        compatible: &[
            "nvidia,p3768-0000+p3767-0005",
            "nvidia,p3767-0005",
            "nvidia,tegra234",
        ],
        nodes: &[("v4l2-nvenc", ""), ("v4l2-nvdec", "")],
        family: Family::JetsonOrinNano,
        expected: Expectation::Software,
        ..BARE
    },
    Fixture {
        model: "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        compatible: &[
            "nvidia,p3768-0000+p3767-0005-super",
            "nvidia,p3767-0005",
            "nvidia,tegra234",
        ],
        nodes: &[("v4l2-nvdec", "")],
        family: Family::JetsonOrinNano,
        expected: Expectation::Software,
        ..BARE
    },
    // The 4 GB module on the carrier of a Xavier NX.
    Fixture {
        model: "NVIDIA Orin Nano Developer Kit",
        compatible: &[
            "nvidia,p3509-0000+p3767-0004",
            "nvidia,p3767-0004",
            "nvidia,tegra234",
        ],
        family: Family::JetsonOrinNano,
        expected: Expectation::Software,
        ..BARE
    },
    // tegra234-p3768-0000+p3767-0000.dts: 16 GB, on the carrier of the Orin Nano.
    Fixture {
        model: "NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
        compatible: &[
            "nvidia,p3768-0000+p3767-0000",
            "nvidia,p3767-0000",
            "nvidia,tegra234",
        ],
        nodes: &[("v4l2-nvenc", ""), ("v4l2-nvdec", "")],
        family: Family::Jetson,
        expected: NVENC,
        ..BARE
    },
    // tegra234-p3737-0000+p3701-0000.dts.
    Fixture {
        model: "NVIDIA Jetson AGX Orin Developer Kit",
        compatible: &[
            "nvidia,p3737-0000+p3701-0000",
            "nvidia,p3701-0000",
            "nvidia,tegra234",
        ],
        nodes: &[("v4l2-nvenc", ""), ("v4l2-nvdec", "")],
        family: Family::Jetson,
        expected: NVENC,
        ..BARE
    },
    // tegra194-p3509-0000+p3668-0000.dts; the nodes are JetPack 5's.
    Fixture {
        model: "NVIDIA Jetson Xavier NX Developer Kit (SD-card)",
        compatible: &["nvidia,p3509-0000+p3668-0000", "nvidia,tegra194"],
        nodes: &[
            ("nvhost-msenc", ""),
            ("nvhost-nvdec", ""),
            ("nvhost-nvdec1", ""),
            ("nvhost-vic", ""),
        ],
        family: Family::Jetson,
        expected: NVENC,
        ..BARE
    },
    // tegra264-p4071-0000+p3834-0008.dts.
    Fixture {
        model: "NVIDIA Jetson AGX Thor Developer Kit",
        compatible: &[
            "nvidia,p4071-0000+p3834-0008",
            "nvidia,p3834-0008",
            "nvidia,tegra264",
        ],
        nodes: &[("v4l2-nvenc", ""), ("v4l2-nvdec", "")],
        family: Family::Jetson,
        expected: NVENC,
        ..BARE
    },
];

/// Others with a device tree: Linux's `rockchip`, `freescale` and `qcom` directories.
const OTHERS: [Fixture; 6] = [
    // rk3588-rock-5b.dts; the nodes are those of Rockchip's kernel (its images' udev rules).
    Fixture {
        model: "Radxa ROCK 5 Model B",
        compatible: &["radxa,rock-5b", "rockchip,rk3588"],
        nodes: &[("mpp_service", ""), ("rga", ""), ("dri/renderD128", "")],
        family: Family::Rockchip,
        expected: Expectation::Element("mpph264enc"),
        ..BARE
    },
    // rk3566-quartz64-a.dts; nodes by the kernel's log (hantro-vpu): its "vepu-enc" does JPEG.
    Fixture {
        model: "Pine64 Quartz64 Model A",
        compatible: &["pine64,quartz64-a", "rockchip,rk3566"],
        nodes: &[
            ("video0", "rockchip-rga"),
            ("video1", "rockchip,rk3568-vpu-dec"),
            ("video2", "rockchip,rk3568-vepu-enc"),
        ],
        family: Family::Rockchip,
        expected: Expectation::Element("mpph264enc"),
        ..BARE
    },
    // imx8mp-evk.dts; nodes by `v4l2-ctl --list-devices` on one under NXP's kernel.
    Fixture {
        model: "NXP i.MX8MPlus EVK board",
        compatible: &["fsl,imx8mp-evk", "fsl,imx8mp"],
        nodes: &[
            ("video0", "vsi_v4l2enc"),
            ("video1", "vsi_v4l2dec"),
            ("video2", "mxc-isi-m2m_v1"),
        ],
        family: Family::Imx8mPlus,
        expected: Expectation::Element("vpuenc_h264 or v4l2h264enc"),
        ..BARE
    },
    // qrb5165-rb5.dts; names by venc.c and vdec.c of the venus driver.
    Fixture {
        model: "Qualcomm Technologies, Inc. Robotics RB5",
        compatible: &["qcom,qrb5165-rb5", "qcom,sm8250"],
        nodes: &[
            ("video0", "qcom-venus-decoder"),
            ("video1", "qcom-venus-encoder"),
        ],
        family: Family::Qualcomm,
        expected: Expectation::Element("qtic2venc or v4l2h264enc"),
        ..BARE
    },
    // qcs6490-rb3gen2.dts.
    Fixture {
        model: "Qualcomm Technologies, Inc. Robotics RB3gen2",
        compatible: &["qcom,qcs6490-rb3gen2", "qcom,qcm6490"],
        family: Family::Qualcomm,
        expected: Expectation::Element("qtic2venc or v4l2h264enc"),
        ..BARE
    },
    // QEMU, hw/arm/virt.c.
    Fixture {
        model: "linux,dummy-virt",
        compatible: &["linux,dummy-virt"],
        family: Family::VirtualMachine,
        expected: Expectation::Software,
        ..BARE
    },
];

/// PCs: vendor and product from the line "Hardware name:" of kernel logs.
const PCS: [Fixture; 4] = [
    Fixture {
        model: "Intel(R) Client Systems NUC12WSKi7",
        dmi: Some(("Intel(R) Client Systems", "NUC12WSKi7")),
        cpu: "vendor_id\t: GenuineIntel\nflags\t\t: fpu vme de pse\n",
        nodes: &[("dri/renderD128", "")],
        family: Family::Intel,
        expected: Expectation::Element("vah264enc"),
        ..BARE
    },
    // On a host by Intel: its GPU is not the guest's.
    Fixture {
        model: "QEMU Standard PC (Q35 + ICH9, 2009)",
        dmi: Some(("QEMU", "Standard PC (Q35 + ICH9, 2009)")),
        cpu: "vendor_id\t: GenuineIntel\nflags\t\t: fpu vme hypervisor de\n",
        family: Family::VirtualMachine,
        expected: Expectation::Software,
        ..BARE
    },
    // Firecracker has no DMI at all.
    Fixture {
        cpu: "vendor_id\t: AuthenticAMD\nflags\t\t: fpu vme hypervisor de\n",
        family: Family::VirtualMachine,
        expected: Expectation::Software,
        ..BARE
    },
    BARE,
];

/// Writes the files of a board as Linux shows them.
fn write(fixture: &Fixture, to: &Path) {
    let put = |path: &str, bytes: &[u8]| {
        let path = to.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    if !fixture.compatible.is_empty() {
        let nul = |text: &str| format!("{text}\0").into_bytes();
        put("proc/device-tree/model", &nul(fixture.model));
        let compatible = fixture.compatible.join("\0");
        put("proc/device-tree/compatible", &nul(&compatible));
    }
    if let Some((vendor, product)) = fixture.dmi {
        put("sys/class/dmi/id/sys_vendor", vendor.as_bytes());
        put(
            "sys/class/dmi/id/product_name",
            format!("{product}\n").as_bytes(),
        );
    }
    put("proc/cpuinfo", fixture.cpu.as_bytes());
    for (node, name) in fixture.nodes {
        put(&format!("dev/{node}"), b"");
        if !name.is_empty() {
            let path = format!("sys/class/video4linux/{node}/name");
            put(&path, format!("{name}\n").as_bytes());
        }
    }
}

fn read(fixture: &Fixture) -> Board {
    let folder = tempfile::tempdir().unwrap();
    write(fixture, folder.path());
    Board::read(&Root::at(folder.path()))
}

#[test]
fn each_board_is_known_by_what_it_says_of_itself() {
    let all = RASPBERRIES
        .iter()
        .chain(&JETSONS)
        .chain(&OTHERS)
        .chain(&PCS);
    for fixture in all {
        let board = read(fixture);
        let label = format!("{}: {board:?}", fixture.model);
        assert_eq!(board.model, fixture.model, "{label}");
        assert_eq!(board.compatible, fixture.compatible, "{label}");
        assert_eq!(board.family, fixture.family, "{label}");
        assert_eq!(board.h264_encoder, fixture.expected, "{label}");
        let nodes: Vec<(String, String)> = board
            .nodes
            .iter()
            .map(|node| (node.path.clone(), node.name.clone().unwrap_or_default()))
            .collect();
        let mut expected: Vec<(String, String)> = fixture
            .nodes
            .iter()
            .map(|(node, name)| (format!("/dev/{node}"), (*name).to_owned()))
            .collect();
        let mut sorted = nodes.clone();
        sorted.sort();
        expected.sort();
        assert_eq!(sorted, expected, "{label}");
        assert!(!board.name().is_empty(), "{label}");
    }
}

/// The trap: on an Orin Nano the node can be there with no encoder behind it, and a node called
/// an encoder can be one for JPEG.
#[test]
fn nodes_change_nothing_in_what_is_expected() {
    for fixture in RASPBERRIES.iter().chain(&JETSONS).chain(&OTHERS) {
        let with = read(fixture);
        let without = read(&Fixture {
            nodes: &[],
            ..*fixture
        });
        assert_eq!(with.h264_encoder, without.h264_encoder, "{}", fixture.model);
        assert!(without.nodes.is_empty());
    }
}

#[test]
fn nodes_are_in_the_order_of_their_numbers_and_others_are_left_out() {
    let board = read(&Fixture {
        nodes: &[
            ("video10", "b"),
            ("video2", "a"),
            ("video2x", "no"),
            ("videocamera", "no"),
            ("nvhost-gpu", ""),
            ("dri/card0", ""),
            ("dri/renderD128", ""),
        ],
        ..BARE
    });
    let paths: Vec<&str> = board.nodes.iter().map(|node| node.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/dev/video2", "/dev/video10", "/dev/dri/renderD128"]
    );
    assert!(board.nodes.iter().all(|node| node.accessible));
}

/// Firmware can have anything in it, and a file may be cut short.
#[test]
fn rubbish_is_an_unknown_board() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("proc/device-tree");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("model"), b"\0\0\xff\xfe").unwrap();
    fs::write(tree.join("compatible"), b"\xff\0no-comma\0brcm,bcm27").unwrap();
    let board = Board::read(&Root::at(folder.path()));
    assert_eq!(board.family, Family::Unknown);
    assert_eq!(board.compatible.len(), 3);
    let empty = Board::read(&Root::at(&folder.path().join("absent")));
    assert_eq!(empty.model, "");
    assert_eq!(empty.name(), "a box without a name");
}

#[test]
fn the_words_are_the_same_in_json() {
    for family in [
        Family::RaspberryPi,
        Family::RaspberryPi5,
        Family::Jetson,
        Family::JetsonOrinNano,
        Family::Rockchip,
        Family::Imx8mPlus,
        Family::Imx,
        Family::Qualcomm,
        Family::Intel,
        Family::Pc,
        Family::VirtualMachine,
        Family::Unknown,
    ] {
        assert_eq!(serde_json::to_value(family).unwrap(), family.as_str());
    }
    let element = serde_json::to_value(NVENC).unwrap();
    assert_eq!(element["element"], "nvv4l2h264enc");
    assert_eq!(
        serde_json::to_value(Expectation::Software).unwrap(),
        "software"
    );
}
