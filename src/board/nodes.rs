//! The device nodes that codecs are used through. They are looked at, never opened.

use nix::unistd::{AccessFlags, access};
use serde::Serialize;

use super::root::Root;

/// In which directory, what a name begins with, and whether a digit or nothing comes then.
const KINDS: [(&str, &str, bool); 14] = [
    // V4L2: encoders and decoders of most boards; cameras too.
    ("/dev", "video", true),
    // What udev rules of Rockchip's and NXP's images call them.
    ("/dev", "video-enc", true),
    ("/dev", "video-dec", true),
    // Jetson: JetPack 5 has nvhost-msenc, later ones v4l2-nvenc.
    ("/dev", "v4l2-nvenc", false),
    ("/dev", "v4l2-nvdec", false),
    ("/dev", "nvhost-msenc", false),
    ("/dev", "nvhost-nvenc", true),
    ("/dev", "nvhost-nvdec", true),
    ("/dev", "nvhost-vic", false),
    // Rockchip's own kernel: codecs, and the scaler.
    ("/dev", "mpp_service", false),
    ("/dev", "rga", false),
    // NXP's own kernel.
    ("/dev", "mxc_hantro", false),
    ("/dev", "mxc_hantro_vc8000e", false),
    // VA-API.
    ("/dev/dri", "renderD", true),
];

/// A device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Where it is.
    pub path: String,
    /// What its driver calls it, of V4L2 nodes.
    pub name: Option<String>,
    /// Whether we may open it, by its owner and mode.
    pub accessible: bool,
}

/// The nodes below `root`, in the order of [`KINDS`] and of their numbers.
pub(super) fn read(root: &Root) -> Vec<Node> {
    let mut found = Vec::new();
    for (directory, start, numbered) in KINDS {
        let mut names: Vec<(u32, String)> = root
            .list(directory)
            .into_iter()
            .filter_map(|name| Some((number(name.strip_prefix(start)?, numbered)?, name)))
            .collect();
        names.sort();
        found.extend(names.into_iter().map(|(_, name)| {
            let path = format!("{directory}/{name}");
            Node {
                name: root.text(format!("/sys/class/video4linux/{name}/name")),
                accessible: access(&root.path(&path), AccessFlags::R_OK | AccessFlags::W_OK)
                    .is_ok(),
                path,
            }
        }));
    }
    found
}

/// The number behind a name's start; none when something else stands there.
fn number(rest: &str, numbered: bool) -> Option<u32> {
    if rest.is_empty() {
        return Some(0);
    }
    rest.parse().ok().filter(|_| numbered)
}
