//! Recovers one folder.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::super::claim::Claim;
use super::super::error::RecorderError;
use super::super::manifest::{Manifest, segment_number};
use super::super::names::{MANIFEST, PLAYLIST, SegmentIndex};
use super::super::playlist;
use super::super::replace::replace;
use super::Options;
use super::disk::RepairDisk;
use super::rebuild;
use super::repair::{Action, Repair};
use super::report::{FolderReport, FolderState, Outcome, SegmentReport};
use super::table::{Listing, Ours, Plan, Told, damaged_name, lists_all};

/// Recovers the recording in `folder`.
pub(super) fn recover<D: RepairDisk>(
    disk: &mut D,
    folder: &Path,
    options: Options,
) -> FolderReport {
    let mut report = FolderReport::new(folder);
    match try_recover(disk, folder, options, &mut report) {
        Ok(state) => report.state = state,
        Err(error) => {
            report.state = FolderState::Failed;
            report.errors.push(error);
        }
    }
    if !report.errors.is_empty() {
        report.state = FolderState::Failed;
    }
    report
}

fn try_recover<D: RepairDisk>(
    disk: &mut D,
    folder: &Path,
    options: Options,
    report: &mut FolderReport,
) -> Result<FolderState, RecorderError> {
    let _claim = match Claim::take(folder) {
        Ok(None) => return Ok(FolderState::InUse),
        Ok(claim) => claim,
        // Removed since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FolderState::Whole),
        // Whoever asks for it by hand knows that nothing is recorded there.
        Err(error) if error.kind() == io::ErrorKind::Unsupported && options.without_locks => None,
        Err(error) => return Err(RecorderError::from_io("lock", folder, error)),
    };
    let listing = list(folder)?;
    let told = told(folder)?;
    let plan = Plan::of(&listing, &told);
    let work = Work {
        repair: Repair {
            disk,
            folder,
            pace: options.pace,
        },
        dry_run: options.dry_run,
        report,
    };
    if plan.empty {
        return work.remove_folder();
    }
    let manifest = match told {
        Told::Manifest(manifest) => *manifest,
        Told::Nothing => made_of_names(folder)?,
    };
    work.carry_out(&plan, manifest, listing.others)
}

struct Work<'a, D: RepairDisk> {
    repair: Repair<'a, D>,
    dry_run: bool,
    report: &'a mut FolderReport,
}

impl<D: RepairDisk> Work<'_, D> {
    fn carry_out(
        mut self,
        plan: &Plan,
        mut manifest: Manifest,
        others: bool,
    ) -> Result<FolderState, RecorderError> {
        for name in plan.unfinished.iter().filter(|_| !self.dry_run) {
            self.repair.remove(name)?;
        }
        let folder = self.repair.folder;
        for (name, told, found) in &plan.changed {
            let (path, told, found) = (folder.join(name), *told, *found);
            self.report
                .errors
                .push(RecorderError::Changed { path, told, found });
        }
        manifest
            .segments
            .retain(|it| !plan.missing.contains(&it.file));
        for file in &plan.missing {
            self.report.segments.push(SegmentReport::missing(file));
        }
        for &index in &plan.describe {
            let described = self.describe(index, &mut manifest);
            self.note(described);
        }
        for &(index, bytes) in &plan.mention {
            let name = damaged_name(index);
            manifest.put(rebuild::set_aside(&manifest, index, name, bytes), &[]);
        }
        for &(from, to) in &plan.repair {
            let repaired = self.repair_one(from, to, &mut manifest);
            self.note(repaired);
        }
        let nothing_left = manifest.segments.is_empty() && self.report.errors.is_empty();
        if nothing_left && !others && !self.dry_run {
            return self.remove_folder();
        }
        self.publish(plan, manifest)
    }

    /// An error costs the segment that it happened to, and no other.
    fn note(&mut self, result: Result<SegmentReport, RecorderError>) {
        match result {
            Ok(segment) => self.report.segments.push(segment),
            Err(error) => self.report.errors.push(error),
        }
    }

    fn repair_one(
        &mut self,
        from: SegmentIndex,
        to: SegmentIndex,
        manifest: &mut Manifest,
    ) -> Result<SegmentReport, RecorderError> {
        let name = from.open_name();
        let salvage = self.repair.survey(&name)?;
        let action = Action::of(&salvage);
        let mut segment = SegmentReport {
            file: name.clone(),
            outcome: match action {
                Action::Remove => Outcome::Removed,
                Action::SetAside => Outcome::SetAside(damaged_name(to)),
                Action::Cut(_) | Action::Rewrite(_) => Outcome::Sealed(to.final_name()),
            },
            bytes: salvage.bytes,
            kept_bytes: action.kept(),
            parts: salvage.parts.as_ref().map_or(0, Vec::len),
            duration: None,
        };
        if self.dry_run {
            return Ok(segment);
        }
        let content = self.repair.act(&action, (from, to), &salvage)?;
        match (&action, content) {
            (_, Some(content)) => {
                segment.duration = Some(content.scanned.duration);
                manifest.put(rebuild::recovered(manifest, to, &content), &[]);
            }
            (Action::SetAside, None) => {
                let name = damaged_name(to);
                manifest.put(rebuild::set_aside(manifest, to, name, salvage.bytes), &[]);
            }
            (_, None) => {
                let number = Some(to.0);
                manifest
                    .segments
                    .retain(|it| segment_number(&it.file) != number);
            }
        }
        Ok(segment)
    }

    fn describe(
        &mut self,
        index: SegmentIndex,
        manifest: &mut Manifest,
    ) -> Result<SegmentReport, RecorderError> {
        let name = index.final_name();
        let codecs = self.repair.survey(&name)?.codecs;
        let content = self.repair.measure(&name, &codecs)?;
        let segment = SegmentReport {
            file: name.clone(),
            outcome: Outcome::Described,
            bytes: content.bytes,
            kept_bytes: content.bytes,
            parts: 1,
            duration: Some(content.scanned.duration),
        };
        manifest.put(rebuild::recovered(manifest, index, &content), &[]);
        Ok(segment)
    }

    /// Writes what has become of the recording.
    fn publish(
        &mut self,
        plan: &Plan,
        mut manifest: Manifest,
    ) -> Result<FolderState, RecorderError> {
        let folder = self.repair.folder;
        let mut stale = plan.changes_manifest();
        if stale && !self.dry_run {
            rebuild::seal(&mut manifest);
            let json = manifest
                .to_json()
                .map_err(|source| RecorderError::Manifest {
                    path: folder.join(MANIFEST),
                    source,
                })?;
            replace(self.repair.disk, folder, MANIFEST, &json)?;
        }
        let path = folder.join(PLAYLIST);
        let there = if_there(&path)?.unwrap_or_default();
        if !lists_all(&String::from_utf8_lossy(&there), &manifest) {
            stale = true;
            if !self.dry_run {
                // Nothing is planned any more: the target is what the segments ask for.
                let text = playlist::render(&manifest, Duration::ZERO);
                replace(self.repair.disk, folder, PLAYLIST, text.as_bytes())?;
            }
        }
        let has_news = stale || !plan.unfinished.is_empty();
        if stale && !self.dry_run {
            self.repair.sync_folder()?;
        }
        Ok(if has_news {
            FolderState::Repaired
        } else {
            FolderState::Whole
        })
    }

    /// Removes the folder of a recording that never had a packet.
    fn remove_folder(mut self) -> Result<FolderState, RecorderError> {
        if !self.dry_run {
            let folder = self.repair.folder;
            for (_, name, _) in list(folder)?.ours {
                self.repair.remove(&name)?;
            }
            self.repair
                .disk
                .remove_dir(folder)
                .map_err(|error| RecorderError::from_io("rmdir", folder, error))?;
        }
        Ok(FolderState::Removed)
    }
}

/// The folder's files, in the order of their names.
fn list(folder: &Path) -> Result<Listing, RecorderError> {
    let failed = |error| RecorderError::from_io("read", folder, error);
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().into_string().ok();
        let ours = name.and_then(|name| Some((Ours::of(&name)?, name)));
        let metadata = entry.metadata().map_err(failed)?;
        match ours {
            Some((ours, name)) if metadata.is_file() => {
                listing.ours.push((ours, name, metadata.len()));
            }
            _ => listing.others = true,
        }
    }
    listing.ours.sort();
    Ok(listing)
}

/// What the manifest says. One that can't be understood is as good as none; one that can't be
/// read, or is a newer program's, is not for us to replace.
fn told(folder: &Path) -> Result<Told, RecorderError> {
    match Manifest::read(&folder.join(MANIFEST)) {
        Ok(manifest) => Ok(Told::Manifest(Box::new(manifest))),
        Err(RecorderError::Missing { .. } | RecorderError::ManifestSyntax { .. }) => {
            Ok(Told::Nothing)
        }
        Err(error) => Err(error),
    }
}

fn made_of_names(folder: &Path) -> Result<Manifest, RecorderError> {
    let absolute =
        fs::canonicalize(folder).map_err(|error| RecorderError::from_io("read", folder, error))?;
    let name = |path: &Path| path.file_name()?.to_str().map(str::to_owned);
    let room = absolute.parent().and_then(name).unwrap_or_default();
    name(&absolute)
        .and_then(|folder| rebuild::manifest(&room, &folder))
        .ok_or_else(|| RecorderError::Missing {
            path: folder.to_owned(),
        })
}

fn if_there(path: &Path) -> Result<Option<Vec<u8>>, RecorderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(RecorderError::from_io("read", path, error)),
    }
}
