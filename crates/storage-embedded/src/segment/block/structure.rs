//! The structure of a block, read: which columns there are, how many values each has, and where
//! those of a row are. Nothing is allocated that the sections do not have the bytes for.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use tracewell_model::attribute::ValueType;

use super::layout::{class, column, fixed_type, lane};
use super::symbols;
use crate::codec::{Damaged, Reader};

/// Words of spans' own attributes in one block: what a block's rows can make of few bytes. Writing
/// cuts blocks at a two-hundredth of it.
const WORDS_MAX: u64 = 1 << 24;

/// See the module.
#[derive(Debug)]
pub(super) struct Structure {
    /// Spans of each trace.
    pub(super) traces: Vec<u32>,
    /// Parents whose ids are written out.
    pub(super) parents_elsewhere: usize,
    /// Places in the section.
    pub(super) parents: Range<usize>,
    pub(super) start_classes: Range<usize>,
    pub(super) duration_classes: Range<usize>,
    /// All columns; those of attributes after the fixed ones.
    pub(super) columns: Vec<ColumnPlace>,
    /// The columns of each shape.
    pub(super) shapes: Vec<Vec<u32>>,
    pub(super) resources: Vec<OriginPlace>,
    pub(super) scopes: Vec<OriginPlace>,
    pub(super) classes: usize,
    pub(super) templates: Vec<TemplatePlace>,
    /// The template of each row.
    pub(super) rows: Vec<u32>,
    /// Values of each column.
    counts: Vec<u32>,
    origin_values: Vec<u32>,
    slots: Vec<Slot>,
    /// The columns of the templates' varying slots.
    varying: Vec<u32>,
}

/// A column and where its values are.
#[derive(Debug)]
pub(super) struct ColumnPlace {
    /// The attribute's key.
    pub(super) name: String,
    pub(super) value_type: ValueType,
    /// Entries of its dictionary; none: classes and bits.
    pub(super) distinct: Option<u32>,
    /// In the section of codes.
    pub(super) codes: Range<usize>,
    /// In the section of texts; or of bits, when there is no dictionary.
    pub(super) other: Range<usize>,
    /// Values before those of rows.
    pub(super) constants: u32,
}

/// A resource or a scope.
#[derive(Clone, Copy, Debug)]
pub(super) struct OriginPlace {
    pub(super) shape: u32,
    values: u32,
}

/// A template.
#[derive(Clone, Copy, Debug)]
pub(super) struct TemplatePlace {
    pub(super) shape: u32,
    slots: u32,
    slot_count: u32,
    varying: u32,
    varying_count: u32,
}

/// A slot of a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) column: u32,
    /// Where in the column its one value is; none: the next one of the rows' is each row's.
    pub(super) constant: Option<u32>,
}

impl Structure {
    /// Reads it, given how many rows there are and how many bytes the other sections have.
    pub(super) fn read(raw: &[u8], rows: u32, codes_bytes: usize) -> Result<Structure, Damaged> {
        let mut r = Reader::new(raw);
        let r = &mut r;
        let traces = read_traces(r, rows)?;
        let parents_elsewhere = r.u32()? as usize;
        let parents = place(r, raw)?;
        let own = read_columns(r)?;
        let shapes = read_shapes(r, own.len())?;
        let resources = read_positions(r, shapes.len())?;
        let scopes = read_positions(r, shapes.len())?;
        let classes = r.varint()?;
        let templates = read_positions(r, shapes.len())?;
        let fixed = (0..column::ATTRIBUTES).map(|at| (String::new(), fixed_type(at)));
        let mut counter = Counter::new(column::ATTRIBUTES + own.len(), codes_bytes);
        let (mut origin_values, mut slots, mut varying) = (Vec::new(), Vec::new(), Vec::new());
        let mut origins = |shapes_of: &[u32], names: u64| {
            counter.add(column::NAME, names * shapes_of.len() as u64)?;
            counter.add(column::OPAQUE, shapes_of.len() as u64)?;
            let mut places = Vec::with_capacity(shapes_of.len());
            for &shape in shapes_of {
                let values = origin_values.len() as u32;
                for &column in shapes.get(shape as usize).into_iter().flatten() {
                    origin_values.push(counter.add(column as usize, 1)?);
                }
                places.push(OriginPlace { shape, values });
            }
            Ok(places)
        };
        let resources = origins(&resources, 2)?;
        let scopes = origins(&scopes, 3)?;
        for field in 0..class::COUNT {
            counter.add(column::CLASSES + field, classes)?;
        }
        counter.add(column::OPERATION, templates.len() as u64)?;
        let mut places = Vec::with_capacity(templates.len());
        for shape in templates {
            let columns = shapes
                .get(shape as usize)
                .map_or(&[][..], |columns| columns);
            let (slots_at, varying_at) = (slots.len(), varying.len());
            read_slots(r, columns, &mut counter, (&mut slots, &mut varying))?;
            places.push(TemplatePlace {
                shape,
                slots: slots_at as u32,
                slot_count: (slots.len() - slots_at) as u32,
                varying: varying_at as u32,
                varying_count: (varying.len() - varying_at) as u32,
            });
        }
        let constants = counter.counts.clone();
        let symbols = place(r, raw)?;
        let symbols = raw.get(symbols).unwrap_or_default();
        let template_count = places.len() as u32;
        let mut structure = Structure {
            traces,
            parents_elsewhere,
            parents,
            start_classes: 0..0,
            duration_classes: 0..0,
            columns: Vec::new(),
            counts: Vec::new(),
            shapes,
            resources,
            scopes,
            classes: usize::try_from(classes).map_err(|_| Damaged("count of classes"))?,
            templates: places,
            rows: symbols::read(symbols, 0..rows as usize, template_count)?,
            origin_values,
            slots,
            varying,
        };
        structure.count_rows(&mut counter)?;
        let mut directory = Directory::default();
        for ((name, value_type), (&constants, &values)) in
            fixed.chain(own).zip(constants.iter().zip(&counter.counts))
        {
            let place = directory.read(r, value_type, values)?;
            structure.columns.push(ColumnPlace {
                name,
                constants,
                ..place
            });
        }
        structure.counts = counter.counts;
        structure.start_classes = take(r, raw, rows as usize)?;
        structure.duration_classes = take(r, raw, rows as usize)?;
        if r.remaining() > 0 || directory.codes != codes_bytes {
            return Err(Damaged("bytes after the structure of a block"));
        }
        Ok(structure)
    }

    /// Counts the values that rows have in each column.
    fn count_rows(&self, counter: &mut Counter) -> Result<(), Damaged> {
        let mut words = 0u64;
        for (template, count) in self
            .templates
            .iter()
            .zip(self.rows_of_templates(self.rows.len()))
        {
            for &column in self.varying(template) {
                counter.add(column as usize, u64::from(count))?;
            }
            words += u64::from(template.slot_count) * u64::from(count);
        }
        if words > WORDS_MAX {
            return Err(Damaged("values of a block"));
        }
        Ok(())
    }

    /// How many of the first rows each template has.
    pub(super) fn rows_of_templates(&self, rows: usize) -> Vec<u32> {
        let mut counts = vec![0; self.templates.len()];
        for &template in self.rows.iter().take(rows) {
            if let Some(count) = counts.get_mut(template as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// How many values of each column stand before those of the row at this place.
    pub(super) fn values_before(&self, row: usize) -> Vec<u32> {
        let mut values: Vec<u32> = self.columns.iter().map(|column| column.constants).collect();
        if row == 0 {
            return values;
        }
        for (template, count) in self.templates.iter().zip(self.rows_of_templates(row)) {
            for &column in self.varying(template) {
                if let Some(values) = values.get_mut(column as usize) {
                    *values += count;
                }
            }
        }
        values
    }

    /// Bytes of its tables.
    pub(super) fn memory_bytes(&self) -> usize {
        let words = [
            &self.traces,
            &self.rows,
            &self.counts,
            &self.origin_values,
            &self.varying,
        ];
        let words = words.into_iter().chain(&self.shapes);
        let names = self.columns.iter().map(|column| column.name.len());
        words.map(|words| size_of_val(&**words)).sum::<usize>()
            + names.sum::<usize>()
            + size_of_val(&*self.columns)
            + size_of_val(&*self.shapes)
            + size_of_val(&*self.resources)
            + size_of_val(&*self.scopes)
            + size_of_val(&*self.templates)
            + size_of_val(&*self.slots)
    }

    /// How many values a column has.
    pub(super) fn values_of_column(&self, column: usize) -> u32 {
        self.counts.get(column).copied().unwrap_or(0)
    }

    /// The slots of a template: the lanes, then those of its shape.
    pub(super) fn slots(&self, template: &TemplatePlace) -> &[Slot] {
        let from = template.slots as usize;
        let to = from + template.slot_count as usize;
        self.slots.get(from..to).unwrap_or_default()
    }

    /// The columns of a template's varying slots.
    fn varying(&self, template: &TemplatePlace) -> &[u32] {
        let from = template.varying as usize;
        let to = from + template.varying_count as usize;
        self.varying.get(from..to).unwrap_or_default()
    }

    /// The template of a row.
    pub(super) fn template(&self, row: usize) -> Option<(u32, &TemplatePlace)> {
        let &template = self.rows.get(row)?;
        Some((template, self.templates.get(template as usize)?))
    }

    pub(super) fn shape(&self, shape: u32) -> &[u32] {
        self.shapes.get(shape as usize).map_or(&[], |shape| shape)
    }

    /// For each attribute of a resource or scope its column, and where in that its value is.
    pub(super) fn values_of(&self, origin: OriginPlace) -> impl Iterator<Item = (u32, u32)> + '_ {
        let values = self.origin_values.get(origin.values as usize..);
        let values = values.unwrap_or_default().iter().copied();
        self.shape(origin.shape).iter().copied().zip(values)
    }
}

/// Counts values by column; each takes a byte of the section of codes at least.
struct Counter {
    counts: Vec<u32>,
    left: u64,
}

impl Counter {
    fn new(columns: usize, codes_bytes: usize) -> Self {
        Counter {
            counts: vec![0; columns],
            left: codes_bytes as u64,
        }
    }

    /// Counts more values of a column; answers how many it had.
    fn add(&mut self, column: usize, values: u64) -> Result<u32, Damaged> {
        let counts = self.counts.get_mut(column).ok_or(Damaged("column"))?;
        self.left = self
            .left
            .checked_sub(values)
            .ok_or(Damaged("more values than bytes"))?;
        let before = *counts;
        *counts += values as u32; // less than the section's bytes, which are less than 1 GiB
        Ok(before)
    }
}

/// Where columns are, one after the other.
#[derive(Default)]
struct Directory {
    codes: usize,
    texts: usize,
    bits: usize,
}

impl Directory {
    fn read(
        &mut self,
        r: &mut Reader<'_>,
        value_type: ValueType,
        values: u32,
    ) -> Result<ColumnPlace, Damaged> {
        let distinct = r.u32()?.checked_sub(1);
        let (codes, other) = (r.u32()?, r.u32()?);
        if codes < values {
            return Err(Damaged("more values than bytes of a column"));
        }
        let end = if distinct.is_some() {
            &mut self.texts
        } else {
            &mut self.bits
        };
        let advance = |end: &mut usize, bytes: u32| {
            let from = *end;
            *end += bytes as usize;
            from..*end
        };
        Ok(ColumnPlace {
            name: String::new(),
            value_type,
            distinct,
            codes: advance(&mut self.codes, codes),
            other: advance(end, other),
            constants: 0,
        })
    }
}

fn read_traces(r: &mut Reader<'_>, rows: u32) -> Result<Vec<u32>, Damaged> {
    let mut left = rows;
    let mut traces = Vec::new();
    for _ in 0..r.count(1)? {
        let spans = r.u32()?;
        left = left.checked_sub(spans).ok_or(Damaged("spans of a trace"))?;
        traces.push(spans);
    }
    if left == 0 {
        Ok(traces)
    } else {
        Err(Damaged("spans without a trace"))
    }
}

fn read_columns(r: &mut Reader<'_>) -> Result<Vec<(String, ValueType)>, Damaged> {
    let mut columns = Vec::new();
    for _ in 0..r.count(2)? {
        let name = r.text()?.to_owned();
        let value_type = ValueType::from_u8(r.byte()?).ok_or(Damaged("type of a column"))?;
        columns.push((name, value_type));
    }
    Ok(columns)
}

fn read_shapes(r: &mut Reader<'_>, columns: usize) -> Result<Vec<Vec<u32>>, Damaged> {
    let mut shapes = Vec::new();
    for _ in 0..r.count(1)? {
        let positions = read_positions(r, columns)?;
        let shape = positions
            .into_iter()
            .map(|at| at + column::ATTRIBUTES as u32);
        shapes.push(shape.collect());
    }
    Ok(shapes)
}

/// Numbers, all below a bound.
fn read_positions(r: &mut Reader<'_>, bound: usize) -> Result<Vec<u32>, Damaged> {
    let mut positions = Vec::new();
    for _ in 0..r.count(1)? {
        let position = r.u32()?;
        if position as usize >= bound {
            return Err(Damaged("position in a table"));
        }
        positions.push(position);
    }
    Ok(positions)
}

/// The slots of a template: a bit each, set when it varies; and the columns of those that do.
fn read_slots(
    r: &mut Reader<'_>,
    columns: &[u32],
    counter: &mut Counter,
    (slots, varying): (&mut Vec<Slot>, &mut Vec<u32>),
) -> Result<(), Damaged> {
    const LANES: [u32; lane::COUNT] = [
        column::LANES as u32,
        column::LANES as u32 + 1,
        column::LANES as u32 + 2,
    ];
    let count = lane::COUNT + columns.len();
    let masks = r.take(count.div_ceil(8))?;
    slots.reserve(count);
    let bits = masks
        .iter()
        .flat_map(|mask| (0..8).map(move |bit| mask >> bit & 1));
    for (&column, bit) in LANES.iter().chain(columns).zip(bits) {
        let constant = match bit {
            1 => {
                varying.push(column);
                None
            }
            _ => Some(counter.add(column as usize, 1)?),
        };
        slots.push(Slot { column, constant });
    }
    Ok(())
}

/// Bytes with their length before them.
fn place(r: &mut Reader<'_>, raw: &[u8]) -> Result<Range<usize>, Damaged> {
    let length = r.count(1)?;
    take(r, raw, length)
}

fn take(r: &mut Reader<'_>, raw: &[u8], length: usize) -> Result<Range<usize>, Damaged> {
    let from = raw.len() - r.remaining();
    r.take(length)?;
    Ok(from..from + length)
}
