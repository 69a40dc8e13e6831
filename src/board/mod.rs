//! Which box this is: what it calls itself, what its vendor says of its H.264 encoder, and which
//! device nodes a codec may be behind.
//!
//! For words only: advice, and what to expect. A family, a factory or a node proves nothing about
//! an encoder: an Orin Nano has had the factory and the node, and no encoder behind them.
//!
//! - [`family`]: from names to a family; pure. [`nodes`]: what is in `/dev`. [`mounts`]: the mount
//!   table. [`root`]: where all of it is read from.

pub mod family;
pub mod mounts;
pub mod nodes;
pub mod root;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use family::{Expectation, Family};
pub use nodes::Node;
pub use root::Root;

/// Set by the firmware or the kernel, with a NUL at its end (Devicetree Specification 0.4, 2.3).
const DEVICE_TREE: &str = "/proc/device-tree";

/// What firmware of PCs says of the machine (`Documentation/ABI/testing/sysfs-firmware-dmi`).
const DMI: &str = "/sys/class/dmi/id";

/// A box, as it describes itself. In JSON as it stands here; fields may be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Board {
    /// Its name for people: the device tree's `model`, else vendor and product of the firmware.
    /// Empty when neither says anything.
    pub model: String,
    /// The device tree's `compatible`, the most exact first; empty on PCs.
    pub compatible: Vec<String>,
    /// Its kind.
    pub family: Family,
    /// What its vendor says of an H.264 encoder.
    pub h264_encoder: Expectation,
    /// The nodes that codecs are used through.
    pub nodes: Vec<Node>,
}

impl Board {
    /// Looks at the box below `root`. What can't be read counts as absent: nothing but words
    /// depends on it.
    #[must_use]
    pub fn read(root: &Root) -> Self {
        let compatible = root.strings(format!("{DEVICE_TREE}/compatible"));
        let model = root
            .strings(format!("{DEVICE_TREE}/model"))
            .into_iter()
            .next()
            .unwrap_or_else(|| dmi_name(root));
        let cpu = root.text("/proc/cpuinfo").unwrap_or_default();
        let family = Family::of(&family::Names {
            model: &model,
            compatible: &compatible,
            cpu: &cpu,
        });
        Self {
            model,
            compatible,
            family,
            h264_encoder: family.h264_encoder(),
            nodes: nodes::read(root),
        }
    }

    /// Its name, or what can be said without one.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.model.is_empty() {
            self.family.in_words()
        } else {
            &self.model
        }
    }
}

/// Vendor and product, the vendor once.
fn dmi_name(root: &Root) -> String {
    let word = |file: &str| root.text(format!("{DMI}/{file}")).unwrap_or_default();
    let (vendor, product) = (word("sys_vendor"), word("product_name"));
    if product.starts_with(&vendor) {
        return product;
    }
    format!("{vendor} {product}").trim().to_owned()
}
