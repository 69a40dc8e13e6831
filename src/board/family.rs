//! From the names that a box has to its kind, and what its vendor says of that kind; pure.

use std::fmt;

use serde::Serialize;

/// A kind of box: as fine as advice needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Raspberry Pi before the 5: 1 to 4, Zero, Compute Module 1 to 4.
    RaspberryPi,
    /// Raspberry Pi 5, 500 and Compute Module 5.
    RaspberryPi5,
    /// NVIDIA Jetson, but for the Orin Nano: Nano, TX2, Xavier, Orin NX and AGX, Thor.
    Jetson,
    /// NVIDIA Jetson Orin Nano, of either memory.
    JetsonOrinNano,
    /// Rockchip: RK3399, `RK356x`, RK3588.
    Rockchip,
    /// NXP i.MX 8M Plus.
    Imx8mPlus,
    /// NXP i.MX, another one.
    Imx,
    /// Qualcomm: RB3 Gen 2, RB5 and others.
    Qualcomm,
    /// A PC with an Intel processor.
    Intel,
    /// Another PC.
    Pc,
    /// A virtual machine, whatever it runs on.
    VirtualMachine,
    /// None of these.
    Unknown,
}

/// What is to be expected of H.264 encoders: the vendor's word, which nobody has tried here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// There is one; it is used through this element of GStreamer.
    Element(&'static str),
    /// There is none: H.264 is encoded by the processor.
    Software,
    /// It depends on what is not known here.
    Unknown,
}

/// What a box calls itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    /// Its name for people.
    pub(super) model: &'a str,
    /// The device tree's `compatible`.
    pub(super) compatible: &'a [String],
    /// `/proc/cpuinfo`.
    pub(super) cpu: &'a str,
}

/// The modules of the Orin Nano, as they stand in `compatible`: 8 GB, 4 GB, developer kit
/// (`tegra234-p3768-0000+p3767-0005.dts` in Linux; Jetson Linux Developer Guide, "Quick Start").
const ORIN_NANO: [&str; 3] = ["p3767-0003", "p3767-0004", "p3767-0005"];

/// What an entry of `compatible` begins with, the more exact before the less exact.
const FAMILIES: [(&str, Family); 9] = [
    ("brcm,bcm2712", Family::RaspberryPi5),
    ("brcm,bcm2711", Family::RaspberryPi),
    ("brcm,bcm283", Family::RaspberryPi),
    ("nvidia,tegra", Family::Jetson),
    ("rockchip,rk3", Family::Rockchip),
    ("fsl,imx8mp", Family::Imx8mPlus),
    ("fsl,imx", Family::Imx),
    ("qcom,", Family::Qualcomm),
    ("linux,dummy-virt", Family::VirtualMachine),
];

/// Vendors of virtual machines, as the firmware says them, in lower case.
const HYPERVISORS: [&str; 6] = ["qemu", "vmware", "virtualbox", "bochs", "xen", "kvm"];

impl Family {
    pub(super) fn of(names: &Names) -> Self {
        let any = |word: &str| names.compatible.iter().any(|entry| entry.contains(word));
        if ORIN_NANO.iter().any(|module| any(module)) || names.model.contains("Orin Nano") {
            return Self::JetsonOrinNano;
        }
        let known = FAMILIES.iter().find(|(start, _)| {
            let mut entries = names.compatible.iter();
            entries.any(|entry| entry.starts_with(start))
        });
        if let Some((_, family)) = known {
            return *family;
        }
        let model = names.model.to_lowercase();
        let cpu = |word: &str| names.cpu.contains(word);
        if cpu("hypervisor") || HYPERVISORS.iter().any(|vendor| model.contains(vendor)) {
            Self::VirtualMachine
        } else if cpu("GenuineIntel") {
            Self::Intel
        } else if cpu("AuthenticAMD") {
            Self::Pc
        } else {
            Self::Unknown
        }
    }

    /// What the vendor says of an H.264 encoder. Never a reason to trust one.
    #[must_use]
    pub const fn h264_encoder(self) -> Expectation {
        match self {
            // bcm2835-v4l2-codec.c in raspberrypi/linux: role "encode".
            Self::RaspberryPi => Expectation::Element("v4l2h264enc"),
            Self::Jetson => Expectation::Element("nvv4l2h264enc"),
            // Only with Rockchip's own kernel and its mpp_service.
            Self::Rockchip => Expectation::Element("mpph264enc"),
            // The driver vsi_v4l2enc of NXP's kernel.
            Self::Imx8mPlus => Expectation::Element("vpuenc_h264 or v4l2h264enc"),
            Self::Qualcomm => Expectation::Element("qtic2venc or v4l2h264enc"),
            Self::Intel => Expectation::Element("vah264enc"),
            // raspberrypi.com, Raspberry Pi 5 product brief: an HEVC decoder is all it has.
            // NVIDIA, Jetson Orin Nano data sheet: "1080p30 supported by 1-2 CPU cores".
            Self::RaspberryPi5 | Self::JetsonOrinNano | Self::VirtualMachine => {
                Expectation::Software
            }
            Self::Imx | Self::Pc | Self::Unknown => Expectation::Unknown,
        }
    }

    /// Where the kernel's command line is changed on such a box.
    #[must_use]
    pub const fn kernel_command_line(self) -> &'static str {
        match self {
            Self::RaspberryPi | Self::RaspberryPi5 => {
                "the one line of /boot/firmware/cmdline.txt (before bookworm: /boot/cmdline.txt)"
            }
            Self::Jetson | Self::JetsonOrinNano => {
                "the line APPEND of /boot/extlinux/extlinux.conf"
            }
            Self::Intel | Self::Pc | Self::VirtualMachine => {
                "the kernel's command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub)"
            }
            Self::Rockchip | Self::Imx8mPlus | Self::Imx | Self::Qualcomm | Self::Unknown => {
                "the kernel's command line (APPEND of the image, or the boot loader's bootargs)"
            }
        }
    }

    /// Whether it is a Raspberry Pi.
    #[must_use]
    pub const fn is_raspberry_pi(self) -> bool {
        matches!(self, Self::RaspberryPi | Self::RaspberryPi5)
    }

    /// As a person would say it, of a box that has no name.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::RaspberryPi => "a Raspberry Pi",
            Self::RaspberryPi5 => "a Raspberry Pi 5",
            Self::Jetson => "a Jetson",
            Self::JetsonOrinNano => "a Jetson Orin Nano",
            Self::Rockchip => "a board with a Rockchip",
            Self::Imx8mPlus => "a board with an i.MX 8M Plus",
            Self::Imx => "a board with an i.MX",
            Self::Qualcomm => "a board with a Qualcomm",
            Self::Intel => "a PC with an Intel processor",
            Self::Pc => "a PC",
            Self::VirtualMachine => "a virtual machine",
            Self::Unknown => "a box without a name",
        }
    }

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RaspberryPi => "raspberry_pi",
            Self::RaspberryPi5 => "raspberry_pi5",
            Self::Jetson => "jetson",
            Self::JetsonOrinNano => "jetson_orin_nano",
            Self::Rockchip => "rockchip",
            Self::Imx8mPlus => "imx8m_plus",
            Self::Imx => "imx",
            Self::Qualcomm => "qualcomm",
            Self::Intel => "intel",
            Self::Pc => "pc",
            Self::VirtualMachine => "virtual_machine",
            Self::Unknown => "unknown",
        }
    }
}

/// What to expect, as a person would say it.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element(element) => write!(f, "an H.264 encoder is expected ({element})"),
            Self::Software => f.write_str("no H.264 encoder: the processor encodes"),
            Self::Unknown => f.write_str("whether it has an H.264 encoder is not known"),
        }
    }
}
