//! Start: the manifest, the segments it names, and what lies in the directory beside them.
//!
//! A segment that no edit names is garbage of an unfinished seal or merge, or has expired, with two
//! exceptions. If its data is whole and the manifest has not come to any of its records, it is
//! adopted: it is what replaying those records would make again. And where the manifest lost its
//! tail, one that holds all the records of segments it names was merged from them, and takes their
//! place: they may be gone. So a manifest that lost its tail, or all of itself, loses no span, even
//! after the log has forgotten the records.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tracewell_storage::{Class, Error};

use super::filters::Room;
use crate::format::{self, Kind};
use crate::fs::{self, Fs};
use crate::manifest::{Edit, Health, Manifest};
use crate::segment::Segment;
use crate::segment::meta::{SegmentMeta, id_of_name, segments_dir};

/// What was found.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) manifest: Manifest,
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) next_id: u64,
    pub(super) problems: Vec<String>,
}

pub(super) fn recover(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    filter_bytes_max: usize,
) -> Result<Recovered, Error> {
    let inside = segments_dir(dir);
    fs.create_dir_all(&inside)
        .map_err(|error| fs::io_error("create", &inside, &error))?;
    let (mut manifest, health) = Manifest::open(Arc::clone(fs), dir)?;
    let names = fs
        .list(&inside)
        .map_err(|error| fs::io_error("list", &inside, &error))?;
    refuse_other_versions(fs.as_ref(), &inside, &names)?;
    let mut problems = Vec::new();
    if health == Health::Cut {
        problems.push("the manifest was damaged and was cut at its last whole edit".to_owned());
    }
    let mut metas: Vec<_> = manifest.state.segments.values().cloned().collect();
    metas.sort_by_key(|meta| Reverse((meta.arrived_min_unix_ns, meta.id)));
    let mut room = Room(filter_bytes_max);
    let open = |meta| {
        let mut segment = Segment::open(fs.as_ref(), &inside, meta);
        if !room.has(&segment) {
            segment.drop_filter();
        }
        segment
    };
    let mut segments: Vec<_> = metas.into_iter().map(open).collect();
    let known = (&manifest, health);
    let (adopted, unread) = adopt(fs.as_ref(), &inside, &names, known, &mut segments);
    if !adopted.added.is_empty() || health == Health::Cut {
        let count = adopted.added.len();
        if count > 0 && health != Health::Whole {
            problems.push(format!(
                "{count} segments that the manifest did not name were adopted"
            ));
        }
        manifest.commit(adopted)?;
    }
    segments.sort_by_key(|segment| (segment.meta.arrived_min_unix_ns, segment.meta.id));
    problems.extend(unread.values().cloned());
    let kept = |id: &u64| unread.contains_key(id);
    problems.extend(remove_garbage(
        fs.as_ref(),
        &inside,
        &names,
        &manifest,
        kept,
    ));
    let known = segments.iter().map(|segment| segment.meta.id);
    let next_id = names
        .iter()
        .filter_map(|name| id_of_name(name))
        .chain(known)
        .max();
    let next_id = next_id.map_or(1, |id| id.saturating_add(1));
    let segments = segments.into_iter().map(Arc::new).collect();
    Ok(Recovered {
        manifest,
        segments,
        next_id,
        problems,
    })
}

/// A file of another release is not damaged, and nothing beside it is garbage: nobody may touch
/// this directory but that release (P22).
fn refuse_other_versions(fs: &dyn Fs, dir: &Path, names: &[String]) -> Result<(), Error> {
    for name in names {
        let kind = match id_of_name(name) {
            Some(_) if name.ends_with(".idx") => Kind::Index,
            Some(_) => Kind::Segment,
            None => continue,
        };
        format::refuse_other_version(fs, kind, &dir.join(name))?;
    }
    Ok(())
}

/// Opens the whole segments that no edit names and that are to be taken in. What merges made goes
/// first: their inputs may be here too, or no more. Says which could not be read: the next start may
/// take them in.
fn adopt(
    fs: &dyn Fs,
    dir: &Path,
    names: &[String],
    (manifest, health): (&Manifest, Health),
    segments: &mut Vec<Segment>,
) -> (Edit, BTreeMap<u64, String>) {
    let named = |id: &u64| manifest.state.segments.contains_key(id);
    let data_names = names.iter().filter(|name| name.ends_with(".seg"));
    let ids = data_names.filter_map(|name| id_of_name(name));
    let unnamed = ids.filter(|id| !named(id));
    let (mut found, mut unread) = (Vec::new(), BTreeMap::new());
    for id in unnamed {
        match Segment::adopt(fs, dir, id) {
            Ok(segment) => found.push(segment),
            Err(error) if error.class == Class::Corrupt => {}
            Err(error) => {
                let said = format!("segment {id:016x}, which no edit names, is left: {error}");
                unread.insert(id, said);
            }
        }
    }
    found.sort_by_key(|segment| (Reverse(segment.meta.level), segment.meta.id));
    let mut edit = Edit::default();
    for segment in found {
        let meta = &segment.meta;
        let overlaps = |other: &&Segment| other.meta.overlaps(meta);
        let of_known: Vec<_> = segments
            .iter()
            .filter(overlaps)
            .map(|other| &other.meta)
            .collect();
        let is_new = of_known.is_empty() && is_beyond(meta, &manifest.state.positions);
        let is_merge_of = health == Health::Cut
            && !of_known.is_empty()
            && of_known
                .iter()
                .all(|other| named(&other.id) && meta.covers(other));
        if !is_new && !is_merge_of {
            continue;
        }
        let held = |meta: &SegmentMeta| meta.spans + meta.duplicates;
        let inputs: u64 = of_known.iter().map(|other| held(other)).sum();
        edit.gone.sampled_out += inputs.saturating_sub(held(meta));
        edit.removed.extend(of_known.iter().map(|other| other.id));
        let reached = meta
            .ranges
            .iter()
            .map(|range| (range.partition, range.last));
        edit.positions.extend(reached);
        edit.added.push(meta.clone());
        segments.retain(|other| !edit.removed.contains(&other.meta.id));
        segments.push(segment);
    }
    (edit, unread)
}

/// True when the manifest has not come to any of its records. What it has come to and no longer
/// names was merged, or has expired.
fn is_beyond(meta: &SegmentMeta, positions: &BTreeMap<u32, u64>) -> bool {
    let position = |partition| positions.get(&partition).copied().unwrap_or(0);
    meta.ranges
        .iter()
        .all(|range| range.first > position(range.partition))
}

/// Removes the files that no edit names. Only names of ours: an operator's file stays. What cannot
/// be removed is a problem, not a reason to stay down.
fn remove_garbage(
    fs: &dyn Fs,
    dir: &Path,
    names: &[String],
    manifest: &Manifest,
    kept: impl Fn(&u64) -> bool,
) -> Vec<String> {
    let mut problems = Vec::new();
    for name in names {
        let stem = name.strip_suffix(".tmp").unwrap_or(name);
        let Some(id) = id_of_name(stem) else { continue };
        let named = manifest.state.segments.get(&id);
        let is_kept = named.is_some_and(|meta| meta.has_index() || !name.ends_with(".idx"));
        if stem != name || !is_kept && !kept(&id) {
            let path = dir.join(name);
            if let Err(error) = fs.unlink(&path) {
                problems.push(fs::io_error("remove", &path, &error).message);
            }
        }
    }
    problems
}
