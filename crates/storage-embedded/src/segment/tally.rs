//! Sums up the rows of a trace as a fragment. The definitions are `TraceSummary::of`'s, and a test
//! holds the two against each other.

use tracewell_model::SpanId;

use super::block::ParentRow;
use super::fragment::{Fragment, Share};
use super::gather::GatheredRow;
use super::names::NameTable;
use super::run::{Run, RunTrace};
use crate::head::Extent;

/// See the module.
pub(super) struct Tally<'a> {
    names: &'a NameTable,
    /// For each service, where its share is in the fragment at hand.
    places: Vec<usize>,
    fragment: Fragment,
}

/// The service has no span yet.
const NO_PLACE: usize = usize::MAX;

impl<'a> Tally<'a> {
    pub(super) fn new(names: &'a NameTable) -> Self {
        Tally {
            names,
            places: vec![NO_PLACE; names.services.len()],
            fragment: Fragment {
                extent: Extent::NONE,
                steps: Vec::new(),
                spans: 0,
                errors: 0,
                orphans: 0,
                root: None,
                shares: Vec::new(),
                first_row: 0,
            },
        }
    }

    /// What these rows are together; the rest of the fragment is the caller's to fill in.
    pub(super) fn fragment(&mut self, rows: &[GatheredRow]) -> &mut Fragment {
        let fragment = &mut self.fragment;
        fragment.spans = rows.len() as u32;
        (fragment.errors, fragment.orphans, fragment.root) = (0, 0, None);
        fragment.shares.clear();
        for row in rows {
            let service = self.names.groups[row.group as usize].service;
            let place = &mut self.places[service as usize];
            if *place == NO_PLACE {
                *place = fragment.shares.len();
                fragment.shares.push(Share {
                    service,
                    spans: 0,
                    errors: 0,
                });
            }
            let share = &mut fragment.shares[*place];
            share.spans += 1;
            share.errors += u32::from(row.error);
            fragment.errors += u32::from(row.error);
            match row.parent {
                // Rows are by (start, id): the first root is the one the summary takes.
                ParentRow::None => fragment.root = fragment.root.or(Some(row.group)),
                ParentRow::Here => {}
                ParentRow::Elsewhere => fragment.orphans += 1,
            }
        }
        for share in &fragment.shares {
            self.places[share.service as usize] = NO_PLACE;
        }
        fragment.shares.sort_unstable_by_key(|share| share.service);
        fragment
    }
}

/// Orphans of a trace that lies in several blocks, where a parent in another block is none.
pub(super) fn orphans(run: &Run<'_>, trace: &RunTrace) -> u32 {
    let mut ids: Vec<SpanId> = run.spans(trace).map(|span| span.span_id()).collect();
    ids.sort_unstable();
    let is_orphan = |parent: &SpanId| ids.binary_search(parent).is_err();
    let parents = run.spans(trace).filter_map(|span| span.parent());
    parents.filter(is_orphan).count() as u32
}
