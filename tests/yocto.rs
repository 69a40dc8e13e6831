//! What can be known of the layer for Yocto without a build: that it has the plug-ins that graphs
//! name, the files that it installs, and one version. `scripts/check-yocto` looks at the rest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test states its assumptions by failing"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const LAYER: &str = "yocto/meta-reeld";
const RECIPE: &str = "yocto/meta-reeld/recipes-multimedia/reeld/reeld_0.1.0.bb";
const SETTINGS: &str = "yocto/meta-reeld/conf/distro/include/reeld.inc";

/// Rust of wrynose: what is newer does not build there.
const RUST: (u64, u64) = (1, 94);

fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Recipes and what is appended to them.
fn recipes() -> Vec<PathBuf> {
    let mut found = files(Path::new(LAYER));
    found.retain(|path| {
        path.extension()
            .is_some_and(|it| it == "bb" || it == "bbappend")
    });
    assert!(found.len() > 5, "{found:?}");
    found
}

/// One element of yocto/elements.tsv.
struct Element {
    package: String,
    with: String,
    recipe: String,
    switch: String,
}

fn elements() -> BTreeMap<String, Element> {
    let table = text("yocto/elements.tsv");
    let mut found = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let [name, package, with, recipe, switch] =
            <[String; 5]>::try_from(columns).unwrap_or_else(|it| panic!("{it:?}"));
        let element = Element {
            package,
            with,
            recipe,
            switch,
        };
        assert!(
            found.insert(name.clone(), element).is_none(),
            "{name} twice"
        );
    }
    found
}

/// The words of a variable that is set like `NAME = " \ … "`.
fn words(text: &str, name: &str) -> BTreeSet<String> {
    let start = text
        .find(&format!("\n{name} = \""))
        .unwrap_or_else(|| panic!("no {name}"));
    let value = text[start..].split('"').nth(1).unwrap();
    value
        .split_whitespace()
        .filter(|word| *word != "\\")
        .map(str::to_owned)
        .collect()
}

/// Of each `PACKAGECONFIG[x] = ",,,a b"` the packages.
fn switches() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for path in recipes() {
        if !path.to_string_lossy().contains("/reeld/reeld_") {
            continue;
        }
        for line in text(&path).lines() {
            let Some((name, value)) = line
                .strip_prefix("PACKAGECONFIG[")
                .and_then(|rest| rest.split_once("] = "))
            else {
                continue;
            };
            let packages = value.trim_matches('"').rsplit(',').next().unwrap();
            let packages = packages.split_whitespace().map(str::to_owned).collect();
            found.insert(name.to_owned(), packages);
        }
    }
    found
}

#[test]
fn the_table_has_each_element_that_graphs_name() {
    let named: BTreeSet<_> = reeld::media::known()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let listed: BTreeSet<_> = elements().into_keys().collect();
    assert_eq!(named, listed);
}

#[test]
fn no_graph_makes_an_element_that_is_not_known() {
    let known = reeld::media::known();
    let mut seen = 0;
    for path in files(Path::new("src/media")) {
        let rust = path.extension().is_some_and(|it| it == "rs");
        // A test card is made on a workbench, and needs encoders that no recording does.
        if !rust || path.to_string_lossy().contains("/test_card/") {
            continue;
        }
        for rest in text(&path).split("make(\"").skip(1) {
            let name = rest.split('"').next().unwrap();
            assert!(known.contains(name), "{}: {name}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn the_recipe_depends_on_the_packages_of_the_table_and_no_other_plug_in() {
    let always = words(&text(RECIPE), "RDEPENDS:${PN}");
    let switches = switches();
    let mut wanted_always = BTreeSet::new();
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, element) in elements() {
        match element.with.as_str() {
            "-" => assert_eq!(element.package, "-", "{name}"),
            "always" => {
                wanted_always.insert(element.package);
            }
            with => {
                wanted
                    .entry(with.to_owned())
                    .or_default()
                    .insert(element.package);
            }
        }
    }
    let always: BTreeSet<_> = always
        .into_iter()
        .filter(|it| it.starts_with("gstreamer"))
        .collect();
    assert_eq!(always, wanted_always);
    assert_eq!(switches, wanted);
}

#[test]
fn what_gstreamers_recipes_leave_out_is_switched_on() {
    let settings = text(SETTINGS);
    let defaults = [
        ("gstreamer1.0-plugins-good", "v4l2"),
        ("gstreamer1.0-plugins-bad", "fdkaac"),
    ];
    for (name, element) in elements() {
        // The first is on in its recipe, the second instead of vo-aacenc for who asks for it.
        if element.switch == "-"
            || defaults.contains(&(element.recipe.as_str(), element.switch.as_str()))
        {
            continue;
        }
        let on = settings
            .lines()
            .filter(|line| {
                line.starts_with(&format!("PACKAGECONFIG:append:pn-{} ", element.recipe))
            })
            .any(|line| {
                line.split(|c: char| !c.is_alphanumeric())
                    .any(|word| word == element.switch)
            });
        assert!(on, "{name}: {} of {}", element.switch, element.recipe);
    }
}

/// Yocto names the package of a plug-in after its file, and a parse does not notice a package
/// that does not exist; Debian's GStreamer has files of the same names.
#[test]
fn packages_are_called_as_the_files_of_their_plug_ins() {
    let mut seen = 0;
    for (name, element) in elements() {
        let Ok(output) = std::process::Command::new("gst-inspect-1.0")
            .arg(&name)
            .output()
        else {
            eprintln!("SKIP: no gst-inspect-1.0 here");
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout);
        // What needs hardware, or another package, is not known here.
        let Some(file) = said.lines().find_map(|line| {
            let (_, file) = line.split_once("/libgst")?;
            file.trim().strip_suffix(".so")
        }) else {
            continue;
        };
        let expected = match file {
            "coreelements" => "gstreamer1.0".to_owned(),
            "libav" => "gstreamer1.0-libav".to_owned(),
            file => format!("{}-{file}", element.recipe),
        };
        assert_eq!(element.package, expected, "{name}");
        seen += 1;
    }
    assert!(seen > 15, "{seen} elements are installed");
}

/// What recipes install from the tree of the program is there, and so are files of their own.
#[test]
fn every_installed_file_exists() {
    let mut seen = 0;
    for path in recipes() {
        let recipe = text(&path)
            .replace("\\\n", " ")
            .replace("$from", "${S}/packaging/image");
        let own = path.parent().unwrap();
        let names_tree =
            recipe.contains("${REELD_SOURCE}") || path.to_string_lossy().contains("/reeld/reeld_");
        for word in recipe.split_whitespace() {
            let word = word.trim_end_matches(';').trim_matches('"');
            if let Some(file) = word.strip_prefix("${S}/")
                && names_tree
            {
                let folder = file.split('*').next().unwrap();
                assert!(Path::new(folder).exists(), "{}: {file}", path.display());
                seen += 1;
            }
            if let Some(file) = word.strip_prefix("file://")
                && !file.contains(';')
            {
                let name = |it: &PathBuf| it.file_name().is_some_and(|name| name == file);
                let mut places = files(own);
                places.extend(files(Path::new("yocto/meta-reeld/files")));
                assert!(places.iter().any(name), "{}: {file}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen} files");
}

#[test]
fn every_service_is_a_unit_of_the_tree() {
    let mut seen = 0;
    for path in recipes() {
        for line in text(&path).lines() {
            let Some((_, units)) = line
                .strip_prefix("SYSTEMD_SERVICE")
                .and_then(|rest| rest.split_once("= "))
            else {
                continue;
            };
            for unit in units.trim_matches('"').split_whitespace() {
                let places = [
                    Path::new("systemd").join(unit),
                    Path::new("packaging/image/files/usr/lib/systemd/system").join(unit),
                    path.parent().unwrap().join("files").join(unit),
                ];
                assert!(
                    places.iter().any(|it| it.exists()),
                    "{}: {unit}",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 5, "{seen} services");
}

#[test]
fn versions_agree() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        RECIPE.ends_with(&format!("reeld_{version}.bb")),
        "the recipe is not of {version}"
    );
    let distro = text("yocto/meta-reeld/conf/distro/reeld-os.conf");
    assert!(distro.contains(&format!("DISTRO_VERSION = \"{version}\"")));
    let licences = words(&text(RECIPE), "LIC_FILES_CHKSUM");
    assert_eq!(licences.len(), 2, "{licences:?}");
}

/// The `rust-version` of the crate and of everything that it is built of.
#[test]
fn nothing_needs_a_newer_rust_than_wrynose_has() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .args(["--filter-platform", "aarch64-unknown-linux-gnu"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let Some(needs) = package["rust_version"].as_str() else {
            continue;
        };
        let mut parts = needs.split('.').map(|it| it.parse::<u64>().unwrap());
        let needs = (parts.next().unwrap(), parts.next().unwrap_or(0));
        assert!(needs <= RUST, "{} needs {needs:?}", package["name"]);
    }
}
