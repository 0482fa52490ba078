//! `GET /api/graph`: services, and who calls whom.

use std::collections::BTreeMap;

use tracewell_storage::stats::Figures;

use super::past::Past;
use super::services::{percentiles, rates, window};
use super::{Answer, Ask};
use crate::errors::Failure;
use crate::json::Json;

pub(crate) fn get_graph(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let window = window(ask, 0)?;
    let services = ask.readers.stats.read_services(&window)?;
    let graph = ask.readers.stats.read_graph(&window)?;
    let mut searched = services.searched.clone();
    searched.add(&graph.searched);
    let mut incomplete = [services.incomplete, graph.incomplete].concat();
    let past = Past::read(
        &window,
        (&mut searched, &mut incomplete),
        |window| Ok(vec![ask.readers.stats.read_graph(window)?]),
        |edge| Some(((edge.parent, edge.child), edge.figures)),
    )?;

    // A service may be an end of an edge without figures of its own, over a cap or just rolled out.
    let empty = Figures::default();
    let mut nodes: BTreeMap<&str, &Figures> = BTreeMap::new();
    for edge in &graph.rows {
        nodes.insert(&edge.parent, &empty);
        nodes.insert(&edge.child, &empty);
    }
    nodes.extend(
        services
            .rows
            .iter()
            .map(|row| (row.service.as_str(), &row.figures)),
    );

    let mut json = Json::default();
    json.object(|json| {
        json.key("nodes").array(nodes, |json, (service, figures)| {
            json.object(|json| {
                json.key("service").text(service);
                rates(json, figures, &window);
                percentiles(json, figures);
            });
        });
        json.key("edges").array(&graph.rows, |json, edge| {
            json.object(|json| {
                json.key("parent").text(&edge.parent);
                json.key("child").text(&edge.child);
                json.key("call_count").plain(edge.figures.count);
                json.key("error_count").plain(edge.figures.error_count);
                rates(json, &edge.figures, &window);
                percentiles(json, &edge.figures);
                let ends = (edge.parent.clone(), edge.child.clone());
                json.key("was").object(|json| past.write(json, &ends));
            });
        });
        json.key("unjoined").object(|json| {
            json.key("no_parent_in_window")
                .plain(graph.unjoined.no_parent_in_window);
            json.key("over_cap").plain(graph.unjoined.over_cap);
        });
        json.key("window_s").plain(window.seconds());
        json.outcome(&searched, &incomplete);
    });
    Ok(Answer::new(json.into_text(), &searched, &incomplete))
}
