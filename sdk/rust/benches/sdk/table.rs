//! What was measured as tables: of the bench's own rows, and of those it wrote as JSON, which is how a test
//! holds the documents to the run they speak of.

use serde_json::{Value as Json, json};

/// One line of a table: what was measured, and its figures.
pub(crate) struct Row {
    pub(crate) group: &'static str,
    pub(crate) what: String,
    pub(crate) figures: Vec<(&'static str, f64)>,
}

impl Row {
    /// As the file of a run has it.
    pub(crate) fn to_json(&self) -> Json {
        let figures: Vec<Json> = self.figures.iter().map(|pair| json!(pair)).collect();
        json!({"group": self.group, "what": self.what, "figures": figures})
    }
}

/// The tables of a run, one a group.
pub(crate) fn tables(rows: &[Json]) -> Vec<String> {
    let mut tables = Vec::new();
    let mut group = &Json::Null;
    for row in rows {
        let figures = || row["figures"].as_array().into_iter().flatten();
        if row["group"] != *group {
            group = &row["group"];
            let names: Vec<&str> = figures().filter_map(|figure| figure[0].as_str()).collect();
            let (title, rule) = (text(group), "|---".repeat(names.len() + 1));
            tables.push(format!("| {title} | {} |\n{rule}|\n", names.join(" | ")));
        }
        let numbers: Vec<String> = figures().map(|figure| number(&figure[1])).collect();
        if let Some(table) = tables.last_mut() {
            table.push_str(&format!(
                "| {} | {} |\n",
                text(&row["what"]),
                numbers.join(" | ")
            ));
        }
    }
    tables
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

fn number(json: &Json) -> String {
    json.as_f64()
        .map_or_else(String::new, |number| format!("{number}"))
}
