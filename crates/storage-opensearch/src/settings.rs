//! What an operator may say of the index.

/// Where the index is, and what it holds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `http://host:port`.
    pub url: String,
    /// User and password, if the cluster asks for them.
    pub credentials: Option<(String, String)>,
    /// What the names of indices and of their template begin with: one tenant.
    pub prefix: String,
    /// Days for which a trace is found (R12).
    pub kept_days: u32,
    /// Shards of a day's index.
    pub shards: u32,
    /// Copies of each shard.
    pub replicas: u32,
    /// Which attributes are searchable (Q8).
    pub attributes: Attributes,
    /// Spans of one trace that are searchable; further ones are counted (Q14).
    pub spans_per_trace_max: usize,
    /// A longer value is left out of the index: nobody types it.
    pub value_bytes_max: usize,
    /// What the traces held in memory may take.
    pub held_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            url: "http://127.0.0.1:9200".to_owned(),
            credentials: None,
            prefix: "tracewell".to_owned(),
            kept_days: 7,
            shards: 1,
            replicas: 0,
            attributes: Attributes::default(),
            spans_per_trace_max: 10_000,
            value_bytes_max: 1_024,
            held_bytes_max: 128 * 1024 * 1024,
        }
    }
}

/// Which attributes are searchable. Those of failed spans all are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attributes {
    /// All.
    All,
    /// These keys; one that ends in `.*` stands for all that begin so.
    Listed(Vec<String>),
}

impl Default for Attributes {
    /// Q8, under the old and the new names of the conventions.
    fn default() -> Self {
        let keys = [
            "http.method",
            "http.request.method",
            "http.route",
            "http.status_code",
            "http.response.status_code",
            "rpc.*",
            "db.system",
            "db.system.name",
            "user_id",
            "request_id",
            "exception.type",
        ];
        Attributes::Listed(keys.map(str::to_owned).into())
    }
}

impl Attributes {
    /// True when spans that did not fail are found by this key.
    pub fn has(&self, key: &str) -> bool {
        match self {
            Attributes::All => true,
            Attributes::Listed(keys) => keys.iter().any(|listed| match listed.strip_suffix('*') {
                Some(beginning) => key.starts_with(beginning),
                None => key == listed,
            }),
        }
    }

    /// What to say of a search by this key, if it cannot find every span that has it.
    pub(crate) fn missing(&self, key: &str) -> Option<String> {
        (!self.has(key)).then(|| {
            format!("the search index has the attribute {key:?} of failed spans only; settings list those it has of all")
        })
    }
}
