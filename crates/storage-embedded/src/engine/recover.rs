//! Start: the manifest, the segments it names, and what lies in the directory beside them.
//!
//! A segment that no edit names is garbage of an unfinished seal, with one exception. If both of
//! its files are whole and no known segment holds any of its records, it is adopted: it is what
//! replaying those records would make again. So a manifest that lost its tail, or all of itself,
//! loses no span, even after the log has forgotten the records.

use std::path::Path;
use std::sync::Arc;

use tracewell_storage::Error;

use crate::fs::{self, Fs};
use crate::manifest::{Edit, Health, Manifest};
use crate::segment::Segment;
use crate::segment::meta::{id_of_name, segments_dir};

/// What was found.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) manifest: Manifest,
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) next_id: u64,
    pub(super) problems: Vec<String>,
}

pub(super) fn recover(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Recovered, Error> {
    let inside = segments_dir(dir);
    fs.create_dir_all(&inside)
        .map_err(|error| fs::io_error("create", &inside, &error))?;
    let (mut manifest, health) = Manifest::open(Arc::clone(fs), dir)?;
    let names = fs
        .list(&inside)
        .map_err(|error| fs::io_error("list", &inside, &error))?;
    let mut problems = Vec::new();
    if health == Health::Cut {
        problems.push("the manifest was damaged and was cut at its last whole edit".to_owned());
    }
    let metas: Vec<_> = manifest.state.segments.values().cloned().collect();
    let mut segments: Vec<_> = metas
        .into_iter()
        .map(|meta| Segment::open(fs.as_ref(), &inside, meta))
        .collect();
    let adopted = adopt(fs.as_ref(), &inside, &names, &mut segments);
    if !adopted.added.is_empty() || health == Health::Cut {
        let count = adopted.added.len();
        if count > 0 && health != Health::Whole {
            problems.push(format!(
                "{count} segments that the manifest did not name were adopted"
            ));
        }
        manifest.commit(adopted)?;
    }
    for segment in &segments {
        let id = segment.meta.id;
        let spans = segment.meta.spans;
        if let Err(error) = &segment.data {
            problems.push(format!(
                "data of segment {id:016x}, {spans} spans, is lost: {error}"
            ));
        }
        if let Err(error) = &segment.index {
            problems.push(format!(
                "index of segment {id:016x}, {spans} spans, is lost: {error}"
            ));
        }
    }
    segments.sort_by_key(|segment| segment.meta.id);
    problems.extend(remove_garbage(fs.as_ref(), &inside, &names, &manifest));
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

/// Opens the whole segments that no edit names and whose records no other segment has.
fn adopt(fs: &dyn Fs, dir: &Path, names: &[String], segments: &mut Vec<Segment>) -> Edit {
    let known = |id: &u64| segments.iter().any(|segment| segment.meta.id == *id);
    let mut ids: Vec<u64> = names.iter().filter_map(|name| id_of_name(name)).collect();
    ids.dedup();
    ids.retain(|id| !known(id));
    let mut edit = Edit::default();
    for id in ids {
        let Ok(segment) = Segment::adopt(fs, dir, id) else {
            continue;
        };
        if segments
            .iter()
            .any(|other| other.meta.overlaps(&segment.meta))
        {
            continue;
        }
        let reached = segment
            .meta
            .ranges
            .iter()
            .map(|range| (range.partition, range.last));
        edit.positions.extend(reached);
        edit.added.push(segment.meta.clone());
        segments.push(segment);
    }
    edit
}

/// Removes the files that no edit names. Only names of ours: an operator's file stays. What cannot
/// be removed is a problem, not a reason to stay down.
fn remove_garbage(fs: &dyn Fs, dir: &Path, names: &[String], manifest: &Manifest) -> Vec<String> {
    let mut problems = Vec::new();
    for name in names {
        let stem = name.strip_suffix(".tmp").unwrap_or(name);
        let Some(id) = id_of_name(stem) else { continue };
        if stem != name || !manifest.state.segments.contains_key(&id) {
            let path = dir.join(name);
            if let Err(error) = fs.unlink(&path) {
                problems.push(fs::io_error("remove", &path, &error).message);
            }
        }
    }
    problems
}
