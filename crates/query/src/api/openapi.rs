//! `/api/openapi.json`: written by hand beside the code; a test holds the two together.

/// The OpenAPI 3.1 document.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::ENDPOINTS;

    /// Paths with the names of their query parameters; `many` as arrays.
    type Table = BTreeSet<(String, String, bool)>;

    #[test]
    fn what_is_served_is_documented_and_the_reverse() {
        let document: Value = serde_json::from_str(super::DOCUMENT).unwrap();
        let mut documented = Table::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            documented.insert((path.clone(), String::new(), false));
            let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
                let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                let many = parameter["schema"]["type"] == "array";
                documented.insert((path.clone(), name, many));
            }
        }
        let mut served = Table::new();
        for endpoint in ENDPOINTS {
            served.insert((endpoint.path.to_owned(), String::new(), false));
            for param in endpoint.params {
                served.insert((endpoint.path.to_owned(), param.name.to_owned(), param.many));
            }
        }
        assert_eq!(documented, served);
    }
}
