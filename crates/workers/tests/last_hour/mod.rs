//! Figures of the last hour, as both models of the sampler have them.

use std::sync::OnceLock;

use tracewell_storage::roll::RollCall;
use tracewell_storage::stats::{
    Answer, EdgeFigures, Figures, OperationFigures, ServiceFigures, Window,
};
use tracewell_storage::{Error, StatsReader};

const MS: u64 = 1_000_000;
pub(crate) const SERVICE: &str = "shop";
/// One that is well known, one of which nobody knows much, and one that takes long.
pub(crate) const OPERATIONS: [&str; 3] = ["known", "rare", "long"];

/// The last hour: the known operation takes 1 to 10 ms, the long one up to 3 hours.
pub(crate) struct LastHour;

impl StatsReader for LastHour {
    fn read_services(&self, _window: &Window) -> Result<Answer<ServiceFigures>, Error> {
        Ok(Answer::default())
    }

    fn read_operations(
        &self,
        _service: &str,
        _window: &Window,
    ) -> Result<Answer<OperationFigures>, Error> {
        Ok(Answer::default())
    }

    fn read_every_operation(
        &self,
        _window: &Window,
    ) -> Result<Answer<(String, OperationFigures)>, Error> {
        static ROWS: OnceLock<Vec<(String, OperationFigures)>> = OnceLock::new();
        let rows = ROWS.get_or_init(|| {
            let figures = |operation: &str, count: u64, step_ns: u64| {
                let mut figures = Figures::default();
                (0..count).for_each(|n| figures.record(MS + n % 9_000 * step_ns, false));
                let operation = operation.to_owned();
                (SERVICE.to_owned(), OperationFigures { operation, figures })
            };
            vec![
                figures(OPERATIONS[0], 9_000, MS / 1_000),
                figures(OPERATIONS[1], 99, MS / 1_000),
                figures(OPERATIONS[2], 9_000, 1_200 * MS),
            ]
        });
        Ok(Answer {
            rows: rows.clone(),
            ..Answer::default()
        })
    }

    fn read_graph(&self, _window: &Window) -> Result<Answer<EdgeFigures>, Error> {
        Ok(Answer::default())
    }

    fn read_roll(&self, _service: &str) -> Result<RollCall, Error> {
        Ok(RollCall::default())
    }
}
