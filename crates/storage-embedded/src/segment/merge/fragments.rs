//! The fragment tables, one after the other: new numbers for names and rows, the rest as it is.

use super::names::Places;
use super::source::Source;
use super::{Failure, Watch};
use crate::segment::fragment::Fragment;
use crate::segment::index::IndexWriter;

pub(super) fn merge(
    sources: &[Source<'_>],
    places: &[Places],
    index: &mut IndexWriter<'_>,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    for (source, places) in sources.iter().zip(places) {
        let mut fragments = source.stretches.fragments.from(0);
        let mut rows = source.stretches.rows.from(0);
        let mut number = 0;
        for entry in &source.index.directory.pages {
            watch.check()?;
            let page = source.index.read_page(entry);
            let page = page.map_err(|error| source.blame(error))?;
            for mut fragment in page.iter() {
                let is_here = fragments.moved(number).is_some();
                number += 1;
                if !is_here {
                    continue;
                }
                let row = rows.moved(fragment.first_row as u32);
                let renamed = row.and_then(|row| rename(&mut fragment, row, places));
                renamed.ok_or_else(|| source.misfit("a fragment of the index is in no block"))?;
                index.fragments.add(&mut index.out, &fragment)?;
            }
        }
    }
    Ok(())
}

fn rename(fragment: &mut Fragment, row: u32, places: &Places) -> Option<()> {
    fragment.first_row = u64::from(row);
    if let Some(root) = &mut fragment.root {
        *root = places.group(*root)?;
    }
    for share in &mut fragment.shares {
        share.service = places.service(share.service)?;
    }
    Some(())
}
