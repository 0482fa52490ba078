//! The points of a block's spans: start, duration, and whether it failed. Values of attributes are read only
//! as far as they are asked for.
#![warn(clippy::indexing_slicing)]

use tracewell_model::StatusCode;
use tracewell_storage::scan::Point;
use tracewell_storage::value_counts::Sets;
use tracewell_storage::{Error, SpanQuery};

use super::chosen::Chosen;
use super::column_reader::{ColumnReader, Cursors};
use super::layout::{class, column, lane};
use super::open::Body;
use crate::codec::Damaged;

/// The points of the spans that are asked for. Starts are compared only if that is asked.
pub(crate) fn points(body: &Body, query: &SpanQuery, is_timed: bool) -> Result<Vec<Point>, Error> {
    let structure = &body.structure;
    let constants = ColumnReader::new(body, &(0..0));
    let sets = Sets {
        a: query,
        b: query,
        is_rest: true,
    };
    let Some(chosen) = Chosen::new(body, &constants, &sets, is_timed)? else {
        return Ok(Vec::new());
    };
    let lane = |lane| {
        let column = column::LANES + lane;
        constants.read_coded(column, structure.values_of_column(column) as usize)
    };
    let (resources, classes) = (lane(lane::RESOURCE)?, lane(lane::CLASS)?);
    let statuses = constants.get(column::CLASSES + class::STATUS)?;
    let times = body
        .starts_of(0..body.rows())?
        .into_iter()
        .zip(body.durations()?);
    let mut cursors = Cursors::at(structure, 0);
    let mut points = Vec::new();
    for ((row, &template), (start_unix_ns, duration_ns)) in
        structure.rows.iter().enumerate().zip(times)
    {
        let place = structure
            .templates
            .get(template as usize)
            .ok_or(Damaged("template"))?;
        let &[resource, class] = structure
            .slots(place)
            .first_chunk()
            .ok_or(Damaged("lanes"))?;
        let (resource, class) = (cursors.next(resource), cursors.next(class));
        if chosen
            .templates
            .get(template as usize)
            .is_none_or(|sides| !sides[0])
        {
            continue;
        }
        let class = classes.number(class)?;
        let [is_in, _] = chosen.row(row, resources.number(resource)? as usize, class as usize)?;
        if is_in {
            points.push(Point {
                start_unix_ns,
                duration_ns,
                error: statuses.number(class as u32)? == StatusCode::Error as u64,
            });
        }
    }
    Ok(points)
}
