//! The query string: decoded strictly. An unknown parameter, one given twice, or text that is not
//! UTF-8 is refused by name, because a filter that is silently ignored gives a wrong answer.

use crate::errors::Failure;

/// A parameter that an endpoint takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    /// May be given any number of times.
    pub(crate) many: bool,
}

/// A parameter that may be given once.
pub(crate) const fn once(name: &'static str) -> Param {
    Param { name, many: false }
}

/// A parameter that may be given any number of times.
pub(crate) const fn many(name: &'static str) -> Param {
    Param { name, many: true }
}

/// The parameters of a request, in their order.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pairs: Vec<(&'static str, String)>,
}

impl Params {
    pub(crate) fn parse(query: &str, accepted: &[Param]) -> Result<Params, Failure> {
        let mut params = Params::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name, true).ok_or_else(|| {
                Failure::about(name, "a parameter's name is not percent-encoded UTF-8")
            })?;
            let Some(param) = accepted.iter().find(|param| param.name == name) else {
                return Err(unknown(&name, accepted));
            };
            let value = decoded(value, true).ok_or_else(|| {
                Failure::parameter(
                    param.name,
                    value,
                    "percent-encoded UTF-8 (a % is written %25)",
                )
            })?;
            if !param.many && params.one(param.name).is_some() {
                let message = format!("{name} is given more than once; accepted: once");
                return Err(Failure::about(&name, message));
            }
            params.pairs.push((param.name, value));
        }
        Ok(params)
    }

    /// The value of a parameter that may be given once.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let given = self.pairs.iter().filter(move |(given, _)| *given == name);
        given.map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, read by `read`, whose error names it.
    pub(crate) fn read<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&'static str, &str) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        self.one(name).map(|text| read(name, text)).transpose()
    }

    /// All names and values but those named, in an order of their own: what a cursor belongs to.
    pub(crate) fn canonical(&self, without: &[&str]) -> String {
        let kept = self
            .pairs
            .iter()
            .filter(|(name, _)| !without.contains(name));
        let mut pairs: Vec<String> = kept
            .map(|(name, value)| format!("{name}={}:{value}", value.len()))
            .collect();
        pairs.sort_unstable();
        pairs.concat()
    }
}

fn unknown(name: &str, accepted: &[Param]) -> Failure {
    let accepted: Vec<_> = accepted.iter().map(|param| param.name).collect();
    let accepted = if accepted.is_empty() {
        "none".to_owned()
    } else {
        accepted.join(", ")
    };
    let name_shown = tracewell_wire::json::excerpt(name);
    Failure::about(
        name,
        format!("unknown parameter \"{name_shown}\"; accepted: {accepted}"),
    )
}

/// Undoes percent-encoding; in a query `+` is a space. None when it is not sound UTF-8.
pub(crate) fn decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || (bytes.next()? as char).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone() {
        for (text, expected) in [
            ("a%20b+c", Some("a b c")),
            ("%C3%A9", Some("é")),
            ("%00", Some("\0")),
            ("%ff", None),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
        ] {
            assert_eq!(decoded(text, true).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_accepted_is_refused_by_name() {
        let accepted = [once("limit"), many("tag")];
        for (query, parameter) in [
            ("limit=1&limit=1", "limit"),
            ("Limit=1", "Limit"),
            ("tag=%ff", "tag"),
            ("%ff=1", "%ff"),
            ("limit=1&x", "x"),
        ] {
            let failure = Params::parse(query, &accepted).expect_err(query);
            assert_eq!(failure.parameter.as_deref(), Some(parameter), "{query}");
        }
        let params = Params::parse("tag=b&&tag=a=c&limit=5", &accepted).unwrap();
        assert_eq!(params.all("tag").collect::<Vec<_>>(), ["b", "a=c"]);
        let other = Params::parse("tag=a%3Dc&tag=b", &accepted).unwrap();
        assert_eq!(params.canonical(&["limit"]), other.canonical(&["limit"]));
    }
}
