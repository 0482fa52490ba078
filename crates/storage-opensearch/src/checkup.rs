//! Whether the cluster is as the roles need it, for `tracewell doctor`.

use serde_json::Value;
use tracewell_storage::{Checkup, Error};

use crate::http::Http;
use crate::indices::TEMPLATE_VERSION;
use crate::settings::Settings;

/// What the cluster is like, and what is wrong with it.
pub fn check(settings: &Settings) -> Result<Checkup, Error> {
    let http = Http::new(settings.clone())?;
    let Settings { url, prefix, .. } = settings;
    let get = |path: &str| http.ask::<Value>("GET", path, &[]);
    let text = |value: &Value, at: &str| {
        let found = value.pointer(at);
        found.and_then(Value::as_str).unwrap_or("").to_owned()
    };

    let about = get("")?;
    let health = get("_cluster/health")?;
    let (version, status) = (text(&about, "/version/number"), text(&health, "/status"));
    let nodes = health["number_of_data_nodes"].as_u64().unwrap_or(0);
    let mut checkup = Checkup {
        seen: format!("version {version}, {nodes} data node(s), {status}"),
        ..Checkup::default()
    };
    checkup.expect(
        status != "red",
        "the cluster is red: some shards are nowhere",
        format!("curl '{url}/_cluster/allocation/explain?pretty' says why"),
    );

    // All of them: asked for one that is not there, it answers 404.
    let templates = get("_index_template")?;
    let templates = templates["index_templates"].as_array();
    let template = templates.and_then(|all| all.iter().find(|one| one["name"] == prefix.as_str()));
    let template = template.map_or(&Value::Null, |one| &one["index_template"]);
    let index = &template["template"]["settings"]["index"];
    let wanted = [settings.shards.to_string(), settings.replicas.to_string()];
    let has = ["number_of_shards", "number_of_replicas"].map(|key| index[key].as_str());
    let known = template["version"] == TEMPLATE_VERSION;
    checkup.expect(
        known && wanted.iter().map(|text| Some(text.as_str())).eq(has),
        format!("the template {prefix}, of which every day's index is made, is missing or not as it is set"),
        "tracewell schema",
    );

    let asked = "flat_settings=true&include_defaults=true&filter_path=*.action.auto_create_index";
    let cluster = get(&format!("_cluster/settings?{asked}"))?;
    let levels = ["transient", "persistent", "defaults"];
    let mut levels = levels
        .iter()
        .map(|level| &cluster[level]["action.auto_create_index"]);
    let creates = levels.find_map(Value::as_str).unwrap_or("true");
    checkup.expect(
        creates != "false",
        "action.auto_create_index is false: no day gets its index",
        format!("set action.auto_create_index to \"{prefix}-*\" by PUT {url}/_cluster/settings"),
    );

    let blocks = "flat_settings=true&filter_path=*.settings.index.blocks*";
    let indices = get(&format!("{prefix}-*/_settings?{blocks}"))?;
    let blocked = indices.as_object().into_iter().flatten().filter(|(_, of)| {
        let mut blocks = of["settings"].as_object().into_iter().flatten();
        blocks.any(|(key, value)| key.starts_with("index.blocks.") && value == "true")
    });
    let blocked: Vec<&str> = blocked.map(|(index, _)| index.as_str()).collect();
    checkup.expect(
        blocked.is_empty(),
        format!("nothing can be written to {}: most likely the disk was full", blocked.join(", ")),
        format!("make room, then PUT {url}/{prefix}-*/_settings {{\"index.blocks.read_only_allow_delete\": null}}"),
    );
    Ok(checkup)
}
