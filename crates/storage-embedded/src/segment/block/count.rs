//! Counts the values of a block's spans in two sets without making spans of them: what all spans of a
//! template, a resource or a class have costs one addition for all of them, what differs from row to
//! row one by its code, and texts are looked at once a block. Only columns are read in which a span of
//! the sets has a value.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use tracewell_storage::Error;
use tracewell_storage::value_counts::{Counts, FieldCounts, Sets, Source, ValueCounts};

use super::chosen::{Chosen, Sides};
use super::column_reader::{ColumnReader, Cursors};
use super::column_values::{Coded, Values};
use super::counted::CountedColumn;
use super::layout::{class, column, lane};
use super::open::Body;
use super::parts::Section;
use super::structure::{OriginPlace, Slot, Structure};
use super::tails::Tail;
use crate::codec::Damaged;

/// Counts a block's spans. Starts are looked at only if that is asked.
pub(crate) fn count_values(
    body: &Body,
    sets: &Sets<'_>,
    is_timed: bool,
    counts: &mut ValueCounts,
) -> Result<(), Error> {
    // Without rows: the values of resources, scopes, classes and templates.
    let constants = ColumnReader::new(body, &(0..0));
    let Some(chosen) = Chosen::new(body, &constants, sets, is_timed)? else {
        return Ok(());
    };
    let mut block = BlockCounts::new(body, &constants, chosen, counts)?;
    block.rows(sets)?;
    block.constants()?;
    block.add_to(counts)?;
    block.events(counts)
}

struct BlockCounts<'b, 'c> {
    structure: &'b Structure,
    body: &'b Body,
    constants: &'c ColumnReader<'b>,
    chosen: Chosen,
    plans: Plans,
    /// By column: those of attributes that are counted.
    columns: Vec<Option<CountedColumn<'b>>>,
    /// Resources and classes.
    lanes: [Coded<'b>; 2],
    fields: FieldCounts,
    templates: Vec<Counts>,
    resources: Vec<Counts>,
    classes: Vec<Counts>,
    /// By class, the shape of its events' attributes.
    event_shapes: Vec<u32>,
    /// Rows of the sets that have attributes of events: with their shape and sides.
    with_events: Vec<(usize, u32, Counts)>,
}

/// What is to be done for the rows of each template.
struct Plans {
    by_template: Vec<Plan>,
    /// The columns of varying slots, plan by plan.
    varying: Vec<u32>,
}

struct Plan {
    /// The sets that some of its rows may be in.
    sides: Sides,
    lanes: [Slot; 2],
    /// How many values its rows have in the columns of these: one, or none.
    lane_values: [u32; 2],
    /// Where its varying slots lie that are counted. Of rows that are in no set they are passed over.
    varying: Range<usize>,
    /// A key stands twice: with one value it counts once.
    repeats: bool,
}

impl Plans {
    #[inline]
    fn get(&self, template: usize) -> Option<(&Plan, &[u32])> {
        let plan = self.by_template.get(template)?;
        Some((plan, self.varying.get(plan.varying.clone())?))
    }
}

impl<'b, 'c> BlockCounts<'b, 'c> {
    fn new(
        body: &'b Body,
        constants: &'c ColumnReader<'b>,
        chosen: Chosen,
        counts: &ValueCounts,
    ) -> Result<Self, Error> {
        let structure = &body.structure;
        let lane = |lane| {
            let column = column::LANES + lane;
            constants.read_coded(column, structure.values_of_column(column) as usize)
        };
        let lanes = [lane(lane::RESOURCE)?, lane(lane::CLASS)?];
        let events = constants.get(column::CLASSES + class::EVENTS)?;
        let shapes = (0..structure.classes as u32).map(|class| {
            let shape = u32::try_from(events.number(class)?).unwrap_or(u32::MAX);
            let columns = structure.shape(shape).iter();
            let mut names = columns.filter_map(|&column| structure.columns.get(column as usize));
            let is_wanted = names.any(|place| counts.wants(Source::Event, &place.name));
            // A shape that nobody wants is as good as none.
            Ok(if is_wanted { shape } else { u32::MAX })
        });
        let event_shapes = shapes.collect::<Result<_, Damaged>>()?;
        let columns = read_columns(structure, constants, &chosen, counts)?;
        let plans = plans(structure, &chosen, &columns)?;
        Ok(BlockCounts {
            structure,
            body,
            constants,
            plans,
            columns,
            lanes,
            fields: FieldCounts::default(),
            templates: vec![[0; 2]; structure.templates.len()],
            resources: vec![[0; 2]; structure.resources.len()],
            classes: vec![[0; 2]; structure.classes],
            event_shapes,
            with_events: Vec::new(),
            chosen,
        })
    }

    /// Counts row by row what is not the same in all rows of a template.
    fn rows(&mut self, sets: &Sets<'_>) -> Result<(), Error> {
        let bits = self.body.duration_classes()?;
        let mut cursors = Cursors::at(self.structure, 0);
        let constants = |lane: usize| {
            let column = self.structure.columns.get(column::LANES + lane);
            column.map_or(0, |column| column.constants)
        };
        let mut lanes_at = [constants(lane::RESOURCE), constants(lane::CLASS)];
        let rows = self.structure.rows.iter().zip(bits).enumerate();
        for (row, (&template, &bits)) in rows {
            let at = template as usize;
            let (plan, varying) = self.plans.get(at).ok_or(Damaged("template"))?;
            let here = lanes_at;
            let [resources, classes] = plan.lane_values;
            lanes_at = [here[0] + resources, here[1] + classes];
            if plan.sides == [false; 2] {
                cursors.pass(varying);
                continue;
            }
            let [resource, class] = self.lanes_of(plan, here)?;
            let [a, b] = self.chosen.row(row, resource, class)?;
            let sides = sets.sides(plan.sides[0] && a, plan.sides[1] && b);
            if sides == [0; 2] {
                cursors.pass(varying);
                continue;
            }
            let counts = sides.map(u64::from);
            self.fields.note_duration(bits, sides);
            add(&mut self.templates, at, counts);
            add(&mut self.resources, resource, counts);
            add(&mut self.classes, class, counts);
            let shape = self.event_shapes.get(class).copied().unwrap_or(u32::MAX);
            if !self.structure.shape(shape).is_empty() {
                self.with_events.push((row, shape, counts));
            }
            if plan.repeats {
                let template = self.structure.templates.get(at);
                let slots = template.map_or(&[][..], |template| self.structure.slots(template));
                repeating(slots, &mut self.columns, &mut cursors, counts)?;
                continue;
            }
            for &column in varying {
                let at = cursors.next_of(column);
                if let Some(Some(column)) = self.columns.get_mut(column as usize) {
                    column.take(column.id(at)?, counts);
                }
            }
        }
        Ok(())
    }

    /// The resource and the class of a row, whose values stand here if they vary.
    fn lanes_of(&self, plan: &Plan, here: [u32; 2]) -> Result<[usize; 2], Damaged> {
        let [resource, class] = plan.lanes;
        let [resources, classes] = &self.lanes;
        Ok([
            resources.number(resource.constant.unwrap_or(here[0]))? as usize,
            classes.number(class.constant.unwrap_or(here[1]))? as usize,
        ])
    }

    /// Counts what is the same in all rows of a template.
    fn constants(&mut self) -> Result<(), Error> {
        let plans = self.plans.by_template.iter().zip(&self.structure.templates);
        for ((plan, template), &counts) in plans.zip(&self.templates) {
            if counts == [0; 2] || plan.repeats {
                continue;
            }
            for slot in self.structure.slots(template) {
                let column = self.columns.get_mut(slot.column as usize);
                if let (Some(Some(column)), Some(at)) = (column, slot.constant) {
                    column.take(column.id(at)?, counts);
                }
            }
        }
        Ok(())
    }

    fn add_to(&mut self, counts: &mut ValueCounts) -> Result<(), Error> {
        let names = self.constants.get(column::NAME)?;
        for (at, (&place, &of)) in (0..).zip(self.structure.resources.iter().zip(&self.resources)) {
            if of == [0; 2] {
                continue;
            }
            counts.spans = [counts.spans[0] + of[0], counts.spans[1] + of[1]];
            let name = text(names, at * 2)?;
            counts.add(Source::Field, "service", [(name, of)]);
            self.origin(Source::Resource, place, of, counts)?;
        }
        let operations = self.constants.get(column::OPERATION)?;
        for (at, &of) in (0..).zip(&self.templates) {
            if of != [0; 2] {
                let name = text(operations, at)?;
                counts.add(Source::Field, "operation", [(name, of)]);
            }
        }
        self.classes(counts)?;
        let places = self.structure.columns.iter();
        for (column, place) in self.columns.iter_mut().zip(places) {
            if let Some(column) = column {
                counts.add(Source::Span, &place.name, column.texts(place.value_type)?);
            }
        }
        Ok(())
    }

    /// Status and kind, and the scopes' attributes.
    fn classes(&mut self, counts: &mut ValueCounts) -> Result<(), Error> {
        let field = |field| self.constants.get(column::CLASSES + field);
        let (statuses, kinds) = (field(class::STATUS)?, field(class::KIND)?);
        let scopes = field(class::SCOPE)?;
        let mut of_scopes = vec![[0; 2]; self.structure.scopes.len()];
        for (at, &of) in (0..).zip(&self.classes) {
            let narrow = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
            let (status, kind) = (narrow(statuses.number(at)?), narrow(kinds.number(at)?));
            self.fields.note(status, kind, of);
            add(&mut of_scopes, scopes.number(at)? as usize, of);
        }
        counts.add_fields(std::mem::take(&mut self.fields));
        for (&place, of) in self.structure.scopes.iter().zip(of_scopes) {
            self.origin(Source::Scope, place, of, counts)?;
        }
        Ok(())
    }

    /// Attributes of a resource or scope.
    fn origin(
        &self,
        source: Source,
        place: OriginPlace,
        of: Counts,
        counts: &mut ValueCounts,
    ) -> Result<(), Error> {
        if of == [0; 2] {
            return Ok(());
        }
        for (column, at) in self.structure.values_of(place) {
            let known = self.structure.columns.get(column as usize);
            let known = known.ok_or(Damaged("column"))?;
            if counts.wants(source, &known.name) {
                let values = self.constants.get(column as usize)?;
                let value = values
                    .value(at, known.value_type)?
                    .typed(known.value_type)?;
                counts.add(source, &known.name, [(value.text(), of)]);
            }
        }
        Ok(())
    }

    /// Attributes of events: they lie in the rows' tails.
    fn events(&self, counts: &mut ValueCounts) -> Result<(), Error> {
        let mut waiting = self.with_events.iter().peekable();
        if waiting.peek().is_none() {
            return Ok(());
        }
        let tails = self.body.section(Section::Rest)?;
        let column = column::LANES + lane::TAIL;
        let all = self.structure.values_of_column(column) as usize;
        let lengths = self.constants.read_coded(column, all)?;
        let mut cursors = Cursors::at(self.structure, 0);
        let slots = self.structure.templates.iter().map(|template| {
            let slot = self.structure.slots(template).get(lane::TAIL);
            slot.copied().ok_or(Damaged("lanes"))
        });
        let slots = slots.collect::<Result<Vec<Slot>, Damaged>>()?;
        let mut from = 0usize;
        for (row, &template) in self.structure.rows.iter().enumerate() {
            let slot = slots.get(template as usize).ok_or(Damaged("template"))?;
            let to = from.saturating_add(lengths.number(cursors.next(*slot))? as usize);
            if let Some((_, shape, of)) = waiting.next_if(|(waiting, ..)| *waiting == row) {
                let tail = tails.get(from..to).ok_or(Damaged("bytes of a tail"))?;
                self.events_of(*shape, tail, *of, counts)?;
                if waiting.peek().is_none() {
                    break;
                }
            }
            from = to;
        }
        Ok(())
    }

    fn events_of(
        &self,
        shape: u32,
        tail: &[u8],
        of: Counts,
        counts: &mut ValueCounts,
    ) -> Result<(), Error> {
        let mut tail = Tail::open(tail)?;
        let mut seen = Vec::new();
        for &column in self.structure.shape(shape) {
            let place = self.structure.columns.get(column as usize);
            let place = place.ok_or(Damaged("column"))?;
            let value = tail.value(place.value_type)?;
            // Several events may say the same.
            if !seen.contains(&(column, value)) && counts.wants(Source::Event, &place.name) {
                seen.push((column, value));
                let value = value.typed(place.value_type)?;
                counts.add(Source::Event, &place.name, [(value.text(), of)]);
            }
        }
        Ok(())
    }
}

/// Reads the columns of attributes that spans of the sets have, as far as their values are needed.
fn read_columns<'b>(
    structure: &'b Structure,
    columns: &ColumnReader<'b>,
    chosen: &Chosen,
    counts: &ValueCounts,
) -> Result<Vec<Option<CountedColumn<'b>>>, Error> {
    let mut needed = vec![0u32; structure.columns.len()];
    for (template, sides) in structure.templates.iter().zip(&chosen.templates) {
        if *sides == [false; 2] {
            continue;
        }
        for slot in structure.slots(template).iter().skip(lane::COUNT) {
            let at = slot.column as usize;
            let to = match slot.constant {
                Some(at) => at + 1,
                None => structure.values_of_column(at),
            };
            if let Some(needed) = needed.get_mut(at) {
                *needed = to.max(*needed);
            }
        }
    }
    let places = structure.columns.iter().zip(needed).enumerate();
    let read = places.map(|(at, (place, needed))| {
        if needed == 0 || !counts.wants(Source::Span, &place.name) {
            return Ok(None);
        }
        let values = columns.read_coded(at, needed as usize)?;
        Ok(Some(CountedColumn::new(values)))
    });
    read.collect()
}

fn plans(
    structure: &Structure,
    chosen: &Chosen,
    columns: &[Option<CountedColumn<'_>>],
) -> Result<Plans, Damaged> {
    let mut plans = Plans {
        by_template: Vec::with_capacity(structure.templates.len()),
        varying: Vec::new(),
    };
    let is_counted = |slot: &&Slot| matches!(columns.get(slot.column as usize), Some(Some(_)));
    for (template, &sides) in structure.templates.iter().zip(&chosen.templates) {
        let slots = structure.slots(template);
        let lanes = slots.first_chunk::<2>().ok_or(Damaged("lanes"))?;
        let own = slots.iter().skip(lane::COUNT).filter(is_counted);
        let from = plans.varying.len();
        let varying = own.clone().filter(|slot| slot.constant.is_none());
        plans.varying.extend(varying.map(|slot| slot.column));
        let is_chosen = sides != [false; 2];
        let mut own: Vec<u32> = own.filter(|_| is_chosen).map(|slot| slot.column).collect();
        own.sort_unstable();
        plans.by_template.push(Plan {
            sides,
            lanes: *lanes,
            lane_values: lanes.map(|slot| u32::from(slot.constant.is_none())),
            varying: from..plans.varying.len(),
            repeats: own.windows(2).any(|pair| pair.first() == pair.last()),
        });
    }
    Ok(plans)
}

/// Counts the values of a row whose keys stand several times.
fn repeating(
    slots: &[Slot],
    columns: &mut [Option<CountedColumn<'_>>],
    cursors: &mut Cursors,
    counts: Counts,
) -> Result<(), Damaged> {
    let mut seen = Vec::new();
    for &slot in slots.iter().skip(lane::COUNT) {
        let Some(Some(column)) = columns.get_mut(slot.column as usize) else {
            continue;
        };
        let at = cursors.next(slot);
        let id = column.id(at)?;
        if !seen.contains(&(slot.column, id)) {
            seen.push((slot.column, id));
            column.take(id, counts);
        }
    }
    Ok(())
}

fn add(to: &mut [Counts], at: usize, counts: Counts) {
    if let Some(of) = to.get_mut(at) {
        *of = [of[0] + counts[0], of[1] + counts[1]];
    }
}

fn text<'v>(values: &'v Values<'_>, at: u32) -> Result<&'v str, Damaged> {
    let bytes = values.dictionary()?.get(values.code(at)?)?;
    std::str::from_utf8(bytes).map_err(|_| Damaged("text is not UTF-8"))
}
