//! A prefix of a test's own in the OpenSearch under test, and what was set aside.

use std::sync::Arc;

use tracewell_storage::conformance::aside::Aside;
use tracewell_storage_opensearch::{
    Attributes, OpenSearchFinder, OpenSearchSink, Settings, migrate,
};

/// A prefix of indices.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) settings: Settings,
    pub(crate) aside: Arc<Aside>,
}

/// A new prefix; none, said aloud, without an OpenSearch.
#[allow(clippy::print_stdout)] // how a test says that it was skipped
pub(crate) fn place() -> Option<Place> {
    let Ok(url) = std::env::var("STACK_OPENSEARCH") else {
        println!("skipped: STACK_OPENSEARCH does not say where an OpenSearch is");
        return None;
    };
    let settings = Settings {
        url,
        prefix: format!("test{:016x}", fastrand::u64(..)),
        // What the suite searches by.
        attributes: Attributes::All,
        value_bytes_max: 1024 * 1024,
        ..Settings::default()
    };
    migrate(&settings).expect("OpenSearch takes a template");
    Some(Place {
        settings,
        aside: Arc::default(),
    })
}

impl Place {
    pub(crate) fn sink(&self) -> OpenSearchSink {
        OpenSearchSink::new(self.settings.clone(), self.aside.clone()).expect("sound settings")
    }

    pub(crate) fn finder(&self) -> OpenSearchFinder {
        OpenSearchFinder::new(self.settings.clone()).expect("sound settings")
    }

    /// A request of the test's own; the answer's status and text.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.settings.url))
            .header("content-type", "application/json")
            .body(body.to_owned())
            .expect("a sound request");
        let mut answer = agent.run(request).expect("OpenSearch is there");
        let text = answer.body_mut().read_to_string().expect("it is text");
        (answer.status().as_u16(), text)
    }

    /// Makes everything that was written visible.
    pub(crate) fn refresh(&self) {
        let path = format!("{}-*/_refresh", self.settings.prefix);
        assert_eq!(self.ask("POST", &path, "").0, 200);
    }

    /// Removes the indices and their template.
    pub(crate) fn remove(&self) {
        let prefix = &self.settings.prefix;
        for path in [format!("{prefix}-*"), format!("_index_template/{prefix}")] {
            self.ask("DELETE", &path, "");
        }
    }
}
